"""The Python side of the tokens widget."""

import json

import pytest

from ptm_explore.errors import PtmError
from ptm_explore.widgets import TokensWidget
from tests.tiny import tokenizer


def test_every_tokenizer_cuts_the_text():
    tokenizers = {"BERT": tokenizer(), "XLNet": tokenizer("xlnet", "unigram", 90)}
    widget = TokensWidget(tokenizers, "the old dogs")
    assert [cut["name"] for cut in widget.answer["cuts"]] == ["BERT", "XLNet"]
    for cut, tok in zip(widget.answer["cuts"], tokenizers.values(), strict=True):
        pieces = [piece for word in cut["words"] for piece in word[-1][0]]
        assert pieces == tok.tokens(tok.ids(["the old dogs"])[0])
    widget.text = "<b>"
    assert widget.answer["text"] == "<b>"
    assert "&lt;b&gt;" in widget._html()
    json.dumps(widget.get_state())


def test_what_cannot_be_cut_is_said():
    widget = TokensWidget({"BERT": tokenizer()}, "x" * 201)
    assert "201 characters" in widget.error
    assert widget.answer["cuts"] == []
    widget.text = " "
    assert (widget.error, widget.answer["cuts"]) == ("", [])
    with pytest.raises(PtmError, match="by name"):
        TokensWidget([tokenizer()])
