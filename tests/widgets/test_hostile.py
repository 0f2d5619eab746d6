"""Every string of tests/hostile.py through everything that shows text: nothing runs, nothing vanishes, and
nothing fails without saying why."""

import json
import re
from dataclasses import replace
from html import unescape
from html.parser import HTMLParser
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from jupyter_client.session import json_packer

import ptm_explore as ptm
from ptm_explore import figures
from ptm_explore.errors import PtmError
from ptm_explore.figures.style import plain
from ptm_explore.interpret.attention import Look
from ptm_explore.interpret.results import Estimates, Grid
from ptm_explore.interpret.trace import Trace
from ptm_explore.models.recipes import build, recipe
from ptm_explore.objectives.mlm import Mlm
from ptm_explore.widgets import (
    ExplorerWidget,
    FillWidget,
    OrderWidget,
    ReplacedWidget,
    TokensWidget,
    explorer,
    replaced,
)
from tests.hostile import STRINGS
from tests.widgets.test_pages import START

N = len(STRINGS)
ALL = " | ".join(STRINGS)  # where one text is asked for
MODELS = ["bert", "gpt", "xlnet", "electra"]
SURROGATE = re.compile("[\ud800-\udfff]")
UNSEEN = re.compile(
    r"[\s\x00-\x1f\x7f-\x9f\xad\u2060-\u206f\ufeff\u200b-\u200f\u202a-\u202e\ufffd]|\\x1b|\\ud[8-f].."
)


def test_there_are_enough():
    assert N == len(set(STRINGS)) >= 200


def shown(string: str, page: str, limit: int | None = None) -> bool:
    """Whether a page has a string, or its escapes; browsers may fold spaces and drop what cannot be seen."""
    escaped = plain(string, limit)
    return escaped in page or string in page or UNSEEN.sub("", escaped) in UNSEEN.sub("", page)


def missing(page: str, limit: int | None = None) -> list[str]:
    return [string[:40] for string in STRINGS if not shown(string, page, limit)]


def parsed(page: str) -> tuple[set[str], set[str], str]:
    """Tags, attributes and text of HTML."""
    tags, attributes, texts = set(), set(), []
    parser = HTMLParser()

    def start(tag, given):
        tags.add(tag)
        attributes.update(name for name, _ in given)
        texts.extend(value for name, value in given if name in ("alt", "aria-label"))

    parser.handle_starttag, parser.handle_data = start, texts.append
    parser.feed(page)
    parser.close()
    return tags, attributes, " ".join(texts)


@pytest.fixture(scope="module")
def models():
    """The minis' tokenizers under networks that take no time."""
    made = {}
    for family in MODELS:
        way = recipe(f"{family}-mini")
        small = {"n_layers": 1, "n_heads": 2, "d_model": 16, "d_ff": 16}
        config = replace(way.config, **{name: n for name, n in small.items() if hasattr(way.config, name)})
        net = build(family, config, way.heads, seed=0)
        made[family] = ptm.Model(net, ptm.load(f"{family}-mini").tokenizer)
    return made


