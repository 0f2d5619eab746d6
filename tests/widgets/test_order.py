"""The Python side of the factorisation-order widget, against the objective's own masks."""

import json

import pytest
import torch

from ptm_explore.errors import PtmError
from ptm_explore.model import Model
from ptm_explore.models.xlnet import Xlnet, XlnetConfig
from ptm_explore.objectives.plm import Plm
from ptm_explore.widgets import OrderWidget
from tests.tiny import tokenizer

TEXT = "the old dog sleeps."


@pytest.fixture(scope="module")
def model():
    tok = tokenizer("xlnet", "unigram", 90)
    net = Xlnet(XlnetConfig(vocab_size=tok.vocab_size, d_model=16, n_layers=2, n_heads=2, d_ff=32))
    net.initialise(torch.Generator().manual_seed(0))
    return Model(net, tok)


def test_masks_and_probabilities_are_those_of_the_objective(model):
    order = [2, 0, 1]
    widget = OrderWidget(model, TEXT, order)
    ids = model.encode(TEXT).ids
    described = Plm().describe(ids[0].tolist(), model.tokenizer, order=order)
    assert widget.answer["content"] == described.visible.int().tolist()
    assert widget.answer["query"] == described.query.int().tolist()
    # one prediction after the other, as the chain rule has it, each from a text with the later ones hidden
    for n, place in enumerate(order):
        hidden = torch.zeros_like(ids, dtype=torch.bool)
        hidden[0, order[n:]] = True
        logits = model.net.predict(ids, hidden, torch.tensor([place]), None)
        nats = -logits[0].log_softmax(-1)[ids[0, place]]
        assert widget.answer["nats"][n] == pytest.approx(nats.item(), abs=1e-5)
    json.dumps(widget.get_state())


def test_an_order_that_cannot_be_is_said_and_cleared(model):
    widget = OrderWidget(model, TEXT)
    assert (widget.answer, widget.error) == ({}, "")
    last = len(widget.tokens) - 1
    assert widget.special == [last - 1, last]
    for order, says in [
        ([99], "outside the text"),
        ([1, 1], "twice"),
        ([last], "always given"),
        (["x"], "list of positions"),
    ]:
        widget.order = order
        assert says in widget.error
        assert widget.answer == {}
    widget.order = [0]
    assert widget.error == ""
    assert widget.answer["order"] == [0]
    widget.order = []
    assert widget.answer == {}


def test_wrong_arguments(model):
    with pytest.raises(PtmError, match=r"xlnet-mini.*not object"):
        OrderWidget(object(), TEXT)
    with pytest.raises(PtmError, match="readable up to 24: shorten it"):
        OrderWidget(model, TEXT * 10)


def test_html_beside_the_widget_says_what_each_prediction_sees(model):
    text = OrderWidget(model, TEXT, [1, 0])._html()
    assert text.count("<li>") == 2
    assert "&lt;sep&gt;" in text
    assert "nats" in text
