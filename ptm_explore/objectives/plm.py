"""Permutation language modelling (Yang et al. 2019, sections 2.2 and 2.3): predict tokens one after another,
in a random order, each from the text around it and from the tokens predicted before it.

B batch, T tokens, N predicted positions
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from operator import index

import numpy as np
import torch
from jaxtyping import Bool, Int
from torch import Tensor

from ptm_explore.errors import PtmError
from ptm_explore.objectives.base import Objective, cut, no_gradient, one_row, uniform
from ptm_explore.text.batches import collate, packed

SPANS = [1 / n for n in range(1, 6)]  # weights of the lengths 1 to 5, in tokens, as in Google's code


@dataclass(frozen=True)
class Plm(Objective):
    """One token in K is predicted; the others are the context, given from the start. What is predicted comes
    in spans of n tokens, one in every K n, and nothing is hidden: who may see whom is what matters.

    Special tokens belong to the context. In Google's code they have a place in the order, so that other
    context cannot see them, and a row falls into two halves of which the first never sees the second.

    `memory` tokens of the text before a row are read first, without gradient, and their states handed on.
    The reference keeps the states that the step before has computed, with weights a little older; computed
    anew they let rows be shuffled, and a run that was killed go on exactly."""

    K: int = 6
    spans: bool = True  # False: single tokens, scattered
    memory: int = 0
    bidirectional: bool = False  # every other row is reversed text

    def __post_init__(self):
        if self.K < 2:
            raise PtmError(f"K={self.K}: one in K is predicted from the others; give 2 or more (paper: 6)")
        if self.memory < 0:
            raise PtmError(f"memory={self.memory}: give a number of tokens, 0 for none")

    def arrange(self, store, first, last, tokenizer, length, rng):
        return packed(store, first, last, tokenizer, length, False, self.memory, self.bidirectional)

    def corrupt(self, batch, tokenizer, seed):
        special = batch.special.numpy()
        keys, T = batch.examples.numpy(), special.shape[1]
        noise, lengths, places = (uniform(seed, keys, T, draw) for draw in range(3))
        chosen = self._in_spans(lengths, places, special) if self.spans else np.zeros_like(special)
        ordinary = (~special).sum(1, keepdims=True)
        quota = 1 if self.spans else np.maximum((ordinary / self.K).round(), 1)
        few = ~chosen.any(1, keepdims=True)  # a short row may have missed its span
        chosen |= few & (_rank(np.where(special, 2.0, noise)) < quota) & ~special
        rank = _rank(np.where(chosen, uniform(seed, keys, T, draw=3), 2.0))
        return in_order(batch, torch.from_numpy(np.where(chosen, rank, -1)))

    def _in_spans(self, lengths: np.ndarray, places: np.ndarray, special: np.ndarray) -> np.ndarray:
        """(B, T) bool: the ordinary tokens are cut into stretches of K n, each with a span of n somewhere."""
        T = special.shape[1]
        starts, n = cut(lengths, SPANS, stretch=self.K)
        starts = starts + (places * (self.K * n - n + 1)).astype(np.int64)
        edges = np.zeros((len(special), T + 1), np.int64)  # +1 where a span begins, -1 where it has ended
        np.add.at(edges, (np.arange(len(special))[:, None], np.minimum(starts, T)), 1)
        np.add.at(edges, (np.arange(len(special))[:, None], np.minimum(starts + n, T)), -1)
        inside = edges.cumsum(1) > 0
        return np.take_along_axis(inside, (~special).cumsum(1) - 1, axis=1) & ~special

    def forward(self, net, batch):
        memory = None
        if batch.before is not None:
            with no_gradient():
                memory = net(batch.before, backward=batch.backward, keep=batch.before.size(1)).memory
        more = {"queries": batch.at, "visible": batch.visible, "memory": memory, "backward": batch.backward}
        return net(batch.input_ids, batch.attention_mask, batch.segment_ids, **more)

    def describe(self, example, tokenizer, seed=0, net=None, order: Sequence[int] | None = None):
        """As every objective's; `order` are positions in the order in which they are predicted, the others
        being context, in place of a random one."""
        batch = collate([one_row(example, tokenizer)], tokenizer, [0])
        if order is None:
            return self._described(batch, self.corrupt(batch, tokenizer, seed), net)
        return self._described(batch, in_order(batch, ranks(order, batch.input_ids.size(1))[None]), net)

    def _described(self, batch, corrupted, net):
        order, visible = corrupted.order[0], corrupted.visible[0]
        itself = torch.eye(len(order), dtype=torch.bool)
        found = super()._described(batch, corrupted, net)
        return replace(found, visible=visible | itself, query=visible & (order >= 0)[:, None], order=order)


def in_order(batch, order: Int[Tensor, "B T"]):
    """The batch with the tokens of rank 0 and more to be predicted in that order."""
    at = (order >= 0).flatten().nonzero().squeeze(1)
    visible = visibility(order)
    if batch.attention_mask is not None:
        visible &= batch.attention_mask[:, None, :]
    return replace(batch, at=at, targets=batch.input_ids.flatten()[at], order=order, visible=visible)


def visibility(order: Int[Tensor, "*B T"]) -> Bool[Tensor, "*B T T"]:
    """[i, j]: position i may see the token at j. All see the context, of rank -1; one that is predicted sees
    also those of lower rank. In the content stream each sees itself as well."""
    return order[..., None, :] < order.clamp(min=0)[..., :, None]


def ranks(order: Sequence[int], length: int) -> Int[Tensor, "T"]:
    """The rank of each of `length` positions in a factorisation order, given as positions from the first that
    is predicted to the last; -1 for those left out, the context. A `PtmError` says what is wrong with one."""
    try:
        places = [index(place) for place in order]
    except TypeError:
        raise PtmError(f"the order is {order!r}; give a list of positions, such as [2, 0, 1]") from None
    if not places:
        raise PtmError("the order is empty; name at least one position to be predicted")
    outside = [place for place in places if not 0 <= place < length]
    if outside:
        raise PtmError(f"the order names {outside[0]}, outside the text; positions are 0 to {length - 1}")
    twice = [place for place in places if places.count(place) > 1]
    if twice:
        raise PtmError(f"the order {places} names position {twice[0]} twice; a token is predicted once")
    result = torch.full((length,), -1)
    result[places] = torch.arange(len(places))
    return result


def _rank(noise: np.ndarray) -> np.ndarray:
    """(B, T) place of each in its row, sorted."""
    return noise.argsort(axis=1, kind="stable").argsort(axis=1, kind="stable")
