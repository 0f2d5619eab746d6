"""What a browser makes of the widgets' modules and of saved figures; with Jupyter in tests/browser."""

from types import SimpleNamespace

import pytest
import torch

from ptm_explore import figures
from ptm_explore.widgets import FillWidget, OrderWidget, ReplacedWidget, TokensWidget

pytestmark = pytest.mark.browser

HOSTILE = [
    "</script><script>window.hit=1</script>",
    "<img src=x onerror='window.hit=1'>",
    "\"'` ${window.hit=1}",
    "\u202eabc",
    "x" * 10_000,
]

# anywidget's side of a model: get, set, save_changes, on, off; `saved` holds the text at each saving.
START = """async ({ esm, css, state }) => {
  document.head.append(Object.assign(document.createElement("style"), { textContent: css }));
  const listeners = {};
  const model = {
    saved: [],
    get: (name) => state[name],
    set: (name, value) => model.update({ [name]: value }),
    save_changes: () => model.saved.push(state.text),
    on: (event, f) => (listeners[event] ??= new Set()).add(f),
    off: (event, f) => listeners[event]?.delete(f),
    update: (changes) => {
      Object.assign(state, changes);
      for (const name of Object.keys(changes)) for (const f of listeners[`change:${name}`] ?? []) f();
    },
    listening: () => Object.values(listeners).reduce((n, set) => n + set.size, 0),
  };
  window.model = model;
  const url = URL.createObjectURL(new Blob([esm], { type: "text/javascript" }));
  const { default: widget } = await import(url);
  window.stop = widget.render({ model, el: document.querySelector("#here") });
}"""


@pytest.fixture
def start(page):
    """Starts the page code of a widget class on a state, without its Python."""

    def start(widget, **state):
        state = {"error": "", "heard": 0, "label": "A widget", **state}
        blank = widget.__new__(widget)
        page.set_content("<main id=here></main>")
        page.evaluate(START, {"esm": widget._esm.fget(blank), "css": widget._css.fget(blank), "state": state})
        return page

    return start


@pytest.fixture
def fill(page):
    """Starts the page code of a FillWidget on a text and (token, probability) pairs for each mask."""

    def start(text, masks):
        widget = FillWidget(SimpleNamespace(fill=lambda text, top_k: masks), text)
        state = {name: getattr(widget, name) for name in ("text", "answer", "error", "label")}
        page.set_content("<main id=here></main>")
        page.evaluate(START, {"esm": widget._esm, "css": widget._css, "state": state})
        return page

    return start


def test_bars(fill):
    page = fill("a [MASK] [MASK]", [[("cat", 0.5), ("dog", 0.25)], [("sat", 0.9)]])
    assert page.get_by_role("group", name="Fill in the blank").is_visible()
    assert page.get_by_label("Text").input_value() == "a [MASK] [MASK]"
    assert page.locator("caption").all_text_contents() == [f"Most probable for mask {i}" for i in (1, 2)]
    assert page.locator("tr").all_text_contents() == ["cat50.0 %", "dog25.0 %", "sat90.0 %"]
    track, bar = (page.locator(css).first.bounding_box()["width"] for css in (".ptm-track", ".ptm-bar"))
    assert bar == pytest.approx(track / 2, abs=2)


@pytest.mark.parametrize("token", HOSTILE)
def test_hostile_strings_are_text(fill, token):
    page = fill(token, [[(token, 0.5)]])
    page.evaluate("error => model.update({ error })", token)
    assert page.locator("th").text_content() == token
    assert page.get_by_role("alert").text_content() == token
    assert page.get_by_label("Text").input_value() == token
    assert page.locator("#here img, #here script").count() == 0
    assert page.evaluate("window.hit") is None
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_typing_asks_once_after_a_pause_and_enter_at_once(fill):
    page = fill("", [])
    field = page.get_by_label("Text")
    field.press_sequentially("one two", delay=20)
    assert page.evaluate("model.saved") == []
    page.wait_for_function("model.saved.length")
    field.press_sequentially("!")
    field.press("Enter")
    page.wait_for_timeout(500)
    assert page.evaluate("model.saved") == ["one two", "one two!"]


