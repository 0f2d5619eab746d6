"""Masked language modelling (Devlin et al. 2019, section 3.1): hide tokens, predict them from the rest."""

from dataclasses import dataclass, replace

import numpy as np
import torch

from ptm_explore.errors import PtmError
from ptm_explore.objectives.base import TokenObjective, uniform
from ptm_explore.text.batches import packed


@dataclass(frozen=True)
class Mlm(TokenObjective):
    """Of the chosen tokens a share `masked` becomes [MASK], a share `random` a random token of the
    vocabulary, and the rest stays: there is no [MASK] in the texts that the model will meet later."""

    rate: float = 0.15  # of the row's tokens, special ones counted (as BERT's code does) but never chosen
    masked: float = 0.8
    random: float = 0.1
    whole_words: bool = False  # choose words, and mask all their pieces
    static: bool = False  # the same mask whenever the same row comes back (BERT), not a new one (RoBERTa)

    def __post_init__(self):
        if not (0 < self.rate < 1 and self.masked >= 0 <= self.random and self.masked + self.random <= 1):
            raise PtmError(
                f"mlm got rate {self.rate}, masked {self.masked}, random {self.random}: "
                "the rate lies between 0 and 1, masked and random are shares that add up to at most 1"
            )

    def arrange(self, store, first, last, tokenizer, length, rng):
        return packed(store, first, last, tokenizer, length)

    def corrupt(self, batch, tokenizer, seed):
        ids, special = batch.input_ids.numpy(), batch.special.numpy()
        T = ids.shape[1]
        keys = batch.examples.numpy() if not self.static else _content(ids, special)
        chosen = self._choose(ids, special, batch.attention_mask, tokenizer, uniform(seed, keys, T, draw=0))
        fate = uniform(seed, keys, T, draw=1)
        seen = np.where(chosen & (fate < self.masked), tokenizer.mask_id, ids)
        anything = (uniform(seed, keys, T, draw=2) * tokenizer.vocab_size).astype(np.int64)
        swap = chosen & (fate >= self.masked) & (fate < self.masked + self.random)
        seen = np.where(swap, anything, seen)
        at = torch.from_numpy(np.flatnonzero(chosen))
        return replace(batch, input_ids=torch.from_numpy(seen), at=at, targets=batch.input_ids.flatten()[at])

    def _choose(self, ids, special, attention_mask, tokenizer, noise) -> np.ndarray:
        """(B, T) bool: exactly the rounded share of each row, at least one token, in random order."""
        T = ids.shape[1]
        lengths = np.full(len(ids), T) if attention_mask is None else attention_mask.numpy().sum(1)
        quota = np.minimum(np.maximum((self.rate * lengths).round(), 1), (~special).sum(1))[:, None]
        if (
            self.whole_words
        ):  # a word's pieces share the noise of its first, so they stand together in the order
            begins = ~tokenizer.continues[ids] | special
            first = np.maximum.accumulate(np.where(begins, np.arange(T), 0), axis=1)
            noise = np.take_along_axis(noise, first, axis=1)
        order = np.where(special, 2.0, noise).argsort(axis=1, kind="stable")
        rank = order.argsort(axis=1, kind="stable")
        if not self.whole_words:
            return (rank < quota) & ~special
        # a word is taken if it ends within the quota, and the first word whatever its length
        same = np.take_along_axis(first, order, axis=1)
        ends = np.append(same[:, 1:] != same[:, :-1], np.ones((len(ids), 1), bool), axis=1)
        end = np.where(ends, np.arange(1, T + 1), T + 1)
        end = np.minimum.accumulate(end[:, ::-1], axis=1)[:, ::-1]  # where each token's word ends, in order
        taken = (end <= quota) | (end == end[:, :1])
        return np.take_along_axis(taken, rank, axis=1) & ~special


def _content(ids: np.ndarray, special: np.ndarray) -> np.ndarray:
    """(B,) a key that depends on what a row says, not on where its padding ends."""
    weights = np.arange(1, ids.shape[1] + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    return ((ids + 1).astype(np.uint64) * weights * ~special).sum(1, dtype=np.uint64)
