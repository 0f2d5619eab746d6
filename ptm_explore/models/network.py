"""What all networks have in common, for whoever handles them without knowing their family."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from jaxtyping import Bool, Float, Int
from torch import Generator, Tensor, nn

from ptm_explore.models.heads import ClassificationHead, Output

LARGE: dict[str, Any] = {"d_model": 1024, "n_layers": 24, "n_heads": 16, "d_ff": 4096}  # of many families


@dataclass(frozen=True)
class Config:
    """The fields that every family's config begins with; the defaults are those of BERT base."""

    vocab_size: int = 30522
    d_model: int = 768
    n_layers: int = 12
    n_heads: int = 12  # d_model / n_heads is the head size, 64 in every published BERT
    d_ff: int = 3072
    max_len: int = 512  # tokens in a row: the hard limit where positions are a table
    dropout: float = 0.1
    attention_dropout: float = 0.1  # on the attention weights
    activation: str = "gelu"
    norm_eps: float = 1e-12
    init_std: float = 0.02

    @property
    def reserved_positions(self) -> int:
        """Rows of the position table that stand before the first token's."""
        return 0

    def layer_flops(self, length: int) -> int:
        """Of one layer, forward, per token of a row of `length`: projections, feed-forward, attention.
        Causal attention counts whole rows: the kernels skip the upper triangle, but papers do not."""
        return 2 * (4 * self.d_model**2 + 2 * self.d_model * self.d_ff) + 4 * length * self.d_model

    def head_flops(self) -> int:
        """Of the pre-training head, per predicted token: a dense layer and the product with the
        vocabulary."""
        return 2 * (self.d_model**2 + self.d_model * self.vocab_size)

    def flops_per_token(self, length: int, predicted: float) -> float:
        """Floating-point operations of a forward pass per token, matrix products only (a multiply and an add
        are two), where the share `predicted` of tokens is predicted. Training takes three times as many."""
        return self.n_layers * self.layer_flops(length) + predicted * self.head_flops()


class Network(nn.Module):
    """A body and its heads. `task` is the head of a task, `sequence`, `token` or `span`, if it has one."""

    config_class: ClassVar[type[Config]]
    causal: ClassVar[bool] = False  # reads left to right
    classifier: ClassVar[str | None] = None  # activation of a hidden layer in the head for texts, if any
    config: Config
    heads: tuple[str, ...]
    task: str | None
    body: nn.Module

    def __init__(self, config: Config, heads: Sequence[str], n_labels: int = 2):
        super().__init__()
        self.config, self.heads = config, tuple(heads)
        self.task = next((h for h in heads if h in ("sequence", "token", "span")), None)

    def make_task_head(self, n_labels: int) -> nn.Module | None:
        """The head of the task, where there is one."""
        if self.task == "sequence" and self.classifier:
            return ClassificationHead(self.config.d_model, n_labels, self.classifier, self.config.dropout)
        return nn.Linear(self.config.d_model, 2 if self.task == "span" else n_labels) if self.task else None

    def forward(self, input_ids, attention_mask=None, segment_ids=None, at=None, taps=None) -> Output:
        """Ids (B, T) to hidden states and scores; with `at` (N,), logits at these flat positions only."""
        raise NotImplementedError

    def predict(
        self,
        input_ids: Int[Tensor, "B T"],
        hidden: Bool[Tensor, "B T"],
        at: Int[Tensor, "N"],
        mask_id: int,
        attention_mask: Bool[Tensor, "B T"] | None = None,
        segment_ids: Int[Tensor, "B T"] | None = None,
    ) -> Float[Tensor, "N V"]:
        """Logits for the tokens at flat positions `at`, given all but those at the `hidden` ones."""
        return self(input_ids.masked_fill(hidden, mask_id), attention_mask, segment_ids, at=at).logits

    def trace_options(self, n_tokens: int) -> dict:
        """Arguments of `forward` by which a trace of one text shows all there is to see."""
        return {}

    def companion(self) -> "Network | None":
        """A second network that was trained along with this one and is saved beside it."""
        return None

    def joined(self, companion: "Network") -> "Network":
        """This network with its companion, as they were trained."""
        raise NotImplementedError

    def initialise(self, generator: Generator) -> None:
        """Weights as the paper starts them."""
        raise NotImplementedError
