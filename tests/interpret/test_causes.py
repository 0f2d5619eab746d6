"""Lens, patches, heads taken out, edits: identities, and answers worked out by hand."""

from itertools import combinations, product
from random import Random

import numpy as np
import pytest
import torch

import ptm_explore as ptm
from ptm_explore.interpret import behaviour
from ptm_explore.interpret.goal import Goal
from ptm_explore.interpret.lens import lens
from ptm_explore.interpret.patching import PARTS, ablate_heads, patch
from ptm_explore.layers.taps import Taps
from tests.interpret.linear import Words

TEXT = {"gpt": "The dog sat in the", "electra": "The dog sat in the old garden."}
MINIS = ["bert-mini", "gpt-mini", "roberta-mini", "albert-mini", "electra-mini", "xlnet-mini"]


def text_of(m):
    mask = m.tokenizer.token(m.tokenizer.mask_id) if m.tokenizer.mask_id is not None else ""
    return TEXT.get(m.family, f"The dog sat in the {mask} and slept.")


@pytest.mark.parametrize("name", MINIS)
def test_the_last_layer_of_the_lens_is_what_the_model_says(name):
    m = ptm.load(name)
    text = text_of(m)
    found, traced = lens(m, text), m.trace(text)
    assert found.values.shape == (m.config.n_layers + 1, len(traced.tokens))
    if name == "electra-mini":
        expected = traced["replaced"].sigmoid()
    else:
        expected, ids = traced["logits"].softmax(-1).max(-1)
        assert found.labels[-1] == [m.tokenizer.token(i) for i in ids.tolist()]
    np.testing.assert_allclose(found.values[-1], expected, atol=1e-5)
    assert not np.allclose(found.values[0], found.values[-1], atol=1e-3)


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("name", MINIS)
def test_patching_a_run_with_its_own_activations_changes_nothing(name, part):
    m = ptm.load(name)
    goal, text = Goal(m, text_of(m)), text_of(m)
    before = goal()
    for layer in range(m.config.n_layers):
        at = f"layers.{layer}.{part}"
        own = goal.activation(at)
        assert torch.allclose(goal(edit={at: lambda _, own=own: own}), before, atol=1e-5)
    with pytest.raises(ptm.PtmError, match="the same score"):
        patch(m, text, text, part=part)


def test_patching_everything_that_a_layer_gives_on_is_the_source():
    m = ptm.load("bert-mini")
    a, b = "Anna went home and [MASK] slept.", "Ben went home and [MASK] slept."
    found = patch(m, a, b, target="he", against="she")
    at = found.columns.index("[MASK]")
    assert found.values[-1, at] == pytest.approx(1, abs=1e-4)  # the prediction is read off there
    assert abs(np.delete(found.values[-1], at)).max() < 1e-5
    assert found.values[0].argmax() == 1  # the name, before attention has moved it
    assert found.columns[1] == "anna←ben"


def test_patching_by_hand():
    m = ptm.load("bert-mini")
    a, b = "Anna went home and [MASK] slept.", "Ben went home and [MASK] slept."
    at, he = 5, m.tokenizer.id("he")

    def logit(text, edit=None):
        ids = m.encode(text).ids
        with torch.no_grad():
            return float(m(ids, taps=Taps(edit=edit)).logits[0, at, he])

    other = m.trace(b)["layers.0.attention.out"]
    for place in (1, 5):

        def change(old, place=place):
            old = old.clone()
            old[:, place] = other[place]
            return old

        share = (logit(a, {"layers.0.attention.out": change}) - logit(a)) / (logit(b) - logit(a))
        found = patch(m, a, b, target="he", part="attention.out")
        assert found.values[0, place] == pytest.approx(share, abs=1e-4)
    zero = patch(m, a, target="he", part="ffn.out")
    nothing = {"layers.1.ffn.out": lambda old: torch.cat([old[:, :5], 0 * old[:, 5:6], old[:, 6:]], 1)}
    assert zero.values[1, 5] == pytest.approx(logit(a) - logit(a, nothing), abs=1e-4)


def test_a_head_taken_out_by_hand():
    m = ptm.load("bert-mini")
    text = "The dog sat in the [MASK]."
    found = ablate_heads(m, [text], mean=False)
    goal = Goal(m, text)

    def without(old):
        old = old.clone()
        old[:, 2] = 0
        return old

    fall = float(goal.chance() - goal.chance(edit={"layers.1.attention.context": without}))
    assert found.values[1, 2, 0] == pytest.approx(fall, abs=1e-5)
    assert not np.allclose(ablate_heads(m, [text]).values[..., 0], found.values[..., 0])


