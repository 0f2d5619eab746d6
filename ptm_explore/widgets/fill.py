"""A sentence with a mask to type, and the words a model puts there."""

import html

import traitlets

from ..errors import PtmError
from .base import PtmWidget


class FillWidget(PtmWidget):
    """An input line; below it, for each mask, the `top_k` most probable tokens as bars.

    `model` is anything with `fill(text, top_k)` that returns one list of (token, probability) per mask; a
    model without a mask (GPT) returns one list of continuations. `text` is the sentence to begin with. What
    the model cannot fill is said in the page, not raised.
    """

    module = "fill.js"
    text = traitlets.Unicode().tag(sync=True)
    # The text comes along with its predictions: the page must not show those of the text before.
    answer = traitlets.Dict(help='{"text": str, "masks": [[[token, probability], ...], ...]}').tag(sync=True)

    def __init__(self, model, text: str = "", top_k: int = 5):
        if not callable(getattr(model, "fill", None)):
            raise PtmError(f"{type(model).__name__} cannot fill in words: give a model that has .fill")
        if not isinstance(text, str):
            raise PtmError(f"text must be a string, not {type(text).__name__}")
        if not isinstance(top_k, int) or isinstance(top_k, bool) or top_k < 1:
            raise PtmError(f"top_k={top_k!r}: give how many words to show, a whole number of at least 1")
        self._model, self._top_k = model, top_k
        super().__init__(text=text, label="Fill in the blank")
        self._fill()
        self.observe(lambda _change: self._fill(), "text")

    def _fill(self) -> None:
        with self.reporting(text=self.text, masks=[]) as answer:
            if self.text.strip():
                fills = self._model.fill(self.text, top_k=self._top_k)
                answer["masks"] = [[[str(token), float(p)] for token, p in fill] for fill in fills]

    def _html(self) -> str:
        parts = [f"<p><q>{html.escape(self.text)}</q></p>"]
        for number, fill in enumerate(self.answer["masks"], 1):
            where = f"mask {number}: " if len(self.answer["masks"]) > 1 else ""
            words = ", ".join(f"<bdi>{html.escape(token)}</bdi> {p:.1%}" for token, p in fill)
            parts.append(f"<p>{where}{words}</p>")
        return "".join(parts)
