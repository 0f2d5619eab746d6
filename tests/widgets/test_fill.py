"""The Python side of the widgets, with a model that is a function of the text."""

import json
import subprocess
import sys
from html.parser import HTMLParser
from types import SimpleNamespace

import pytest
from IPython.core.formatters import DisplayFormatter

from ptm_explore.errors import PtmError
from ptm_explore.widgets import FillWidget

HOSTILE = [
    "</script><script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "\"'`",
    "\u202eabc",
    "x" * 10_000,
]


class Echo:
    """Fills the masks of a text with its own other words."""

    def fill(self, text, top_k):
        if text == "bug":
            raise ZeroDivisionError("oops")
        if "[MASK]" not in text:
            raise PtmError("no [MASK] in the text; write one")
        words = [word for word in text.split() if word != "[MASK]"]
        return [[(word, 1 / (i + 2)) for i, word in enumerate(words[:top_k])]] * text.count("[MASK]")


def test_answers_for_every_mask():
    widget = FillWidget(Echo(), "a [MASK] b [MASK] c", top_k=2)
    assert widget.answer == {"text": "a [MASK] b [MASK] c", "masks": [[["a", 0.5], ["b", 1 / 3]]] * 2}
    widget.text = "d [MASK]"
    assert widget.answer == {"text": "d [MASK]", "masks": [[["d", 0.5]]]}
    json.dumps(widget.get_state())


def test_errors_are_said_and_cleared():
    widget = FillWidget(Echo(), "nothing hidden")
    assert widget.error == "no [MASK] in the text; write one"
    assert widget.answer == {"text": "nothing hidden", "masks": []}
    widget.text = "a [MASK]"
    assert widget.error == ""
    with pytest.raises(ZeroDivisionError):
        widget.text = "bug"
    assert widget.error == "this failed with ZeroDivisionError: oops"
    assert widget.answer == {"text": "bug", "masks": []}
    widget.text = "  "
    assert widget.error == ""


def test_error_and_answer_reach_the_page_together():
    widget = FillWidget(Echo(), "a [MASK]")
    held = []
    widget.observe(lambda change: held.append((change["name"], widget._holding_sync)), ["error", "answer"])
    widget.text = "no mask"
    assert held == [("error", True), ("answer", True)]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((object(),), "object cannot fill in words"),
        ((Echo(), 5), "text must be a string, not int"),
        ((Echo(), "a [MASK]", 0), "top_k=0"),
        ((Echo(), "a [MASK]", True), "top_k=True"),
    ],
)
def test_wrong_arguments(arguments, says):
    with pytest.raises(PtmError, match=says):
        FillWidget(*arguments)


@pytest.mark.parametrize("word", HOSTILE)
def test_html_beside_the_widget_holds_tokens_as_text(word):
    model = SimpleNamespace(fill=lambda text, top_k: [[(word, 0.5)]])
    data, _ = DisplayFormatter().format(FillWidget(model, word))
    assert "application/vnd.jupyter.widget-view+json" in data
    tags, texts = set(), []
    page = HTMLParser()
    page.handle_starttag = lambda tag, attrs: tags.add(tag)
    page.handle_data = texts.append
    page.feed(data["text/html"])
    page.close()
    assert tags == {"p", "q", "bdi"}
    assert texts == [word, word, " 50.0%"]


def test_page_code_is_one_module_without_imports():
    widget = FillWidget(Echo())
    assert widget._esm.count("export ") == 1
    assert "import " not in widget._esm
    assert "innerHTML =" not in widget._esm
    assert "http" not in widget._esm + widget._css
    assert ".ptm-widget" in widget._css
    assert {"_esm", "_css", "label", "error", "text", "answer"} <= set(widget.keys)


def test_importing_widgets_loads_no_ipywidgets():
    code = "import sys, ptm_explore.widgets; sys.exit('ipywidgets' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
