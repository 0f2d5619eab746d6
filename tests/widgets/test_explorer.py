"""The attention explorer: what Python sends, what its exported page does with it."""

import base64
import io
import json
import re

import numpy as np
import pytest
import torch

import ptm_explore as ptm
from ptm_explore.interpret.attention import measure
from ptm_explore.models.recipes import build, recipe
from ptm_explore.widgets import ExplorerWidget

TEXT = "The unhappy children walked home."
HOSTILE = "</script><script>window.hit=1</script> <img src=x onerror='window.hit=1'> \u202eabc {esm} $x$"


@pytest.fixture(scope="module")
def bert():
    return ptm.load("bert-mini")


def unpacked(e, which=0):
    top = {1: 255, 2: 65535}[e.frame["bytes"]]
    kind = {1: np.uint8, 2: np.uint16}[e.frame["bytes"]]
    T, H = len(e.frame["tokens"]), e.frame["heads"][which]
    roots = np.frombuffer(e.maps[which], kind).reshape(H, T, T) / top
    return torch.tensor(roots**2 * e.frame["peaks"][which])


@pytest.mark.parametrize("kind", ["weights", "norms", "gradient", "rollout"])
def test_sends_the_layer_on_screen(bert, kind):
    e = ptm.explore(bert, TEXT, measure=kind)
    whole = measure(bert, TEXT, kind=kind)
    for layer in (0, 1):
        e.layer = layer
        torch.testing.assert_close(
            unpacked(e).float(), whole[layer], atol=2e-4 * e.frame["peaks"][0], rtol=1e-3
        )
    assert sum(map(len, e.maps)) < whole[0].numel() * 2 + 1


def test_another_text_words_and_a_pair(bert):
    e = ptm.explore(bert, TEXT)
    before = e.frame["tokens"]
    e.text = "Untroubled cats."
    assert e.frame["tokens"] == bert.trace("Untroubled cats.").tokens != before
    e.words = True
    assert e.frame["tokens"] == ["[CLS]", "Untroubled", "cats", ".", "[SEP]"]
    torch.testing.assert_close(unpacked(e).sum(-1), torch.ones(4, 5, dtype=torch.double), atol=1e-3, rtol=0)
    e.pair = "It rains."
    assert e.frame["sections"] == [0, 0, 0, 0, 0, 1, 1, 1, 1]
    assert [t for t, special in zip(e.frame["tokens"], e.frame["special"], strict=True) if special] == [
        "[CLS]",
        "[SEP]",
        "[SEP]",
    ]


def test_two_models_share_their_rows(bert):
    same = ptm.explore([bert, bert], TEXT)
    assert same.maps[0] == same.maps[1]
    other = ptm.explore([bert, ptm.load("gpt-mini")], TEXT)
    assert "cut this text differently" in other.frame["notice"]
    assert not any(other.frame["special"])
    assert len(other.maps[0]) == len(other.maps[1])
    assert other.frame["names"] == ["bert-mini", "gpt-mini"]


def test_a_long_text_is_shown_in_windows_and_stays_small():
    recipe_ = recipe("bert-mini")
    net = build("bert", type(recipe_.config)(**vars(recipe_.config) | {"max_len": 1024}), ("mlm",), seed=0)
    m = ptm.Model(net, ptm.load("bert-mini").tokenizer)
    e = ptm.explore(m, "cat dog " * 350)
    assert (len(e.frame["tokens"]), e.frame["total"]) == (512, 702)
    e.start = 512
    assert (len(e.frame["tokens"]), e.frame["first"]) == (512, 190)
    assert sum(map(len, e.maps)) + sum(map(len, e.frame["small"])) < 4e6


def test_products_of_query_and_key(bert):
    e = ptm.explore(bert, TEXT, layer=1)
    e.asked = [0, 2, 3, 4]
    trace = bert.trace(TEXT)
    assert e.answer["pair"] == [trace.tokens[3], trace.tokens[4]]
    assert sum(e.answer["products"]) == pytest.approx(e.answer["rest"][1], abs=1e-4)
    assert e.answer["rest"][2] == pytest.approx(float(trace.attention[1, 2, 3, 4]), abs=1e-6)
    e.layer = 0  # the products were of another layer
    assert (e.asked, e.answer) == ([], {})
    e.asked = [0, 2, 3, 4]
    assert e.answer["rest"][2] == pytest.approx(float(trace.attention[0, 2, 3, 4]), abs=1e-6)
    e.text = "Another text."
    assert (e.asked, e.answer) == ([], {})


def test_bad_input(bert):
    e = ptm.explore(bert, TEXT)
    seen = e.frame
    e.text = "  "
    assert "empty" in e.error
    assert e.frame is seen  # the picture stays
    e.text = TEXT
    assert e.error == ""
    e.layer = 9
    assert e.error == "layer 9 does not exist: there are layers 0 to 1"
    for wrong in ({"layer": 2}, {"measure": "wieghts"}, {"stream": "query"}):
        with pytest.raises(ptm.PtmError):
            ptm.explore(bert, TEXT, **wrong)
    with pytest.raises(ptm.PtmError, match="a model or a list of two"):
        ptm.explore([bert] * 3, TEXT)
    with pytest.raises(ptm.PtmError, match="a model or a list of two"):
        ptm.explore("bert-mini", TEXT)


