"""Faithfulness: optimal where a model is a sum, random where a method is, and brute force in between."""

from itertools import permutations

import numpy as np
import pytest
import torch

import ptm_explore as ptm
from ptm_explore.interpret.faithfulness import METRICS, randomised
from ptm_explore.interpret.goal import ERASER, FRACTIONS, Goal
from ptm_explore.interpret.results import interval
from ptm_explore.text.tasks import Example
from tests.interpret.linear import Linear

TEXTS = ["The old dog sleeps.", "A cat sat in the garden and slept.", "He took the boat to the river."]


@pytest.fixture(scope="module")
def bert():
    return ptm.load("bert-mini")


@pytest.fixture(scope="module")
def yes(bert):
    return Linear(bert, "classification")


def test_no_order_is_better_than_the_scores_of_a_sum(yes):
    """Words that add up: their own order removes the most at each step, whatever the fractions."""
    goal = Goal(yes, "The old dog sleeps.")
    own = ptm.attribute(yes, "The old dog sleeps.", method="feature_ablation")
    every = torch.tensor(list(permutations(range(len(goal.ordinary)))))
    best = goal.comprehensiveness(every).max()
    assert own.comprehensiveness == pytest.approx(float(best), abs=1e-6)
    assert own.random[0] <= own.random[1] <= own.comprehensiveness + 1e-6


def test_erase_by_hand(yes):
    goal = Goal(yes, "The old dog sleeps.")
    order = torch.tensor([[3, 0, 4, 1, 2]])
    removed, given = goal.erase(order)[0], goal.erase(order, give=True)[0]
    for n, fraction in enumerate(FRACTIONS):
        gone = order[0, : int(np.ceil(fraction * 5 - 1e-6))]
        there = torch.ones(1, 7, dtype=torch.bool)
        there[0, gone + 1] = False  # [CLS] is token 0
        assert float(removed[n]) == pytest.approx(float(goal.chance(edit=goal.present(there))), abs=1e-6)
        assert float(given[n]) == pytest.approx(
            float(goal.chance(edit=goal.present(~there | goal.special))), abs=1e-6
        )
    assert float(removed[0]) == pytest.approx(float(given[-1]))
    falls = (removed[0] - removed[[FRACTIONS.index(f) for f in ERASER]]).mean()
    assert float(goal.comprehensiveness(order)[0]) == pytest.approx(float(falls), abs=1e-6)


def test_a_random_method_is_at_the_random_orders(yes):
    texts = [
        f"{a} {b} in the old garden of the town." for a in ("Anna", "Ben", "Ida") for b in ("sat", "ran")
    ]
    texts += [
        f"The {a} and the {b} were in the house." for a in ("dog", "cat", "boy") for b in ("hen", "fox")
    ]
    found = ptm.faithfulness(yes, texts, ["random", "feature_ablation"], steps=2)
    table = found.against_random().table()
    for metric in found.metrics:
        random, best = table.loc["random", metric], table.loc["feature_ablation", metric]
        assert random["low"] <= 0 <= random["high"]
        if metric in ("comprehensiveness", "deletion"):
            assert not best["low"] <= 0 <= best["high"]
    assert found.methods == ["random", "feature_ablation", "random orders"]
    assert found.curves.shape == (3, 2, len(FRACTIONS))
    np.testing.assert_allclose(np.diag(found.agreement.values), 1)


def test_marked_words(yes):
    """The words that carry the label are marked: they are the method's best: average precision says so."""
    examples = []
    for text in TEXTS:
        goal = Goal(yes, text)
        order = (
            ptm.attribute(yes, text, method="feature_ablation")
            .word_scores[goal.ordinary]
            .argsort(descending=True)
        )
        spans = [goal.spans[goal.ordinary[i]] for i in order[:2]]
        examples.append(Example(text, rationale=tuple(spans)))
    found = ptm.faithfulness(yes, examples, ["feature_ablation", "rationale", "random"])
    table = found.table()
    assert found.metrics == list(METRICS)
    assert table.loc["feature_ablation", ("rationale", "mean")] == pytest.approx(1)
    assert table.loc["rationale", ("rationale", "mean")] == pytest.approx(1)
    assert table.loc["random orders", ("rationale", "mean")] < 0.9


