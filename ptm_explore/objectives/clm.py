"""Causal language modelling (Radford et al. 2018, equation 1): predict each token from those before it."""

from dataclasses import dataclass, replace

import torch

from ptm_explore.objectives.base import Objective
from ptm_explore.text.batches import streamed


@dataclass(frozen=True)
class Clm(Objective):
    """Nothing is hidden from the input: the causal body hides the future itself."""

    def arrange(self, store, first, last, tokenizer, length, rng):
        return streamed(store, first, last, tokenizer, length)

    def corrupt(self, batch, tokenizer, seed):
        ids, mask = batch.input_ids, batch.attention_mask
        wanted = torch.ones_like(ids, dtype=torch.bool) if mask is None else mask.clone()
        wanted[:, 0] = False  # nothing comes before it
        at = wanted.flatten().nonzero().squeeze(1)
        # the token at t is predicted from the hidden state at t - 1
        return replace(batch, at=at - 1, targets=ids.flatten()[at])

    def _described(self, batch, corrupted, net):
        found = super()._described(batch, corrupted, net)
        return replace(found, visible=found.visible.tril())
