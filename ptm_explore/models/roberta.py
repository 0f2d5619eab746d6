"""RoBERTa (Liu et al. 2019, arXiv 1907.11692): BERT, trained longer, on more text, and on nothing but text.

The body is BERT's. What changed: byte-level BPE with 50,265 pieces, positions counted from the padding id on,
no segments and no sentence pairs, and a head for classification with a hidden layer in place of a pooler.
The rest is the recipe: masks drawn anew each time, full-length rows, large batches.

B batch, T tokens
"""

from dataclasses import dataclass

from jaxtyping import Int
from torch import Tensor

from ptm_explore.layers.embeddings import Embeddings
from ptm_explore.models.bert import Bert, BertBody, BertConfig
from ptm_explore.models.network import LARGE


@dataclass(frozen=True)
class RobertaConfig(BertConfig):
    vocab_size: int = 50265
    norm_eps: float = 1e-5
    n_segments: int = 1  # the table is there, with one row that is added to every token
    pad_id: int = 1  # the positions of tokens begin after it

    @property
    def reserved_positions(self) -> int:
        return self.pad_id + 1


PRESETS = {"roberta-base": RobertaConfig(), "roberta-large": RobertaConfig(**LARGE)}


class RobertaEmbeddings(Embeddings):
    """The position of a token is how many tokens stand before it, padding apart, plus pad_id + 1; padding has
    pad_id. So text reads the same whatever padding stands before it (fairseq's convention)."""

    def __init__(self, config: RobertaConfig):
        c = config
        rows = c.max_len + c.reserved_positions
        super().__init__(c.vocab_size, c.d_model, rows, c.dropout, c.n_segments, c.norm_eps)
        self.pad_id = c.pad_id

    def position_ids(self, input_ids: Int[Tensor, "B T"]) -> Int[Tensor, "B T"]:
        real = (input_ids != self.pad_id).long()
        return real.cumsum(1) * real + self.pad_id


class RobertaBody(BertBody):
    def __init__(self, config: RobertaConfig):
        super().__init__(config)
        self.embeddings = RobertaEmbeddings(config)

    def forward(self, input_ids, attention_mask=None, segment_ids=None, taps=None):
        segments = segment_ids if self.embeddings.segments.num_embeddings > 1 else None
        return super().forward(input_ids, attention_mask, segments, taps)


class Roberta(Bert):
    """A body with any of the heads `pooler`, `mlm`, `sequence` (on <s>), `token`, `span`."""

    config_class = RobertaConfig
    body_class = RobertaBody
    pooled = frozenset({"pooler"})
    classifier = "tanh"
    config: RobertaConfig
