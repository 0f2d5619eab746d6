"""How good predictions are: each metric judges examples one by one and combines what it found.

So a bootstrap draws examples, not runs of the metric from scratch: `rows` (n, k) holds what each example
contributes, `combine` makes one number of any selection of rows.
"""

import re
import string
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any
from zlib import crc32

import numpy as np

from ptm_explore.errors import PtmError


@dataclass(frozen=True)
class Metric:
    """`judge(example, prediction)` gives the numbers of one example, `combine` (n, k) -> the score."""

    name: str
    judge: Callable[[Any, Any], tuple[float, ...]]
    combine: Callable[[np.ndarray], float]


@dataclass(frozen=True)
class Score:
    """A metric's value with the 95 % interval of a bootstrap over examples."""

    metric: str
    value: float
    low: float
    high: float
    n: int

    def __float__(self) -> float:
        return self.value

    def __str__(self) -> str:
        return f"{self.metric} {self.value:.3f} ({self.low:.3f} to {self.high:.3f}, n = {self.n:,})"


def score(metric: Metric, examples: Sequence, predictions: Sequence, seed: int = 0, draws=1_000) -> Score:
    """What the predictions for these examples are worth, with a percentile bootstrap over examples (Efron
    1979). An interval says how much another sample of texts might change it, not another training."""
    if len(examples) != len(predictions) or not len(examples):
        raise PtmError(f"{len(predictions)} predictions for {len(examples)} examples; one each, at least one")
    pairs = zip(examples, predictions, strict=True)
    rows = np.array([metric.judge(example, prediction) for example, prediction in pairs], dtype=float)
    return Score(metric.name, metric.combine(rows), *bootstrap(rows, metric.combine, seed, draws), len(rows))


def bootstrap(
    rows: np.ndarray, combine: Callable[[np.ndarray], float], seed: int = 0, draws: int = 1_000
) -> tuple[float, float]:
    """The 95 % interval of what `combine` makes of rows drawn with replacement (percentiles)."""
    rng = np.random.default_rng(seed)
    found = [combine(rows[rng.integers(len(rows), size=len(rows))]) for _ in range(draws)]
    low, high = np.quantile(found, [0.025, 0.975]) if draws else (np.nan, np.nan)
    return float(low), float(high)


def _mean(rows: np.ndarray) -> float:
    return float(rows[:, 0].mean())


def _ratio(rows: np.ndarray) -> float:
    """Right ones among all there are, in rows of (right, all)."""
    right, total = rows.sum(0)
    return float(right / max(total, 1))


def _sklearn(name: str, rows: np.ndarray, **options: Any) -> float:
    from sklearn import metrics

    return float(getattr(metrics, name)(rows[:, 0], rows[:, 1], **options))


def _spearman(rows: np.ndarray) -> float:
    from scipy.stats import rankdata

    if np.ptp(rows[:, 0]) == 0 or np.ptp(rows[:, 1]) == 0:
        return 0.0  # a constant says nothing
    return float(np.corrcoef(rankdata(rows[:, 0]), rankdata(rows[:, 1]))[0, 1])


def _classes(example, prediction) -> tuple[float, ...]:
    """A number for each label, the same everywhere."""
    return float(crc32(example.label.encode())), float(crc32(prediction.encode()))


def _entities(example, prediction) -> tuple[float, ...]:
    """Of F1, twice those that are right among those found and those there."""
    from seqeval.metrics.sequence_labeling import get_entities

    there, found = set(get_entities(list(example.label))), set(get_entities(list(prediction)))
    return 2 * len(there & found), len(found) + len(there)


def _tags(example, prediction) -> tuple[float, ...]:
    return sum(a == b for a, b in zip(example.label, prediction, strict=True)), len(example.label)


def _overlap(example, prediction: str) -> tuple[float, ...]:
    """F1 of the words of an answer with the best of the accepted ones, and whether it is exactly one of them
    (Rajpurkar et al. 2016): case, punctuation and articles do not count."""
    accepted = [example.pair[start:end] for start, end in example.label] or [""]
    exact = any(_normal(one) == _normal(prediction) for one in accepted)
    return max(_word_f1(one, prediction) for one in accepted), float(exact)


def _word_f1(accepted: str, answer: str) -> float:
    one, other = _normal(accepted).split(), _normal(answer).split()
    if not one or not other:
        return float(one == other)
    return 2 * sum((Counter(one) & Counter(other)).values()) / (len(one) + len(other))


def _normal(text: str) -> str:
    text = "".join(letter for letter in text.lower() if letter not in string.punctuation)
    return " ".join(re.sub(r"\b(a|an|the)\b", " ", text).split())


_ALL = (
    Metric("accuracy", lambda example, prediction: (float(example.label == prediction),), _mean),
    Metric("matthews", _classes, partial(_sklearn, "matthews_corrcoef")),
    Metric("macro_f1", _classes, partial(_sklearn, "f1_score", average="macro", zero_division=0)),
    Metric("spearman", lambda example, prediction: (float(example.label), float(prediction)), _spearman),
    Metric("tag_accuracy", _tags, _ratio),
    Metric("entity_f1", _entities, _ratio),
    Metric("squad_f1", _overlap, _mean),
    Metric("exact_match", _overlap, lambda rows: float(rows[:, 1].mean())),
)
METRICS = {metric.name: metric for metric in _ALL}
