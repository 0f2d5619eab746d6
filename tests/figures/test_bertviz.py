"""bertviz's views: they hold what the model did, load nothing, and no token is more than text."""

import html
import json
import re
from html.parser import HTMLParser

import pytest
import torch
from bertviz import head_view

import ptm_explore as ptm
from ptm_explore.figures import bertviz_head, bertviz_model, bertviz_neuron, style
from ptm_explore.figures.bertviz import WIDE
from ptm_explore.interpret.trace import Trace
from ptm_explore.models.recipes import FAMILIES, build, recipe

TEXT, PAIR = "The unhappy children walked home.", "They slept."
VIEWS = {"head": bertviz_head, "model": bertviz_model, "neuron": bertviz_neuron}
HOSTILE = [
    *("</script><script>window.hit=1</script>", "<img src=x onerror=window.hit=1>", "<script>window.hit=1"),
    *("<!--", "-->", "<!--<script>", "]]>", "<svg onload=window.hit=1>", "</svg>", "</title>", "</style>"),
    *("<iframe src=javascript:parent.hit=1>", "javascript:window.hit=1", "&lt;b&gt;", "&amp;", "&#60;b&#62;"),
    *('"', "'", "`", "\\", "\\u003c/script>", '"><b>', "';window.hit=1;'", "${window.hit=1}", "{params}"),
    *("{{alert}}", "PYTHON_PARAMS", "__proto__", "null", "\x00", "a\nb", "\u2028", "\u200b", "\u202eabc"),
    *(
        "\u2066x",
        "\ud800",
        "🙂",
        "👩‍👩‍👧",
        "日本",
        "عربى",
        "e\u0301",
        "▁",
        "##s",
        "Ġthe",
        "the",
        "the",
        "x" * 300,
    ),
]


@pytest.fixture(scope="module", params=FAMILIES)
def model(request):
    """An untrained network, its weights larger than usual: their attention is not flat."""
    way = recipe(f"{request.param}-mini")
    net = build(request.param, way.config, way.heads, seed=0)
    with torch.no_grad():
        for weight in net.parameters():
            weight.mul_(5 if weight.dim() > 1 else 1)
    return ptm.Model(net, ptm.load(f"{request.param}-mini").tokenizer)


def made_up(tokens, L=2, H=3, K=5):
    """A trace of these tokens, with values drawn at random."""
    T, draw = len(tokens), torch.Generator().manual_seed(0)
    values = {}
    for i in range(L):
        values[f"layers.{i}.attention.q"] = torch.randn(H, T, K, generator=draw)
        values[f"layers.{i}.attention.k"] = torch.randn(H, T, K, generator=draw)
        values[f"layers.{i}.attention.probs"] = (2 * torch.randn(H, T, T, generator=draw)).softmax(-1)
    return Trace("", list(tokens), [0] * T, [0] * T, [(0, 0)] * T, values)


def held(page):
    return json.loads(
        re.search(r"^const bertviz_params = window.bertviz_params = (.*);$", page.document, re.M)[1]
    )


@pytest.mark.parametrize("view", VIEWS)
def test_a_page_holds_what_the_model_did(model, view):
    found = ptm.trace(model, TEXT, PAIR)
    params = held(VIEWS[view](found))
    assert params["tokens"] == [style.plain(token, WIDE) for token in found.tokens]
    assert params["second"] == found.sections.index(1)
    assert params["include_layers"] == [0, 1]
    for name in ("probs", "q", "k"):
        if name == "probs" or view == "neuron":
            wanted = torch.stack([found[f"layers.{i}.attention.{name}"] for i in (0, 1)])
            torch.testing.assert_close(torch.tensor(params[name]) / 1e4, wanted, atol=5.1e-5, rtol=1e-6)
        else:
            assert name not in params


def test_the_neuron_view_says_where_scores_are_more_than_products(model):
    for found in (ptm.trace(model, TEXT), ptm.load(f"{model.family}-mini").trace(TEXT)):
        assert ("more than q · k" in bertviz_neuron(found).alt) == (model.family == "xlnet")


