"""Figures hold the arrays they were given, say what they show, and never interpret a token."""

import math
from html.parser import HTMLParser
from types import SimpleNamespace

import numpy as np
import plotly.graph_objects as go
import pytest
import torch

import ptm_explore as ptm
from ptm_explore import figures
from ptm_explore.errors import PtmError
from ptm_explore.figures import style

HOSTILE = ["<s>", "<b>", "$x$", "%{x}", "&lt;", "<a href='javascript:x'>y</a>", "</script>", "the", "the"]


@pytest.fixture
def trace():
    scores = torch.randn(2, 4, len(HOSTILE), len(HOSTILE), generator=torch.Generator().manual_seed(0))
    return SimpleNamespace(attention=scores.softmax(-1), tokens=HOSTILE)


def luminance(colour):
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return np.dot(linear, [0.2126, 0.7152, 0.0722])


def on_white(colour):
    return 1.05 / (luminance(colour) + 0.05)


def test_contrast():
    paper = style.figure("t", "a").layout.template.layout.paper_bgcolor
    assert paper == "#ffffff"
    assert all(on_white(colour) >= 4.5 for colour in (style.INK, style.FAINT))
    assert all(on_white(colour) >= 3 for colour in style.COLOURS)  # WCAG 1.4.11, graphical objects


@pytest.mark.parametrize("token", HOSTILE)
def test_text_leaves_nothing_for_plotly_to_read(token):
    escaped = style.text(token)
    assert not set("<>$%") & set(escaped)
    page = HTMLParser()
    seen = []
    page.handle_data = seen.append
    page.feed(escaped)
    page.close()
    assert "".join(seen) == token


def test_text_shows_what_cannot_be_seen():
    assert style.text("a\n\u202eb\x00\ud800") == "a\\n\\u202eb\\x00\\ud800"
    assert style.text("Füße 日本 🙂") == "Füße 日本 🙂"
    assert style.text("x" * 10_000, 20) == "x" * 19 + "…"


def test_heatmap_keeps_repeated_tokens_apart(trace):
    fig = figures.heatmap(trace, 1, 2)
    assert type(fig) is go.Figure
    assert np.allclose(fig.data[0].z, trace.attention[1, 2], atol=1e-4)
    axis = fig.layout.xaxis
    assert list(axis.tickvals) == list(range(len(HOSTILE)))
    assert axis.ticktext[-2:] == ("the", "the")
    assert axis.ticktext[0] == "&lt;s&gt;"
    assert fig.layout.yaxis.autorange == "reversed"
    assert fig.data[0].text[7][8] == "the (7) → the (8)"
    assert fig.layout.coloraxis.colorbar.title.text == "attention weight"
    assert (fig.layout.coloraxis.cmin, fig.layout.coloraxis.cmax) == (0, 1)


def test_heatmap_mean_and_own_scale(trace):
    fig = figures.heatmap(trace, 0, "mean", zmax=None)
    assert np.allclose(fig.data[0].z, trace.attention[0].mean(0), atol=1e-4)
    assert fig.layout.coloraxis.cmax == pytest.approx(trace.attention[0].mean(0).max().item(), abs=1e-4)


def test_alt_text_names_the_strongest_weight():
    weights = torch.full((1, 1, 3, 3), 0.1)
    weights[0, 0, 2, 1] = 0.8
    fig = figures.heatmap(SimpleNamespace(attention=weights, tokens=["a", "b", "c"]), 0, 0)
    assert "0.80, from 'c' (position 2) to 'b' (position 1)" in figures.alt_text(fig)


def test_long_texts_have_fewer_ticks():
    many = SimpleNamespace(attention=torch.full((1, 1, 150, 150), 1 / 150), tokens=["t"] * 150)
    fig = figures.heatmap(many, 0, 0)
    assert len(fig.layout.xaxis.tickvals) == 50
    assert np.shape(fig.data[0].z) == (150, 150)


@pytest.mark.parametrize(("layer", "panels"), [(None, 8), (1, 4)])
def test_heads(trace, layer, panels):
    fig = figures.heads(trace, layer)
    assert len(fig.data) == panels
    assert np.allclose(fig.data[-1].z, trace.attention[1, 3], atol=1e-4)
    assert any(note.text == "layer 1, head 3" for note in fig.layout.annotations)
    assert not fig.layout.xaxis.showticklabels
    assert fig.layout.xaxis.ticktext[0] == "&lt;s&gt;"  # where hovering finds the token


@pytest.mark.parametrize(
    ("layer", "head", "says"),
    [
        (2, 0, "layers are 0 to 1"),
        (-1, 0, "0 to 1"),
        (0, 4, "heads are 0 to 3 or"),
        (0, "all", "mean"),
    ],
)
def test_outside_the_range(trace, layer, head, says):
    with pytest.raises(PtmError, match=says):
        figures.heatmap(trace, layer, head)


def test_without_attention():
    with pytest.raises(PtmError, match="no attention"):
        figures.heads(SimpleNamespace(attention=None, tokens=["a"]))


def history(scale=1.0):
    rows = [{"step": s, "tokens": 10 * s, "loss": scale * (5 - s / 20)} for s in range(0, 61, 5)]
    for row in rows[::4]:
        row |= {"heldout_loss": scale * (5.1 - row["step"] / 20), "heldout_accuracy": row["step"] / 100}
    rows[0] |= {"unigram_loss": 4.0, "unigram_accuracy": 0.05}
    return rows


