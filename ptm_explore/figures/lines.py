"""Attention as lines, for papers and for pages without scripts: drawn by matplotlib, saved as PNG or SVG."""

import io
import warnings
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from torch import Tensor

from . import style

LEAST = 0.03  # share of the largest weight, below which a line could not be seen


def lines(
    tokens: Sequence[str], maps: Sequence[Float[Tensor, "T T"]], names: Sequence[str], title: str, kind: str
) -> bytes:
    """A file of `kind` "png" or "svg": on the left the tokens that look, on the right those looked at, a
    panel for each of `maps`. The thicker a line, the more attention."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.collections import LineCollection
    from matplotlib.figure import Figure

    T = len(tokens)
    figure = Figure(figsize=(3.2 * len(maps) + 1, 0.22 * T + 1), facecolor="white", layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(title, fontsize=11)
    for axes, weights, name in zip(figure.subplots(1, len(maps), squeeze=False)[0], maps, names, strict=True):
        shares = np.clip(weights.numpy() / max(float(weights.max()), 1e-9), 0, 1)
        query, key = np.nonzero(shares >= LEAST)
        strength = shares[query, key]
        ends = np.stack([np.stack([0 * query, query], 1), np.stack([0 * key + 1, key], 1)], 1)
        look: dict = {"colors": style.COLOURS[0], "alpha": strength, "linewidths": 0.4 + 2 * strength}
        axes.add_collection(LineCollection(list(ends), **look))
        axes.set(xlim=(0, 1), ylim=(T - 0.5, -0.5), title=name, xticks=[])
        for side, align in ((0, "right"), (1, "left")):
            for i, token in enumerate(tokens):
                text = style.plain(token, 24)
                axes.text(side, i, f" {text} ", ha=align, va="center", fontsize=8, parse_math=False)
        axes.axis("off")
    saved = io.BytesIO()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph")  # a box stands for what the font has not
        figure.savefig(saved, format=kind, dpi=110)
    return saved.getvalue()