def test_the_picture_for_pages_without_a_kernel(bert):
    e = ptm.explore(bert, HOSTILE)
    shown = e._repr_mimebundle_()[0]["text/html"]
    assert "<script" not in shown
    assert "<img src=x" not in shown
    png = base64.b64decode(re.search(r"base64,([^\"]+)", shown)[1])
    assert png.startswith(b"\x89PNG")
    assert 'alt="Attention of layer 0. Where tokens look most: bert-mini: [CLS] →' in shown


def test_png_and_svg(bert, tmp_path):
    e = ptm.explore(bert, HOSTILE)
    image = pytest.importorskip("PIL.Image").open(io.BytesIO(e.to_png(tmp_path / "a.png").read_bytes()))
    assert image.size[1] > 19 * len(e.frame["tokens"])
    svg = e.to_svg(tmp_path / "a.svg").read_text()
    assert svg.lstrip().startswith("<?xml")
    assert "<script" not in svg


@pytest.fixture
def exported(bert, page, tmp_path):
    def opened(text=TEXT, pair="", models=None, **settings):
        path = ExplorerWidget(models or bert, text, pair, **settings).to_html(tmp_path / "e.html")
        page.goto(path.as_uri())
        return page

    return opened


@pytest.mark.browser
def test_hovering_a_token_tells_where_it_looks(exported, bert):
    page = exported()
    tokens = page.locator(".ptm-side0 .ptm-token")
    assert tokens.all_text_contents() == bert.trace(TEXT).tokens
    tokens.nth(3).hover()
    weights = bert.trace(TEXT).attention[0, 0, 3]
    best = int(weights.argmax())
    said = page.locator(".ptm-readout").text_content()
    assert said.startswith(f"{tokens.nth(3).text_content()} (3) looks at {bert.trace(TEXT).tokens[best]} (")
    assert float(re.search(r"\(([\d.]+)\)[,$]", said)[1]) == pytest.approx(float(weights[best]), abs=2e-3)


@pytest.mark.browser
def test_keys_move_and_other_layers_are_there(exported):
    page = exported()
    page.locator(".ptm-side0").focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    assert page.locator(".ptm-side0 [aria-selected=true]").text_content() == "the"
    first = page.locator(".ptm-readout").text_content()
    page.get_by_label("layer", exact=True).select_option("1")
    page.locator(".ptm-side0").focus()
    page.keyboard.press("End")
    page.keyboard.press("Home")
    page.keyboard.press("ArrowDown")
    assert page.locator(".ptm-readout").text_content() != first
    page.keyboard.press("Escape")
    assert page.locator("[aria-selected=true]").count() == 0


@pytest.mark.browser
def test_all_views_heads_and_the_table(exported, bert):
    page = exported(pair="It rains.")
    page.get_by_label("view").select_option("grid")
    assert page.locator(".ptm-grid button").count() == 8
    page.get_by_role("button", name="bert-mini, layer 1, head 2").click()
    assert page.get_by_role("button", name="head 2").get_attribute("aria-pressed") == "true"
    page.get_by_label("view").select_option("matrix")
    page.locator("figure canvas").hover()
    assert re.search(r"→ .*: [\d.]+", page.locator(".ptm-readout").text_content())
    page.get_by_text("The same as a table").click()
    page.locator(".ptm-table tbody tr").first.wait_for()  # "toggle" comes a moment later
    assert page.locator(".ptm-table tbody tr").count() == len(bert.encode(TEXT, "It rains.").tokens[0])
    page.get_by_label("parts").select_option("01")
    page.get_by_label("hide special tokens").check()
    page.get_by_role("button", name="all").click()
    assert page.locator("[aria-pressed=true]").count() == 4


@pytest.mark.browser
def test_two_models_and_their_difference(exported, bert):
    page = exported(models=[bert, ptm.load("gpt-mini")])
    assert page.locator("figcaption").all_text_contents() == ["bert-mini", "gpt-mini", "bert-mini − gpt-mini"]
    page.locator(".ptm-side1 .ptm-token").nth(2).hover()
    assert re.search("is looked at by bert-mini: .*; gpt-mini: ", page.locator(".ptm-readout").text_content())


@pytest.mark.browser
def test_hostile_text_is_shown_not_run(exported):
    page = exported(HOSTILE)
    page.get_by_label("view").select_option("matrix")
    page.get_by_text("The same as a table").click()
    assert page.evaluate("window.hit") is None
    assert page.locator("#here img, #here script").count() == 0
    assert HOSTILE in page.locator("#here").text_content()


def test_the_page_holds_its_state_as_json(bert, tmp_path):
    page = ExplorerWidget(bert, HOSTILE).to_html(tmp_path / "e.html").read_text(encoding="utf-8")
    state = json.loads(re.search(r"^const state = (.*);$", page, re.M)[1])
    assert state["text"] == HOSTILE
    assert page.count("</script>") == 1