def test_answers_to_older_texts_are_left_out(fill):
    page = fill("", [])
    page.get_by_label("Text").fill("new")
    page.get_by_label("Text").press("Enter")
    results = page.locator(".ptm-results")
    assert results.get_attribute("aria-busy") == "true"
    show = "text => model.update({ heard: (n += 1), answer: { text, masks: [[[text, 0.5]]] } })"
    page.evaluate("window.n = 0")
    page.evaluate(show, "old")
    assert page.locator("th").count() == 0
    page.evaluate(show, "new")
    assert page.locator("th").all_text_contents() == ["new"]
    assert results.get_attribute("aria-busy") == "false"
    assert results.get_attribute("aria-live") == "polite"


def test_error_line_lost_kernel_and_end(fill):
    page = fill("a", [])
    assert not page.get_by_role("alert").is_visible()
    page.evaluate("model.update({ error: 'no [MASK]' })")
    assert page.get_by_role("alert").is_visible()
    lost = page.get_by_text("The kernel has stopped")
    assert not lost.is_visible()
    page.evaluate("document.querySelector('#here').classList.add('jupyter-widgets-disconnected')")
    assert lost.is_visible()
    assert page.evaluate("model.listening()") == 4
    page.evaluate("stop()")
    assert page.evaluate("model.listening()") == 0


def test_the_same_error_twice_and_no_answer_at_all(fill):
    page = fill("", [])
    page.clock.install()
    field, results = page.get_by_label("Text"), page.locator(".ptm-results")
    for n, text in enumerate(["a", "b"], 1):
        field.fill(text)
        field.press("Enter")
        assert results.get_attribute("aria-busy") == "true"
        answer = f"{{ error: 'no mask', heard: {n}, answer: {{ text: '{text}', masks: [] }} }}"
        page.evaluate(f"model.update({answer})")
        assert results.get_attribute("aria-busy") == "false"
    nobody = page.get_by_text("No kernel answers")
    page.clock.fast_forward(60_000)
    assert not nobody.is_visible()  # all is answered
    field.fill("c")
    field.press("Enter")
    page.clock.fast_forward(4_000)
    assert not nobody.is_visible()
    page.clock.fast_forward(2_000)
    assert nobody.is_visible()
    page.evaluate("model.update({ error: '', heard: 3, answer: { text: 'c', masks: [[['d', 0.5]]] } })")
    assert not nobody.is_visible()
    assert page.locator("th").all_text_contents() == ["d"]


def test_focus_is_visible(fill):
    page = fill("a", [])
    page.keyboard.press("Tab")
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"


ORDER = {
    "tokens": ["a", "<b>", "c", "<sep>"],
    "special": [3],
    "order": [2, 0],
    "answer": {
        "order": [2, 0],
        "content": [[1, 1, 1, 1], [0, 1, 0, 1], [0, 1, 1, 1], [0, 1, 0, 1]],
        "query": [[0, 1, 1, 1], [0, 0, 0, 0], [0, 1, 0, 1], [0, 0, 0, 0]],
        "nats": [0.6931, 9.0],
    },
}