def lines(fig):
    return {(t.name, t.yaxis): t for t in fig.data}


def test_learning_curve():
    fig = figures.learning_curve(history())
    drawn = lines(fig)
    both = {(name, axis) for name in ("held-out", "unigram guess") for axis in ("y", "y2")}
    assert set(drawn) == both | {("training", "y")}
    assert list(drawn["training", "y"].x) == list(range(0, 61, 5))
    assert list(drawn["held-out", "y"].x) == [0, 20, 40, 60]
    assert drawn["held-out", "y"].mode == "lines+markers"
    assert list(drawn["held-out", "y2"].y) == [0, 20, 40, 60]  # per cent
    guess = drawn["unigram guess", "y"]
    assert (list(guess.x), list(guess.y), guess.line.dash) == ([0, 60], [4, 4], "dash")
    assert list(drawn["unigram guess", "y2"].y) == [5, 5]
    assert [t.name for t in fig.data if t.showlegend] == ["training", "held-out", "unigram guess"]
    assert fig.layout.yaxis.title.text == "loss (nats per token)"
    assert fig.layout.yaxis2.title.text == "held-out accuracy (%)"
    assert "from 5.10 to 2.10 nats over 60 training steps" in figures.alt_text(fig)


def test_runs_over_each_other():
    fig = figures.learning_curve({"cold": history(), "<warm>": history(0.5)}, x="tokens")
    drawn = lines(fig)
    cold, warm = drawn["cold: held-out", "y"], drawn["&lt;warm&gt;: held-out", "y"]
    assert list(cold.x) == [0, 200, 400, 600]
    assert cold.line.color != warm.line.color
    assert cold.line.dash != warm.line.dash
    assert cold.marker.symbol != warm.marker.symbol
    assert fig.layout.xaxis.title.text == "tokens seen"
    assert "<warm>: held-out loss" in figures.alt_text(fig)


def test_loss_alone_takes_one_panel():
    fig = figures.learning_curve([{"step": 1, "loss": 2.0}, {"step": 2, "loss": 1.0}])
    assert [t.name for t in fig.data] == ["training"]
    assert "yaxis2" not in fig.to_dict()["layout"]


@pytest.mark.parametrize(
    ("rows", "x", "says"),
    [
        ([], "steps", "no row with a loss"),
        ({}, "steps", "no run"),
        ([{"step": 1, "lr": 0.1}], "steps", "no row with a loss"),
        ({"a": [{"step": 1, "loss": 1.0}]}, "tokens", "of 'a'.*'tokens'"),
        ([{"step": 1, "loss": 1.0}], "stepz", "Did you mean 'steps'"),
    ],
)
def test_nothing_to_draw(rows, x, says):
    with pytest.raises(PtmError, match=says):
        figures.learning_curve(rows, x=x)


def test_predictions():
    fig = figures.predictions([[("<b>", 0.5), ("cat", 0.25)], [("sat", 0.7)]])
    assert list(fig.data[0].x) == [50, 25]
    assert fig.layout.yaxis.ticktext == ("&lt;b&gt;", "cat")
    assert [note.text for note in fig.layout.annotations] == ["mask 1", "mask 2"]
    assert figures.alt_text(fig) == "Mask 1: '<b>' 50.0%, 'cat' 25.0%. Mask 2: 'sat' 70.0%."
    with pytest.raises(PtmError, match="no mask"):
        figures.predictions([])


def test_text_curve():
    assert figures.text_curve([8, 4, 1]) == "8.00 █▄▁ 1.00"
    assert figures.text_curve([]) == ""
    assert figures.text_curve([2.0, 2.0]) == "2.00 ▁▁ 2.00"
    assert figures.text_curve([3.0, math.nan, math.inf, 1.0]) == "3.00 █××▁ 1.00"
    bars = figures.text_curve(range(1000), width=10).split()[1]
    assert len(bars) == 10
    assert list(bars) == sorted(bars)


def test_html_is_one_offline_file(trace, tmp_path):
    fig = figures.predictions([[(token, 0.1) for token in HOSTILE]], title='"><script>alert(1)</script>')
    page = figures.to_html(fig, tmp_path / "figure.html")
    assert (tmp_path / "figure.html").read_text(encoding="utf-8") == page
    tags, loads = [], []

    class Reader(HTMLParser):
        def handle_starttag(self, tag, attrs):
            tags.append((tag, dict(attrs)))
            loads.extend(value for name, value in attrs if name in ("src", "href"))

    Reader().feed(page)
    assert not loads
    (label,) = [attrs["aria-label"] for _, attrs in tags if attrs.get("role") == "img"]
    assert label == figures.alt_text(fig)
    assert "</script>" in label
    assert "<script>alert(1)" not in page


def test_attributions_side_by_side():
    m, text = ptm.load("bert-mini"), "He took the boat to the [MASK] for $5."
    found = [ptm.attribute(m, text, method=method, steps=3) for method in ("saliency", "shapley_sampling")]
    fig = figures.attributions(found)
    assert [list(bar.x) for bar in fig.data] == [a.word_scores.tolist() for a in found]
    assert "sum is off by" not in fig.layout.xaxis.title.text
    assert f"of {found[1].score - found[1].baseline:.2g}" in fig.layout.xaxis2.title.text
    assert "saliency: most weight on" in figures.alt_text(fig)
    for wrong in ([], [found[0], ptm.attribute(m, "Another [MASK].", method="random")]):
        with pytest.raises(ptm.PtmError, match="of the same text"):
            figures.attributions(wrong)
