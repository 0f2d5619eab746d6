"""What stands on a body: from hidden states to scores.

B batch, T tokens, D d_model, E embedding size, V vocabulary, N predicted positions, C labels
"""

from dataclasses import dataclass
from functools import cached_property

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from ptm_explore.errors import PtmError
from ptm_explore.layers.blocks import ACTIVATIONS
from ptm_explore.layers.cross_entropy import linear_cross_entropy
from ptm_explore.layers.dropout import Dropout
from ptm_explore.layers.taps import Taps


@dataclass
class Output:
    """What a network returns. `logits` are computed when they are first asked for: a training loss needs
    only `features` and the decoder, and the product with the vocabulary is the largest there is."""

    hidden: Tensor  # (B, T, D) last layer
    features: Tensor | None = None  # (B, T, D) or, with `at`, (N, D): what the decoder multiplies
    decoder: tuple[Tensor, Tensor | None] | None = None  # (V, D) token embeddings, (V,) bias
    pair_logits: Tensor | None = None  # (B, 2) does B belong after A?
    replaced_logits: Tensor | None = None  # (B, T) a discriminator's: was this token replaced?
    shown: Tensor | None = None  # (B, T) the ids that a discriminator was shown, set by its objective
    memory: list[Tensor] | None = None  # per layer (B, M, D): states to read the next segment with
    task_logits: Tensor | None = None  # (B, C) texts, (B, T, C) tokens, (B, T, 2) start and end of a span

    @cached_property
    def logits(self) -> Tensor | None:
        """(B, T, V), or (N, V) at the positions asked for; a discriminator's (B, T); None without such a
        head."""
        if self.features is None or self.decoder is None:
            return self.replaced_logits
        return F.linear(self.features, *self.decoder)

    def tap_logits(self, taps: Taps | None) -> None:
        """Reports the logits, where somebody may listen."""
        if taps is not None and self.logits is not None:
            self.logits = taps("logits", self.logits)

    def token_loss(self, targets: Int[Tensor, "N"]) -> Tensor:
        """The sum of the cross-entropies of these targets, in nats."""
        if self.features is None or self.decoder is None:
            raise PtmError("this network has no language-model head, so it has no loss over tokens")
        return linear_cross_entropy(self.features, *self.decoder, targets)


def select(hidden: Float[Tensor, "B T D"], at: Int[Tensor, "N"] | None) -> Float[Tensor, "... D"]:
    """The hidden states at flat positions `at` (row * T + column), or all of them.

    A masked-language model predicts 15 % of its positions: the product with the vocabulary, the largest
    of a small model, is not computed where no loss is."""
    return hidden if at is None else hidden.flatten(0, 1)[at]


class MlmHead(nn.Module):
    """BERT's masked-LM head, but for the product with the token embeddings (Devlin et al. 2019).

    The embedding matrix is not registered here: tied weights are one parameter, counted once. Where tokens
    are embedded in fewer dimensions than the body has, the dense layer leads back to those."""

    def __init__(self, d_model: int, d_embedding: int, vocab_size: int, activation: str, norm_eps: float):
        super().__init__()
        self.dense = nn.Linear(d_model, d_embedding)
        self.norm = nn.LayerNorm(d_embedding, norm_eps)
        self.bias = nn.Parameter(torch.zeros(vocab_size))
        self.activation = ACTIVATIONS[activation]

    def forward(self, hidden: Float[Tensor, "... D"]) -> Float[Tensor, "... E"]:
        return self.norm(self.activation(self.dense(hidden)))


class Pooler(nn.Module):
    """tanh of a dense layer on the first token: BERT's summary of a text, trained through NSP."""

    def __init__(self, d_model: int):
        super().__init__()
        self.dense = nn.Linear(d_model, d_model)

    def forward(self, hidden: Float[Tensor, "B T D"]) -> Float[Tensor, "B D"]:
        return self.dense(hidden[:, 0]).tanh()


def last_state(
    hidden: Float[Tensor, "B T D"], attention_mask: Bool[Tensor, "B S"] | None
) -> Float[Tensor, "B D"]:
    """The state of each text's last token, padding apart."""
    B, T, _ = hidden.shape
    steps = torch.arange(T, device=hidden.device).expand(B, T)
    last = (steps if attention_mask is None else steps * attention_mask[:, -T:]).amax(1)  # (B,)
    return hidden[torch.arange(B, device=last.device), last]


class ClassificationHead(nn.Module):
    """A hidden layer and labels: on the state of one token, where a model has no pre-trained pooler; or on
    each, to tell which were replaced (ELECTRA)."""

    def __init__(self, d_model: int, n_labels: int, activation: str, dropout: float):
        super().__init__()
        self.dense, self.out = nn.Linear(d_model, d_model), nn.Linear(d_model, n_labels)
        self.activation, self.dropout = ACTIVATIONS[activation], Dropout(dropout)

    def forward(self, state: Float[Tensor, "B *T D"]) -> Float[Tensor, "B *T C"]:
        return self.out(self.dropout(self.activation(self.dense(state))))
