"""Checkpoints from which training goes on exactly where it was: tensors in safetensors, the rest in JSON.

`folder/step-00000100/` appears whole or not at all; the one before it stays until the next is complete.
"""

import json
import os
import shutil
from pathlib import Path

import safetensors.torch
import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from ptm_explore.errors import PtmError


def save(folder: Path, net: nn.Module, optimizer: Optimizer, state: dict, keep: int = 2) -> Path:
    """Write a checkpoint of `state["progress"]["steps"]` and drop all but the last `keep`."""
    target, temporary = folder / f"step-{state['progress']['steps']:08d}", folder / ".writing-checkpoint"
    try:
        shutil.rmtree(temporary, ignore_errors=True)  # of a process that was killed while writing
        temporary.mkdir(parents=True)
        weights = {name: parameter.detach().cpu().contiguous() for name, parameter in net.named_parameters()}
        safetensors.torch.save_file(weights, temporary / "model.safetensors")
        safetensors.torch.save_file(_moments(net, optimizer), temporary / "optimizer.safetensors")
        (temporary / "state.json").write_text(json.dumps(state))
        for file in temporary.iterdir():  # on the disk before the name is: a power cut is a kill too
            with file.open("rb") as handle:
                os.fsync(handle.fileno())
        shutil.rmtree(target, ignore_errors=True)
        temporary.rename(target)
    except Exception as error:
        shutil.rmtree(temporary, ignore_errors=True)
        advice = "the one before it is untouched. Free some space and run again with --resume."
        raise PtmError(f"could not write the checkpoint {target} ({error}); {advice}") from error
    for old in _all(folder)[:-keep]:
        shutil.rmtree(old, ignore_errors=True)

    return target


def latest(folder: Path) -> Path | None:
    """The newest complete checkpoint, or None."""
    return next(reversed(_all(folder)), None)


def load(path: Path, net: nn.Module, optimizer: Optimizer) -> dict:
    """Weights and optimiser set as they were; returns the state."""
    try:
        state = json.loads((path / "state.json").read_text())
        parts = (path / f"{part}.safetensors" for part in ("model", "optimizer"))
        weights, moments = map(safetensors.torch.load_file, parts)
    except Exception as error:
        raise PtmError(f"{path} cannot be read ({error}); remove it to use the checkpoint before") from error
    own = dict(net.named_parameters())  # shared ones once, under their first name
    if {name: p.shape for name, p in own.items()} != {name: t.shape for name, t in weights.items()}:
        raise PtmError(f"the checkpoint {path} is of another network; train into another folder")
    with torch.no_grad():
        for name, parameter in own.items():
            parameter.copy_(weights[name])
    for key, value in moments.items():
        name, _, moment = key.rpartition("/")
        optimizer.state[own[name]][moment] = value.to(own[name].device if value.dim() else "cpu")
    return state


def _moments(net: nn.Module, optimizer: Optimizer) -> dict[str, Tensor]:
    return {
        f"{name}/{key}": value.detach().cpu().contiguous()
        for name, parameter in net.named_parameters()
        for key, value in optimizer.state.get(parameter, {}).items()
    }


def _all(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("step-*") if (path / "state.json").is_file())
