"""Checkpoints from which training goes on exactly where it was: tensors in safetensors, the rest in JSON.

`folder/step-00000100/` appears whole or not at all; the one before it stays until the next is complete.
"""

import json
import os
import shutil
import tempfile
from pathlib import Path

import safetensors.torch
import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from ptm_explore.errors import PtmError


def save(folder: Path, net: nn.Module, optimizer: Optimizer, state: dict, keep: int = 2) -> Path:
    """Write a checkpoint of `state["progress"]["steps"]` and drop all but the last `keep`."""
    target = folder / f"step-{state['progress']['steps']:08d}"
    temporary = None
    try:
        folder.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=".writing-", dir=folder))
        weights = {name: parameter.detach().cpu().contiguous() for name, parameter in net.named_parameters()}
        safetensors.torch.save_file(weights, temporary / "model.safetensors")
        safetensors.torch.save_file(_moments(net, optimizer), temporary / "optimizer.safetensors")
        (temporary / "state.json").write_text(json.dumps(state))
        for file in temporary.iterdir():  # on the disk before the name is: a power cut is a kill too
            with file.open("rb") as handle:
                os.fsync(handle.fileno())
        if target.exists():
            shutil.rmtree(target)
        temporary.rename(target)
    except Exception as error:
        if temporary is not None:
            shutil.rmtree(temporary, ignore_errors=True)
        advice = "the one before it is untouched. Free some space and run again with --resume."
        raise PtmError(f"could not write the checkpoint {target} ({error}); {advice}") from error
    for old in _all(folder)[:-keep]:
        shutil.rmtree(old, ignore_errors=True)
    for left in folder.glob(".writing-*"):  # by a process that was killed while writing
        shutil.rmtree(left, ignore_errors=True)
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
            optimizer.state[parameter] = {
                key.removeprefix(name + "/"): value.to(parameter.device if value.dim() else "cpu")
                for key, value in moments.items()
                if key.startswith(name + "/")
            }
    return state


def _moments(net: nn.Module, optimizer: Optimizer) -> dict[str, Tensor]:
    names = {id(parameter): name for name, parameter in net.named_parameters()}
    return {
        f"{names[id(parameter)]}/{key}": value.detach().cpu().contiguous()
        for parameter, values in optimizer.state.items()
        for key, value in values.items()
    }


def _all(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("step-*") if (path / "state.json").is_file())
