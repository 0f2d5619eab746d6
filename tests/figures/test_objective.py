"""The drawing of an objective holds what its description says, for every kind of objective."""

import re

import numpy as np
import pytest
import torch

from ptm_explore import figures
from ptm_explore.errors import PtmError
from ptm_explore.objectives.base import Description
from ptm_explore.objectives.clm import Clm
from ptm_explore.objectives.mlm import Mlm
from ptm_explore.objectives.plm import Plm
from ptm_explore.objectives.rtd import Rtd
from ptm_explore.text.tokenizers import Tokenizer

TEXT = "the old dog saw the cat"


@pytest.fixture(scope="module")
def tokenizer():
    return Tokenizer.train([TEXT, "<b>$x$</b> %{y}"] * 9, "wordpiece", 90, lowercase=True)


@pytest.fixture
def ids(tokenizer):
    return tokenizer.encode(TEXT).ids[0]


def lines(fig) -> dict[str, list[str]]:
    return dict(zip(fig.layout.yaxis.ticktext, map(list, fig.data[0].text), strict=True))


def test_masked_tokens_are_shown_as_hidden_and_asked_for(tokenizer, ids):
    found = Mlm(rate=0.3, masked=1.0, random=0.0).describe(ids, tokenizer, seed=3)
    fig = figures.objective(found, tokenizer)
    shown, wanted = lines(fig)["is seen as"], lines(fig)["must be said"]
    hidden = [i for i, token in enumerate(shown) if token == "[MASK]"]
    assert hidden == [i for i, token in enumerate(wanted) if token] != []
    assert [wanted[i] for i in hidden] == [lines(fig)["text"][i] for i in hidden]
    mask = np.array(fig.data[1].z)
    assert (mask[hidden] == 2).all()
    assert (np.delete(mask, hidden, 0) == 1).all()
    assert "Every position sees the whole row." in figures.alt_text(fig)


def test_a_causal_model_sees_what_comes_before(tokenizer, ids):
    fig = figures.objective(Clm().describe(ids, tokenizer), tokenizer)
    T = len(ids)
    assert ((np.array(fig.data[1].z) > 0) == np.tri(T, dtype=bool)).all()
    text = lines(fig)["text"]
    assert lines(fig)["must be said"] == [*text[1:], ""]
    assert "what stands before it" in figures.alt_text(fig)


def test_both_streams_of_a_permutation_and_its_order(tokenizer, ids):
    fig = figures.objective(Plm().describe(ids, tokenizer, order=[3, 1]), tokenizer)
    assert [a.text for a in fig.layout.annotations if "stream" in a.text] == [
        "content stream: what a state is made of",
        "query stream: what a prediction may see",
    ]
    order = lines(fig)["order"]
    assert (order[3], order[1], order[2]) == ("1.", "2.", "given")
    content, query = (np.array(trace.z) for trace in fig.data[1:])
    assert (content[3, 3], content[3, 1], content[1, 3]) == (1, 0, 1)
    assert (query[3, 3], query[1, 3], query[1, 1], query[2].any()) == (0, 2, 0, False)
    assert re.search(r"The prediction at 3 sees \[0, 2, 4", figures.alt_text(fig))


def test_a_discriminator_is_asked_about_every_token(tokenizer, ids):
    goal = Rtd(rate=0.3, masked=1.0)
    before = goal.describe(ids, tokenizer, seed=3)
    asked = lines(figures.objective(before, tokenizer))["is it the original?"]
    assert [verdict == "?" for verdict in asked] == (before.targets >= 0).tolist()
    drawn = Description("rtd", ids, ids.clone(), before.targets, before.loss, before.visible)
    first, second = (before.targets >= 0).nonzero().flatten().tolist()[:2]
    drawn.seen[first] = ids[1] if ids[first] != ids[1] else ids[2]  # the other one was guessed
    asked = lines(figures.objective(drawn, tokenizer))["is it the original?"]
    assert (asked[first], asked[second], asked.count("no")) == ("no", "yes", 1)


def test_a_pair_has_its_label(tokenizer, ids):
    everything = torch.ones(len(ids), len(ids), dtype=torch.bool)
    first, none = torch.arange(len(ids)) == 0, torch.full_like(ids, -1)
    fig = figures.objective(Description("sop", ids, ids, none, first, everything, label=1), tokenizer)
    assert lines(fig)["of the pair"][:2] == ["label 1", ""]
    assert "must be said" not in lines(fig)


def test_odd_tokens_are_literal_and_long_rows_are_drawn(tokenizer):
    ids = tokenizer.encode("<b> $x$ %{y} " * 80).ids[0][:512]
    fig = figures.objective(Mlm().describe(ids, tokenizer), tokenizer)
    assert fig.layout.width < 512 * 24 + 300
    assert "<" not in str(lines(fig)["text"])
    assert "$" not in str(lines(fig)["text"])


def test_what_is_no_description_is_named(tokenizer):
    with pytest.raises(PtmError, match=r"describe\(ids, tokenizer\) returns, not list"):
        figures.objective([1, 2], tokenizer)