MAKERS = {
    "fill": lambda m, s: FillWidget(m["bert"], s),
    "a mask to fill": lambda m, s: FillWidget(m["bert"], f"[MASK] {s}"),
    "fill, left to right": lambda m, s: FillWidget(m["gpt"], s),
    "tokens": lambda m, s: TokensWidget(
        {plain(s): m["bert"].tokenizer, "b": m["gpt"].tokenizer, "c": m["xlnet"].tokenizer}, s
    ),
    "order": lambda m, s: OrderWidget(m["xlnet"], s, [0]),
    "replaced": lambda m, s: ReplacedWidget(m["electra"], s),
    "explorer": lambda m, s: ptm.explore(m["bert"], s),
    "explorer, two models": lambda m, s: ptm.explore([m["bert"], m["gpt"]], s, "b", words=True),
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", MAKERS)
def test_texts_typed_into_widgets(models, monkeypatch, kind):
    monkeypatch.setattr(replaced, "DRAWS", 2)
    monkeypatch.setattr(ExplorerWidget, "_picture", lambda *_: b"")  # drawn below, once for all
    refused = []
    for string in STRINGS:
        try:
            widget = MAKERS[kind](models, string)
        except PtmError as problem:
            refused.append(str(problem))
            continue
        data, _ = widget._repr_mimebundle_()
        state = {
            name: value for name, value in widget.get_state().items() if name not in ("maps", "_esm", "_css")
        }
        state.get("frame", {}).pop("small", None)
        json_packer([data, state])  # as Jupyter sends it
        tags, attributes, text = parsed(data["text/html"])
        assert tags <= {"p", "q", "bdi", "ol", "li", "img"}
        assert attributes <= {"alt", "src"}
        if kind in ("fill", "tokens"):
            assert SURROGATE.sub("", string) in text or shown(string, text)
        if "text" in state and "mask" not in kind:
            assert shown(string, state["text"])
    assert len(refused) < N / 3
    assert all(len(why) > 10 for why in refused)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_texts_are_explained(models):
    refused = []
    for n in range(0, N, 4):
        text = " ".join(STRINGS[n : n + 4])
        try:
            found = ptm.attribute(models["bert"], text, text, target=(1, "the"), method="saliency")
        except PtmError as problem:
            refused.append(str(problem))
            continue
        assert len(found.word_scores) == len(found.words)
        assert found.word_scores.isfinite().all()
    assert len(refused) < N / 16
    assert all(len(why) > 10 for why in refused)
    texts = [STRINGS[0], "the child a\r\nb {0}", "日本 🙂 the عربى child"]
    found = ptm.faithfulness(models["bert"], texts, ["saliency"], target=(1, "the"), orders=2)
    assert np.isfinite(found.estimates().values[..., 0]).all()


# From here on the strings are themselves the tokens, names, labels and titles.


@pytest.fixture
def every_token(models, monkeypatch):
    """An explorer whose tokens are all strings, on models whose names are hostile too."""
    maps = torch.eye(N).roll(1, 0).expand(2, 2, N, N).contiguous()

    def seen(ms, *_):
        names = [f"{i} {STRINGS[0]} {STRINGS[4]}" for i in range(len(ms))]
        places = [[i] for i in range(N)]
        return Look(
            names, STRINGS, [False] * N, [i % 2 for i in range(N)], [maps] * len(ms), [places] * len(ms), ALL
        )

    monkeypatch.setattr(explorer, "look", seen)
    return lambda n=1: ptm.explore([models["bert"]] * n, "a text")


@pytest.fixture(scope="module")
def results() -> dict:
    """A figure of each kind."""
    maps = torch.rand(1, 1, N, N, generator=torch.Generator().manual_seed(0)).softmax(-1)
    trace = SimpleNamespace(attention=maps, tokens=STRINGS)
    values = np.random.default_rng(0).normal(size=(N, 3, 3)).cumsum(-1)
    found = Estimates(ALL, values, STRINGS, STRINGS[:3], ALL, ALL, ALL)
    numbers = {"seconds": 1.0, "delta": 0.1, "score": 1.0, "baseline": 0.0, "comprehensiveness": 0.1}
    numbers |= {"random": (0.1, 0.2), "word_scores": torch.linspace(-1, 1, N)}
    words = [SimpleNamespace(words=STRINGS, target=ALL, method=one, **numbers) for one in ("m", ALL)]
    history = [{"step": 1, "loss": 2.0, "heldout_loss": 2.0, "heldout_accuracy": 0.5}]
    tokenizer = ptm.load("bert-mini").tokenizer
    ids = tokenizer.encode("the cat " * (N // 2)).ids[0].tolist()[:N]
    fake = SimpleNamespace(tokens=lambda ids: STRINGS[: len(ids)], token=lambda i: STRINGS[i % N])
    labels = [[one] * 3 for one in STRINGS]
    return {
        "heatmap": (figures.heatmap(trace, 0, 0), 40),
        "heads": (figures.heads(trace), 16),
        "attributions": (figures.attributions(words), 80),
        "grid": (
            figures.grid(Grid(ALL, values[..., 0], STRINGS, STRINGS[:3], ALL, (ALL, ALL), labels, ALL)),
            40,
        ),
        "estimates": (figures.estimates(found, chance=STRINGS[1]), 28),
        "trend": (
            figures.trend(Estimates(ALL, values.swapaxes(0, 1), STRINGS[:3], STRINGS, ALL, ALL, ALL)),
            40,
        ),
        "predictions": (figures.predictions([[(one, 0.1) for one in STRINGS]] * 2, ALL), 80),
        "learning_curve": (figures.learning_curve(dict.fromkeys(STRINGS, history), ALL), 40),
        "objective": (figures.objective(Mlm().describe(ids, tokenizer), fake), None),
    }


def strings_in(value, path=()):
    """All strings of a figure, as Plotly gets them."""
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, dict):
        for name, one in value.items():
            yield from strings_in(one, (*path, name))
    elif isinstance(value, (list, tuple, np.ndarray)):
        for one in value:
            yield from strings_in(one, path)


def test_figures_leave_nothing_for_plotly_to_read(results):
    ours = re.compile(r"</?sub>|<br>|<extra></extra>|%\{(x|y|z|text|customdata)(:\.\df)?\}")
    for name, (fig, limit) in results.items():
        data = fig.to_plotly_json()
        data["layout"].pop("template")
        texts = [(path, text) for path, text in strings_in(data) if "meta" not in path]
        raw = {path: text[:80] for path, text in texts if re.search(r"[<>$]|%\{", ours.sub("", text))}
        assert raw == {}, name
        assert not any(SURROGATE.search(text) for _, text in strings_in(data)), name
        assert missing(" ".join(unescape(text) for _, text in texts), limit) == [], name


@pytest.fixture
def safe(page):
    """Function that opens a page and returns its text; nothing of it ran, or asked the user."""
    asked = []
    page.on("dialog", lambda dialog: (asked.append(dialog.message), dialog.dismiss()))

    def opened(address=None, wait="body"):
        if address:
            page.goto(address)
        page.locator(wait).first.wait_for(state="attached")
        assert page.evaluate("window.hacked") is None
        assert asked == []
        return page.evaluate("document.body.textContent")

    yield opened
    page.wait_for_timeout(200)  # for what would run a moment later
    assert page.evaluate("window.hacked") is None
    assert asked == []


@pytest.mark.slow
@pytest.mark.browser
def test_saved_figures_show_all_and_run_nothing(safe, results, tmp_path):
    for name, (fig, _) in results.items():
        path = tmp_path / f"{name}.html"
        figures.to_html(fig, path)
        text = safe(path.as_uri(), "#figure svg")
        assert name == "heads" or shown(STRINGS[0], text, 16), name  # small maps have no names


@pytest.mark.slow
@pytest.mark.browser
def test_bertviz_pages_show_all_and_run_nothing(safe, tmp_path):
    for start in range(0, N, 120):
        tokens, draw = STRINGS[start : start + 120], torch.Generator().manual_seed(0)
        T, values = len(tokens), {}
        for name, K in (("q", 4), ("k", 4), ("probs", T)):
            values[f"layers.0.attention.{name}"] = torch.rand(1, T, K, generator=draw)
        trace = Trace("", tokens, [0] * T, [0] * T, [(0, 0)] * T, values)
        for view in ("head", "model", "neuron"):
            made = getattr(figures, f"bertviz_{view}")(trace)
            assert parsed(made._repr_html_())[:2] == ({"iframe"}, {"sandbox", "style", "title", "srcdoc"})
            text = safe(made.to_html(tmp_path / f"{view}{start}.html").as_uri(), "#vis svg")
            assert [one[:40] for one in tokens if not shown(one, text)] == [], view


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_pictures_of_the_explorer(every_token, tmp_path):
    made = every_token(1)
    assert made.to_png(tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
    svg = made.to_svg(tmp_path / "a.svg").read_text(encoding="utf-8")
    assert "<script" not in svg
    tags, attributes, text = parsed(made._html())
    assert (tags, attributes) <= ({"img", "p"}, {"alt", "src"})
    assert [one[:40] for one in STRINGS[: explorer.PICTURED] if not shown(one, text)] == []


@pytest.mark.browser
@pytest.mark.parametrize("count", [1, 2])
def test_the_exported_explorer(every_token, safe, page, tmp_path, count):
    path = every_token(count).to_html(tmp_path / "e.html")
    assert path.read_text(encoding="utf-8").count("</script>") == 1
    assert missing(safe(path.as_uri(), ".ptm-token")) == []
    for view in ("matrix", "grid"):
        page.get_by_label("view").select_option(view)
        safe()
    page.get_by_text("The same as a table").click()
    assert missing(safe(wait=".ptm-table tbody tr")) == []
    page.get_by_label("view").select_option("lines")
    page.locator(".ptm-side0").focus()
    for string in STRINGS[:60]:
        page.keyboard.press("ArrowDown")
        assert shown(string, page.locator(".ptm-readout").text_content())
    assert (
        page.locator("#here :is(script, img, svg, iframe, a, style, object, meta, link, base)").count() == 0
    )


@pytest.mark.browser
@pytest.mark.parametrize("kind", [FillWidget, TokensWidget, OrderWidget, ReplacedWidget])
def test_pages_of_widgets(safe, page, kind):
    seen = [[1] * 24] * 24
    score = {"you": 0, "discriminator": 0, "chance": 0, "of": 0}
    blank = kind.__new__(kind)
    start = {"esm": kind._esm.fget(blank), "css": kind._css.fget(blank)}
    step = 24 if kind is OrderWidget else N
    for n in range(0, N, step):
        tokens = STRINGS[n : n + step]
        T = len(tokens)
        masks = [row[:T] for row in seen[:T]]
        answer = {"text": ALL, "masks": [[[one, 0.1] for one in tokens]]}
        answer["cuts"] = [{"name": one, "words": [[[[one], one], [[one, one], one]]]} for one in tokens]
        answer |= {"order": [0, 1], "content": masks, "query": masks, "nats": [1, 2]}
        verdict = {"originals": dict(enumerate(tokens)), "suspicion": [0] * T, "suspects": []}
        state = {"text": ALL, "answer": answer, "order": [0, 1], "tokens": tokens, "special": []}
        state |= {"wanted": N, "round": 0, "marks": [], "score": score, "verdict": verdict}
        state |= {"label": ALL, "error": ALL, "heard": 0}
        page.set_content("<main id=here></main>")
        page.evaluate(START, start | {"state": state})
        text = safe(wait=".ptm-widget")
        assert [one[:40] for one in tokens if not shown(one, text)] == []
        assert missing(page.get_by_role("alert").text_content()) == []
        allowed = "main, div, section, label, input, output, p, h4, span, bdi, button, sup, ol, li, b"
        allowed += ", table, caption, thead, tbody, tr, th, td"
        assert page.locator(f"#here :not({allowed})").count() == 0


@pytest.mark.parametrize("kind", [FillWidget, TokensWidget, OrderWidget, ReplacedWidget])
def test_html_beside_widgets(kind):
    widget = kind.__new__(kind)
    for name, value in {"text": ALL, "tokens": STRINGS, "order": [0], "wanted": 1}.items():
        if widget.has_trait(name):
            widget.set_trait(name, value)
    widget.answer = {
        "order": [0],
        "query": [[1] * N],
        "nats": [1.0],
        "masks": [[(one, 0.1) for one in STRINGS]],
    }
    widget.answer |= {"cuts": [{"name": one, "words": [[[[one], ""]]]} for one in STRINGS]}
    tags, attributes, text = parsed(widget._html())
    assert tags <= {"p", "q", "bdi", "ol", "li"}
    assert attributes == set()
    assert missing(text) == []
    json.dumps(widget._html())
