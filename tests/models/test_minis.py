"""The trained minis that come with the package."""

import json

import pytest
import torch
from safetensors.torch import load_file

import ptm_explore as ptm
from ptm_explore.models.pretrained import SHIPPED, shipped
from ptm_explore.models.recipes import FAMILIES

FACTS = ("data", "command", "licence", "tokens", "flops", "seconds", "device", "heldout_loss", "unigram_loss")


def test_there_is_one_of_each_family_and_all_are_small():
    assert shipped() == sorted(f"{family}-mini" for family in FAMILIES)
    assert sum(path.stat().st_size for path in SHIPPED.rglob("*") if path.is_file()) < 24e6


@pytest.mark.parametrize("name", shipped())
def test_says_where_it_comes_from(name):
    m = ptm.load(name)
    assert m.recipe.name == name
    assert set(FACTS) <= set(m.card)
    assert m.card["heldout_loss"] < m.card["unigram_loss"] - 2.5
    assert m.card["tokens"] >= 24e6  # what a core reads in over half an hour; a GPU does in five minutes
    assert m.history[-1]["heldout_loss"] == m.card["heldout_loss"]
    card = (SHIPPED / name / "README.md").read_text(encoding="utf-8")
    assert m.card["command"] in card
    assert m.card["licence"] in card
    assert "shared" not in card + json.dumps(m.card)  # nobody else has that folder


@pytest.mark.parametrize("name", shipped())
def test_is_stored_in_half_precision_and_works_in_full(name):
    tensors = load_file(SHIPPED / name / "model.safetensors")
    assert {tensor.dtype for tensor in tensors.values()} == {torch.float16}
    m = ptm.load(name)
    assert {parameter.dtype for parameter in m.net.parameters()} == {torch.float32}


@pytest.mark.parametrize("name", shipped())
def test_prefers_english_to_the_same_words_in_disorder(name):
    m = ptm.load(name)
    english = ["The little girl went to the river with her mother.", "He was born in the city in the north."]
    disorder = ["River the with to mother little her went girl the.", "The in born north city the was he in."]
    for good, bad in zip(m.score(english), m.score(disorder), strict=True):
        assert good > bad + 5


def test_an_unknown_name_is_told_which_are_here():
    with pytest.raises(ptm.PtmError, match="bert-mini, electra-mini, gpt-mini"):
        ptm.load("bort-mini")
