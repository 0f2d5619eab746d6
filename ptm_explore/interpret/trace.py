"""Every activation of one text, by name.

T tokens, D d_model, L layers, H heads, K head size
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from fnmatch import fnmatchcase

import psutil
import torch
from torch import Tensor

from ptm_explore.errors import PtmError
from ptm_explore.layers.taps import Taps
from ptm_explore.model import Model
from ptm_explore.models.heads import Output


@dataclass
class Trace:
    """What happened inside a model on one text; the leading batch dimension of 1 is gone everywhere."""

    text: str
    tokens: list[str]
    words: list[int | None]  # index of each token's word, None for special tokens
    sections: list[int]  # 0 or, in the second of two texts, 1
    offsets: list[tuple[int, int]]  # characters of each token in its text
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
        return self.layers("attention.probs")

    @property
    def hidden(self) -> Tensor:
        """(L+1, T, D): the embeddings, where they are narrower than the body projected to its width, then
        what each layer gives on. GPT-2's last norm comes after; its outcome is trace["hidden"]."""
        start = "embeddings.projected" if "embeddings.projected" in self.values else "embeddings.out"
        return torch.cat([self[start][None], self.layers("out")])

    def layers(self, name: str) -> Tensor:
        """(L, ...) one activation of every layer, such as "ffn.out"."""
        pattern = re.compile(rf"layers\.\d+\.{re.escape(name)}")
        found = {key: value for key, value in self.values.items() if pattern.fullmatch(key)}
        if not found or list(found) != [f"layers.{i}.{name}" for i in range(len(found))]:
            has = f"of layers.*.{name} this trace holds {', '.join(found) or 'none'}"
            raise PtmError(f"{has}; all are needed: ptm.trace(m, text, read=['layers.*.{name}'])")
        return torch.stack([*found.values()])


@torch.no_grad()
def trace(model: Model, text: str, pair: str | None = None, read: Sequence[str] = ("*",)) -> Trace:
    """Run one text, or two, through a model and keep every activation, or those whose names match a pattern
    of `read`, on the CPU in float32. Of XLNet, whose query stream predicts each token from all others,
    "logits" are those predictions. PtmError for what would not fit in memory."""
    if not isinstance(text, str):
        raise PtmError(f"trace takes one text, got {type(text).__name__}; trace texts one at a time")
    tokens = model.encode(text, pair)
    _check_memory(model.config, tokens.ids.size(1), read)
    taps = Taps(read=read)
    if read:  # else only the tokens and where they stand are asked for
        run(model, tokens.ids, tokens.segments, taps)
    values = {name: value.squeeze(0).float().cpu() for name, value in taps.values.items()}
    words = tokens.words[0]
    sections = [0] * len(words) if pair is None else _sections(words)
    return Trace(text, tokens.tokens[0], words, sections, tokens.offsets[0], values)


def run(model: Model, ids: Tensor, segments: Tensor, taps: Taps | None) -> Output:
    """A forward pass; of XLNet every position asks by the query stream, too."""
    return model(ids, None, segments, taps=taps, **model.net.trace_options(ids.numel()))


def by_query(model: Model) -> bool:
    """Whether the query stream predicts: XLNet's, unless it is a classifier, which reads the content."""
    return model.family == "xlnet" and not getattr(model, "kind", None)


def _sections(words: list) -> list[int]:
    """Which of two texts each token belongs to: 1 once words are counted anew, or after a special token."""
    real = [i for i, word in enumerate(words) if word is not None]
    start = next((i for i in real[1:] if words[i - 1] is None or words[i] < words[i - 1]), len(words))
    return [int(i >= start) for i in range(len(words))]


def _check_memory(config, T: int, read: Sequence[str]) -> None:
    """Of what "*" keeps, scores and weights grow with the square of the length, and all else with it."""
    names = [f"layers.0.attention.{name}" for name in ("scores", "probs")]
    maps = sum(any(fnmatchcase(name, pattern) for pattern in read) for name in names)
    rest = 8 * config.d_model + 2 * config.d_ff if "*" in read else 0
    need = 4 * config.n_layers * T * (maps * config.n_heads * T + rest) / 1e9
    free = psutil.virtual_memory().available / 1e9
    if need > free:
        sizes = f"the activations of {T} tokens would take {need:.2g} GB, and {free:.2g} GB are free"
        less = 'ask for some of them, ptm.trace(m, text, read=["layers.3.*"]), or take a shorter text'
        raise PtmError(f"{sizes}; {less}")