@pytest.mark.parametrize("view", VIEWS)
def test_no_token_ends_what_it_stands_in(view):
    page = VIEWS[view](made_up(HOSTILE))
    assert held(page)["tokens"] == [style.plain(token, WIDE) for token in HOSTILE]
    assert page.document.count("</script>") == 2
    assert page.document.count("<!--") == 0
    assert "default-src 'none'; script-src 'nonce-" in page.document
    tags = []
    parser = HTMLParser()
    parser.handle_starttag = lambda tag, attributes: tags.append((tag, dict(attributes)))
    parser.feed(page._repr_html_())
    [(tag, frame)] = tags
    assert (tag, frame["sandbox"], frame["srcdoc"]) == ("iframe", "allow-scripts", page.document)
    assert frame["title"] == repr(page)
    tags.clear()
    parser.feed(page.document)
    ours = {
        "html",
        "head",
        "meta",
        "title",
        "style",
        "body",
        "script",
        "p",
        "label",
        "select",
        "option",
        "div",
    }
    assert {tag for tag, _ in tags} == ours
    assert not any({"src", "href", "onerror", "onload"} & attributes.keys() for _, attributes in tags)
    assert all(style.plain(token) in html.unescape(page.document) for token in HOSTILE)


def test_layers_that_were_read(model):
    found = ptm.trace(model, TEXT, read=["layers.1.attention.*"])
    assert held(bertviz_neuron(found))["include_layers"] == [1]


@pytest.mark.parametrize(
    ("view", "given", "says"),
    [
        ("head", "the model", "bertviz_head takes a trace, as ptm.trace.* not <class 'str'>"),
        (
            "model",
            made_up(["a"], L=0),
            r"layers\.\*\.attention\.probs.*read=\['layers\.\*\.attention\.probs'\]",
        ),
        ("head", made_up(["a"] * 129, L=1, H=1), r"129 tokens in 1 layers x 1 heads .* ptm\.explore"),
        ("model", made_up(["a"] * 65, L=12, H=12), "65 tokens in 12 layers x 12 heads make 608,400 numbers"),
        (
            "neuron",
            made_up(["a"] * 65, L=12, H=12, K=64),
            "neuron view bears 128 and 1,800,000; take a shorter",
        ),
    ],
)
def test_errors(view, given, says):
    with pytest.raises(ptm.PtmError, match=says):
        VIEWS[view](given)


def test_what_is_missing_or_cannot_be_drawn():
    found = made_up("ab")
    del found.values["layers.1.attention.k"]
    assert bertviz_head(found)
    with pytest.raises(ptm.PtmError, match=r"needs layers\.1\.attention\.k, which .*attention\.q', 'layers"):
        bertviz_neuron(found)
    found["layers.0.attention.probs"][0, 0, 0] = torch.nan
    with pytest.raises(ptm.PtmError, match="not finite"):
        bertviz_head(found)


def test_the_longest_pages_stay_under_ten_megabytes():
    made = made_up(["a"] * 64, L=12, H=12, K=64)
    for view in VIEWS:
        assert len(VIEWS[view](made)._repr_html_()) < 10e6


@pytest.fixture
def opened(page, tmp_path):
    """Function that opens a view's saved page, and fails at what the browser complains of."""
    said = []
    page.on("console", lambda message: message.type in ("error", "warning") and said.append(message.text))
    page.context.set_offline(True)

    def show(view, found):
        page.goto(VIEWS[view](found).to_html(tmp_path / "page.html").as_uri())
        return page

    yield show
    page.context.set_offline(False)
    assert said == []


def shown(page, where):
    return page.locator(f"{where} text").all_text_contents()


def opacities(page, lines):
    return [
        float(value) for value in lines.evaluate_all("all => all.map(x => x.getAttribute('stroke-opacity'))")
    ]


