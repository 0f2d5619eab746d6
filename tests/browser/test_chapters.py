"""Every chapter in a real JupyterLab: no errors, everything drawn, nothing asked of the network, and no more
memory than promised."""

from pathlib import Path

import pytest

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]

CHAPTERS = sorted(path.stem for path in (Path(__file__).parents[2] / "notebooks").glob("*.ipynb"))

FIGURE = """\
import plotly.graph_objects as go
go.Figure(go.Bar(y=[1, 3, 2]))"""
WIDGET = """\
import ipywidgets
ipywidgets.VBox([ipywidgets.IntSlider(3), ipywidgets.Button(description="go")])"""
OWN_WIDGET = """\
import anywidget
class Hello(anywidget.AnyWidget):
    _esm = "export default {{render({{el}}) {{ {} }}}}"
Hello()"""
HELLO = "el.innerHTML = '<b id=hello>hello</b>';"


@pytest.mark.parametrize("name", CHAPTERS)
def test_chapter(name, run_all):
    page = run_all(name)
    assert page.errors == []
    assert page.unrun == []
    assert page.undrawn == []
    assert page.console == []
    assert page.outside == []
    assert page.peak_mb < 1500


def test_figures_and_widgets_are_drawn_offline(run_cells):
    page = run_cells("scratch-good", "import ptm_explore", FIGURE, WIDGET, OWN_WIDGET.format(HELLO))
    assert [index for index, _ in page.drawn] == [1, 2, 3]
    assert page.undrawn == page.errors == page.unrun == page.console == page.outside == []
    assert page.page.locator("#hello").inner_text() == "hello"


def test_what_goes_wrong_is_seen(run_cells):
    wrong = "el.innerHTML = '<img src=https://example.org/x.png>'; console.error('my complaint');"
    asks = "import urllib.request\ntry: urllib.request.urlopen('http://example.com')\nexcept OSError: pass"
    page = run_cells("scratch-bad", OWN_WIDGET.format(wrong), OWN_WIDGET.format(""), asks, "1 / 0", "2")
    assert page.errors == ["ZeroDivisionError: division by zero"]
    assert page.unrun == ["2"]
    assert [index for index, _ in page.undrawn] == [1]
    assert page.outside == ["https://example.org/x.png", "example.com"]
    assert "my complaint" in page.console
