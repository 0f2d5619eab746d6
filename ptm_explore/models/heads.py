"""What stands on a body: from hidden states to scores.

B batch, T tokens, D d_model, V vocabulary, N predicted positions, C labels
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from ptm_explore.layers.blocks import ACTIVATIONS
from ptm_explore.layers.taps import Taps, tap


@dataclass
class Output:
    """What a network returns. With `at` given, the logits of those N positions only: (N, V)."""

    hidden: Tensor  # (B, T, D) last layer
    logits: Tensor | None = None  # (B, T, V) or (N, V) language-model logits
    pair_logits: Tensor | None = None  # (B, 2) does B belong after A?
    task_logits: Tensor | None = None  # (B, C) texts, (B, T, C) tokens, (B, T, 2) start and end of a span


def select(hidden: Float[Tensor, "B T D"], at: Int[Tensor, "N"] | None) -> Float[Tensor, "... D"]:
    """The hidden states at flat positions `at` (row * T + column), or all of them.

    A masked-language model predicts 15 % of its positions: the product with the vocabulary, the largest
    of a small model, is not computed where no loss is."""
    return hidden if at is None else hidden.flatten(0, 1)[at]


class MlmHead(nn.Module):
    """BERT's masked-LM head: transform, then the product with the token embeddings (Devlin et al. 2019).

    The embedding matrix is handed in, not registered twice: tied weights are one parameter, counted once."""

    def __init__(self, d_model: int, vocab_size: int, activation: str, norm_eps: float):
        super().__init__()
        self.dense = nn.Linear(d_model, d_model)
        self.norm = nn.LayerNorm(d_model, norm_eps)
        self.bias = nn.Parameter(torch.zeros(vocab_size))
        self.activation = ACTIVATIONS[activation]

    def forward(
        self, hidden: Float[Tensor, "... D"], embedding: Float[Tensor, "V D"], taps: Taps | None = None
    ) -> Float[Tensor, "... V"]:
        x = tap(taps, "transform", self.norm(self.activation(self.dense(hidden))))
        return F.linear(x, embedding, self.bias)


class Pooler(nn.Module):
    """tanh of a dense layer on the first token: BERT's summary of a text, trained through NSP."""

    def __init__(self, d_model: int):
        super().__init__()
        self.dense = nn.Linear(d_model, d_model)

    def forward(self, hidden: Float[Tensor, "B T D"]) -> Float[Tensor, "B D"]:
        return self.dense(hidden[:, 0]).tanh()
