"""What analyses return, drawn: grids as heatmaps, means with their intervals as dots or over layers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from . import style

if TYPE_CHECKING:
    import plotly.graph_objects as go

MOST = 60  # labels on an axis


def grid(found) -> go.Figure:
    """A `Grid` as a heatmap; of numbers of both signs white is 0."""
    values = np.asarray(found.values, dtype=float)
    finite = np.nan_to_num(values, nan=-np.inf if (values >= 0).any() else 0.0)
    r, c = np.unravel_index(np.abs(np.where(np.isfinite(finite), finite, 0)).argmax(), values.shape)
    alt = (
        f"{found.title}. {found.axes[0]} by {found.axes[1]}; the largest {found.unit} is {values[r, c]:.3g}, "
    )
    alt += f"at {found.rows[r]!r} and {found.columns[c]!r}. {found.note}"
    fig = style.figure(found.title, alt)
    names = [
        [f"{style.text(row, 40)}, {style.text(column, 40)}" for column in found.columns] for row in found.rows
    ]
    labels = [[style.text(one, 12) for one in row] for row in found.labels or []]
    signed = np.nanmin(values) < 0
    scale: dict = {"colorscale": "RdBu", "zmid": 0} if signed else {"colorscale": style.SCALE, "zmin": 0}
    if labels:
        scale |= {"text": labels, "texttemplate": "%{text}"}
    fig.add_heatmap(
        z=values,
        customdata=names,
        hovertemplate="%{customdata}: %{z:.3f}<extra></extra>",
        colorbar_title_text=style.text(found.unit),
        **scale,
    )
    fig.update_xaxes(
        title_text=_axis(found.axes[1], found.note), showgrid=False, **style.tokens_axis(found.columns, MOST)
    )
    rows = style.tokens_axis(found.rows, MOST)
    fig.update_yaxes(title_text=style.text(found.axes[0]), autorange="reversed", showgrid=False, **rows)
    fig.update_layout(height=200 + min(40, max(22, 400 // len(values))) * len(values))
    return fig


def estimates(found, chance: str | None = None, one_scale: bool = False) -> go.Figure:
    """`Estimates` as dots with their intervals, a panel for each column, with `one_scale` all alike; a dashed
    line for row `chance`."""
    names = [name.replace("_", " ") for name in found.columns]
    said = "; ".join(
        f"{n}: {found.rows[int(v[:, 0].argmax())]} is highest" for n, v in _columns(found, names)
    )
    fig = style.figure(
        found.title, f"{said}. {found.note}", cols=len(names), subplot_titles=names, shared_yaxes=True
    )
    for col, (_, values) in enumerate(_columns(found, names), 1):
        mean, low, high = values.T
        bars = {"type": "data", "array": high - mean, "arrayminus": mean - low, "color": style.FAINT}
        dots = {"mode": "markers", "marker_color": style.COLOURS[0], "showlegend": False}
        fig.add_scatter(x=mean, y=list(range(len(mean))), error_x=bars, row=1, col=col, **dots)
        if chance in found.rows:
            level = mean[found.rows.index(chance)]
            fig.add_vline(level, line={"color": style.FAINT, "dash": "dash"}, row=1, col=col)
    fig.update_xaxes(title_text=style.text(found.unit), matches="x" if one_scale else None)
    rows = style.tokens_axis([row.replace("_", " ") for row in found.rows], MOST)
    fig.update_yaxes(autorange="reversed", **rows | {"ticktext": [style.text(r, 28) for r in found.rows]})
    fig.update_yaxes(title_text=style.text(found.axis), col=1)
    fig.update_layout(height=200 + 26 * len(found.rows))
    return fig


def trend(found) -> go.Figure:
    """`Estimates` whose rows follow each other, such as layers: a line for each column."""
    said = "; ".join(
        f"{n} is highest at {found.rows[int(v[:, 0].argmax())]}, {v[:, 0].max():.2f}"
        for n, v in _columns(found, found.columns)
    )
    fig = style.figure(found.title, f"{said}. {found.note}")
    looks = (style.COLOURS, style.DASHES, style.SYMBOLS)
    for number, (name, values) in enumerate(_columns(found, found.columns)):
        colour, dash, symbol = (look[number % len(look)] for look in looks)
        mean, low, high = values.T
        fig.add_scatter(
            x=list(range(len(mean))),
            y=mean,
            error_y={"type": "data", "array": high - mean, "arrayminus": mean - low},
            name=style.text(name, 40),
            mode="lines+markers",
            line={"color": colour, "dash": dash},
            marker_symbol=symbol,
        )
    fig.update_xaxes(title_text=_axis(found.axis, found.note), **style.tokens_axis(found.rows, MOST))
    fig.update_yaxes(title_text=style.text(found.unit))
    fig.update_layout(height=440)
    return fig


def _columns(found, names):
    return zip(names, np.asarray(found.values).swapaxes(0, 1), strict=True)


def _axis(name: str, note: str) -> str:
    return f"{style.text(name)}<br><sub>{style.text(note)}</sub>" if note else style.text(name)
