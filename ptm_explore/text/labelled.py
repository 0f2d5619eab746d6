"""Labelled examples as rows of tokens: windows of long texts, labels where their words begin.

A `Framer` knows a tokenizer, how long rows may be and what is asked: `sequence`, `token` or `span`, the task
heads of the networks. What is longer than a row is cut for `sequence`, and read in windows otherwise.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ptm_explore.text.batches import Row
from ptm_explore.text.tasks import Example
from ptm_explore.text.tokenizers import Tokenizer

HEAD_OF = {"classification": "sequence", "regression": "sequence", "tagging": "token", "span": "span"}
NONE = -1  # the label of a token that has none, the word of a token that begins none


@dataclass(frozen=True)
class Window:
    """A row, and where its tokens stand in the text that was read."""

    row: Row
    first: int  # the position of that text's first token in the row
    spans: np.ndarray  # (n, 2) the characters of its tokens
    words: np.ndarray  # (n,) which word each begins, or NONE (tagging)
    absent: int  # the position that stands for "no answer"


class Framer:
    """Examples of a `kind` of task to rows of at most `length` tokens; `labels` in the order of their ids."""

    def __init__(self, tokenizer: Tokenizer, kind: str, labels: Sequence[str], length: int):
        self.tokenizer, self.head, self.length = tokenizer, HEAD_OF[kind], length
        self.kind, self.ids = kind, {label: number for number, label in enumerate(labels)}
        self.frames = tokenizer.frames

    def windows(self, examples: Sequence[Example]) -> list[list[Window]]:
        """All windows of each example, those of a question's text overlapping by half."""
        read = [example.text if example.pair is None else example.pair for example in examples]
        asked = [example.text for example in examples if example.pair is not None]
        encodings = self.tokenizer.backend.encode_batch(asked + read, add_special_tokens=False)
        questions = iter(encodings[: len(asked)])
        result = []
        for example, text, encoding in zip(examples, read, encodings[len(asked) :], strict=True):
            before = [] if example.pair is None else [np.array(next(questions).ids, np.int64)]
            spans = np.array(encoding.offsets, np.int64).reshape(-1, 2)
            spans[:, 0] += [len(text[a:b]) - len(text[a:b].lstrip()) for a, b in spans.tolist()]
            result.append(self._windows(example, before, np.array(encoding.ids, np.int64), spans))
        return result

    def rows(self, examples: Sequence[Example], rng: np.random.Generator) -> list[Row]:
        """A row of each example to learn from: of several windows one that holds an answer, else any."""
        chosen = []
        for cut in self.windows(examples):
            if self.head == "span":
                cut = [w for w in cut if w.row.target is not None and w.row.target[0] != w.absent] or cut
            chosen.append(cut[int(rng.integers(len(cut)))].row)
        return chosen

    def _windows(self, example: Example, before: list, ids: np.ndarray, spans: np.ndarray) -> list[Window]:
        frame = self.frames[len(before)]
        room = frame.room(self.length)
        if before:
            # of two texts the longer is cut; a question leaves at least half of a row to read
            rest = max(room // 2, room - len(ids)) if self.head == "sequence" else room // 2
            before = [before[0][: max(rest, 1)]]
            room -= len(before[0])
        step = max(room // 2, 1) if self.head == "span" else room
        words = np.full(len(ids), NONE)
        if example.words is not None:
            written = np.flatnonzero(spans[:, 0] < spans[:, 1])  # other tokens are spaces
            word = np.searchsorted([a for a, _ in example.words], spans[written, 0], side="right") - 1
            words[written] = np.where(np.diff(word, prepend=-1) > 0, word, NONE)
        begin = sum(map(len, [*frame.specials[:-1], *before]))
        windows = []
        for at in range(0, 1 if self.head == "sequence" else max(len(ids) - room + step, 1), step):
            part = slice(at, at + room)
            texts = [*before, ids[part]]
            row = frame.ids(*texts)
            absent = int(np.argmax(row == self.tokenizer.cls_id)) if self.tokenizer.cls_id in row else 0
            made = Row(row, segments=frame.segments(*texts))
            window = Window(made, begin, spans[part], words[part], absent)
            windows.append(replace(window, row=replace(made, target=self._target(example, window))))
        return windows

    def _target(self, example: Example, window: Window) -> np.ndarray | None:
        """What is wanted of a row: () a class or number, (T,) tags, (2,) an answer's first and last token."""
        if example.label is None:
            return None
        if self.head == "sequence":
            return np.array(float(example.label) if self.kind == "regression" else self.ids[example.label])
        if self.head == "token":
            target = np.full(len(window.row.ids), NONE)
            begins = np.flatnonzero(window.words != NONE)
            target[window.first + begins] = [self.ids[example.label[word]] for word in window.words[begins]]
            return target
        spans = window.spans
        for start, end in example.label:
            inside = np.flatnonzero((spans[:, 0] < end) & (start < spans[:, 1]))
            if inside.size and spans[inside[0], 0] <= start and end <= spans[inside[-1], 1]:
                return window.first + inside[[0, -1]]
        return np.array([window.absent, window.absent])
