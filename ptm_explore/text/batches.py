"""From a store of tokens to batches: rows arranged from documents, shuffled, padded.

B batch, T tokens, M tokens of memory. A *row* is one input of the model, special tokens included.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from ptm_explore.errors import PtmError
from ptm_explore.text.store import Store
from ptm_explore.text.tokenizers import Frame, Tokenizer


@dataclass(frozen=True)
class Row:
    ids: np.ndarray  # (T,)
    second: int | None = None  # where segment B starts
    label: int | None = None  # of the pair: 0 = B follows A
    segments: np.ndarray | None = None  # (T,); None: all 0
    before: np.ndarray | None = None  # (M,) the text before it
    backward: bool = False  # reversed text
    target: np.ndarray | None = None  # of a task: () class or number, (T,) tags, (2,) first and last token


@dataclass(frozen=True)
class Batch:
    """Rows as tensors; an objective's `corrupt` fills in the lower half."""

    input_ids: Tensor  # (B, T) long
    special: Tensor  # (B, T) bool: special tokens and padding, never to be predicted
    examples: Tensor  # (B,) long: number of each row in the stream, the key of its random draws
    attention_mask: Tensor | None = None  # (B, T) bool, True = real; None where nothing is padded
    segment_ids: Tensor | None = None  # (B, T) long; None where all are 0
    pair_labels: Tensor | None = None  # (B,) long
    before: Tensor | None = None  # (B, M) long: the text before each row, to be read as memory
    backward: Tensor | None = None  # (B,) bool: rows of reversed text; None where there are none
    at: Tensor | None = None  # (N,) long: flat positions where a token is predicted, in increasing order
    targets: Tensor | None = None  # (N,) long: the tokens there
    draws: Tensor | None = None  # (N,) float in [0, 1): the chance by which something is put there
    order: Tensor | None = None  # (B, T) long: when a token is predicted, from 0 on; -1: it is given
    visible: Tensor | None = None  # (B, T, T) bool: the prediction at i may see the token at j
    labels: Tensor | None = None  # of a task: (B,) classes or numbers, (B, T) tags or -1, (B, 2) answers

    def to(self, device) -> "Batch":
        moved = {k: v.to(device, non_blocking=True) for k, v in vars(self).items() if v is not None}
        return replace(self, **moved)

    @property
    def n_tokens(self) -> int:
        """Real tokens, padding apart."""
        return int(self.input_ids.numel() if self.attention_mask is None else self.attention_mask.sum())


def collate(rows: Sequence[Row], tokenizer: Tokenizer, examples: Sequence[int]) -> Batch:
    """Rows padded on the right to the longest of them."""
    lengths = np.array([len(row.ids) for row in rows])
    T = lengths.max()
    real = np.arange(T) < lengths[:, None]

    def padded(parts: list[np.ndarray], value: int) -> np.ndarray:
        table = np.full((len(rows), T), value, dtype=np.int64)
        table[real] = np.concatenate(parts)
        return table

    ids = padded([row.ids for row in rows], tokenizer.pad_id or 0)
    special = np.isin(ids, list(tokenizer.special_ids)) | ~real
    some: dict[str, Tensor] = {}  # what not all batches have
    if not real.all():
        some["attention_mask"] = torch.from_numpy(real)
    if any(row.segments is not None and row.segments.any() for row in rows):
        parts = [np.zeros_like(row.ids) if row.segments is None else row.segments for row in rows]
        some["segment_ids"] = torch.from_numpy(padded(parts, 0))
    if rows[0].label is not None:
        some["pair_labels"] = torch.tensor([row.label for row in rows])
    if before := [row.before for row in rows if row.before is not None]:
        some["before"] = torch.tensor(np.stack(before), dtype=torch.long)
    if any(row.backward for row in rows):
        some["backward"] = torch.tensor([row.backward for row in rows])
    if rows[0].target is not None:
        targets = [torch.tensor(row.target) for row in rows]
        some["labels"] = pad_sequence(targets, True, -1) if targets[0].dim() else torch.stack(targets)
    keys = torch.tensor(list(examples))
    return Batch(torch.from_numpy(ids), torch.from_numpy(special), keys, **some)


