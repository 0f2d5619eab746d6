"""From token ids to the first hidden states.

B batch, T tokens, D d_model, V vocabulary
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from ptm_explore.layers.dropout import Dropout
from ptm_explore.layers.taps import Taps, tap


class Embeddings(nn.Module):
    """Sum of what the token is, where it stands and, with `n_segments`, which segment it belongs to;
    then, with `norm_eps`, a LayerNorm, and dropout."""

    def __init__(
        self,
        vocab_size: int,
        d_model: int,
        max_len: int,
        dropout: float = 0.1,
        n_segments: int = 0,
        norm_eps: float | None = None,
    ):
        super().__init__()
        self.tokens = nn.Embedding(vocab_size, d_model)
        self.positions = nn.Embedding(max_len, d_model)
        self.segments = nn.Embedding(n_segments, d_model) if n_segments else None
        self.norm = nn.LayerNorm(d_model, norm_eps) if norm_eps is not None else None
        self.dropout = Dropout(dropout)

    def position_ids(self, input_ids: Int[Tensor, "B T"]) -> Int[Tensor, "#B T"]:
        """0, 1, 2, ... along every row."""
        return torch.arange(input_ids.size(1), device=input_ids.device)[None]

    def forward(
        self,
        input_ids: Int[Tensor, "B T"],
        segment_ids: Int[Tensor, "B T"] | None = None,
        taps: Taps | None = None,
        start: int = 0,
    ) -> Float[Tensor, "B T D"]:
        """`start`: how many tokens were read before, where a row goes on after them."""
        x = tap(taps, "tokens", self.tokens(input_ids))  # (B, T, D)
        x = x + tap(taps, "positions", self.positions(self.position_ids(input_ids) + start))
        if self.segments is not None:
            segment_ids = torch.zeros_like(input_ids) if segment_ids is None else segment_ids
            x = x + tap(taps, "segments", self.segments(segment_ids))
        if self.norm is not None:
            x = self.norm(x)
        return tap(taps, "out", self.dropout(x))
