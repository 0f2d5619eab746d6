"""Learning curves and predictions."""

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise

import plotly.graph_objects as go

from ..errors import PtmError, unknown
from . import style

History = Sequence[Mapping[str, float]]
Runs = Mapping[str, History]  # by their names
Fill = Sequence[tuple[str, float]]

_X = {"steps": "training steps", "tokens": "tokens seen", "seconds": "time (s)"}


def learning_curve(history: History | Runs, title: str | None = None, x: str = "steps") -> go.Figure:
    """Loss (nats per token) and held-out accuracy (%) of a run, or of several laid over each other.

    `history` is a list of rows as `model.history` keeps them, or a dict from a run's name to its rows. Rows
    may lack keys. `x` is "steps", "tokens" or "seconds". The dashed line is the unigram guess: what a model
    reaches that knows only how often each token occurs. Without any accuracy there is only the loss panel.
    """
    if x not in _X:
        raise unknown("x axis", x, _X)
    runs = history if isinstance(history, Mapping) else {"": history}
    key, x_title = "step" if x == "steps" else x, _X[x]
    for name, rows in runs.items():
        if not _points(rows, key, "loss")[0] and not _points(rows, key, "heldout_loss")[0]:
            whose = f" of {name!r}" if name else ""
            raise PtmError(f"the history{whose} has no row with a loss and {key!r}: nothing to draw over {x}")
    if not runs:
        raise PtmError("there is no run to draw: give a history, or a dict from a name to a history")
    accurate = any(_points(rows, key, "heldout_accuracy")[0] for rows in runs.values())
    alt = " ".join(_summary(name, rows, key, x_title) for name, rows in runs.items())
    fig = style.figure(title or "Learning curve", alt, cols=1 + accurate, horizontal_spacing=0.12)
    for number, (name, rows) in enumerate(runs.items()):
        _draw_run(fig, number, name, rows, key)
    everything = [row for rows in runs.values() for row in rows]
    ends = [row[key] for row in everything if row.get(key) is not None]
    for col, measure, unit in ((1, "unigram_loss", 1), (2, "unigram_accuracy", 100))[: 1 + accurate]:
        for level in sorted(set(_points(everything, key, measure)[1])):
            line(fig, [min(ends), max(ends)], [unit * level] * 2, "unigram guess", col, style.FAINT, "dash")
    fig.update_xaxes(title_text=x_title)
    fig.update_yaxes(title_text="loss (nats per token)", col=1)
    fig.update_yaxes(title_text="held-out accuracy (%)", col=2, rangemode="tozero")
    fig.update_layout(height=420)
    return fig


def _draw_run(fig: go.Figure, number: int, name: str, rows: History, key: str) -> None:
    before = f"{style.text(name, 40)}: " if name else ""
    colour, dash, symbol = style.LOOKS[number % len(style.LOOKS)]
    marker = {"symbol": symbol, "size": 7}
    line(fig, *_points(rows, key, "loss"), before + "training", 1, colour, width=1, opacity=0.6)
    held = before + "held-out"
    line(fig, *_points(rows, key, "heldout_loss"), held, 1, colour, dash, marker=marker)
    steps, accuracy = _points(rows, key, "heldout_accuracy")
    line(fig, steps, [100 * value for value in accuracy], held, 2, colour, dash, marker=marker)


def line(fig, xs, ys, name, col, colour, dash="solid", width=2, marker=None, **more) -> None:
    """A line in panel `col`, with markers if `marker` says how they look; without points, none."""
    if xs:
        more |= {"mode": "lines+markers" if marker else "lines", "marker": marker}
        more["line"] = {"color": colour, "dash": dash, "width": width}
        new = all(name != drawn.name for drawn in fig.data)  # one legend entry, though two panels have a line
        fig.add_scatter(x=xs, y=ys, name=name, legendgroup=name, showlegend=new, **more, row=1, col=col)


def bars(fig, values, tokens: Sequence[str], colours, col: int) -> None:
    """Horizontal bars in panel `col`, from above."""
    whole = [style.text(token, 80) for token in tokens]
    look: dict = {"orientation": "h", "marker_color": colours, "customdata": whole}
    fig.add_bar(x=values, y=list(range(len(tokens))), **look, row=1, col=col)
    fig.update_yaxes(autorange="reversed", showgrid=False, **style.tokens_axis(tokens), row=1, col=col)


def _points(rows: History, key: str, value: str) -> tuple[list[float], list[float]]:
    both = [row for row in rows if row.get(key) is not None and row.get(value) is not None]
    return [row[key] for row in both], [row[value] for row in both]


def _summary(name: str, rows: History, key: str, x_title: str) -> str:
    templates = {
        "heldout_loss": "held-out loss goes from {:.2f} to {:.2f} nats over {:,.0f} {}",
        "loss": "training loss goes from {:.2f} to {:.2f} nats over {:,.0f} {}",
        "unigram_loss": "the unigram guess has {1:.2f} nats",
        "heldout_accuracy": "held-out accuracy ends at {1:.1%}",
    }
    points = {words: _points(rows, key, value) for value, words in templates.items()}
    said = [words.format(ys[0], ys[-1], xs[-1], x_title) for words, (xs, ys) in points.items() if xs]
    return f"{name or 'Learning curve'}: {'; '.join(said)}."


def predictions(fills: Sequence[Fill], title: str | None = None) -> go.Figure:
    """The most probable tokens as horizontal bars, a panel for each mask: what `model.fill` returns."""
    if not fills or not all(fills):
        raise PtmError("there are no predictions to draw: the text holds no mask")
    titles = [f"mask {i}" for i in range(1, len(fills) + 1)] if len(fills) > 1 else None
    said = [", ".join(f"{token!r} {p:.1%}" for token, p in fill) + "." for fill in fills]
    if titles:
        said = [f"{name.capitalize()}: {words}" for name, words in zip(titles, said, strict=True)]
    fig = style.figure(title or "Predictions", " ".join(said), cols=len(fills), subplot_titles=titles)
    for col, fill in enumerate(fills, 1):
        bars(fig, [100 * p for _, p in fill], [token for token, _ in fill], style.COLOURS[0], col)
    fig.update_traces(texttemplate="%{x:.1f}", textposition="outside", cliponaxis=False)
    fig.update_traces(hovertemplate="%{customdata}: %{x:.2f} %<extra></extra>")
    fig.update_xaxes(title_text="probability (%)", range=[0, 100])
    fig.update_yaxes(title_text="token", col=1)
    fig.update_layout(showlegend=False, height=190 + 26 * max(map(len, fills)))
    return fig


def text_curve(values: Sequence[float], width: int = 60) -> str:
    """A curve as one line for a terminal: first value, at most `width` bars, last value.

    >>> text_curve([4.0, 3.0, 2.0, 1.0])
    '4.00 █▆▃▁ 1.00'
    """
    values = list(values)
    if not values:
        return ""
    groups = min(width, len(values))
    edges = [len(values) * i // groups for i in range(groups + 1)]
    parts = [[v for v in values[a:b] if math.isfinite(v)] for a, b in pairwise(edges)]
    means = [sum(part) / len(part) if part else math.nan for part in parts]
    finite = [mean for mean in means if math.isfinite(mean)]
    low, span = min(finite, default=0.0), (max(finite, default=0.0) - min(finite, default=0.0)) or 1.0
    # A part without a finite value is a cross: a loss that blew up must not look like a low one.
    bars = "".join("×" if math.isnan(m) else "▁▂▃▄▅▆▇█"[round(7 * (m - low) / span)] for m in means)
    return f"{values[0]:.2f} {bars} {values[-1]:.2f}"
