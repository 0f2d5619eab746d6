"""Attention maps as heatmaps. H heads, L layers, T tokens; a row is a query, a column a key."""

import numpy as np
import plotly.graph_objects as go

from ..errors import PtmError
from . import style

_KEY, _QUERY = "key token (attended to)", "query token (attending)"
_HOVER = "%s: %%{z:.3f}<extra></extra>"


def heatmap(trace, layer: int, head: int | str, zmax: float | None = 1.0) -> go.Figure:
    """One head's map: how much each token (row, query) takes from each other token (column, key).

    `head` is a number or "mean", the average over the layer's heads. Colours run from 0 to `zmax`, the same
    for every map so that maps compare; None ends them at this map's largest weight.
    """
    weights = _maps(trace, layer)
    weights = weights.mean(0) if head == "mean" else weights[_index("head", head, len(weights), ' or "mean"')]
    name = f"Layer {layer}, {'mean of all heads' if head == 'mean' else f'head {head}'}"
    tokens = trace.tokens
    fig = style.figure(f"Attention: {name.lower()}", f"Attention map. {name}: {strongest(weights, tokens)}")
    # Longer texts have fewer tick labels than rows, so each cell carries its own pair of tokens.
    queries = [f"{style.text(token, 40)} ({i})" for i, token in enumerate(tokens)]
    pairs = [[f"{query} → {key}" for key in queries] for query in queries]
    fig.add_heatmap(z=weights, text=pairs, hovertemplate=_HOVER % "%{text}", coloraxis="coloraxis")
    side = min(max(24 * len(tokens), 340), 760)  # of the map itself; the rest is for labels and colour bar
    _frame(fig, zmax or weights.max(), side + 260, side + 200, **style.tokens_axis(tokens))
    fig.update_xaxes(title_text=_KEY, tickangle=-60)
    fig.update_yaxes(title_text=_QUERY)
    return fig


def heads(trace, layer: int | None = None, zmax: float | None = 1.0) -> go.Figure:
    """All heads as small maps: those of one layer, or (None) a grid with a row of heads for every layer."""
    layers = range(len(_maps(trace))) if layer is None else [layer]
    maps = np.stack([_maps(trace, i) for i in layers])  # (layers shown, H, T, T)
    count = maps.shape[1]
    cols = count if layer is None else min(count, 6)
    rows = len(layers) * -(-count // cols)
    where = "all layers" if layer is None else f"layer {layer}"
    side, title = (150 if cols > 3 else 220), 34  # pixels of a map and of the small title over it
    average = f"On average over the heads: {strongest(maps.mean((0, 1)), trace.tokens)}"
    alt = f"Attention maps of the {count} heads of {where} over {len(trace.tokens)} tokens. {average}"
    grid: dict = {"horizontal_spacing": 0.12 / cols, "vertical_spacing": title / (rows * (side + title))}
    grid |= {"x_title": _KEY, "y_title": _QUERY}
    grid["subplot_titles"] = [f"layer {i}, head {j}" for i in layers for j in range(count)]
    fig = style.figure(f"Attention: the {count} heads of {where}", alt, rows, cols, **grid)
    for place, weights in enumerate(maps.reshape(-1, *maps.shape[2:])):
        cell = {"row": place // cols + 1, "col": place % cols + 1}
        fig.add_heatmap(z=weights, hovertemplate=_HOVER % "%{y} → %{x}", coloraxis="coloraxis", **cell)
    # The tokens stay on the hidden ticks: that is where the hover text finds them.
    axis = style.tokens_axis(trace.tokens, most=len(trace.tokens)) | {"ticks": "", "showticklabels": False}
    _frame(fig, zmax or maps.max(), cols * side + 240, rows * (side + title) + 140, **axis)
    fig.update_annotations(font_size=12)
    return fig


def _maps(trace, layer: int | None = None) -> np.ndarray:
    """(L, H, T, T) weights, or (H, T, T) of one layer; rounded, which makes a figure's file small."""
    if getattr(trace, "attention", None) is None:
        raise PtmError("this model has no attention maps; models built from Transformer layers have them")
    weights = trace.attention.detach().cpu().double()
    if layer is not None:
        weights = weights[_index("layer", layer, len(weights))]
    return weights.numpy().round(4)


def _index(kind: str, given: object, size: int, also: str = "") -> int:
    if isinstance(given, (int, np.integer)) and not isinstance(given, bool) and 0 <= given < size:
        return int(given)
    raise PtmError(f"{kind} {given!r} does not exist: this model's {kind}s are 0 to {size - 1}{also}")


def strongest(weights: np.ndarray, tokens: list[str]) -> str:
    query, key = np.unravel_index(weights.argmax(), weights.shape)
    source, target = (f"{tokens[i]!r} (position {i})" for i in (query, key))
    return f"the strongest weight is {weights[query, key]:.2f}, from {source} to {target}."


def _frame(fig: go.Figure, zmax: float, width: int, height: int, **axis) -> None:
    """The one scale of colours, and the same axis on all sides."""
    scale = {"cmin": 0, "cmax": float(zmax), "colorscale": style.SCALE}
    scale["colorbar_title_text"] = "attention weight"
    fig.update_layout(coloraxis=scale, width=width, height=height)
    axis |= {"showgrid": False, "mirror": True, "showline": True}
    fig.update_xaxes(**axis)
    fig.update_yaxes(autorange="reversed", **axis)
