"""Widgets for people who use a keyboard, a screen reader, or a dark page."""

from importlib import resources

import pytest

import ptm_explore as ptm
from ptm_explore.widgets import ExplorerWidget, FillWidget, OrderWidget, ReplacedWidget, TokensWidget
from tests.widgets.test_pages import CUTS, GAME, ORDER, START

pytestmark = pytest.mark.browser

VERDICT = {"originals": {"2": "<i>"}, "suspicion": [0, 0.1, 0.2, 0.7], "suspects": [3]}
FILLED = {"text": "a [MASK]", "answer": {"text": "a [MASK]", "masks": [[["b", 0.5]]]}, "error": "an error"}
PAGES = {
    "fill": (FillWidget, FILLED),
    "tokens": (TokensWidget, CUTS),
    "order": (OrderWidget, ORDER),
    "game": (ReplacedWidget, GAME),
    "checked": (ReplacedWidget, GAME | {"verdict": VERDICT, "marks": [2]}),
}


@pytest.fixture(scope="module")
def axe():
    pytest.importorskip("axe_playwright_python")
    return resources.files("axe_playwright_python").joinpath("axe.min.js").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def bert():
    return ptm.load("bert-mini")


@pytest.fixture(params=["light", "dark"])
def page(browser, request):
    page = browser.new_page(color_scheme=request.param, bypass_csp=True)  # axe is a script from outside
    yield page
    page.close()


def violations(page) -> list[str]:
    """What axe-core calls serious or critical, with the first element of each."""
    found = page.evaluate("axe.run()")["violations"]
    return [
        f"{one['id']}: {one['nodes'][0]['html']} {one['nodes'][0]['failureSummary']}"
        for one in found
        if one["impact"] in ("serious", "critical")
    ]


@pytest.mark.parametrize("two", [False, True])
def test_the_exported_explorer(page, axe, bert, two, tmp_path):
    models = [bert, ptm.load("gpt-mini")] if two else bert
    made = ExplorerWidget(models, "The unhappy children walked home.", "It rains.")
    page.goto(made.to_html(tmp_path / "e.html").as_uri())
    page.evaluate(axe)
    page.get_by_text("The same as a table").click()
    page.locator(".ptm-side0").focus()
    page.keyboard.press("ArrowDown")
    assert violations(page) == []
    for view in ("matrix", "grid"):
        page.get_by_label("view").select_option(view)
        assert violations(page) == []


LIVE = ["text", "pair", "layer", "measure", "stream", "words", "start", "asked", "choices", "frame", "answer"]
LIVE += ["live", "label", "error", "heard"]


def start(page, kind, state):
    page.set_content(
        '<html lang=en><title>A page</title><body style="background:Canvas"><main id=here></main>'
    )
    page.add_style_tag(content=":root { color-scheme: light dark }")
    blank = kind.__new__(kind)
    page.evaluate(START, {"esm": kind._esm.fget(blank), "css": kind._css.fget(blank), "state": state})


def start_explorer(page, widget):
    """A live explorer's page, without its kernel."""
    state = {name: getattr(widget, name) for name in LIVE} | {"maps": [list(one) for one in widget.maps]}
    state["frame"] = state["frame"] | {"small": [list(one) for one in widget.frame["small"]]}
    page.add_init_script(
        "window.views = (lists) => lists.map((x) => new DataView(Uint8Array.from(x).buffer))"
    )
    page.goto("about:blank")
    script = START.replace("const listeners", "state.maps = views(state.maps); const listeners", 1)
    script = script.replace(
        "const listeners", "state.frame.small = views(state.frame.small); const listeners", 1
    )
    page.set_content(
        '<html lang=en><title>A page</title><body style="background:Canvas"><main id=here></main>'
    )
    page.add_style_tag(content=":root { color-scheme: light dark }")
    page.evaluate(script, {"esm": widget._esm, "css": widget._css, "state": state})


def test_the_live_explorer_with_products(page, axe, bert):
    widget = ptm.explore(bert, "The unhappy children walked home.", "It rains.")
    widget.asked = [0, 1, 2, 3]
    start_explorer(page, widget)
    page.evaluate(axe)
    page.get_by_text("The products add up").wait_for()
    page.evaluate("model.update({ error: 'the text is empty', heard: 9 })")
    assert violations(page) == []


@pytest.mark.parametrize("name", PAGES)
def test_pages_of_widgets(page, axe, name):
    kind, state = PAGES[name]
    start(page, kind, {"error": "", "heard": 0, "label": "A widget", **state})
    page.evaluate(axe)
    assert violations(page) == []


NAME = """() => {
  const at = document.activeElement;
  const label = at.getAttribute("aria-label") || at.closest("label")?.textContent || at.textContent;
  return [at.tagName, label.trim(), getComputedStyle(at).outlineStyle];
}"""


def test_all_controls_are_reached_and_used_with_keys(page, bert):
    widget = ptm.explore(bert, "The unhappy children walked home.", "It rains.")
    widget.asked = [0, 1, 2, 3]
    start_explorer(page, widget)
    names = []
    for _ in range(40):
        page.keyboard.press("Tab")
        tag, name, outline = page.evaluate(NAME)
        if tag == "BODY":
            break
        assert name
        assert outline != "none", name
        names.append(name)
    wanted = ["Text", "Second text", "view", "layer", "several heads", "measure", "whole words", "at least"]
    wanted = [
        *wanted,
        "hide special tokens",
        "parts",
        "head 0",
        "head 1",
        "head 2",
        "head 3",
        "all",
        "Picture",
    ]
    wanted += ["Tokens that look", "Tokens that are looked at", "key", "The same as a table"]
    shares = {"smallest share of the peak": "at least"}
    assert [shares.get(name, name) for name in names] == wanted

    def there(name):
        return page.evaluate(NAME)[1] == name

    page.get_by_role("button", name="head 2").focus()
    page.keyboard.press("Space")  # the buttons are drawn anew; the keyboard stays where it was
    assert there("head 2")
    assert page.get_by_role("button", name="head 2").get_attribute("aria-pressed") == "true"
    page.keyboard.press("Space")
    assert page.get_by_role("button", name="head 2").get_attribute("aria-pressed") == "false"
    page.get_by_label("measure").focus()
    page.keyboard.press("ArrowDown")
    assert page.evaluate("model.get('measure')") == "norms"
    page.evaluate("model.update({ frame: { ...model.get('frame') }, heard: 1 })")
    assert there("measure")
    page.get_by_label("whole words").focus()
    page.keyboard.press("Space")
    assert page.evaluate("model.get('words')") is True
    page.get_by_label("Second text").fill("They slept.")
    page.keyboard.press("Enter")
    assert page.evaluate("model.get('pair')") == "They slept."
    page.get_by_role("listbox", name="Tokens that look").focus()
    page.keyboard.press("Home")
    page.keyboard.press("Enter")
    assert page.evaluate("model.get('asked')")[2] == 0
    page.locator("summary").focus()
    page.keyboard.press("Enter")
    page.locator(".ptm-table tbody tr").first.wait_for()
    page.get_by_label("view").select_option("grid")
    page.get_by_role("button", name="bert-mini, layer 0, head 3").focus()
    page.keyboard.press("Enter")
    assert there("Picture")
    page.keyboard.press("Tab")
    assert there("Tokens that look")