WEIGHTS = {"good": 1.0, "fine": 0.4, "bad": -1.2, "awful": -2.0, "dull": -0.6, "poor": -0.9}


@pytest.mark.parametrize("seed", range(6))
def test_counterfactuals_of_a_linear_model_are_minimal(seed):
    rng, names = Random(seed), list(WEIGHTS)
    text = " ".join(rng.choice([*names, "the", "play", "was"]) for _ in range(5)) + "."
    clf = Words(WEIGHTS)
    label = clf.predict(text)[0].label
    parts = text[:-1].split()

    def flips(n):
        for places in combinations(range(5), n):
            for words in product(names, repeat=n):
                new = list(parts)
                for place, word in zip(places, words, strict=True):
                    new[place] = word
                if clf.predict(" ".join(new) + ".")[0].label != label:
                    return True
        return False

    fewest = next(n for n in range(1, 6) if flips(n))
    found = behaviour.counterfactual(clf, text, names, most=5)
    assert len(found.edits) == fewest
    assert clf.predict(found.text)[0].label == found.label != label
    assert "fell from" in str(found)


def test_a_masked_model_proposes_words():
    clf = Words({"dog": 3.0})
    found = behaviour.counterfactual(clf, "The dog sat in the garden.", ptm.load("bert-mini"))
    assert len(found.edits) == 1
    assert found.edits[0][0] == "dog"
    with pytest.raises(ptm.PtmError, match="no change of 1 words flips 'yes'"):
        behaviour.counterfactual(Words({"dog": 3.0, "cat": 3.0}), "A dog, a cat.", ["cow"], most=1)
    with pytest.raises(ptm.PtmError, match="takes a classifier"):
        behaviour.counterfactual(ptm.load("bert-mini"), "A dog.", ["cat"])


def test_changes():
    rng = Random(0)
    for _ in range(50):
        new = behaviour.typo("The garden was old.", rng)
        assert sorted(new) == sorted("The garden was old.")
        assert sum(a != b for a, b in zip(new, "The garden was old.", strict=True)) == 2
    assert behaviour.typo("It is so.", rng) is None
    assert behaviour.typo("It was good.", rng) is None  # the letters in between are the same
    assert behaviour.negation("The play was good.", rng) == "The play was not good."
    assert behaviour.negation("The play was not good.", rng) == "The play was good."
    assert behaviour.negation("Go!", rng) is None
    assert behaviour.punctuation("Go!", rng) == "Go"
    assert behaviour.punctuation("Go", rng) == "Go."
    renamed = behaviour.another_name("Then Klaus saw Klaus.", rng)
    assert renamed.count("Klaus") == 0
    assert behaviour.another_name("Then he slept.", rng) is None
    assert behaviour.swap({"big": "large"})("a big, big dog", rng) == "a large, large dog"


def test_failure_rates_are_counted():
    clf = Words({"good": 1.0, "bad": -1.0, "not": -3.0})
    texts = ["The play was good.", "The play was bad.", "The inn was good.", "It was."]
    shout = {"shout": lambda text, rng: text.upper(), "bad": behaviour.swap({"good": "bad"})}
    found = behaviour.robustness(clf, texts, shout)
    rates = dict(zip(found.rows, found.values[:, 0, 0], strict=True))
    assert rates["shout (n = 4)"] == 0
    assert rates["bad (n = 2)"] == 1
    assert rates["negation (n = 4)"] == 0.5  # of what was no already, no becomes likelier
    with pytest.raises(ptm.PtmError, match="can change none of the 4 texts"):
        behaviour.robustness(clf, texts, {"swap": behaviour.swap({"zebra": "horse"})})


def test_bad_input():
    m = ptm.load("bert-mini")
    with pytest.raises(ptm.PtmError, match="unknown part of a layer 'mlp'"):
        patch(m, "A [MASK].", "The [MASK].", part="mlp")
    with pytest.raises(ptm.PtmError, match="cut into equally many"):
        patch(m, "A [MASK].", "The old [MASK].")
    with pytest.raises(ptm.PtmError, match="not one token of this vocabulary"):
        patch(m, "A [MASK].", "The [MASK].", target="dog", against="no such token")
