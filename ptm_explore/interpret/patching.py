"""Where a prediction is decided: activations of one run put into another, and heads taken out.

L layers, H heads, T tokens
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ptm_explore.errors import PtmError, unknown
from ptm_explore.interpret.goal import Goal
from ptm_explore.interpret.results import Estimates, Grid, intervals, layers
from ptm_explore.interpret.states import pairs_of
from ptm_explore.interpret.trace import by_query
from ptm_explore.layers.taps import Edit
from ptm_explore.model import Model

PARTS = {
    "out": "what a layer gives on",
    "attention.out": "what attention adds",
    "ffn.out": "what the feed-forward network adds",
}


@torch.no_grad()
def patch(
    model: Model,
    text: str,
    source: str | None = None,
    target: Any = None,
    against: Any = None,
    part: str = "out",
) -> Grid:
    """Where a prediction is decided: in the run on `text`, one activation at one position is replaced by the
    one of the run on `source`, a text of as many tokens; what that does to the score, as the share of the
    difference between the two texts (Meng et al. 2022, section 2): 1 where it makes all of it. Without a
    source the activation becomes zero, and the map holds by how much the score falls (ablation).

    `target` and `against` as for `Goal`, `part` one of PARTS.
    """
    if part not in PARTS:
        raise unknown("part of a layer", part, PARTS)
    goal = Goal(model, text, target=target, against=against)
    T, n = len(goal.tokens), model.config.n_layers
    tokens, other = goal.tokens, None
    if source is not None:
        encoded = model.encode(source).to(model.device)
        other, theirs = encoded.ids, encoded.tokens[0]
        if len(theirs) != T:
            sizes = f"{T} and {len(theirs)} tokens: {' '.join(tokens)} | {' '.join(theirs)}"
            raise PtmError(f"the texts have {sizes}; give two that are cut into equally many")
        tokens = [a if a == b else f"{a}←{b}" for a, b in zip(tokens, theirs, strict=True)]
    here = torch.eye(T, dtype=torch.bool, device=model.device)  # row t changes position t
    before, ids, maps = float(goal()), goal.ids.expand(T, -1), []
    streams = ["", "query."] if by_query(model) else [""]
    for layer in range(n):
        names = [_place_of(f"layers.{layer}.", stream, part) for stream in streams]
        new = [torch.zeros(()) if other is None else goal.activation(name, other) for name in names]
        edits = {name: _at(here, value) for name, value in zip(names, new, strict=True)}
        maps.append((goal(ids, edits) - before).tolist())
    whole, unit, note = -1.0, "fall of the score", f"{goal.name}: {before:.2f}"
    if other is not None:
        whole, unit = float(goal(other)) - before, "share of the difference"
        note += f" here, {before + whole:.2f} in the source"
        if abs(whole) < 1e-6:
            raise PtmError("both texts have the same score: nothing can be told apart; change what matters")
    title, axes = f"Where it is decided: {PARTS[part]}", ("layer", "position")
    return Grid(title, np.array(maps) / whole, layers(n)[1:], tokens, unit, axes, note=note)


def _at(here: Tensor, value: Tensor) -> Edit:
    """Puts `value` where `here` (T, T) is true; XLNet's streams stand one after the other in some places."""

    def change(old: Tensor) -> Tensor:
        rows = here.repeat(1, old.size(1) // here.size(1))[..., None]
        return torch.where(rows, value.to(old), old)

    return change


def _place_of(layer: str, stream: str, part: str) -> str:
    """XLNet's streams go through one feed-forward network together."""
    if part == "attention.out":
        return f"{layer}attention.{stream}out"
    return f"{layer}{stream}out" if part == "out" else f"{layer}ffn.out"


@torch.no_grad()
def ablate_heads(model: Model, texts: Sequence, target: Any = None, mean: bool = True) -> Estimates:
    """How much each head is needed: by how much the probability of the predicted class (or `target`) falls
    when the head gives on nothing but its `mean` over the text's positions, or zero (Michel et al. 2019)."""
    H = model.config.n_heads
    falls = []
    for text, pair in pairs_of(texts):
        goal = Goal(model, text, pair, target)
        ids, before = goal.ids.expand(H, -1), float(goal.chance())
        here = torch.eye(H, dtype=torch.bool, device=model.device)[:, :, None, None]  # row h takes out head h

        def without(old, here=here):
            return torch.where(here, old.mean(2, keepdim=True) if mean else torch.zeros_like(old), old)

        names = [f"layers.{i}.attention.*context" for i in range(model.config.n_layers)]
        falls.append([[before - x for x in goal.chance(ids, {name: without}).tolist()] for name in names])
    each = np.array(falls)  # (N, L, H)
    rows, columns = layers(model.config.n_layers)[1:], [f"head {h}" for h in range(H)]
    note = f"{len(each)} texts; one head at a time, so heads that stand in for each other look needless"
    title, unit = "Which heads are needed?", "fall of the probability"
    return Estimates(title, intervals(each), rows, columns, unit, "layer", note)
