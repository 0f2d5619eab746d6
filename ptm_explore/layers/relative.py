"""Attention that knows how far two tokens stand apart, not where they stand (Dai et al. 2019, section 3.3),
for the two streams of XLNet (Yang et al. 2019, sections 2.2 and 2.3).

B batch, T tokens, N queries in a row, R = T + N rows of both streams, M memory, S = M + T keys,
P = T + S distances, H heads, K head size, D d_model
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from ptm_explore.layers.dropout import dropout as drop
from ptm_explore.layers.taps import Taps, tap


@dataclass
class Surroundings:
    """What attention needs to know beside the states, the same in every layer."""

    n_content: int  # T: the first rows are the content stream's, the others the query stream's
    distances: Tensor  # (1, P, D) encodings of how far behind a query a key stands: S, S - 1, ..., 1 - T
    backward: Tensor | None = None  # (B,) long, 1 = reversed text; then `distances` has both signs, (2, P, D)
    places: Tensor | None = None  # (B, N) where the queries stand
    visible: Tensor | None = None  # (B, 1, R, S) bool, True = may attend
    same_segment: Tensor | None = None  # (B, 1, R, S) bool

    def __post_init__(self):
        if self.visible is not None:  # added to the scores; and 0 for rows that see nothing, 1 for others
            never = torch.finfo(self.distances.dtype).min
            self.barrier = torch.zeros_like(self.visible, dtype=self.distances.dtype)
            self.barrier.masked_fill_(~self.visible, never)
            self.sees = self.visible.any(-1, keepdim=True).to(self.distances.dtype)


class RelativeAttention(nn.Module):
    """Scores are sums of what tokens are, how far apart they stand, and whether they share a segment:
    ((q + u) k + (q + v) W_r R_distance + (q + s) e_segment) / sqrt(K)   (section 2.2 and appendix A.2)."""

    def __init__(self, d_model: int, n_heads: int, dropout: float):
        super().__init__()
        self.n_heads, self.dropout = n_heads, dropout
        self.qkv = nn.Linear(d_model, 3 * d_model, bias=False)
        self.relative = nn.Linear(d_model, d_model, bias=False)  # W_r
        self.out = nn.Linear(d_model, d_model, bias=False)
        shape = (n_heads, 1, d_model // n_heads)
        self.content_bias = nn.Parameter(torch.zeros(shape))  # u
        self.position_bias = nn.Parameter(torch.zeros(shape))  # v
        self.segment_bias = nn.Parameter(torch.zeros(shape))  # s
        self.segments = nn.Parameter(torch.zeros(2, n_heads, d_model // n_heads))  # of the same, of another

    def forward(
        self, x: Float[Tensor, "B R D"], memory: Tensor | None, around: Surroundings, taps: Taps | None
    ) -> Float[Tensor, "B R D"]:
        T = around.n_content
        content = x[:, :T] if memory is None else torch.cat([memory, x[:, :T]], dim=1)  # (B, S, D)
        query, key, value = self.qkv.weight.chunk(3)
        q = tap_streams(taps, "q", self._heads(F.linear(x, query)), T)  # (B, H, R, K)
        k = tap(taps, "k", self._heads(F.linear(content, key)))  # (B, H, S, K)
        v = tap(taps, "v", self._heads(F.linear(content, value)))
        r = self._heads(self.relative(around.distances))  # (1, H, P, K)
        r = r if around.backward is None else r[around.backward]
        bias = _by_place((q + self.position_bias) @ r.transpose(-2, -1), around)  # (B, H, R, S)
        if around.same_segment is not None:
            same, other = torch.einsum("bhrk,nhk->nbhr", q + self.segment_bias, self.segments)[..., None]
            bias = bias + torch.where(around.same_segment, same, other)
        context = self._attend(q + self.content_bias, k, v, bias, around, taps)
        context = tap_streams(taps, "context", context, T).transpose(1, 2).flatten(2)  # (B, R, D)
        return tap_streams(taps, "out", self.out(context), T)

    def _heads(self, x: Float[Tensor, "B rows D"]) -> Float[Tensor, "B H rows K"]:
        return x.unflatten(-1, (self.n_heads, -1)).transpose(1, 2)

    def _attend(self, q, k, v, bias, around: Surroundings, taps: Taps | None) -> Float[Tensor, "B H R K"]:
        """The fused kernel unless somebody listens; on a CPU with dropout the explicit path, as in
        `attend`."""
        dropout, scale = self.dropout if self.training else 0.0, q.size(-1) ** -0.5
        names = ("scores", "probs", "query.scores", "query.probs")
        if (taps is None or not taps.listens(*names)) and not (dropout and q.device.type == "cpu"):
            bias = bias * scale if around.visible is None else torch.add(around.barrier, bias, alpha=scale)
            context = F.scaled_dot_product_attention(q, k, v, bias, dropout_p=dropout)
        else:
            scores = (q @ k.transpose(-2, -1) + bias) * scale
            scores = scores if around.visible is None else scores + around.barrier
            scores = tap_streams(taps, "scores", scores, around.n_content)
            probs = tap_streams(taps, "probs", scores.softmax(-1), around.n_content)
            context = drop(probs, dropout, training=True) @ v
        return context if around.visible is None or around.places is None else context * around.sees


def _by_place(x: Float[Tensor, "B H R P"], around: Surroundings) -> Float[Tensor, "B H R S"]:
    """From scores by distance to scores by key: row i moves left by T - i, the place of a key at distance i.
    For the content stream, whose row i stands at place i, that is a matter of strides."""
    B, H, _, P = x.shape
    T = around.n_content
    content = x[:, :, :T].reshape(B, H, P, T)[:, :, 1:].reshape(B, H, T, P - 1)[..., : P - T]
    if around.places is None:
        return content
    columns = T - around.places[:, None, :, None] + torch.arange(P - T, device=x.device)  # (B, 1, N, S)
    return torch.cat([content, x[:, :, T:].gather(-1, columns.expand(-1, H, -1, -1))], dim=2)


def tap_streams(taps: Taps | None, name: str, x: Float[Tensor, "... R D"], n_content: int) -> Tensor:
    """Reports the rows of the content stream as `name` and those of the query stream as `query.name`."""
    if taps is None:
        return x
    content, query = x.split([n_content, x.size(-2) - n_content], dim=-2)
    content = taps(name, content)
    return torch.cat([content, taps(f"query.{name}", query)], dim=-2) if query.size(-2) else content


def distances(T: int, S: int, clamp: int, like: Float[Tensor, "D"], both: bool) -> Float[Tensor, "#2 P D"]:
    """sin, then cos, of how far a key stands behind a query, from S down to 1 - T; with `both`, of the
    negative distances too. Computed in float32, as the reference does."""
    behind = torch.arange(S, -T, -1, device=like.device, dtype=torch.float32)
    if clamp > 0:
        behind = behind.clamp(-clamp, clamp)
    wavelengths = 10000 ** (torch.arange(0, len(like), 2.0, device=like.device) / len(like))
    angles = torch.stack([behind, -behind][: 1 + both])[..., None] * (1 / wavelengths)
    return torch.cat([angles.sin(), angles.cos()], dim=-1).to(like.dtype)