def packed(
    store: Store,
    first: int,
    last: int,
    tokenizer: Tokenizer,
    length: int,
    full_sentences: bool = False,
    memory: int = 0,
    bidirectional: bool = False,
) -> Iterator[Row]:
    """Documents `first` to `last` as rows of consecutive sentences between the family's special tokens.

    A row ends with a sentence where that leaves at most a quarter of it empty; otherwise the sentence is
    cut, and the next row begins with its rest. No row crosses documents, unless `full_sentences` lets the
    text run on, with a separator between documents (RoBERTa, section 4.2).

    Rows carry the `memory` tokens before them, of whatever document, padded where the text begins. With
    `bidirectional` every other row reads backwards, and what comes before it is the text after it."""
    frame = tokenizer.frames[0]
    room = frame.room(length)
    tokens, texts = store.tokens, list(_documents(store, first, last))
    if full_sentences:
        tokens, texts = _joined(tokens, texts, _separator(tokenizer))
    for number, (at, stop) in enumerate(stretch for cuts in texts for stretch in _stretches(cuts, room)):
        if full_sentences and tokens[at] == _separator(tokenizer):
            at += 1  # the row's own special tokens say that something new begins
        text, before = tokens[at:stop], tokens[max(at - memory, 0) : at]
        backward = bidirectional and number % 2 == 1
        if backward:
            text, before = text[::-1], tokens[stop : stop + memory][::-1]
        row = Row(frame.ids(text), segments=frame.segments(text), backward=backward)
        if memory:
            pad = np.full(memory - len(before), tokenizer.pad_id or 0)
            row = replace(row, before=np.concatenate([pad, before]))
        yield row


def streamed(store: Store, first: int, last: int, tokenizer: Tokenizer, length: int) -> Iterator[Row]:
    """Documents `first` to `last` as one stream, an end-of-text token after each, cut into full rows that
    overlap by one token: every token but the first is predicted exactly once."""
    if length < 2:
        raise PtmError(f"rows of {length} tokens: to predict the next token takes at least 2")
    end = np.array([tokenizer.eos_id])
    documents = _documents(store, first, last)
    stream = np.concatenate([part for cuts in documents for part in (store.tokens[cuts[0] : cuts[-1]], end)])
    for at in range(0, max(len(stream) - 1, 1), length - 1):
        yield Row(stream[at : at + length])


