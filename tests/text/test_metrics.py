"""Metrics against scikit-learn, scipy, seqeval and answers by hand; the bootstrap against theory."""

import numpy as np
import pytest
import seqeval.metrics
from scipy.stats import spearmanr
from sklearn.metrics import accuracy_score, f1_score, matthews_corrcoef

from ptm_explore.errors import PtmError
from ptm_explore.text.metrics import METRICS, score
from ptm_explore.text.tasks import Example


def value(name, examples, predictions):
    return score(METRICS[name], examples, predictions, draws=0).value


@pytest.mark.parametrize(
    ("name", "reference"),
    [
        ("accuracy", accuracy_score),
        ("matthews", matthews_corrcoef),
        ("macro_f1", lambda y, p: f1_score(y, p, average="macro")),
    ],
)
def test_classes_as_scikit_learn_has_them(name, reference):
    rng = np.random.default_rng(0)
    there, found = (list(rng.choice(["a", "b", "c"], 200, p=[0.5, 0.3, 0.2])) for _ in range(2))
    assert value(name, [Example("t", label=y) for y in there], found) == pytest.approx(
        reference(there, found)
    )


def test_numbers_as_scipy_has_them():
    rng = np.random.default_rng(0)
    there = rng.integers(0, 9, 100) / 2  # with ties
    found = there + rng.normal(size=100)
    examples = [Example("t", label=float(y)) for y in there]
    assert value("spearman", examples, found) == pytest.approx(spearmanr(there, found).statistic)
    assert value("spearman", examples, [1.0] * 100) == 0


def test_entities_as_seqeval_has_them():
    rng = np.random.default_rng(0)
    tags = ["O", "B-PER", "I-PER", "B-LOC", "I-LOC"]
    there, found = ([list(rng.choice(tags, 9)) for _ in range(60)] for _ in range(2))
    examples = [Example("t", label=tuple(y)) for y in there]
    assert value("entity_f1", examples, found) == pytest.approx(seqeval.metrics.f1_score(there, found))
    assert value("tag_accuracy", examples, found) == pytest.approx(
        seqeval.metrics.accuracy_score(there, found)
    )


@pytest.mark.parametrize(
    ("answer", "f1", "exact"),
    [
        ("the Red boat.", 1, 1),  # articles, case and punctuation do not count
        ("boat", 2 / 3, 0),
        ("a red red boat", 0.8, 0),
        ("cat", 0, 0),
        ("", 0, 0),
    ],
)
def test_answers_by_hand(answer, f1, exact):
    example = Example("what?", pair="It was a red boat, or a ship.", label=((9, 17), (22, 28)))
    assert value("squad_f1", [example], [answer]) == pytest.approx(f1)
    assert value("exact_match", [example], [answer]) == exact


def test_no_answer_is_right_where_there_is_none():
    assert value("squad_f1", [Example("what?", pair="Nothing.", label=())], [""]) == 1
    assert value("squad_f1", [Example("what?", pair="Nothing.", label=())], ["Nothing"]) == 0


def test_the_interval_is_that_of_a_share():
    """Of n = 400 with p = 0.8, a normal interval is p +- 1.96 sqrt(p (1 - p) / n)."""
    found = ["x"] * 320 + ["y"] * 80
    result = score(METRICS["accuracy"], [Example("t", label="x")] * 400, found)
    half = 1.96 * (0.8 * 0.2 / 400) ** 0.5
    assert result.value == pytest.approx(0.8)
    assert result.low == pytest.approx(0.8 - half, abs=0.01)
    assert result.high == pytest.approx(0.8 + half, abs=0.01)
    assert str(result) == f"accuracy 0.800 ({result.low:.3f} to {result.high:.3f}, n = 400)"


def test_a_prediction_each():
    with pytest.raises(PtmError, match="1 predictions for 2 examples"):
        score(METRICS["accuracy"], [Example("t", label="x")] * 2, ["x"])
