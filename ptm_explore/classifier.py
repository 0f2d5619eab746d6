"""The `Classifier` that users hold: a model with a task's head, the names of its labels, and what it says.

B texts, T tokens, C labels
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ptm_explore.errors import PtmError
from ptm_explore.model import Model
from ptm_explore.text.batches import collate
from ptm_explore.text.labelled import NONE, Framer, Window
from ptm_explore.text.metrics import METRICS, Score, score
from ptm_explore.text.task_rows import WORD
from ptm_explore.text.tasks import METRIC_OF, Example, Task

LONGEST = 30  # tokens of an answer
BATCH = 64  # rows in a pass
Texts = str | Sequence[str | Example]


@dataclass(frozen=True)
class Prediction:
    """What a classifier says of one text.

    classification  `label` a name, with its `probability` and those of all labels
    regression      `label` a number, `probability` None
    tagging         `label` a tag for each of the `words`, with its `probability`
    span            `label` the answer as text ("" for none), `words` its characters in what was read
    """

    label: Any
    probability: Any = None
    probabilities: dict[str, float] | None = None
    words: tuple[tuple[int, int], ...] | None = None


class Classifier(Model):
    """A model that was fine-tuned for a task. `task` is that task, None after loading; `labels` are the names
    of its classes or tags, and `kind` is one of classification, regression, tagging and span."""

    task: Task | None = None

    @property
    def labels(self) -> tuple[str, ...]:
        names = self.card.get("hf", {}).get("id2label") or {}
        return tuple(names[key] for key in sorted(names, key=int))

    @property
    def kind(self) -> str:
        heads = {"token": "tagging", "span": "span"}
        regression = self.card.get("hf", {}).get("problem_type") == "regression"
        return heads.get(str(self.net.task), "regression" if regression else "classification")

    @property
    def length(self) -> int:
        """Tokens in a row, as in its training."""
        return self.card.get("length", self.config.max_len)

    def predict(self, texts: Texts, pairs: str | Sequence[str] | None = None) -> list[Prediction]:
        """A `Prediction` for each text: strings (each with its pair: the second text, or what is to be read
        for an answer), or examples of a task, whose labels are not looked at."""
        examples = _examples(texts, pairs, self.kind)
        framer = Framer(self.tokenizer, self.kind, self.labels, self.length)
        found: list[Prediction] = []
        for at in range(0, len(examples), BATCH):
            chunk = examples[at : at + BATCH]
            windows = framer.windows(chunk)
            logits = iter(self._logits_of([window for one in windows for window in one]))
            for example, one in zip(chunk, windows, strict=True):
                found.append(self._said(example, [(window, next(logits)) for window in one]))
        return found

    def evaluate(self, split: str | Sequence[Example] = "test", metric: str | None = None) -> Score:
        """The task's metric, with the 95 % interval of a bootstrap over examples: on a split of the task it
        was trained for, or on any examples with labels."""
        if isinstance(split, str):
            if self.task is None:
                raise PtmError(f"a loaded classifier knows no task; give ptm.task(...).split({split!r})")
            split = self.task.split(split)
        usual = self.task.metric.name if self.task else self.card.get("metric", METRIC_OF[self.kind])
        labels = [prediction.label for prediction in self.predict(split)]
        return score(METRICS[metric or usual], split, labels)

    @torch.inference_mode()
    def _logits_of(self, windows: list[Window]) -> list[Tensor]:
        """Of each window (C,), or (T, C) for its own T tokens; rows of about a length go together."""
        order = sorted(range(len(windows)), key=lambda i: len(windows[i].row.ids))
        result: list[Any] = [None] * len(windows)
        for at in range(0, len(order), BATCH):
            chosen = order[at : at + BATCH]
            batch = collate([windows[i].row for i in chosen], self.tokenizer, chosen).to(self.device)
            out = self.net(batch.input_ids, batch.attention_mask, batch.segment_ids)
            for i, logits in zip(chosen, out.task_logits.float().cpu(), strict=True):
                result[i] = logits[: len(windows[i].row.ids)] if logits.dim() > 1 else logits
        return result

    def _said(self, example: Example, found: list[tuple[Window, Tensor]]) -> Prediction:
        if self.kind == "regression":
            return Prediction(float(found[0][1][0]))
        if self.kind == "classification":
            chances = found[0][1].softmax(-1).tolist()
            best = int(np.argmax(chances))
            return Prediction(self.labels[best], chances[best], dict(zip(self.labels, chances, strict=True)))
        return self._tags(example, found) if self.kind == "tagging" else self._answer(example, found)

    def _tags(self, example: Example, found: list[tuple[Window, Tensor]]) -> Prediction:
        """Each word's tag is read off its first token. A word without a token has the last label, O."""
        assert example.words is not None
        tags = [self.labels[-1]] * len(example.words)
        chances = [0.0] * len(tags)
        for window, logits in found:
            begins = np.flatnonzero(window.words != NONE)
            best = [part.tolist() for part in logits[window.first + begins].softmax(-1).max(-1)]
            for word, chance, label in zip(window.words[begins], *best, strict=True):
                tags[word], chances[word] = self.labels[label], chance
        return Prediction(tuple(tags), tuple(chances), None, example.words)

    def _answer(self, example: Example, found: list[tuple[Window, Tensor]]) -> Prediction:
        """The likeliest pair of a first and a last token, at most `LONGEST` apart, in any window; "" if no
        answer is likelier, where the task has such questions."""
        text = example.pair or ""
        everything = torch.cat([logits for _, logits in found]).logsumexp(0).sum()  # of all firsts and lasts
        best, span = -torch.inf, (0, 0)
        for window, logits in found:
            inside = logits[window.first : window.first + len(window.spans)]  # (n, 2)
            total = inside[:, None, 0] + inside[None, :, 1]  # (n, n) first, last
            allowed = torch.ones_like(total, dtype=torch.bool).triu().tril(LONGEST - 1)
            total = total.masked_fill(~allowed, -torch.inf)
            value, where = total.flatten().max(0)
            if value > best:
                first, last = divmod(int(where), len(total))
                best, span = float(value), (int(window.spans[first, 0]), int(window.spans[last, 1]))
        if self.card.get("unanswerable"):
            absent = min(float(logits[window.absent].sum()) for window, logits in found)
            if absent > best:
                best, span = absent, (0, 0)
        return Prediction(text[slice(*span)], float(np.exp(best - float(everything))), None, (span,))


def _examples(texts: Any, pairs: Any, kind: str) -> Sequence[Example]:
    texts = [texts] if isinstance(texts, str) else texts if isinstance(texts, Sequence) else list(texts)
    if texts and isinstance(texts[0], Example):
        return texts
    pairs = [pairs] if isinstance(pairs, str) else [None] * len(texts) if pairs is None else list(pairs)
    if len(texts) != len(pairs) or not texts:
        raise PtmError(f"{len(texts)} texts and {len(pairs)} pairs; give 1 text or more, and a pair to each")
    for name, given in (("text", texts), ("pair", pairs)):
        for number, one in enumerate(given):
            absent = name == "pair" and one is None and kind != "span"
            if not absent and not (isinstance(one, str) and one.strip()):
                raise PtmError(f"{name} {number} is {one!r}; give a string that is not empty")
    words = [tuple(w.span() for w in WORD.finditer(t)) if kind == "tagging" else None for t in texts]
    return [Example(text, pair, words=found) for text, pair, found in zip(texts, pairs, words, strict=True)]
