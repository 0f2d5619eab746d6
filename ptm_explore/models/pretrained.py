"""Checkpoints in the Hugging Face layout, in and out: config.json, weights, tokenizer."""

import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from torch import Tensor

from ptm_explore.errors import PtmError, unknown
from ptm_explore.models.keymaps import canonical, from_hugging_face, to_hugging_face
from ptm_explore.models.layouts import LAYOUTS, Layout
from ptm_explore.models.network import Config, Network
from ptm_explore.models.recipes import FAMILIES, build

SHIPPED = Path(__file__).parents[1] / "minis"  # one trained mini of each family, a folder each
COMPANION = "generator"  # the folder, inside a network's, of what was trained along with it
SINGLE = {"model.safetensors": False, "pytorch_model.bin": True}  # name -> is the legacy pickle format


def read(source: str | Path, revision: str | None = None) -> tuple[Network, dict, Path]:
    """(network, config.json as it stands, folder) from a folder, or a hub id looked up in the local cache
    and then on the network. A network that was saved with a companion comes with it."""
    folder = _find(source, revision)
    hf = _read_json(folder / "config.json")
    layout = LAYOUTS.get(hf.get("model_type", ""))
    if layout is None:
        raise unknown("model_type in config.json:", hf.get("model_type"), LAYOUTS)
    config = from_hf_config(hf, layout)
    tensors = canonical(_tensors(folder), layout)
    net = build(layout.family, config, _heads(tensors, hf, layout), len(hf.get("id2label") or {}) or 2)
    _fill(net, tensors, layout, folder)
    if (folder / COMPANION / "config.json").is_file():
        net = net.joined(read(folder / COMPANION)[0])
    return net.eval(), hf, folder


def shipped() -> list[str]:
    """The names of the trained minis that come with the package."""
    return sorted(path.parent.name for path in SHIPPED.glob("*/config.json"))


def layout_of(net: Network) -> tuple[str, Layout]:
    """(model_type, layout) in which a network is saved."""
    kin = ((name, layout) for name, layout in LAYOUTS.items() if FAMILIES[layout.family] is type(net))
    return next((n, layout) for n, layout in kin if vars(net.config).items() >= layout.fixed.items())


def from_hf_config(hf: dict, layout: Layout) -> Config:
    """Our config from the contents of a config.json; what it leaves out has our default."""
    cls = FAMILIES[layout.family].config_class
    values = {ours: hf[theirs] for ours, theirs in layout.fields.items() if hf.get(theirs) is not None}
    if (given := values.get("activation")) is not None:
        if given not in layout.activations:
            raise unknown("activation in config.json:", given, layout.activations)
        values["activation"] = layout.activations[given]
    values |= layout.fixed
    values.setdefault("d_ff", 4 * values.get("d_model", cls.d_model))
    values.setdefault("attention_dropout", values.get("dropout", cls.dropout))  # XLNet has one rate
    for name, fine in layout.only.items():
        if hf.get(name, fine[0]) not in fine:
            raise PtmError(f"config.json asks for {name}={hf[name]!r}; only {fine[0]!r} is built here")
    config = cls(**values)
    return replace(config, max_len=config.max_len - config.reserved_positions)


def hf_config(net: Network, extra: dict | None = None) -> dict:
    """The contents of config.json for a network, with `extra` (labels, special ids) on top."""
    name, layout = layout_of(net)
    c = replace(net.config, max_len=net.config.max_len + net.config.reserved_positions)
    values = {theirs: getattr(c, ours) for ours, theirs in layout.fields.items()}
    back = {ours: theirs for theirs, ours in reversed(layout.activations.items())}
    values[layout.fields["activation"]] = back[c.activation]
    values |= {theirs: getattr(c, ours) for theirs, ours in layout.extra.items()}
    heads = frozenset(net.heads) | ({"pooler"} if getattr(net, "pooler", None) is not None else set())
    architecture = layout.architectures.get(heads, layout.architectures[frozenset()])
    return {"architectures": [architecture], "model_type": name} | values | (extra or {})


def write(
    net: Network, folder: str | Path, extra: dict | None = None, more=lambda _: None, dtype=torch.float32
) -> None:
    """config.json and model.safetensors into `folder`, and whatever `more(folder)` writes; those of a
    companion into a folder inside. `dtype` is that of the stored weights.

    Everything is written beside the folder first and moved in file by file, so that a full disk or a kill
    leaves what was there before. Raises PtmError where it cannot be written."""
    companion = net.companion()
    parts = {".": net} | ({} if companion is None else {COMPANION: companion})
    extra = {"dtype": str(dtype).removeprefix("torch.")} | (extra or {})
    with atomic_folder(folder) as fresh:
        for place, part in parts.items():
            tensors = to_hugging_face(part.state_dict(), part, layout_of(part)[1])
            tensors = {n: t.detach().cpu().to(dtype).contiguous().clone() for n, t in tensors.items()}
            (fresh / place).mkdir(exist_ok=True)
            safetensors.torch.save_file(tensors, fresh / place / "model.safetensors", {"format": "pt"})
            (fresh / place / "config.json").write_text(json.dumps(hf_config(part, extra), indent=2) + "\n")
            more(fresh / place)


