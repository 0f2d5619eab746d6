"""What each word contributed, by one method or by several side by side."""

from collections.abc import Sequence

import plotly.graph_objects as go

from ..errors import PtmError
from . import style
from .curves import bars


def attributions(found: Sequence, title: str | None = None) -> go.Figure:
    """Bars of a word's share in the score, a panel for each of the `Attribution`s of one text and target.
    Under each stands what tells how far to trust it: what happens to the probability without its best words,
    beside random ones; the completeness error where the method promises none; and the seconds it took.
    Scales differ between methods, so each panel has its own."""
    first, *rest = found or [None]
    if first is None or any((a.words, a.target) != (first.words, first.target) for a in rest):
        raise PtmError("give one or more attributions of the same text and the same target")
    words, best = first.words, [a.words[int(a.word_scores.abs().argmax())] for a in found]
    said = "; ".join(f"{a.method}: most weight on {word!r}" for a, word in zip(found, best, strict=True))
    names = [a.method.replace("_", " ") for a in found]
    title = title or f"What decided {first.target}"
    fig = style.figure(title, said, cols=len(found), subplot_titles=names, shared_yaxes=True)
    for col, a in enumerate(found, 1):
        scores = a.word_scores.tolist()
        bars(fig, scores, words, [style.COLOURS[score < 0] for score in scores], col)
        trust = f"without its best words {-a.comprehensiveness:+.2f}<br>"
        trust += f"without random ones {-a.random[1]:+.2f} to {-a.random[0]:+.2f}<br>"
        error = "" if a.delta is None else f"sum is off by {a.delta:.2g} of {a.score - a.baseline:.2g}<br>"
        fig.update_xaxes(title_text=f"score of the word<br>{trust}{error}{a.seconds:.1f} s", row=1, col=col)
    fig.update_yaxes(title_text="word", col=1)
    fig.update_traces(hovertemplate="%{customdata}: %{x:.3f}<extra></extra>")
    fig.update_layout(showlegend=False, height=280 + 24 * len(words))
    return fig
