"""What analyses return, drawn: grids as heatmaps, means with their intervals as dots or over layers."""

from collections.abc import Iterator

import numpy as np
import plotly.graph_objects as go

from . import style
from .curves import line


def grid(found) -> go.Figure:
    """A `Grid` as a heatmap; of numbers of both signs white is 0."""
    values = np.asarray(found.values, dtype=float)
    r, c = np.unravel_index(np.nan_to_num(np.abs(values)).argmax(), values.shape)
    most = f"the largest {found.unit} is {values[r, c]:.3g}, at {found.rows[r]!r} and {found.columns[c]!r}"
    fig = style.figure(
        found.title, f"{found.title.rstrip('?')}. {' by '.join(found.axes)}; {most}. {found.note}"
    )
    left, below = ([style.text(name, 40) for name in names] for names in (found.rows, found.columns))
    cells: dict = {"customdata": [[f"{row}, {column}" for column in below] for row in left]}
    blues = {"colorscale": style.SCALE, "zmin": 0, "zmax": np.nanmax(values) or 1}  # zmin needs zmax
    cells |= {"colorscale": "RdBu", "zmid": 0} if np.nanmin(values) < 0 else blues
    if found.labels:
        cells["text"] = [[style.text(one, 12) for one in row] for row in found.labels]
        cells["texttemplate"] = "%{text}"
    hover = "%{customdata}: %{z:.3f}<extra></extra>"
    fig.add_heatmap(z=values, hovertemplate=hover, colorbar_title_text=style.text(found.unit), **cells)
    title = _axis(found.axes[1], found.note)
    fig.update_xaxes(title_text=title, showgrid=False, **style.tokens_axis(found.columns))
    rows = style.tokens_axis(found.rows)
    fig.update_yaxes(title_text=style.text(found.axes[0]), autorange="reversed", showgrid=False, **rows)
    fig.update_layout(height=200 + min(40, max(22, 400 // len(values))) * len(values))
    return fig


def estimates(found, chance: str | None = None, one_scale: bool = False) -> go.Figure:
    """`Estimates` as dots with their intervals, a panel for each column, with `one_scale` all alike; a dashed
    line for row `chance`."""
    names = [name.replace("_", " ") for name in found.columns]
    said = "; ".join(f"{n}: {best} is highest" for n, (*_, best) in zip(names, _columns(found), strict=True))
    panels: dict = {"cols": len(names), "subplot_titles": names, "shared_yaxes": True}
    fig = style.figure(found.title, f"{said}. {found.note}", **panels)
    fig.update_layout(title_text=_axis(found.title, found.note))
    units = [found.unit] * len(names) if isinstance(found.unit, str) else found.unit
    rows = [style.text(row, 28) for row in found.rows]  # of many rows the axis does not name all
    for col, (_, mean, bars, _) in enumerate(_columns(found), 1):
        dots: dict = {"customdata": rows, "hovertemplate": "%{customdata}: %{x:.3f}<extra></extra>"}
        dots |= {"mode": "markers", "marker_color": style.COLOURS[0], "showlegend": False}
        bars["color"] = style.FAINT
        fig.add_scatter(x=mean, y=list(range(len(mean))), error_x=bars, row=1, col=col, **dots)
        if chance in found.rows:
            level = mean[found.rows.index(chance)]
            fig.add_vline(level, line={"color": style.FAINT, "dash": "dash"}, row=1, col=col)
        fig.update_xaxes(title_text=style.text(units[col - 1]), col=col)
    fig.update_xaxes(matches="x" if one_scale else None)
    fig.update_yaxes(autorange="reversed", **style.tokens_axis(found.rows, limit=28))
    fig.update_yaxes(title_text=style.text(found.axis), col=1)
    fig.update_layout(height=200 + 26 * len(found.rows))
    return fig


def trend(found) -> go.Figure:
    """`Estimates` whose rows follow each other, such as layers: a line for each column."""
    said = [f"{n} is highest at {best}, {mean.max():.2f}" for n, mean, _, best in _columns(found)]
    fig = style.figure(found.title, f"{'; '.join(said)}. {found.note}")
    for number, (name, mean, bars, _) in enumerate(_columns(found)):
        colour, dash, symbol = style.LOOKS[number % len(style.LOOKS)]
        look: dict = {"colour": colour, "dash": dash, "marker": {"symbol": symbol}, "error_y": bars}
        line(fig, list(range(len(mean))), mean, style.text(name, 40), 1, **look)
    fig.update_xaxes(title_text=_axis(found.axis, found.note), **style.tokens_axis(found.rows))
    fig.update_yaxes(title_text=style.text(found.unit))
    fig.update_layout(height=440, showlegend=len(found.columns) > 1)
    return fig


def _columns(found) -> Iterator[tuple[str, np.ndarray, dict, str]]:
    """Of each column its name, its means, their error bars, and the row with the highest."""
    for name, values in zip(found.columns, np.asarray(found.values).swapaxes(0, 1), strict=True):
        mean, low, high = values.T
        bars = {"type": "data", "array": high - mean, "arrayminus": mean - low}
        yield name, mean, bars, found.rows[int(np.nan_to_num(mean, nan=-np.inf).argmax())]


def _axis(name: str, note: str) -> str:
    return f"{style.text(name)}<br><sub>{style.text(note)}</sub>" if note else style.text(name)