@contextmanager
def atomic_folder(target: str | Path) -> Iterator[Path]:
    """A fresh folder to write into; on leaving it whole, its files replace those of `target`."""
    target = Path(target)
    try:
        target.mkdir(parents=True, exist_ok=True)
        temporary = tempfile.TemporaryDirectory(prefix=".writing-", dir=target)
    except OSError as error:
        raise PtmError(f"cannot write to {target}: {error.strerror or error}") from error
    with temporary:
        fresh = Path(temporary.name)
        try:
            yield fresh
        except (OSError, safetensors.SafetensorError) as error:
            advice = "what was there before is untouched. Free some space, or save to another folder."
            raise PtmError(f"could not write {target} ({error}); {advice}") from error
        for file in sorted(path for path in fresh.rglob("*") if path.is_file()):
            place = target / file.relative_to(fresh)
            place.parent.mkdir(exist_ok=True)
            os.replace(file, place)


def _find(source: str | Path, revision: str | None) -> Path:
    folder = Path(source).expanduser()
    if not folder.exists() and str(source) in shipped():
        folder = SHIPPED / source
    if folder.is_dir():
        if not (folder / "config.json").is_file():
            wanted = "a checkpoint in the Hugging Face layout; give the folder with it and the weights"
            raise PtmError(f"the folder {folder} holds no config.json, so it is not {wanted}")
        return folder
    if folder.exists() or str(source).count("/") > 1 or str(source).startswith((".", "/", "~")):
        raise PtmError(f"no folder {source!s}; give a folder with config.json, or a hub id such as gpt2")
    from huggingface_hub import snapshot_download

    def download(*more: str, cached: bool = False) -> Path:
        wanted = ["*.json", "*.safetensors", "*.txt", "*.model", *more]  # those of a companion's folder too
        options: dict[str, Any] = {"allow_patterns": wanted, "local_files_only": cached}
        return Path(snapshot_download(str(source), revision=revision, **options))

    with suppress(Exception):  # not in the cache, for one of many reasons
        return download(cached=True)
    try:
        path = download()
        return path if list(path.glob("*.safetensors")) else download("*.bin")
    except Exception as error:
        hub = f"model of the hub that can be reached or is in the local cache ({type(error).__name__})"
        known = f"neither a folder, nor a shipped model ({', '.join(shipped())}), nor a {hub}"
        raise PtmError(f"{source!r} is {known}. Recipes to train: ptm.recipes()") from error


def _tensors(folder: Path) -> dict[str, Tensor]:
    """All tensors of a folder: safetensors before the legacy pickle, which is read with weights only."""
    for name, legacy in SINGLE.items():
        index = folder / f"{name}.index.json"
        if (folder / name).is_file():
            return _read_tensors(folder / name, legacy)
        if index.is_file():
            places = _read_json(index)["weight_map"]
            shards = sorted(set(places.values()))
            absent = [shard for shard in shards if not (folder / shard).is_file()]
            if absent:
                raise PtmError(f"{index} names shards that are not there: {', '.join(absent)}")
            parts = {shard: _read_tensors(folder / shard, legacy) for shard in shards}
            mixed = [s for s, part in parts.items() if set(part) != {k for k, v in places.items() if v == s}]
            if mixed:
                advice = "shards of two checkpoints in one folder? Put the files of one together again"
                raise PtmError(f"{index} names other weights than are in {', '.join(mixed)}: {advice}")
            return {name: tensor for part in parts.values() for name, tensor in part.items()}
    raise PtmError(f"no weights in {folder}: no {' or '.join(SINGLE)}, and no .index.json of shards")


def _read_tensors(path: Path, legacy: bool) -> dict[str, Tensor]:
    try:
        if legacy:
            return torch.load(path, map_location="cpu", weights_only=True)
        return safetensors.torch.load_file(path)
    except Exception as error:
        raise PtmError(f"{path} cannot be read as tensors ({error}); is the file complete?") from error


def _heads(tensors: dict[str, Tensor], hf: dict, layout: Layout) -> tuple[str, ...]:
    """The heads that the weights are there for."""
    has = lambda part: any(name.startswith(part + ".") for name in tensors)  # noqa: E731
    heads = [head for head, part in layout.shows.items() if has(part)]
    layers = {task: layout.task_layers.get(task, "classifier") for task in ("sequence", "token", "span")}
    tasks = [task for task, layer in layers.items() if task not in layout.shows and has(layer)]
    if len(tasks) == 2:  # one name for both: texts are judged by the pooled token
        token = "ForTokenClassification" in "".join(hf.get("architectures") or []) or "pooler" not in heads
        tasks = ["token" if token else "sequence"]
    return tuple(heads + (tasks if "sequence" not in heads else [])) or layout.default


def _fill(net: Network, tensors: dict[str, Tensor], layout: Layout, folder: Path) -> None:
    """Weights into a network; every missing, extra or misshapen one is named, all at once."""
    own = net.state_dict()
    ours, missing, extra = from_hugging_face(tensors, net, layout)
    shapes = ((name, tuple(tensor.shape), tuple(own[name].shape)) for name, tensor in ours.items())
    misshapen = [f"{name} is {has}, config.json asks for {asks}" for name, has, asks in shapes if has != asks]
    wrong = {"missing": missing, "not expected": extra, "misshapen": misshapen}
    lines = [f"  {kind}: {', '.join(names)}" for kind, names in wrong.items() if names]
    if lines:
        raise PtmError("\n".join([f"the weights in {folder} do not fit its config.json:", *lines]))
    net.load_state_dict(ours)


def _read_json(path: Path) -> dict:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise PtmError(f"{path} cannot be read as JSON: {error}") from error