def paired(
    store: Store, first: int, last: int, tokenizer: Tokenizer, length: int, rng: np.random.Generator
) -> Iterator[Row]:
    """Segments A and B, where B follows A (label 0) or comes from elsewhere (label 1), half and half.

    After BERT's create_pretraining_data, with two changes: the last sentence of a document, which has no
    next, makes no row (BERT calls it a negative, and has more of them than half); and a negative may never
    begin like the true next sentence, even where a text repeats itself."""
    frame = tokenizer.frames[1]
    room = frame.room(length)
    documents = [cuts for cuts in _documents(store, first, last) if len(cuts) > 2]
    for number, cuts in enumerate(documents):
        s = 0
        while s < len(cuts) - 2:
            middle = max(min(_last_cut(cuts, cuts[s] + room // 2), len(cuts) - 2), s + 1)
            label = int(rng.random() < 0.5)
            stop = min(max(_last_cut(cuts, cuts[middle] + room // 2), middle + 1), len(cuts) - 1)
            a, b = store.tokens[cuts[s] : cuts[middle]], store.tokens[cuts[middle] : cuts[stop]]
            other = _elsewhere(store, documents, number, b, room - room // 2, rng) if label else b
            if other is None:
                return
            yield _pair(frame, *_shorten(a, other, room, rng), label)
            s = middle if label else stop  # after a negative the true next has not been used


def ordered(
    store: Store, first: int, last: int, tokenizer: Tokenizer, length: int, rng: np.random.Generator
) -> Iterator[Row]:
    """Segments of whole sentences that follow each other, in their order (label 0) or swapped (label 1).

    As many sentences as fit into a row are split at any of the boundaries between them, all equally likely.
    Where the order of sentences means nothing, (A, B) is as likely as (B, A), and no classifier can tell the
    label. That takes three things. No sentence is cut: in the right order A would end with a full stop and B
    begin like a sentence, swapped they would not. A window depends on the length of its sentences together,
    not on their order. And the sentence that no longer fits is left out: had the next window begun with it,
    first sentences would be longer than others, since long ones are those that do not fit."""
    frame = tokenizer.frames[1]
    room = frame.room(length)
    for cuts in _documents(store, first, last):
        n = len(cuts) - 1
        s = int(rng.integers(2)) if n > 2 else 0  # so that another epoch leaves out other sentences
        while s < n - 1:
            stop = _last_cut(cuts, cuts[s] + room)
            if stop - s > 1:
                middle = cuts[rng.integers(s + 1, stop)]
                a, b = store.tokens[cuts[s] : middle], store.tokens[middle : cuts[stop]]
                label = int(rng.random() < 0.5)
                yield _pair(frame, *((b, a) if label else (a, b)), label)
            s = stop + 1


def _pair(frame: Frame, a: np.ndarray, b: np.ndarray, label: int) -> Row:
    second = len(frame.specials[0]) + len(a) + len(frame.specials[1])
    return Row(frame.ids(a, b), second, label, frame.segments(a, b))


def _documents(store: Store, first: int, last: int) -> Iterator[np.ndarray]:
    """Where each document's sentences begin, and where the last one ends."""
    for document in range(first, last):
        yield store.sentences[store.documents[document] : store.documents[document + 1] + 1]


def _last_cut(cuts: np.ndarray, place: int) -> int:
    """The last of the cuts that is not behind a place."""
    return int(np.searchsorted(cuts, place, side="right")) - 1


def _separator(tokenizer: Tokenizer) -> int | None:
    return tokenizer.eos_id if tokenizer.sep_id is None else tokenizer.sep_id


def _joined(tokens, documents, separator) -> tuple[np.ndarray, list[np.ndarray]]:
    """Consecutive documents as one, a separator at the beginning of all but the first."""
    begins, end = np.array([document[0] for document in documents]), documents[-1][-1]
    text = np.insert(tokens[begins[0] : end].astype(np.int64), begins[1:] - begins[0], separator)
    cuts = [document[1:] - begins[0] + number for number, document in enumerate(documents)]
    return text, [np.concatenate([[0], *cuts])]


def _stretches(cuts: np.ndarray, room: int) -> Iterator[tuple[int, int]]:
    """First token and end of each row of a document."""
    at, end = int(cuts[0]), int(cuts[-1])
    while at < end:
        full = min(at + room, end)
        whole = int(cuts[_last_cut(cuts, full)])
        stop = whole if whole - at > 0.75 * room else full
        yield at, stop
        at = stop


def _elsewhere(store, documents, number, true_next, size, rng) -> np.ndarray | None:
    """About `size` tokens from a random sentence on, of another document where there is one."""
    for _ in range(100):
        other = int(rng.integers(len(documents)))
        if other == number and len(documents) > 1:
            continue
        cuts = documents[other]
        begin = int(rng.integers(len(cuts) - 1))
        stop = max(_last_cut(cuts, cuts[begin] + size), begin + 1)
        found = store.tokens[cuts[begin] : cuts[stop]]
        shared = min(len(found), len(true_next))
        if not np.array_equal(found[:shared], true_next[:shared]):
            return found
    return None  # the text is nothing but repetition


def _shorten(a: np.ndarray, b: np.ndarray, room: int, rng) -> tuple[np.ndarray, np.ndarray]:
    """Tokens taken off the longer side, in front or behind at random, until both fit."""
    while (surplus := len(a) + len(b) - room) > 0:
        longer, other = (a, b) if len(a) >= len(b) else (b, a)
        cut = min(surplus, max(len(longer) - len(other), 1))
        front = int(rng.integers(cut + 1))
        kept = longer[front : len(longer) - (cut - front)]
        a, b = (kept, b) if longer is a else (a, kept)
    return a, b


Arrange = Callable[[Store, int, int, Tokenizer, int, np.random.Generator], Iterator[Row]]


class Rows(Protocol):
    """What training reads: rows without end. A source that is set to a `position` goes on exactly there."""

    position: dict[str, int]

    def take(self, n: int) -> tuple[list[Row], range]:
        """The next `n` rows and their numbers."""


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
        p, barren = self.position, 0
        while len(taken) < n:
            self._load()
            barren = 0 if self._rows else barren + 1
            if barren > len(self.blocks):
                what = f"no row of {self.length} tokens can be made of this text"
                pairs = "a pair takes two sentences of one document that fit into a row"
                raise PtmError(f"{what}: {pairs}. Give longer rows (length=...) or documents")
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