def test_an_order_is_pressed_and_both_masks_are_shown(start):
    page = start(OrderWidget, **ORDER)
    tokens = page.locator(".ptm-tokens button")
    assert tokens.all_text_contents() == ["a 2", "<b>", "c 1", "<sep>"]
    pressed = [tokens.nth(i).get_attribute("aria-pressed") for i in range(4)]
    assert pressed == ["true", "false", "true", "false"]
    assert tokens.nth(3).is_disabled()
    lines = page.locator(".ptm-order li").all_text_contents()
    assert lines == ["c 50.0 % (0.69 nats), seen: <b><sep>", "a < 0.1 % (9.00 nats), seen: <b>c<sep>"]
    assert page.get_by_text("All 2 together: 9.69 nats.").is_visible()
    content, query = page.locator("table").all()
    assert content.locator(".ptm-seen").count() == 4 + 2 + 3 + 2
    assert query.locator(".ptm-asked").count() == 3 + 2
    assert query.get_by_title("c sees <b>").count() == 1
    tokens.nth(1).click()
    assert page.evaluate("model.get('order')") == [2, 0, 1]
    assert page.locator(".ptm-results").get_attribute("aria-busy") == "true"
    page.evaluate("model.update({ error: 'no', heard: 1 })")  # the answer stays as it was
    assert page.locator(".ptm-results").get_attribute("aria-busy") == "false"
    tokens.nth(2).click()
    assert page.evaluate("model.get('order')") == [0, 1]
    older = "{ error: '', heard: 2, answer: { ...model.get('answer'), order: [2, 0] } }"
    page.evaluate(f"model.update({older})")
    assert page.locator(".ptm-results").get_attribute("aria-busy") == "true"
    left_to_right = page.get_by_role("button", name="Left to right")
    left_to_right.click()
    assert page.evaluate("model.get('order')") == [0, 1, 2]
    new = "{ ...model.get('answer'), order: [0, 1, 2], nats: [1, 2, 3] }"
    page.evaluate(f"model.update({{ answer: {new}, heard: 3 }})")
    left_to_right.click()  # nothing new: nothing to wait for
    assert page.locator(".ptm-results").get_attribute("aria-busy") == "false"
    page.get_by_role("button", name="Shuffle all").click()
    assert sorted(page.evaluate("model.get('order')")) == [0, 1, 2]
    page.get_by_role("button", name="Clear").click()
    page.evaluate("model.update({ answer: {} })")
    assert page.get_by_text("Everything is given").is_visible()
    page.evaluate("stop()")
    assert page.evaluate("model.listening()") == 0


GAME = {
    "tokens": ["[CLS]", "a", "<b>", "c"],
    "special": [0],
    "wanted": 1,
    "round": 0,
    "marks": [],
    "verdict": {},
    "score": {"you": 0, "discriminator": 0, "chance": 0, "of": 0},
}


def test_the_replaced_token_game(start):
    page = start(ReplacedWidget, **GAME)
    check, further = (page.get_by_role("button", name=name) for name in ("Check", "Next text"))
    tokens = page.locator(".ptm-tokens button")
    assert page.get_by_text("1 token was replaced. Marked: 0.").is_visible()
    assert check.is_disabled()
    assert further.is_disabled()
    assert tokens.nth(0).is_disabled()
    tokens.nth(1).click()
    tokens.nth(2).click()
    assert check.is_disabled()  # one too many
    tokens.nth(1).click()
    check.click()
    assert page.evaluate("model.get('marks')") == [2]
    tokens.nth(1).click()  # too late
    assert tokens.nth(1).get_attribute("aria-pressed") == "false"
    verdict = {"originals": {"2": "<i>"}, "suspicion": [0, 0.1, 0.2, 0.7], "suspects": [3]}
    score = {"you": 1, "discriminator": 0, "chance": 1 / 3, "of": 1}
    page.evaluate("changes => model.update(changes)", {"verdict": verdict, "score": score})
    rows = page.locator("tbody tr").all_text_contents()
    assert rows == ["<b>instead of <i>marked (20 %)", "coriginalmarked (70 %)"]
    found = "Found so far, of 1: you 1, the discriminator 0, guessing 0.3 on average."
    assert page.get_by_text(found).is_visible()
    tokens.nth(1).click()  # what is known cannot be guessed
    assert tokens.nth(1).get_attribute("aria-pressed") == "false"
    assert page.get_by_label("<b>, replaced").count() == 1
    further.click()
    assert page.evaluate("model.get('round')") == 1
    assert further.is_disabled()  # a second press would skip a text
    page.evaluate("model.update({ tokens: ['x', 'y'], special: [], wanted: 2, marks: [], verdict: {} })")
    assert page.get_by_text("2 tokens were replaced. Marked: 0.").is_visible()
    assert page.locator("tbody").count() == 0
    failed = "{ error: 'no', heard: 9, tokens: [], special: [], wanted: 0, marks: [], verdict: {} }"
    page.evaluate(f"model.update({failed})")  # a text that cannot be dealt is passed over
    assert check.is_disabled()
    assert further.is_enabled()
    page.evaluate("stop()")
    assert page.evaluate("model.listening()") == 0


