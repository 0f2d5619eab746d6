"""Multi-head attention (Vaswani et al. 2017, section 3.2): a fused path, and an explicit one to look into.

B batch, T tokens that ask (query), S tokens that are asked (key), H heads, D d_model, K head size.
S = T unless a cache holds tokens that came before.
"""

import math

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor, nn

from ptm_explore.errors import PtmError
from ptm_explore.layers.dropout import dropout as drop
from ptm_explore.layers.taps import Taps, tap


class Cache:
    """The keys and values of all tokens that a decoder has read, a pair a layer; `len` counts the tokens.

    What no later token is seen by never changes, so it is computed once: hand the same cache to one call
    after the other, and each needs only the tokens that are new."""

    def __init__(self) -> None:
        self.layers: dict[int, tuple[Tensor, Tensor]] = {}  # each (B, H, S, K)
        self.layer = 0

    def __len__(self) -> int:
        return self.layers[0][0].size(2) if self.layers else 0

    def at(self, layer: int) -> "Cache":
        """The same cache, as this layer sees it."""
        inner = Cache()
        inner.layers, inner.layer = self.layers, layer
        return inner

    def extend(
        self, k: Float[Tensor, "B H T K"], v: Float[Tensor, "B H T K"]
    ) -> tuple[Float[Tensor, "B H S K"], Float[Tensor, "B H S K"]]:
        """Takes this layer's new keys and values; returns all so far. PtmError for another number of rows."""
        if self.layer in self.layers:
            before = self.layers[self.layer]
            if before[0].size(0) != k.size(0):
                raise PtmError(
                    f"the cache holds {before[0].size(0)} rows, and {k.size(0)} are to be read on; "
                    "give the rows it was filled with, or a new Cache()"
                )
            k, v = torch.cat([before[0], k], dim=2), torch.cat([before[1], v], dim=2)
        self.layers[self.layer] = k, v
        return k, v


def attend(
    q: Float[Tensor, "B H T K"],
    k: Float[Tensor, "B H S K"],
    v: Float[Tensor, "B H S K"],
    mask: Bool[Tensor, "*#B #H #T S"] | None = None,
    causal: bool = False,
    dropout: float = 0.0,
    taps: Taps | None = None,
) -> Float[Tensor, "B H T K"]:
    """softmax(q k' / sqrt(K)) v, where `mask` is True at the keys that a query may attend to. With `causal`
    to none that come later, where the last query stands at the last key.

    Takes the fused kernel unless somebody listens to the scores or weights. On a CPU the fused kernel has
    no dropout of its own, so training with dropout goes the explicit way too, with cheaper random numbers.
    """
    listened = taps is not None and taps.listens("scores", "probs")
    T, S = q.size(2), k.size(2)
    causal = causal and T > 1  # a single query stands last
    if causal and (mask is not None or listened or dropout or T < S):
        # the kernel's own mask puts the first query at the first key, which is right for T = S only
        past = torch.ones(T, S, dtype=torch.bool, device=q.device).tril(S - T)
        mask, causal = past if mask is None else mask & past, False
    if not listened and not (dropout and q.device.type == "cpu"):
        return F.scaled_dot_product_attention(q, k, v, mask, dropout_p=dropout, is_causal=causal)
    scores = (q / math.sqrt(q.size(-1))) @ k.transpose(-2, -1)  # (B, H, T, S)
    if mask is not None:
        # added, not filled in: adding needs no pass of its own on the way back
        never = torch.finfo(scores.dtype).min
        scores += torch.zeros_like(mask, dtype=scores.dtype).masked_fill_(~mask, never)
    scores = tap(taps, "scores", scores)
    probs = tap(taps, "probs", scores.softmax(-1))
    return drop(probs, dropout, training=True) @ v  # (B, H, T, K)


class Attention(nn.Module):
    """Self-attention: one projection to queries, keys and values, one back. `causal`: no looking ahead."""

    def __init__(self, d_model: int, n_heads: int, dropout: float = 0.0, causal: bool = False):
        super().__init__()
        self.n_heads, self.dropout, self.causal = n_heads, dropout, causal
        self.qkv = nn.Linear(d_model, 3 * d_model)
        self.out = nn.Linear(d_model, d_model)

    def forward(
        self,
        x: Float[Tensor, "B T D"],
        mask: Bool[Tensor, "*#B #H #T S"] | None = None,
        taps: Taps | None = None,
        cache: Cache | None = None,
    ) -> Float[Tensor, "B T D"]:
        B, T, D = x.shape
        qkv = self.qkv(x).view(B, T, 3, self.n_heads, D // self.n_heads)
        q, k, v = (part.transpose(1, 2) for part in qkv.unbind(2))  # each (B, H, T, K)
        q, k, v = tap(taps, "q", q), tap(taps, "k", k), tap(taps, "v", v)
        if cache is not None:
            k, v = cache.extend(k, v)  # (B, H, S, K)
        context = attend(q, k, v, mask, self.causal, self.dropout if self.training else 0.0, taps)
        context = tap(taps, "context", context).transpose(1, 2).reshape(B, T, D)
        return tap(taps, "out", self.out(context))