@pytest.mark.browser
def test_head_view(opened):
    found = ptm.load("bert-mini").trace(TEXT, PAIR)
    page = opened("head", found)
    assert shown(page, "#left") == shown(page, "#right") == found.tokens
    # bertviz divides a weight by the number of heads shown
    lines = page.locator("#attention line")
    assert opacities(page, lines) == pytest.approx((found.attention[0] / 4).flatten().tolist(), abs=2e-5)
    page.locator("#layer").select_option("1")
    assert opacities(page, lines) == pytest.approx((found.attention[1] / 4).flatten().tolist(), abs=2e-5)
    page.locator("#left text").nth(3).hover()
    assert page.locator("#attention line[visibility=visible]").count() == 4 * len(found.tokens)
    page.locator("svg > g:last-child rect").nth(2).dblclick()
    assert sum(value > 0 for value in opacities(page, lines)) <= len(found.tokens) ** 2
    # the parts of a pair, as bertviz itself cuts them
    maps = [layer[None] for layer in found.attention]
    theirs = head_view(
        maps, found.tokens, found.sections.index(1), prettify_tokens=False, html_action="return"
    )
    theirs = json.loads(re.search(r"const params = (.*?); // HACK", theirs.data)[1])["attention"]
    ours = page.evaluate("bertviz_params.attention")
    for one, other in zip(ours, (theirs[i] for i in (0, 1, 3, 4, 2)), strict=True):
        assert [one["left_text"], one["right_text"]] == [other["left_text"], other["right_text"]]
        torch.testing.assert_close(
            torch.tensor(one["attn"]), torch.tensor(other["attn"]), atol=5.1e-5, rtol=0
        )
    page.locator("#filter").select_option("first text → second")
    assert (shown(page, "#left"), shown(page, "#right")) == (ours[2]["left_text"], ours[2]["right_text"])


@pytest.mark.browser
def test_model_view(opened):
    found = ptm.load("bert-mini").trace(TEXT, PAIR)
    page = opened("model", found)
    T = len(found.tokens)
    assert opacities(page, page.locator("#vis line")) == pytest.approx(
        found.attention.flatten().tolist(), abs=6e-5
    )
    page.locator("#attn_background_1_2 ~ rect").click()
    page.get_by_text("Layer 1, Head 2").wait_for()
    assert page.locator("text.token").all_text_contents() == found.tokens * 2
    large = page.locator(".attn-line-group line")
    assert opacities(page, large) == pytest.approx(found.attention[1, 2].flatten().tolist(), abs=6e-5)
    page.locator("text.token").nth(2).hover()
    groups = page.locator(".attn-line-group").evaluate_all("all => all.map(x => x.style.opacity)")
    assert groups == ["1" if i == 2 else "0" for i in range(T)]
    page.locator("#filter").select_option("4")
    assert page.locator("#vis line").count() == 8 * found.sections.count(1) ** 2


@pytest.mark.browser
@pytest.mark.parametrize("name", ["gpt-mini", "xlnet-mini"])
def test_neuron_view(opened, name):
    found = ptm.trace(ptm.load(name), TEXT, read=["layers.1.attention.*"])
    page = opened("neuron", found)
    assert page.locator("#filter").is_hidden()
    assert page.locator("#layer").locator("option").all_text_contents() == ["1"]
    page.locator("#att_head").select_option("3")
    assert shown(page, "#collapsed #leftText") == found.tokens
    q, k = (found[f"layers.1.attention.{name}"][3] for name in "qk")
    page.locator("#collapsed #leftText text").nth(4).hover()
    page.locator("#collapsed #leftText g").nth(4).locator("rect").last.click()  # the plus sign
    page.locator("#expanded #leftText text").nth(4).hover()
    for place, wanted in (("queries", q), ("keys", k), ("product", q[4] * k)):
        bars = page.locator(f"#{place} .element").evaluate_all("all => all.map(x => +x.dataset.value)")
        assert bars == pytest.approx(wanted.flatten().tolist(), abs=2e-3)
    vectors = page.locator("#product .vector").evaluate_all("all => all.map(x => x.style.opacity)")
    assert ("0" in vectors) == (name == "gpt-mini")  # what a query must not see


@pytest.mark.browser
@pytest.mark.parametrize("view", VIEWS)
def test_hostile_tokens_are_drawn_not_run(opened, view):
    page = opened(view, made_up(HOSTILE))
    if view == "model":
        page.locator("#attn_background_0_0 ~ rect").click()
    seen = page.locator("#vis text").all_text_contents()
    assert all(style.plain(token, WIDE) in seen for token in HOSTILE)
    widths = page.locator("#vis text").evaluate_all("all => all.map(x => x.getBBox().width)")
    assert min(widths) > 0
    page.wait_for_timeout(100)
    assert page.evaluate("window.hit") is None
    assert page.locator("img, iframe, b, svg script").count() == 0
