"""Masked language modelling (Devlin et al. 2019, section 3.1): hide tokens, predict them from the rest.

B batch, T tokens
"""

from dataclasses import dataclass, replace

import numpy as np
import torch

from ptm_explore.errors import PtmError, unknown
from ptm_explore.objectives.base import Objective, cut, uniform
from ptm_explore.text.batches import packed

# What is hidden as one: weights of its being 1, 2, ... whole words long.
UNITS = {
    "tokens": [1.0],  # but here of single tokens, pieces of words or not (BERT)
    "words": [1.0],  # (BERT, in its later code)
    "ngrams": [1 / n for n in (1, 2, 3)],  # ALBERT, equation 1
    "spans": [0.2 * 0.8**n for n in range(10)],  # SpanBERT (Joshi et al. 2020, section 3.1): 3.8 on average
}


@dataclass(frozen=True)
class Mlm(Objective):
    """Of the chosen tokens a share `masked` becomes [MASK], a share `random` a random token of the
    vocabulary, and the rest stays: there is no [MASK] in the texts that the model will meet later."""

    rate: float = 0.15  # of the row's tokens, special ones counted (as BERT's code does) but never chosen
    masked: float = 0.8
    random: float = 0.1
    units: str = "tokens"  # chosen at a time: "tokens", "words", "ngrams" or "spans"
    static: bool = False  # the same mask whenever the same row comes back (BERT), not a new one (RoBERTa)
    full_sentences: bool = False  # rows run on across documents (RoBERTa)

    def __post_init__(self):
        if not (0 < self.rate < 1 and self.masked >= 0 <= self.random and self.masked + self.random <= 1):
            given = f"{self.name} got rate {self.rate}, masked {self.masked}, random {self.random}"
            wanted = "the rate lies between 0 and 1; masked and random are shares, at most 1 together"
            raise PtmError(f"{given}: {wanted}")
        if self.units not in UNITS:
            raise unknown("units of masking", self.units, UNITS)

    def arrange(self, store, first, last, tokenizer, length, rng):
        return packed(store, first, last, tokenizer, length, self.full_sentences)

    def corrupt(self, batch, tokenizer, seed):
        ids, special = batch.input_ids.numpy(), batch.special.numpy()
        noise, fate, anything, lengths = (self._draw(batch, seed, number) for number in range(4))
        words, units = self._begins(ids, special, tokenizer, lengths)
        unit = _latest(units)
        chosen = self._choose(np.take_along_axis(noise, unit, axis=1), _latest(words), batch)
        if self.units == "spans":
            fate = np.take_along_axis(fate, unit, axis=1)  # the whole span has one
        seen = np.where(chosen & (fate < self.masked), tokenizer.mask_id, ids)
        swap = chosen & (fate >= self.masked) & (fate < self.masked + self.random)
        seen = np.where(swap, (anything * tokenizer.vocab_size).astype(np.int64), seen)
        at = torch.from_numpy(np.flatnonzero(chosen))
        return replace(batch, input_ids=torch.from_numpy(seen), at=at, targets=batch.input_ids.flatten()[at])

    def _draw(self, batch, seed: int, number: int) -> np.ndarray:
        """(B, T) in [0, 1), another draw for another number."""
        ids, special = batch.input_ids.numpy(), batch.special.numpy()
        keys = _content(ids, special) if self.static else batch.examples.numpy()
        return uniform(seed, keys, ids.shape[1], number)

    def _begins(self, ids, special, tokenizer, noise) -> tuple[np.ndarray, np.ndarray]:
        """(B, T) bool, twice: where words begin, and where the units begin that are chosen as one."""
        edge = special | np.roll(special, 1, axis=1)
        words = np.ones_like(special) if self.units == "tokens" else ~tokenizer.continues[ids] | edge
        drawn = np.zeros((len(ids), ids.shape[1] + 1), bool)  # by the number of a word: does a unit begin?
        starts, _ = cut(noise, UNITS[self.units])
        np.put_along_axis(drawn, np.minimum(starts, ids.shape[1]), True, axis=1)
        number = (words & ~special).cumsum(1) - 1
        return words, words & (np.take_along_axis(drawn, number, axis=1) | edge)

    def _choose(self, noise, word, batch) -> np.ndarray:
        """(B, T) bool: units in the order of their noise, up to the rounded share of each row. The last one
        may be cut, but only between words; and the first word is taken whatever its length."""
        special, mask, T = batch.special.numpy(), batch.attention_mask, word.shape[1]
        lengths = np.full(len(word), T) if mask is None else mask.numpy().sum(1)
        quota = np.minimum(np.maximum((self.rate * lengths).round(), 1), (~special).sum(1))[:, None]
        order = np.where(special, 2.0, noise).argsort(axis=1, kind="stable")
        rank = order.argsort(axis=1, kind="stable")
        same = np.take_along_axis(word, order, axis=1)
        ends = np.append(same[:, 1:] != same[:, :-1], np.ones((len(word), 1), bool), axis=1)
        end = np.where(ends, np.arange(1, T + 1), T + 1)
        end = np.minimum.accumulate(end[:, ::-1], axis=1)[:, ::-1]  # where each token's word ends, in order
        taken = (end <= quota) | (end == end[:, :1])
        return np.take_along_axis(taken, rank, axis=1) & ~special


def _latest(begins: np.ndarray) -> np.ndarray:
    """(B, T) where the word or unit of each token begins."""
    return np.maximum.accumulate(np.where(begins, np.arange(begins.shape[1]), 0), axis=1)


def _content(ids: np.ndarray, special: np.ndarray) -> np.ndarray:
    """(B,) a key that depends on what a row says, not on where its padding ends."""
    weights = np.arange(1, ids.shape[1] + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    return ((ids + 1).astype(np.uint64) * weights * ~special).sum(1, dtype=np.uint64)
