"""Multi-head attention (Vaswani et al. 2017, section 3.2): a fused path, and an explicit one to look into.

B batch, T tokens that ask (query), S tokens that are asked (key), H heads, D d_model, K head size
"""

import math

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor, nn

from ptm_explore.layers.dropout import dropout as drop
from ptm_explore.layers.taps import Taps, tap


def attend(
    q: Float[Tensor, "B H T K"],
    k: Float[Tensor, "B H S K"],
    v: Float[Tensor, "B H S K"],
    mask: Bool[Tensor, "*#B #H #T S"] | None = None,
    causal: bool = False,
    dropout: float = 0.0,
    taps: Taps | None = None,
) -> Float[Tensor, "B H T K"]:
    """softmax(q k' / sqrt(K)) v, where `mask` is True at the keys that a query may attend to.

    Takes the fused kernel unless somebody listens to the scores or weights. On a CPU the fused kernel has
    no dropout of its own, so training with dropout goes the explicit way too, with cheaper random numbers.
    """
    listened = taps is not None and taps.listens("scores", "probs")
    if causal and (mask is not None or listened or dropout):
        past = torch.ones(q.size(2), k.size(2), dtype=torch.bool, device=q.device).tril(k.size(2) - q.size(2))
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
        mask: Bool[Tensor, "*#B #H #T T"] | None = None,
        taps: Taps | None = None,
    ) -> Float[Tensor, "B T D"]:
        B, T, D = x.shape
        qkv = self.qkv(x).view(B, T, 3, self.n_heads, D // self.n_heads)
        q, k, v = (part.transpose(1, 2) for part in qkv.unbind(2))  # each (B, H, T, K)
        q, k, v = tap(taps, "q", q), tap(taps, "k", k), tap(taps, "v", v)
        context = attend(q, k, v, mask, self.causal, self.dropout if self.training else 0.0, taps)
        context = tap(taps, "context", context).transpose(1, 2).reshape(B, T, D)
        return tap(taps, "out", self.out(context))
