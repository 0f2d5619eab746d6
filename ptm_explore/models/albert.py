"""ALBERT (Lan et al. 2020, arXiv 1909.11942): BERT with its parameters used more than once.

What changed: tokens are embedded in few dimensions and projected to the body's (V x E + E x D parameters in
place of V x D), and the layers share their parameters. Both save memory and neither saves time: every layer
is still computed. The pair head learns the order of two segments (SOP) instead of whether they belong
together.

Against the paper: inner groups and the dropout of the classifier are those of the released checkpoints;
dropout is applied to the feed-forward's output too, as in Google's code, where `transformers` leaves it
out.

B batch, T tokens, E embedding size, D d_model
"""

from dataclasses import dataclass
from typing import Any, cast

from torch import nn

from ptm_explore.errors import PtmError, unknown
from ptm_explore.layers.blocks import PostNormBlock
from ptm_explore.layers.dropout import Dropout
from ptm_explore.layers.taps import tap
from ptm_explore.models.bert import Bert, BertBody, BertConfig
from ptm_explore.models.network import LARGE

SHARES = ("all", "attention", "ffn", "none")


@dataclass(frozen=True)
class AlbertConfig(BertConfig):
    vocab_size: int = 30000
    activation: str = "gelu_tanh"
    d_embedding: int = 128
    share: str = "all"  # what the layers share: "all", "attention", "ffn" or "none" (section 4.5)
    n_groups: int = 1  # with share="all": so many sets of parameters, each for a run of layers
    n_inner: int = 1  # blocks in a set, applied one after the other as one layer
    classifier_dropout: float = 0.1

    def __post_init__(self):
        if self.share not in SHARES:
            raise unknown("parameter sharing", self.share, SHARES)
        if not 1 <= self.n_groups <= self.n_layers:
            raise PtmError(f"{self.n_groups} groups of {self.n_layers} layers; give 1 to {self.n_layers}")

    @property
    def n_sets(self) -> int:
        """How many sets of parameters there are; where only a part is shared, each layer has its own set."""
        return self.n_groups if self.share == "all" else self.n_layers

    def head_flops(self) -> int:
        return 2 * self.d_embedding * (self.d_model + self.vocab_size)

    def flops_per_token(self, length: int, predicted: float) -> float:
        projection = 2 * self.d_embedding * self.d_model
        layers = self.n_layers * self.n_inner * self.layer_flops(length)
        return projection + layers + predicted * self.head_flops()


# the second version of the checkpoints: no dropout in the body, longer training
_STILL: dict[str, Any] = {"dropout": 0.0, "attention_dropout": 0.0}
PRESETS = {
    "albert-base": AlbertConfig(**_STILL),
    "albert-large": AlbertConfig(**LARGE, **_STILL),
    "albert-xlarge": AlbertConfig(d_model=2048, n_layers=24, n_heads=16, d_ff=8192, **_STILL),
    "albert-xxlarge": AlbertConfig(d_model=4096, n_layers=12, n_heads=64, d_ff=16384, **_STILL),
    "albert-base-v1": AlbertConfig(),
}


class AlbertBody(BertBody):
    """Small embeddings, a projection, and blocks that are applied again and again."""

    def add_layers(self, config: AlbertConfig, block: tuple) -> None:
        c = config
        self.project = nn.Linear(c.d_embedding, c.d_model)
        self.n_layers = c.n_layers
        groups = [[PostNormBlock(*block) for _ in range(c.n_inner)] for _ in range(c.n_sets)]
        for group in groups[1:] if c.share in ("attention", "ffn") else ():
            for later, first in zip(group, groups[0], strict=True):
                for part in (c.share, f"{c.share}_norm"):
                    setattr(later, part, getattr(first, part))
        self.groups = nn.ModuleList(map(nn.ModuleList, groups))

    @property
    def layers(self) -> list[nn.Module]:  # type: ignore[override]
        """The blocks in the order in which they are applied, each as often as it is."""
        groups = [self.groups[i * len(self.groups) // self.n_layers] for i in range(self.n_layers)]
        return [block for group in groups for block in cast(nn.ModuleList, group)]

    def encode(self, x, attention_mask, taps):
        return super().encode(tap(taps, "embeddings.projected", self.project(x)), attention_mask, taps)


class Albert(Bert):
    """A body with any of the heads `pooler`, `mlm`, `pair` (SOP), `sequence`, `token`, `span`."""

    config_class = AlbertConfig
    body_class = AlbertBody
    config: AlbertConfig

    def __init__(self, config, heads=("mlm", "pair"), n_labels=2):
        super().__init__(config, heads, n_labels)
        self.dropout = Dropout(config.classifier_dropout)
        if "pair" in heads:
            self.pair_head = nn.Sequential(self.dropout, nn.Linear(config.d_model, 2))