@pytest.mark.slow
def test_gold_rationales_beat_random_ones_on_the_worlds_sentiment():
    """And the must-have of every method: a random one does not beat random orders."""
    task = ptm.task("world:sentiment")
    options = {"lr": 1e-3, "batch": 16, "dropout": 0.0}
    clf = ptm.finetune(ptm.load("bert-mini"), task, budget="300steps", seed=0, **options)
    assert clf.evaluate("test").low > task.majority.value
    examples = [e for e in task.test if len(e.text) < 200][:40]
    found = ptm.faithfulness(clf, examples, ["rationale", "random", "integrated_gradients"], steps=10)
    table = found.against_random().table()
    assert table.loc["rationale", ("comprehensiveness", "low")] > 0
    assert table.loc["integrated_gradients", ("comprehensiveness", "low")] > 0
    apart = found.values[:, 1] - found.values[:, -1]  # of the random method, of each text and metric
    z = apart.mean(0) / (apart.std(0, ddof=1) / len(apart) ** 0.5)
    assert (abs(z) < 2.58).all()  # five intervals, 95 % for all of them together


def test_randomising_changes_what_depends_on_weights(bert):
    text = "The dog sat in the [MASK]."
    found = randomised(bert, text, "feature_ablation")
    assert list(found) == ["head", "layer 1", "layer 0", "embeddings"]
    before = {name: p.clone() for name, p in bert.net.named_parameters()}
    assert randomised(bert, text, "random") == dict.fromkeys(found, 1.0)  # it never looked at the model
    assert all(torch.equal(p, before[name]) for name, p in bert.net.named_parameters())


def test_texts_of_one_length_have_draws_of_their_own(yes):
    goals = [Goal(yes, f"The old {noun} sat here.") for noun in ("dog", "cat")]
    assert not torch.equal(goals[0].random_orders(5), goals[1].random_orders(5))
    first, second = (ptm.attribute(yes, goal.texts[0], method="random").word_scores for goal in goals)
    assert not torch.equal(first, second)


def test_words_with_the_same_score_come_in_any_order(yes):
    """A method that says nothing is as good as chance, wherever the words stand."""
    examples = [Example(text, rationale=((0, len(text)),)) for text in TEXTS * 4]
    found = ptm.faithfulness(yes, examples, ["rationale"], orders=1)
    np.testing.assert_allclose(found.values[:, 0], found.values[:, 1])


def test_random_weights_are_not_those_that_a_training_began_with(bert):
    """A seed of fine-tuning draws the head; the same seed here must draw another."""
    task = ptm.task("world:sentiment", show=False)
    clf = ptm.finetune(bert, task, budget="1steps", seed=0, lr=1e-9, show=False)
    text = task.test[0].text
    assert randomised(clf, text, "feature_ablation", seed=0)["head"] < 0.99


def test_interval():
    rng = np.random.default_rng(0)
    few = [interval(rng.normal(size=4)) for _ in range(500)]
    assert np.mean([low <= 0 <= high for _, low, high in few]) == pytest.approx(0.95, abs=0.03)
    mean, low, high = interval(np.array([0.0, 1.0] * 200))
    assert mean == 0.5
    assert (high - low) / 2 == pytest.approx(1.96 * 0.5 / 400**0.5, rel=0.15)
    assert np.isnan(interval(np.array([]))[0])
    assert interval(np.array([3.0]))[0] == 3
    assert np.isnan(interval(np.array([3.0]))[1])


def test_bad_input(bert, yes):
    for texts, methods, message in (
        ([], ["saliency"], "one or more texts"),
        ("A dog.", ["saliency"], "one or more texts"),
        (TEXTS, [], "a method and a random order at least"),
        (TEXTS, ["salience"], "Did you mean 'saliency'"),
        (TEXTS, ["rationale"], "needs marked examples"),
    ):
        with pytest.raises(ptm.PtmError, match=message):
            ptm.faithfulness(yes, texts, methods)
    with pytest.raises(ptm.PtmError, match="unknown label 'maybe'"):
        ptm.faithfulness(yes, TEXTS, ["saliency"], target="maybe")
    with pytest.raises(ptm.PtmError, match="this text is its own baseline"):
        ptm.faithfulness(bert, ["[MASK]"], ["saliency"])
