"""From a store of tokens to batches: rows arranged from documents, shuffled, padded.

B batch, T tokens. A *row* is one input of the model, special tokens included.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
import torch
from torch import Tensor

from ptm_explore.text.store import Store
from ptm_explore.text.tokenizers import Tokenizer


@dataclass(frozen=True)
class Row:
    ids: np.ndarray  # (T,)
    second: int | None = None  # where segment B starts
    label: int | None = None  # of the pair: 0 = B follows A


@dataclass(frozen=True)
class Batch:
    """Rows as tensors; an objective's `corrupt` fills in the lower half."""

    input_ids: Tensor  # (B, T) long
    special: Tensor  # (B, T) bool: special tokens and padding, never to be predicted
    examples: Tensor  # (B,) long: number of each row in the stream, the key of its random draws
    attention_mask: Tensor | None = None  # (B, T) bool, True = real; None where nothing is padded
    segment_ids: Tensor | None = None  # (B, T) long
    pair_labels: Tensor | None = None  # (B,) long
    at: Tensor | None = None  # (N,) long: flat positions where a token is predicted
    targets: Tensor | None = None  # (N,) long: the tokens there

    def to(self, device) -> "Batch":
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        moved = {k: v.to(device, non_blocking=True) for k, v in values.items() if v is not None}
        return replace(self, **moved)

    @property
    def n_tokens(self) -> int:
        """Real tokens, padding apart."""
        return int(self.input_ids.numel() if self.attention_mask is None else self.attention_mask.sum())


def collate(rows: Sequence[Row], tokenizer: Tokenizer, examples: Sequence[int]) -> Batch:
    """Rows padded on the right to the longest of them."""
    lengths = np.array([len(row.ids) for row in rows])
    T = lengths.max()
    ids = np.full((len(rows), T), tokenizer.pad_id or 0, dtype=np.int64)
    real = np.arange(T) < lengths[:, None]
    ids[real] = np.concatenate([row.ids for row in rows])
    special = np.isin(ids, list(tokenizer.special_ids)) | ~real
    segments = labels = None
    if rows[0].second is not None:
        second = np.array([row.second for row in rows])[:, None]
        segments = torch.from_numpy(((np.arange(T) >= second) & real).astype(np.int64))
        labels = torch.tensor([row.label for row in rows])
    mask = None if real.all() else torch.from_numpy(real)
    keys = torch.tensor(list(examples))
    return Batch(torch.from_numpy(ids), torch.from_numpy(special), keys, mask, segments, labels)


def packed(store: Store, first: int, last: int, tokenizer: Tokenizer, length: int) -> Iterator[Row]:
    """Documents `first` to `last` as rows of consecutive sentences: [CLS] ... [SEP].

    A row ends with a sentence where that leaves at most a quarter of it empty; otherwise the sentence is
    cut, and the next row begins with its rest. No row crosses documents."""
    start_id, end_id = [tokenizer.cls_id], [tokenizer.sep_id]
    room = length - 2
    for begin, end, cuts in _documents(store, first, last):
        at = begin
        while at < end:
            full = min(at + room, end)
            whole = cuts[np.searchsorted(cuts, full, side="right") - 1]
            stop = whole if whole - at > 0.75 * room else full
            yield Row(np.concatenate([start_id, store.tokens[at:stop], end_id]))
            at = stop


def streamed(store: Store, first: int, last: int, tokenizer: Tokenizer, length: int) -> Iterator[Row]:
    """Documents `first` to `last` as one stream, an end-of-text token after each, cut into full rows that
    overlap by one token: every token but the first is predicted exactly once."""
    end = np.array([tokenizer.eos_id])
    parts = [
        part for begin, stop, _ in _documents(store, first, last) for part in (store.tokens[begin:stop], end)
    ]
    stream = np.concatenate(parts)
    for at in range(0, max(len(stream) - 1, 1), length - 1):
        yield Row(stream[at : at + length])


