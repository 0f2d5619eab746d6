"""What an objective shows of a text, what it asks, and who may see whom. T tokens."""

import numpy as np
import plotly.graph_objects as go

from ..errors import PtmError
from . import style

# of a token: as it was, changed, to be predicted; of a pair of positions: unseen, seen, seen and judged by it
_STRIP = ["#f4f4f4", "#f6c9a5", "#9ecae1"]
_MASK = ["#f7f7f7", "#c6dbef", "#2171b5"]
# pixels: heights of a line of tokens and of a row of a mask; least and greatest width of a cell; all cells
_LINE, _ROW, _CELL, _WIDTH = 30, 18, (24, 64), 780


def objective(description, tokenizer) -> go.Figure:
    """What `goal.describe(ids, tokenizer)` says, drawn: lines of tokens (the text; what is seen, changes in
    orange; what it must say, in blue), and under them the visibility: a row is a position that looks, a
    column what it may look at, dark where a loss hangs on what is seen. Permutation language models have two
    of these, one for what a state is made of (content), one for what a prediction may see (query)."""
    if not all(hasattr(description, name) for name in ("seen", "targets", "visible")):
        raise PtmError(f"give what goal.describe(ids, tokenizer) returns, not {type(description).__name__}")
    lines, colours = _lines(description, tokenizer)
    masks = _masks(description)
    T = len(description.original)
    cell = int(np.clip(_WIDTH / T, *_CELL))
    tilted = cell < 50  # names of tokens under a mask
    heights = [_LINE * len(lines), *(_ROW * T for _ in masks)]
    gap = 100 if tilted else 64
    total = sum(heights) + gap * len(masks)
    title = f"{description.objective}: what is seen, what is asked"
    alt, rows = _in_words(description, lines), 1 + len(masks)
    grid: dict = {"row_heights": [height / total for height in heights], "vertical_spacing": gap / total}
    fig = style.figure(title, alt, rows, subplot_titles=["", *masks], **grid)
    _heatmap(fig, 1, colours, _STRIP, list(lines.values()), limit=max(3, cell // 7))
    fig.update_yaxes(tickvals=list(range(len(lines))), ticktext=[style.text(n) for n in lines], row=1)
    tokens = tokenizer.tokens(description.seen.tolist())
    for row, mask in enumerate(masks.values(), start=2):
        _heatmap(fig, row, mask, _MASK)
        axis = style.tokens_axis(tokens)
        fig.update_yaxes(title_text="position that looks", **axis, row=row)
        fig.update_xaxes(tickangle=-60 if tilted else 0, **axis, row=row)
    fig.update_xaxes(title_text="token that is looked at", row=1 + len(masks))
    fig.update_xaxes(showticklabels=False, ticks="", row=1)
    fig.update_xaxes(showgrid=False)
    fig.update_yaxes(showgrid=False, autorange="reversed", ticks="")
    fig.update_layout(width=cell * T + 260, height=total + 170)
    return fig


def _lines(d, tokenizer) -> tuple[dict[str, list[str]], np.ndarray]:
    """Lines of tokens by name, and the colour of each cell (lines, T)."""
    original, seen = (tokenizer.tokens(ids.tolist()) for ids in (d.original, d.seen))
    wanted, changed = (d.targets >= 0).numpy(), (d.seen != d.original).numpy()
    lines, colours = {"text": original, "is seen as": seen}, [0 * wanted, 1 * changed]
    if wanted.any():
        lines["must be said"] = [tokenizer.token(int(t)) if t >= 0 else "" for t in d.targets]
        colours.append(2 * wanted)
    if d.label is not None:
        lines["of the pair"] = [f"label {d.label}" if i == 0 else "" for i in range(len(wanted))]
        colours.append(2 * (np.arange(len(wanted)) == 0))
    elif (d.loss.numpy() & ~wanted).any() or d.objective == "rtd":
        # before the generator has drawn, what was chosen may become anything
        open_ = (changed & (d.seen == tokenizer.mask_id).numpy()).any()
        verdict = np.where(wanted & open_, "?", np.where(changed, "no", "yes"))
        judged = d.loss.numpy()
        lines["is it the original?"] = np.where(judged, verdict, "").tolist()
        colours.append(2 * judged)
    if d.order is not None:
        lines["order"] = ["given" if rank < 0 else f"{rank + 1}." for rank in d.order.tolist()]
        colours.append(0 * wanted)
    return lines, np.stack(colours)


def _masks(d) -> dict[str, np.ndarray]:
    """(T, T) by title: 0 unseen, 1 seen, 2 seen by a position that is judged."""
    judged = d.loss.numpy()[:, None]
    if d.query is None:
        return {"who may see whom": d.visible.numpy() * (1 + judged)}
    content, query = "content stream: what a state is made of", "query stream: what a prediction may see"
    return {content: 1 * d.visible.numpy(), query: d.query.numpy() * (1 + judged)}


def _heatmap(fig, row: int, values: np.ndarray, colours: list[str], texts=None, limit=0) -> None:
    """Cells in one colour for each whole number from 0 on; texts are cut at `limit`, hovering apart."""
    edges = np.linspace(0, 1, len(colours) + 1)
    scale = [[edge, colour] for i, colour in enumerate(colours) for edge in edges[i : i + 2]]
    written: dict = {"hoverinfo": "skip"}
    if texts is not None:
        shown, whole = ([[style.text(text, n) for text in line] for line in texts] for n in (limit, None))
        written = {"text": shown, "texttemplate": "%{text}", "hovertext": whole, "hoverinfo": "text"}
        written["textfont"] = {"color": style.INK, "size": 12}
    cells = {"z": values, "zmin": 0, "zmax": len(colours) - 1, "xgap": 1, "ygap": 1}
    fig.add_heatmap(**cells, colorscale=scale, showscale=False, **written, row=row, col=1)


def _in_words(d, lines: dict[str, list[str]]) -> str:
    T = len(d.original)
    asked = [f"{lines['text'][i]!r} (position {i})" for i in range(T) if d.loss[i]]
    mask = d.visible if d.query is None else d.query
    if bool(mask.all()):
        seen = "Every position sees the whole row."
    elif bool((mask == mask.new_ones(T, T).tril()).all()):
        seen = "Each position sees itself and what stands before it."
    else:
        rows = d.loss.nonzero().flatten().tolist()
        seen = " ".join(f"The prediction at {i} sees {mask[i].nonzero().flatten().tolist()}." for i in rows)
    words = ", ".join(filter(None, lines.get("must be said", [])))
    said = f" To be said: {words}." if words else ""
    judged = "all" if len(asked) == T else f"{len(asked)} of {T}: {', '.join(asked)}"
    return f"The text is seen as: {' '.join(lines['is seen as'])}. Judged positions: {judged}.{said} {seen}"
