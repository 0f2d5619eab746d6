"""What all networks have in common, for whoever handles them without knowing their family."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from torch import Generator, Tensor, nn

from ptm_explore.layers.taps import Taps
from ptm_explore.models.heads import Output


@dataclass(frozen=True)
class Config:
    """The fields that every family's config begins with; the defaults are those of BERT base."""

    vocab_size: int = 30522
    d_model: int = 768
    n_layers: int = 12
    n_heads: int = 12  # d_model / n_heads is the head size, 64 in every published BERT
    d_ff: int = 3072
    max_len: int = 512  # rows of the position table: the hard limit on length
    dropout: float = 0.1
    attention_dropout: float = 0.1  # on the attention weights
    activation: str = "gelu"
    norm_eps: float = 1e-12
    init_std: float = 0.02


class Network(nn.Module):
    """A body and its heads. `task` is the head of a task, `sequence`, `token` or `span`, if it has one."""

    config_class: ClassVar[type[Config]]
    causal: ClassVar[bool]  # reads left to right
    config: Config
    heads: tuple[str, ...]
    task: str | None
    body: nn.Module

    def __init__(self, config: Config, heads: Sequence[str], n_labels: int = 2):
        super().__init__()
        self.config, self.heads = config, tuple(heads)
        self.task = next((h for h in heads if h in ("sequence", "token", "span")), None)

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        segment_ids: Tensor | None = None,
        at: Tensor | None = None,
        taps: Taps | None = None,
    ) -> Output:
        """Ids (B, T) to hidden states and scores; with `at`, logits at these flat positions only."""
        raise NotImplementedError

    def initialise(self, generator: Generator) -> None:
        """Weights as the paper starts them."""
        raise NotImplementedError
