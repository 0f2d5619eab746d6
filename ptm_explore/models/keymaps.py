"""How the tensors of a Hugging Face checkpoint become ours and go back, rule by rule.

Published checkpoints vary: base models have no prefix, old ones call LayerNorm's weights gamma and beta, and
some carry buffers (masks, position ids) that are no weights at all.

D d_model, H heads, K head size
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from ptm_explore.models.layouts import Layout
    from ptm_explore.models.network import Network

Tensors = dict[str, Tensor]


@dataclass(frozen=True)
class Packing:
    """How tensors of a checkpoint become one of ours, and back: `unpack(ours, how many, H)`."""

    pack: Callable[[list[Tensor]], Tensor]
    unpack: Callable[[Tensor, int, int], list[Tensor]]


STACKED = Packing(  # one by itself is as it is
    lambda theirs: torch.cat(theirs) if len(theirs) > 1 else theirs[0],
    lambda ours, n, H: list(ours.chunk(n)),
)
TRANSPOSED = Packing(lambda theirs: theirs[0].t(), lambda ours, n, H: [ours.t()])  # a bias is as it is
FLAT = Packing(lambda theirs: theirs[0].flatten(), lambda ours, n, H: [ours[None, None]])
COLUMN = Packing(lambda theirs: theirs[0][:, None], lambda ours, n, H: [ours[:, 0]])
STACKED_HEADS = Packing(  # theirs are (D, H, K)
    lambda theirs: torch.cat([t.flatten(1).T for t in theirs]),
    lambda ours, n, H: [t.T.unflatten(1, (H, -1)) for t in ours.chunk(n)],
)
HEADS_FIRST = Packing(  # theirs is (D, H, K), multiplied from the other side
    lambda theirs: theirs[0].flatten(1), lambda ours, n, H: [ours.unflatten(1, (H, -1))]
)


@dataclass(frozen=True)
class Rule:
    ours: str  # {i} layer, {g} group of layers, {k} block in a group
    theirs: tuple[str, ...]
    packing: Packing


def _lines(net: "Network", layout: "Layout") -> Iterator[tuple[str, list[str], Packing]]:
    """Every weight that a network may have: our name, theirs, the packing."""
    c = net.config
    ranges = {"i": c.n_layers, "g": getattr(c, "n_sets", 0), "k": getattr(c, "n_inner", 0)}
    layer = layout.task_layers.get(net.task or "", "classifier")
    for rule in layout.rules:
        used = [name for name in ranges if f"{{{name}}}" in rule.ours]
        for numbers in product(*(range(ranges[name]) for name in used)):
            at = dict(zip(used, numbers, strict=True))
            names = [re.sub(r"^classifier\b", layer, name.format(**at)) for name in rule.theirs]
            yield rule.ours.format(**at), names, rule.packing


def to_hugging_face(tensors: Mapping[str, Tensor], net: "Network", layout: "Layout") -> Tensors:
    """Tensors of a network (weights or gradients) under their names. Tied ones are written once, as they
    do."""
    out: Tensors = {}
    for ours, theirs, packing in _lines(net, layout):
        if ours in tensors:
            unpacked = packing.unpack(tensors[ours], len(theirs), net.config.n_heads)
            out |= zip(theirs, unpacked, strict=True)
    return out


def from_hugging_face(
    tensors: Tensors, net: "Network", layout: "Layout"
) -> tuple[Tensors, list[str], list[str]]:
    """Their tensors under our names; then the names that are missing and the ones that are left over."""
    tensors, found, missing, wanted = dict(tensors), {}, [], set(net.state_dict())
    for ours, theirs, packing in _lines(net, layout):
        if ours not in wanted:
            continue
        absent = [name for name in theirs if name not in tensors]
        missing += absent
        if not absent:
            found[ours] = packing.pack([tensors.pop(name) for name in theirs])
    return found, missing, sorted(tensors)


def canonical(tensors: Tensors, layout: "Layout") -> Tensors:
    """Tensors under the names of a current model with heads: prefix added to those of a base model, gamma
    and beta renamed, buffers and repetitions of tied weights dropped."""
    firsts = {name.split(".")[0] for rule in layout.rules for name in rule.theirs}
    firsts |= {name.split(".")[0] for name in (*layout.tied, *layout.task_layers.values())}
    out = {}
    for name, tensor in tensors.items():
        if re.fullmatch(layout.ignored, name):
            continue
        name = re.sub(r"LayerNorm\.gamma$", "LayerNorm.weight", name)
        name = re.sub(r"LayerNorm\.beta$", "LayerNorm.bias", name)
        if name.split(".")[0] not in firsts:
            name = layout.prefix + name
        out[name] = tensor
    return {name: t for name, t in out.items() if layout.tied.get(name) not in out}
