"""Every activation of one text, by name.

T tokens, D d_model, L layers, H heads, K head size
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ptm_explore.errors import PtmError
from ptm_explore.layers.taps import Taps

if TYPE_CHECKING:
    from ptm_explore.model import Model


@dataclass
class Trace:
    """What happened inside a model on one text; the leading batch dimension of 1 is gone everywhere."""

    text: str
    tokens: list[str]
    words: list[int | None]  # index of each token's word, None for special tokens
    values: dict[str, Tensor] = field(repr=False)

    def __getitem__(self, name: str) -> Tensor:
        if name not in self.values:
            near = ", ".join(get_close_matches(name, self.values, n=3, cutoff=0.4)) or "nothing"
            raise PtmError(f"no activation {name!r}; near it: {near}. All: trace.names()")
        return self.values[name]

    def names(self, pattern: str = "") -> list[str]:
        """The names of all activations, in the order in which they were computed, or those holding a text."""
        return [name for name in self.values if pattern in name]

    @property
    def attention(self) -> Tensor:
        """(L, H, T, T) attention weights; each row (a query) sums to 1."""
        return self._layers(r"layers\.\d+\.attention\.probs")

    @property
    def hidden(self) -> Tensor:
        """(L+1, T, D): the embeddings, where they are narrower than the body projected to its width, then
        what each layer gives on. GPT-2's last norm comes after; its outcome is trace["hidden"]."""
        start = "embeddings.projected" if "embeddings.projected" in self.values else "embeddings.out"
        return torch.cat([self[start][None], self._layers(r"layers\.\d+\.out")])

    def _layers(self, pattern: str) -> Tensor:
        return torch.stack([value for name, value in self.values.items() if re.fullmatch(pattern, name)])


@torch.no_grad()
def trace(model: Model, text: str, pair: str | None = None) -> Trace:
    """Run one text through a model and keep every activation, on the CPU in float32. Of XLNet, whose query
    stream predicts each token from all others, "logits" are those predictions."""
    if not isinstance(text, str):
        raise PtmError(f"trace takes one text, got {type(text).__name__}; trace texts one at a time")
    tokens = model.encode(text, pair)
    taps = Taps(read=["*"])
    model(tokens.ids, None, tokens.segments, taps=taps, **model.net.trace_options(tokens.ids.size(1)))
    values = {name: value.squeeze(0).float().cpu() for name, value in taps.values.items()}
    return Trace(text, tokens.tokens[0], tokens.words[0], values)
