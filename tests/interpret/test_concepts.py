"""Concepts, patterns and likeness of layers: what is planted is found, what is random is not."""

import numpy as np
import pytest
import torch

import ptm_explore as ptm
from ptm_explore.interpret.concepts import cka, compare_layers, concept, patterns
from tests.interpret.linear import Linear

NOUNS = ("dog", "cat", "boy", "boat", "tree", "house", "river", "garden", "horse", "door")


@pytest.fixture(scope="module")
def bert():
    return ptm.load("bert-mini")


def test_cka_of_a_rotation_is_1_and_of_noise_is_small():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(300, 20)) * np.arange(1, 21)
    rotation = np.linalg.qr(rng.normal(size=(20, 20)))[0]
    assert cka(x, 3 * x @ rotation + 5) == pytest.approx(1)
    assert cka(x, rng.normal(size=(300, 7))) < 0.1
    assert cka(x, x[:, :10]) < 1
    a, b = (y - y.mean(0) for y in (x, x[:, :10]))
    k, m = a @ a.T, b @ b.T  # equation 4 with the kernels written out
    assert cka(x, x[:, :10]) == pytest.approx((k * m).sum() / np.sqrt((k * k).sum() * (m * m).sum()))


def test_layers_of_a_model_are_like_themselves(bert):
    texts = [f"The {a} and the {b} slept." for a in NOUNS for b in NOUNS[:4]]
    found = compare_layers(bert, bert, texts)
    np.testing.assert_allclose(np.diag(found.values), 1)
    np.testing.assert_allclose(found.values, found.values.T, atol=1e-6)
    assert compare_layers(bert, ptm.load("gpt-mini"), texts).values.shape == (3, 3)
    with pytest.raises(ptm.PtmError, match="2 texts are too few"):
        compare_layers(bert, bert, texts[:2])


def test_a_planted_concept_is_found(bert):
    """The score is the sum of the first dimension, where one word alone is large: its direction raises every
    text's score, a random one does not."""
    linear = Linear(bert)
    linear.table *= 0.01
    linear.table[:, 1:] *= 50
    linear.table[bert.tokenizer.id("king"), 0] = 9
    linear.sum_of_first = True
    having = [f"the king and the {noun}" for noun in NOUNS]
    lacking = [f"the {other} and the {noun}" for noun, other in zip(NOUNS, NOUNS[::-1], strict=True)]
    found = concept(linear, having, lacking, ["the dog slept", "a boat"], layer=0, runs=8)
    assert found.loc["concept", "score"] == 1
    assert found.loc["concept", "accuracy"] == 1
    assert found.loc["random", "score"] < 1
    assert found.loc["random", "accuracy"] < 0.8


def test_patterns_of_a_sum_are_its_weights(bert):
    linear = Linear(bert)
    texts = [f"the {noun} and the dog" for noun in NOUNS[1:]] * 2
    found = patterns(linear, texts, method="feature_ablation", least=2)
    pad = linear.table[bert.tokenizer.pad_id].sum()
    for word in ("dog", "and", "cat"):
        expected = linear.table[bert.tokenizer.id(word)].sum() - pad
        assert found.loc[word, "mean"] == pytest.approx(float(expected), abs=1e-4)
    assert found.loc["dog", "times"] == len(texts)
    two = patterns(linear, texts, method="feature_ablation", words=2)
    both = found.loc["the", "mean"] + found.loc["dog", "mean"]
    assert two.loc["the dog", "mean"] == pytest.approx(both, abs=1e-4)
    with pytest.raises(ptm.PtmError, match="nothing occurs 99 times"):
        patterns(linear, texts[:2], method="saliency", least=99)


def test_bad_input(bert):
    texts = ["a dog"] * 4
    for change, message in (
        ({"layer": 7}, "layer 7 does not exist: this model has layers 0 to 1"),
        ({"having": ["a dog"]}, "at least 4 texts"),
        ({"texts": []}, "a text to test"),
    ):
        given = {"having": texts, "lacking": texts, "texts": ["a [MASK]"], "layer": 0} | change
        with pytest.raises(ptm.PtmError, match=message):
            concept(bert, **given)
    assert torch.is_grad_enabled()