@pytest.mark.parametrize("token", HOSTILE)
def test_hostile_tokens_in_order_and_game_are_text(start, token):
    answer = {**ORDER["answer"], "order": [0], "nats": [1.0]}
    page = start(OrderWidget, **ORDER | {"tokens": [token] * 4, "answer": answer})
    assert page.locator("#here img, #here script").count() == 0
    verdict = {"originals": {"2": token}, "suspicion": [0, 0, 0, 0], "suspects": [2]}
    page = start(ReplacedWidget, **GAME | {"tokens": [token] * 4, "verdict": verdict})
    assert page.locator("tbody th").text_content() == token
    assert page.locator("#here img, #here script").count() == 0
    assert page.evaluate("window.hit") is None


CUTS = {
    "text": "the cats",
    "answer": {
        "text": "the cats",
        "cuts": [
            {
                "name": "BPE",
                "words": [
                    [[list("the"), "letters"], [["th", "e"], "merge 1: t + h"], [["the"], "merge 2: th + e"]],
                    [[list("cats"), "letters"], [["ca", "t", "s"], "merge 9: c + a"]],
                ],
            }
        ],
    },
}


def test_a_text_is_cut_step_by_step(start):
    page = start(TokensWidget, **CUTS)
    slider, heading = page.get_by_label("Steps"), page.locator("h4")
    assert heading.text_content() == "BPE: 4 pieces"
    assert page.locator(".ptm-chip").all_text_contents() == ["the", "ca", "t", "s"]
    slider.fill("0")
    assert heading.text_content() == "BPE: 7 pieces"
    assert page.locator(".ptm-done").text_content() == "letters; letters"
    slider.press("ArrowRight")
    assert page.locator(".ptm-chip").all_text_contents() == ["th", "e", "ca", "t", "s"]
    assert page.locator(".ptm-done").text_content() == "merge 1: t + h; merge 9: c + a"
    assert page.locator("output").text_content() == "1 of 2"
    page.get_by_label("Text").fill("a")
    page.get_by_label("Text").press("Enter")
    assert page.evaluate("model.saved") == ["a"]
    page.evaluate("model.update({ answer: { text: 'old', cuts: [] } })")  # an answer to an older text
    assert page.locator(".ptm-chip").count() == 5
    page.evaluate("model.update({ answer: { text: 'a', cuts: [] } })")
    assert page.locator(".ptm-chip").count() == 0
    page.evaluate("stop()")
    assert page.evaluate("model.listening()") == 0


@pytest.mark.parametrize("token", HOSTILE)
def test_hostile_pieces_are_text(start, token):
    cut = {"name": token, "words": [[[[token], token]]]}
    page = start(TokensWidget, text=token, answer={"text": token, "cuts": [cut]})
    assert page.locator(".ptm-chip").text_content() == token
    assert page.locator("#here img, #here script").count() == 0
    assert page.evaluate("window.hit") is None
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_figures_show_tokens_literally(page, tmp_path):
    tokens = ["<s>", "<b>", "$x$", "%{x}", "&lt;", "<a href='j:x'>y", "the", "the"]
    weights = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(0)).softmax(-1)
    trace = SimpleNamespace(attention=weights, tokens=tokens)
    figures.to_html(figures.heatmap(trace, 0, 0), tmp_path / "map.html")
    page.goto(f"file://{tmp_path}/map.html")
    page.wait_for_selector(".ytick text")
    assert page.locator(".ytick text").all_text_contents() == tokens
    # The small maps have no labels; hovering finds the tokens all the same.
    figures.to_html(figures.heads(trace, 0), tmp_path / "heads.html")
    page.goto(f"file://{tmp_path}/heads.html")
    page.wait_for_selector(".nsewdrag")
    box = page.locator(".nsewdrag").first.bounding_box()
    page.mouse.move(box["x"] + box["width"] * 2.5 / 8, box["y"] + box["height"] * 1.5 / 8)
    page.wait_for_selector(".hovertext")
    assert page.text_content(".hovertext").startswith("<b> → $x$: ")
