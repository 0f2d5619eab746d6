"""One look for every figure: a Plotly template, literal text, alternative texts, and offline HTML.

The paper is opaque white on purpose. No single grey reaches a contrast of 4.5:1 both on white and on the
#111111 of a dark JupyterLab (4.35:1 on both is the best there is), and a figure cannot know which of the two
lies below it. Dark text on its own white card is readable in either.
"""

import html
import re
from collections.abc import Sequence
from pathlib import Path

import plotly.graph_objects as go
from plotly.subplots import make_subplots

INK = "#222222"  # text, 15.9:1 on white
FAINT = "#6e6e6e"  # reference lines and their labels, 5.1:1
GRID = "#e4e4e4"
# Okabe & Ito (2008), without the three colours that lie under 3:1 on white. Line dashes and marker symbols
# change along with the colour, so no reading rests on colour alone.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#AA4499", "#000000")
DASHES = ("solid", "dot", "dashdot", "longdash", "longdashdot")  # "dash" is for reference lines
SYMBOLS = ("circle", "square", "diamond", "triangle-up", "x")
LOOKS = tuple(zip(COLOURS, DASHES, SYMBOLS, strict=True))  # of lines, one after the other
SCALE = "Blues"  # one hue, lightness alone carries the value: the same for every kind of colour vision

# Control characters, half surrogates, what has no width and joins nothing, and marks that reorder their text;
# where nothing else is, spaces and what joins, too.
_INVISIBLE = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\u3164"
    "\ufeff\ufff9-\ufffb\ufffe\uffff\ud800-\udfff]|^[\\s\u200c\u200d\ufe00-\ufe0f\U000e0000-\U000e01ef]+$"
)


def plain(value: object, limit: int | None = None) -> str:
    """`value`, at most `limit` characters; those that cannot be seen as their escapes (a newline as \\n)."""
    shown = str(value)
    if limit and len(shown) > limit:
        shown = shown[: limit - 1] + "…"
    return _INVISIBLE.sub(lambda found: found[0].encode("unicode_escape").decode(), shown)


def text(value: object, limit: int | None = None) -> str:
    """`plain` text as Plotly has to be given it to show exactly these characters.

    Plotly reads some HTML in every label, `$...$` as TeX and `%{...}` as a template; vocabularies hold all
    three ("<s>", "$", "%").
    """
    return html.escape(plain(value, limit), quote=False).replace("$", "&#36;").replace("%", "&#37;")


def template() -> go.layout.Template:
    """The package's Plotly template."""

    axis: dict = {"gridcolor": GRID, "linecolor": FAINT, "ticks": "outside", "tickcolor": FAINT}
    axis |= {"zeroline": False, "automargin": True, "title": {"standoff": 8}}
    layout: dict = {"paper_bgcolor": "#ffffff", "plot_bgcolor": "#ffffff", "xaxis": axis, "yaxis": axis}
    layout |= {"colorway": COLOURS, "colorscale": {"sequential": SCALE}}
    layout["font"] = {"color": INK, "size": 13, "family": "system-ui, sans-serif"}
    layout["title"] = {"x": 0, "xref": "paper", "xanchor": "left", "font": {"size": 16}}
    layout["legend"] = {"orientation": "h", "y": -0.22, "yanchor": "top"}
    layout["hoverlabel"] = {"bgcolor": "#ffffff", "font": {"color": INK}}
    layout["margin"] = {"l": 60, "r": 20, "t": 60, "b": 50}
    return go.layout.Template(layout=layout)


def figure(title: str, alt: str, rows: int = 1, cols: int = 1, **grid) -> go.Figure:
    """An empty figure in the package's style: `rows` x `cols` panels, `grid` as for `make_subplots`.

    `title` and `alt` are plain strings. `alt` says in words what the figure shows; it is kept in
    `fig.layout.meta["alt"]`, where `alt_text` and `to_html` find it.
    """

    grid["subplot_titles"] = [text(name) for name in grid.get("subplot_titles") or ()] or None
    fig = make_subplots(rows=rows, cols=cols, **grid)
    fig.update_layout(template=template(), title_text=text(title), meta={"alt": plain(alt)})
    fig.update_annotations(font_size=13)
    return fig


# For the browser: load nothing from outside the file. Some versions of Plotly ask a public server for the
# style sheet of their maps as soon as they start.
OFFLINE = "default-src 'unsafe-inline' 'unsafe-eval' data: blob:"


def alt_text(fig: go.Figure) -> str:
    """What the figure shows, in words: the text given when it was made, or else its title."""
    meta = fig.layout.meta
    return (meta.get("alt") if isinstance(meta, dict) else None) or html.unescape(fig.layout.title.text or "")


def to_html(fig: go.Figure, path: str | Path | None = None) -> str:
    """The figure as one HTML page that needs no network (about 5 MB: Plotly is inside); written to `path`.

    The alternative text is the label of the figure for a screen reader and a caption for everyone.
    """
    alt = html.escape(alt_text(fig))
    title = html.escape(html.unescape(fig.layout.title.text or "Figure"))
    body = fig.to_html(full_html=False, include_plotlyjs=True, div_id="figure")
    page = (
        f'<!doctype html>\n<html lang="en">\n<head><meta charset="utf-8"><title>{title}</title>'
        '<meta name="viewport" content="width=device-width">'
        f'<meta http-equiv="Content-Security-Policy" content="{OFFLINE}">'
        f"<style>body{{font-family:system-ui,sans-serif;background:#fff;color:{INK};margin:1em}}"
        "p{overflow-wrap:anywhere}</style></head>\n"
        f'<body><div role="img" aria-label="{alt}">{body}</div>\n<p>{alt}</p></body>\n</html>\n'
    )
    if path is not None:
        Path(path).write_text(page, encoding="utf-8")
    return page


def tokens_axis(tokens: Sequence[str], most: int = 64, limit: int = 16) -> dict:
    """Axis settings that write `tokens` at the positions 0, 1, ..., at most `most` of them, cut at `limit`.

    Positions, not the tokens, are the coordinates: a token that occurs twice keeps both its rows.
    """
    places = list(range(0, len(tokens), -(-len(tokens) // most) or 1))
    return {"tickmode": "array", "tickvals": places, "ticktext": [text(tokens[i], limit) for i in places]}