def paired(
    store: Store, first: int, last: int, tokenizer: Tokenizer, length: int, rng: np.random.Generator
) -> Iterator[Row]:
    """[CLS] A [SEP] B [SEP], where B follows A (label 0) or comes from elsewhere (label 1), half and half.

    After BERT's create_pretraining_data, with two changes: the last sentence of a document, which has no
    next, makes no row (BERT calls it a negative, and has more of them than half); and a negative may never
    begin like the true next sentence, even where a text repeats itself."""
    room = length - 3
    documents = [(b, e, c) for b, e, c in _documents(store, first, last) if len(c) > 2]
    for number, (_, _, cuts) in enumerate(documents):
        s = 0
        while s < len(cuts) - 2:
            half = min(np.searchsorted(cuts, cuts[s] + room // 2, side="right") - 1, len(cuts) - 2)
            middle = max(half, s + 1)
            label = int(rng.random() < 0.5)
            stop = min(
                max(np.searchsorted(cuts, cuts[middle] + room // 2, side="right") - 1, middle + 1),
                len(cuts) - 1,
            )
            a = store.tokens[cuts[s] : cuts[middle]]
            b = store.tokens[cuts[middle] : cuts[stop]]
            if label:
                other = _elsewhere(store, documents, number, b, room - room // 2, rng)
                stop = middle  # the true next has not been used
                if other is None:
                    return
                b = other
            a, b = _shorten(a, b, room, rng)
            ids = np.concatenate([[tokenizer.cls_id], a, [tokenizer.sep_id], b, [tokenizer.sep_id]])
            yield Row(ids, len(a) + 2, label)
            s = stop


def _documents(store: Store, first: int, last: int) -> Iterator[tuple[int, int, np.ndarray]]:
    """Each document's first and last token, and the offsets of its sentences, both ends included."""
    for document in range(first, last):
        cuts = store.sentences[store.documents[document] : store.documents[document + 1] + 1]
        yield int(cuts[0]), int(cuts[-1]), cuts


def _elsewhere(store, documents, number, true_next, size, rng) -> np.ndarray | None:
    """About `size` tokens from a random sentence on, of another document where there is one."""
    for _ in range(100):
        other = int(rng.integers(len(documents)))
        if other == number and len(documents) > 1:
            continue
        cuts = documents[other][2]
        begin = int(rng.integers(len(cuts) - 1))
        stop = max(int(np.searchsorted(cuts, cuts[begin] + size, side="right")) - 1, begin + 1)
        found = store.tokens[cuts[begin] : cuts[stop]]
        shared = min(len(found), len(true_next))
        if not np.array_equal(found[:shared], true_next[:shared]):
            return found
    return None  # the text is nothing but repetition


def _shorten(a: np.ndarray, b: np.ndarray, room: int, rng) -> tuple[np.ndarray, np.ndarray]:
    """Tokens taken off the longer side, in front or behind at random, until both fit."""
    while len(a) + len(b) > room:
        surplus = len(a) + len(b) - room
        longer, other = (a, b) if len(a) >= len(b) else (b, a)
        cut = min(surplus, max(len(longer) - len(other), 1))
        front = int(rng.integers(cut + 1))
        kept = longer[front : len(longer) - (cut - front)]
        a, b = (kept, b) if longer is a else (a, kept)
    return a, b


Arrange = Callable[[Store, int, int, Tokenizer, int, np.random.Generator], Iterator[Row]]


class Stream:
    """Rows without end, shuffled, reproducible by seed, in constant memory.

    The store is cut into blocks of about a million tokens. Every epoch visits the blocks in a new order,
    arranges each into rows and shuffles those. `position` says where the stream stands; a stream set to
    a position goes on exactly there.
    """

    def __init__(self, store: Store, arrange: Arrange, tokenizer: Tokenizer, length: int, seed: int):
        self.store, self.arrange, self.tokenizer = store, arrange, tokenizer
        self.length, self.seed = length, seed
        self.blocks = store.blocks()
        self.position = {"epoch": 0, "block": 0, "row": 0, "seen": 0}
        self._loaded: tuple[int, int] | None = None

    def take(self, n: int) -> tuple[list[Row], range]:
        """The next `n` rows and their numbers."""
        taken: list[Row] = []
        p = self.position
        while len(taken) < n:
            self._load()
            part = self._rows[p["row"] : p["row"] + n - len(taken)]
            taken += part
            p["row"] += len(part)
            if p["row"] >= len(self._rows):
                p["row"], p["block"] = 0, p["block"] + 1
            if p["block"] >= len(self.blocks):
                p["block"], p["epoch"] = 0, p["epoch"] + 1
        p["seen"] += n
        return taken, range(p["seen"] - n, p["seen"])

    def _load(self) -> None:
        epoch, block = self.position["epoch"], self.position["block"]
        if self._loaded == (epoch, block):
            return
        order = np.random.default_rng([self.seed, epoch]).permutation(len(self.blocks))
        rng = np.random.default_rng([self.seed, epoch, 1 + block])
        first, last = self.blocks[order[block]]
        rows = list(self.arrange(self.store, first, last, self.tokenizer, self.length, rng))
        self._rows = [rows[i] for i in rng.permutation(len(rows))]
        self._loaded = (epoch, block)
