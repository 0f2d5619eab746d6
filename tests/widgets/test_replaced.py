"""The Python side of the replaced-token game."""

import json

import pytest
import torch

from ptm_explore.errors import PtmError
from ptm_explore.model import Model
from ptm_explore.models.electra import Electra, ElectraConfig
from ptm_explore.widgets import ReplacedWidget
from tests.tiny import tokenizer

TEXTS = ["The old dog sleeps under the red tree.", "A new boat in the river."]


@pytest.fixture(scope="module")
def model():
    tok = tokenizer()
    V = tok.vocab_size
    config = ElectraConfig(V, d_model=16, n_layers=1, n_heads=2, d_ff=32, d_embedding=8, generator_size=0.5)
    net = Electra(config)
    net.initialise(torch.Generator().manual_seed(0))
    return Model(net, tok)


def truth(model, widget, text):
    """Positions where what is shown is not what the text says."""
    pairs = zip(model.encode(text).tokens[0], widget.tokens, strict=True)
    return [i for i, (original, shown) in enumerate(pairs) if original != shown]


def test_a_round(model):
    widget = ReplacedWidget(model, TEXTS, rate=0.3)
    replaced = truth(model, widget, TEXTS[0])
    assert widget.wanted == len(replaced) >= 1
    assert not set(replaced) & set(widget.special)
    assert widget.verdict == {}  # nothing that is sent before the check gives it away
    widget.marks = replaced
    originals = model.encode(TEXTS[0]).tokens[0]
    assert widget.verdict["originals"] == {str(i): originals[i] for i in replaced}
    suspicion = dict(enumerate(widget.verdict["suspicion"]))
    ordinary = sorted(set(suspicion) - set(widget.special), key=suspicion.get)
    assert widget.verdict["suspects"] == sorted(ordinary[-len(replaced) :])
    found = len(set(replaced) & set(widget.verdict["suspects"]))
    n = len(replaced)
    assert widget.score == {"you": n, "discriminator": found, "chance": n * n / len(ordinary), "of": n}
    json.dumps(widget.get_state())
    before = widget.score
    widget.marks = replaced[::-1]  # once judged, a round is over
    assert widget.score == before
    widget.round = 1
    assert (widget.marks, widget.verdict) == ([], {})
    assert widget.wanted == len(truth(model, widget, TEXTS[1]))
    assert widget.score == before


def test_the_suspicion_is_the_discriminators(model):
    widget = ReplacedWidget(model, TEXTS[0])
    widget.marks = truth(model, widget, TEXTS[0])
    ids = torch.tensor([[model.tokenizer.id(token) for token in widget.tokens]])
    expected = model(ids).replaced_logits[0].sigmoid()
    torch.testing.assert_close(torch.tensor(widget.verdict["suspicion"]), expected.detach())


def test_marks_that_are_too_many_or_not_to_be_marked(model):
    widget = ReplacedWidget(model, TEXTS[0])
    widget.marks = list(range(1, 2 + widget.wanted))
    assert "mark so many" in widget.error
    assert widget.verdict == {}
    widget.marks = widget.special[: widget.wanted]
    assert widget.error.startswith("0 tokens are marked")


def test_a_generator_that_restores_everything(model, monkeypatch):
    sevens = lambda logits, draws: torch.full((len(draws),), 7)  # noqa: E731
    monkeypatch.setattr("ptm_explore.objectives.rtd.sample", sevens)
    text = model.tokenizer.decode([7, 7, 7])
    widget = ReplacedWidget(model, text)
    assert "the generator restored this text 50 times" in widget.error
    assert (widget.tokens, widget.wanted) == ([], 0)
    widget.marks = [1]
    assert widget.verdict == {}
    widget.round = 1
    assert widget.heard == 2  # the page learns of an error that repeats itself


def test_wrong_arguments(model):
    with pytest.raises(PtmError, match=r"electra-mini.*not object"):
        ReplacedWidget(object(), TEXTS)
    alone = Model(Electra(model.config, ("rtd",)), model.tokenizer)
    with pytest.raises(PtmError, match="with its generator"):
        ReplacedWidget(alone, TEXTS)
    with pytest.raises(PtmError, match="at least one text"):
        ReplacedWidget(model, [])
    assert "<bdi>[CLS] " in ReplacedWidget(model, TEXTS)._html()
