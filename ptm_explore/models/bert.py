"""BERT (Devlin et al. 2019, arXiv 1810.04805): an encoder that reads both ways, trained on masked words.

Against the paper: GELU is the exact one of the Hugging Face checkpoints by default ("gelu_tanh" is the one
of Google's code), and the parts a checkpoint may lack (pooler and heads) are optional.

B batch, T tokens, D d_model, V vocabulary, N predicted positions
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from jaxtyping import Bool, Float, Int
from torch import Generator, Tensor, nn

from ptm_explore.layers.blocks import PostNormBlock
from ptm_explore.layers.dropout import Dropout
from ptm_explore.layers.embeddings import Embeddings
from ptm_explore.layers.taps import Taps, at, tap
from ptm_explore.models.heads import MlmHead, Output, Pooler, select
from ptm_explore.models.network import LARGE, Config, Network


@dataclass(frozen=True)
class BertConfig(Config):
    n_segments: int = 2  # sentence A and sentence B

    @property
    def d_embedding(self) -> int:
        """The size of a token's embedding: the body's own, which ALBERT and ELECTRA change."""
        return self.d_model


PRESETS = {
    "bert-base": BertConfig(),
    "bert-large": BertConfig(**LARGE),
    # Turc et al. 2019, "Well-read students": the small BERTs that Google released
    "bert-tiny": BertConfig(d_model=128, n_layers=2, n_heads=2, d_ff=512),
    "bert-small": BertConfig(d_model=512, n_layers=4, n_heads=8, d_ff=2048),
    "bert-medium": BertConfig(d_model=512, n_layers=8, n_heads=8, d_ff=2048),
}


class BertBody(nn.Module):
    """Embeddings and a stack of post-norm blocks."""

    def __init__(self, config: BertConfig):
        super().__init__()
        c = config
        self.embeddings = Embeddings(
            c.vocab_size, c.d_embedding, c.max_len, c.dropout, c.n_segments, c.norm_eps
        )
        block = (c.d_model, c.n_heads, c.d_ff, c.dropout, c.attention_dropout, c.activation, c.norm_eps)
        self.add_layers(config, block)

    def add_layers(self, config: Any, block: tuple) -> None:
        """The layers of the body; `block` are the arguments of each."""
        self.layers = nn.ModuleList(PostNormBlock(*block) for _ in range(config.n_layers))

    def forward(
        self,
        input_ids: Int[Tensor, "B T"],
        attention_mask: Bool[Tensor, "B T"] | None = None,
        segment_ids: Int[Tensor, "B T"] | None = None,
        taps: Taps | None = None,
    ) -> Float[Tensor, "B T D"]:
        x = self.embeddings(input_ids, segment_ids, at(taps, "embeddings"))
        return self.encode(x, attention_mask, taps)

    def encode(
        self, x: Float[Tensor, "B T D"], attention_mask: Bool[Tensor, "B T"] | None, taps: Taps | None
    ) -> Float[Tensor, "B T D"]:
        """Embedded tokens through all layers."""
        mask = None if attention_mask is None else attention_mask[:, None, None, :]  # (B, 1, 1, T)
        for i, layer in enumerate(self.layers):
            x = layer(x, mask, at(taps, f"layers.{i}"))
        return tap(taps, "hidden", x)


class Bert(Network):
    """A body with any of the heads `pooler`, `mlm`, `pair` (NSP), `sequence`, `token`, `span`."""

    config_class = BertConfig
    body_class: type[nn.Module] = BertBody
    pooled = frozenset({"pooler", "pair", "sequence"})  # the heads that read the pooled first token
    config: BertConfig
    body: Any  # of `body_class`

    def __init__(self, config: BertConfig, heads: Sequence[str] = ("mlm", "pair"), n_labels: int = 2):
        super().__init__(config, heads)
        c = config
        self.body = self.body_class(config)
        self.pooler = Pooler(c.d_model) if self.pooled & set(heads) else None
        head = (c.d_model, c.d_embedding, c.vocab_size, c.activation, c.norm_eps)
        self.head = MlmHead(*head) if "mlm" in heads else None
        self.pair_head: nn.Module | None = nn.Linear(c.d_model, 2) if "pair" in heads else None
        self.task_head = self.make_task_head(n_labels)
        self.dropout = Dropout(config.dropout)

    def forward(
        self,
        input_ids: Int[Tensor, "B T"],
        attention_mask: Bool[Tensor, "B T"] | None = None,
        segment_ids: Int[Tensor, "B T"] | None = None,
        at: Int[Tensor, "N"] | None = None,
        taps: Taps | None = None,
    ) -> Output:
        out = Output(self.body(input_ids, attention_mask, segment_ids, taps))
        pooled = None if self.pooler is None else tap(taps, "pooled", self.pooler(out.hidden))
        if self.head is not None:
            out.features = tap(taps, "transform", self.head(select(out.hidden, at)))
            out.decoder = (self.body.embeddings.tokens.weight, self.head.bias)
            out.tap_logits(taps)
        if self.pair_head is not None:
            out.pair_logits = self.pair_head(pooled)
        if self.task_head is not None:
            first = pooled if "sequence" in self.pooled else out.hidden[:, 0]
            out.task_logits = self.task_head(self.dropout(first if self.task == "sequence" else out.hidden))
        return out

    def initialise(self, generator: Generator) -> None:
        """The paper's start: weights normal with std 0.02 cut at two of them, biases 0, norms 1."""
        for name, parameter in self.named_parameters():
            if parameter.dim() > 1:
                std = self.config.init_std
                nn.init.trunc_normal_(parameter, 0.0, std, -2 * std, 2 * std, generator)
            else:
                nn.init.constant_(parameter, 1.0 if name.endswith("norm.weight") else 0.0)
