"""A text to type, and how several tokenizers cut it, one merge after the other."""

import html

import traitlets

from ..errors import PtmError
from ..text.splits import steps
from .base import PtmWidget

MOST = 200  # characters


class TokensWidget(PtmWidget):
    """An input line; below it, for each of the `tokenizers` (name -> `Tokenizer`), the pieces of every word.
    A slider goes through the steps that led there (`text.splits.steps`)."""

    module = "tokens.js"
    text = traitlets.Unicode().tag(sync=True)
    # {"text": str, "cuts": [{"name": str, "words": [[[pieces, what was done], ...], ...]}, ...]}
    answer = traitlets.Dict().tag(sync=True)

    def __init__(self, tokenizers: dict, text: str = ""):
        if not isinstance(tokenizers, dict) or not tokenizers:
            raise PtmError("give tokenizers by name: TokensWidget({'BERT': m.tokenizer})")
        self._tokenizers = tokenizers
        super().__init__(text=text, label="Tokens of a text")
        self._cut()
        self.observe(lambda _change: self._cut(), "text")

    def _cut(self) -> None:
        with self.reporting(text=self.text, cuts=[]) as answer:
            if len(self.text) > MOST:
                raise PtmError(f"this text has {len(self.text)} characters; up to {MOST} are shown")
            for name, tokenizer in self._tokenizers.items() if self.text.strip() else ():
                words = [[list(step) for step in word] for word in steps(tokenizer, self.text)]
                answer["cuts"].append({"name": str(name), "words": words})

    def _html(self) -> str:
        parts = [f"<p><q>{html.escape(self.text)}</q></p>"]
        for cut in self.answer["cuts"]:
            pieces = " ".join(html.escape(piece) for word in cut["words"] for piece in word[-1][0])
            parts.append(f"<p>{html.escape(cut['name'])}: <bdi>{pieces}</bdi></p>")
        return "".join(parts)
