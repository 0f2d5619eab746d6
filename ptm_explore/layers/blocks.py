"""Transformer blocks: attention, then a feed-forward layer at each position, each around a residual.

B batch, T tokens, D d_model, F d_ff
"""

from collections.abc import Callable
from functools import partial

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor, nn

from ptm_explore.layers.attention import Attention, Cache
from ptm_explore.layers.dropout import Dropout
from ptm_explore.layers.taps import Taps, at, tap

# Google's released BERT and OpenAI's GPT compute the tanh approximation, Hugging Face's "gelu" the exact
# integral; they part by at most 5e-4, which is enough to miss a reference by more than rounding.
ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "gelu": F.gelu,
    "gelu_tanh": partial(F.gelu, approximate="tanh"),
    "relu": F.relu,
    "tanh": torch.tanh,
}


class FeedForward(nn.Module):
    """down(activation(up(x))), the same at every position (Vaswani et al. 2017, equation 2)."""

    def __init__(self, d_model: int, d_ff: int, activation: str = "gelu", dropout: float = 0.0):
        super().__init__()
        self.up, self.down = nn.Linear(d_model, d_ff), nn.Linear(d_ff, d_model)
        self.activation, self.dropout = ACTIVATIONS[activation], Dropout(dropout)

    def forward(self, x: Float[Tensor, "B T D"], taps: Taps | None = None) -> Float[Tensor, "B T D"]:
        hidden = self.activation(tap(taps, "up", self.up(x)))  # (B, T, F)
        return tap(taps, "out", self.down(self.dropout(tap(taps, "hidden", hidden))))


class Block(nn.Module):
    """What both kinds of block hold; they differ in where the norms stand."""

    def __init__(
        self,
        d_model: int,
        n_heads: int,
        d_ff: int,
        dropout: float = 0.1,
        attention_dropout: float = 0.1,
        activation: str = "gelu",
        norm_eps: float = 1e-12,
        causal: bool = False,
    ):
        super().__init__()
        self.attention = Attention(d_model, n_heads, attention_dropout, causal)
        self.attention_norm = nn.LayerNorm(d_model, norm_eps)
        self.ffn = FeedForward(d_model, d_ff, activation)
        self.ffn_norm = nn.LayerNorm(d_model, norm_eps)
        self.dropout = Dropout(dropout)


class PostNormBlock(Block):
    """x = norm(x + f(x)): the original transformer and BERT."""

    def forward(
        self,
        x: Float[Tensor, "B T D"],
        mask: Bool[Tensor, "..."] | None = None,
        taps: Taps | None = None,
        cache: Cache | None = None,
    ) -> Float[Tensor, "B T D"]:
        x = self.attention_norm(self.dropout(self.attention(x, mask, at(taps, "attention"), cache), onto=x))
        x = tap(taps, "mid", x)
        x = self.ffn_norm(self.dropout(self.ffn(x, at(taps, "ffn")), onto=x))
        return tap(taps, "out", x)


class PreNormBlock(Block):
    """x = x + f(norm(x)): GPT-2. The residual stream itself is never normalised, which eases depth."""

    def forward(
        self,
        x: Float[Tensor, "B T D"],
        mask: Bool[Tensor, "..."] | None = None,
        taps: Taps | None = None,
        cache: Cache | None = None,
    ) -> Float[Tensor, "B T D"]:
        x = self.dropout(self.attention(self.attention_norm(x), mask, at(taps, "attention"), cache), onto=x)
        x = tap(taps, "mid", x)
        x = self.dropout(self.ffn(self.ffn_norm(x), at(taps, "ffn")), onto=x)
        return tap(taps, "out", x)
