"""XLNet (Yang et al. 2019, arXiv 1906.08237): predict tokens one after the other, in any order.

Nothing is BERT's here. The input carries no positions; attention knows how far two tokens stand apart
(Transformer-XL, Dai et al. 2019). States of the text before can be handed on as memory. And there are two
streams with the same weights: the content stream, in which a position knows its own token, and the query
stream, which knows only where it stands, and so may predict what stands there from whatever it is allowed
to see.

Against the reference: a query that may see nothing gets nothing, where both reference implementations let it
attend to everything evenly, its own token included.

B batch, T tokens, N queries in a row, R = T + N rows of both streams, M memory, S = M + T keys,
D d_model, V vocabulary
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Generator, Tensor, nn

from ptm_explore.layers.blocks import FeedForward
from ptm_explore.layers.dropout import Dropout
from ptm_explore.layers.relative import RelativeAttention, Surroundings, distances, tap_streams
from ptm_explore.layers.taps import Taps
from ptm_explore.layers.taps import at as scope
from ptm_explore.models.heads import Output, last_state, select
from ptm_explore.models.network import LARGE, Config, Network


@dataclass(frozen=True)
class XlnetConfig(Config):
    vocab_size: int = 32000
    max_len: int = 4096  # no table ends here: what Model.encode cuts at
    clamp_len: int = -1  # distances beyond it count as it; -1: all are told apart

    def layer_flops(self, length: int) -> int:
        """Of the content stream alone: as a block of BERT, and a product with two lengths of distances."""
        return super().layer_flops(length) + 4 * length * self.d_model

    def head_flops(self) -> int:
        return 2 * self.d_model * self.vocab_size

    def flops_per_token(self, length: int, predicted: float) -> float:
        """A predicted token adds a row of the query stream, which needs no key and value of its own. (The
        projection of the distances, once a batch, is not counted.)"""
        content = self.layer_flops(length)
        query = content - 4 * self.d_model**2
        return self.n_layers * (content + predicted * query) + predicted * self.head_flops()


PRESETS = {"xlnet-base": XlnetConfig(), "xlnet-large": XlnetConfig(**LARGE)}


class XlnetBlock(nn.Module):
    """Relative attention and a feed-forward layer, each with a norm after its residual."""

    def __init__(self, config: XlnetConfig):
        super().__init__()
        self.attention = RelativeAttention(config.d_model, config.n_heads, config.attention_dropout)
        self.attention_norm = nn.LayerNorm(config.d_model, config.norm_eps)
        self.ffn = FeedForward(config.d_model, config.d_ff, config.activation, config.dropout)
        self.ffn_norm = nn.LayerNorm(config.d_model, config.norm_eps)
        self.dropout = Dropout(config.dropout)

    def forward(
        self, x: Float[Tensor, "B R D"], memory: Tensor | None, around: Surroundings, taps: Taps | None
    ) -> Float[Tensor, "B R D"]:
        attended = self.attention(x, memory, around, scope(taps, "attention"))
        x = tap_streams(taps, "mid", self.attention_norm(self.dropout(attended, onto=x)), around.n_content)
        x = self.ffn_norm(self.dropout(self.ffn(x, scope(taps, "ffn")), onto=x))
        return tap_streams(taps, "out", x, around.n_content)


class XlnetBody(nn.Module):
    """Token embeddings, one vector with which every query begins, and blocks."""

    def __init__(self, config: XlnetConfig):
        super().__init__()
        self.config = config
        self.tokens = nn.Embedding(config.vocab_size, config.d_model)
        self.query = nn.Parameter(torch.zeros(config.d_model))
        self.layers = nn.ModuleList(XlnetBlock(config) for _ in range(config.n_layers))
        self.dropout = Dropout(config.dropout)

    def forward(
        self, ids: Int[Tensor, "B T"], around: Surroundings, memory: list[Tensor] | None, keep: int, taps
    ) -> tuple[Float[Tensor, "B T D"], Float[Tensor, "B N D"], list[Tensor]]:
        """The last states of both streams, and of each layer's input the last `keep` states of content and
        memory, without gradient."""
        x = self.tokens(ids)
        if around.places is not None:
            x = torch.cat([x, self.query.expand(*around.places.shape, -1)], dim=1)
        x = tap_streams(scope(taps, "embeddings"), "out", self.dropout(x), around.n_content)
        around.distances = self.dropout(around.distances)
        kept = []
        for i, layer in enumerate(self.layers):
            before = None if memory is None else memory[i]
            if keep:
                content = x[:, : around.n_content].detach()
                kept.append((content if before is None else torch.cat([before, content], dim=1))[:, -keep:])
            x = layer(x, before, around, scope(taps, f"layers.{i}"))
        x = tap_streams(taps, "hidden", self.dropout(x), around.n_content)
        return x[:, : around.n_content], x[:, around.n_content :], kept


class Xlnet(Network):
    """A body with the head `lm`, or a task's: `sequence` (on the last token, <cls>), `token`, `span`."""

    config_class = XlnetConfig
    classifier = "tanh"
    config: XlnetConfig
    body: XlnetBody

    def __init__(self, config: XlnetConfig, heads: Sequence[str] = ("lm",), n_labels: int = 2):
        super().__init__(config, heads)
        self.body = XlnetBody(config)
        self.lm_bias = nn.Parameter(torch.zeros(config.vocab_size)) if "lm" in heads else None
        self.task_head = self.make_task_head(n_labels)

    def forward(
        self,
        input_ids: Int[Tensor, "B T"],
        attention_mask: Bool[Tensor, "B T"] | None = None,
        segment_ids: Int[Tensor, "B T"] | None = None,
        at: Int[Tensor, "N"] | None = None,
        taps: Taps | None = None,
        *,
        queries: Int[Tensor, "N"] | None = None,
        visible: Bool[Tensor, "B T T"] | None = None,
        memory: list[Tensor] | None = None,
        backward: Bool[Tensor, "B"] | None = None,
        keep: int = 0,
    ) -> Output:
        """With `queries`, sorted flat positions, the query stream predicts what stands there. Position i
        sees token j where visible[:, i, j]; in the content stream every position sees itself as well.
        `memory` holds states of the text before, visible to all; `keep` asks for so many states as memory
        for the text after. `backward` marks rows of reversed text."""
        B, T = input_ids.shape
        places, row, column = (None, None, None) if queries is None else _places(queries, B, T)
        past = 0 if memory is None else memory[0].size(1)
        relative = distances(T, past + T, self.config.clamp_len, self.body.query, both=backward is not None)
        turned = None if backward is None else backward.long()
        allowed = _visible(B, T, past, attention_mask, visible, places, input_ids.device)
        same = None if segment_ids is None else _same_segment(segment_ids, past, places)
        around = Surroundings(T, relative, turned, places, allowed, same)
        content, query, kept = self.body(input_ids, around, memory, keep, taps)
        out = Output(content, memory=kept or None)
        if self.lm_bias is not None:
            out.features = select(content, at) if queries is None else query[row, column]
            out.decoder = (self.body.tokens.weight, self.lm_bias)
            out.tap_logits(taps)
        if self.task_head is not None:
            text = self.task == "sequence"
            out.task_logits = self.task_head(last_state(content, attention_mask) if text else content)
        return out

    def predict(self, input_ids, hidden, at, mask_id, attention_mask=None, segment_ids=None):
        visible = ~hidden[:, None, :].expand(-1, hidden.size(1), -1)
        return self(input_ids, attention_mask, segment_ids, queries=at, visible=visible).logits

    def trace_options(self, n_tokens):
        """Every position asks by the query stream too, so that both streams are there."""
        return {"queries": torch.arange(n_tokens, device=self.body.query.device)}

    def initialise(self, generator: Generator) -> None:
        """Normal with std 0.02, the biases of attention and the query's start too; other biases 0, norms
        1."""
        for name, parameter in self.named_parameters():
            if name.endswith("norm.weight"):
                nn.init.ones_(parameter)
            elif name.endswith(("norm.bias", "up.bias", "down.bias", "lm_bias", "head.bias", "out.bias")):
                nn.init.zeros_(parameter)
            else:
                nn.init.normal_(parameter, 0.0, self.config.init_std, generator)


def _places(queries: Int[Tensor, "N"], B: int, T: int) -> tuple[Tensor, Tensor, Tensor]:
    """Flat positions as a padded table (B, N) of places in their rows, and each one's row and column in
    it."""
    row = queries // T
    counts = torch.bincount(row, minlength=B)
    column = torch.arange(len(queries), device=queries.device) - (counts.cumsum(0) - counts)[row]
    places = queries.new_zeros(B, int(counts.max()))
    places[row, column] = queries % T
    return places, row, column


def _visible(B, T, past, attention_mask, visible, places, device) -> Bool[Tensor, "B 1 R S"] | None:
    """Who may attend to which key: content rows to what is visible to them, and to themselves; queries to
    what is visible at their place, never to the token there; all to the memory."""
    if places is None and visible is None and attention_mask is None:
        return None
    itself = torch.eye(T, dtype=torch.bool, device=device)
    visible = torch.ones(B, T, T, dtype=torch.bool, device=device) if visible is None else visible
    visible = visible if attention_mask is None else visible & attention_mask[:, None, :]
    rows = visible | itself
    if places is not None:
        rows = torch.cat([rows, (visible & ~itself).gather(1, places[:, :, None].expand(-1, -1, T))], dim=1)
    return F.pad(rows, (past, 0), value=True)[:, None]


def _same_segment(segment_ids, past, places) -> Bool[Tensor, "B 1 R S"]:
    """Whether query and key are of one segment; memory counts as segment 0."""
    rows = segment_ids if places is None else torch.cat([segment_ids, segment_ids.gather(1, places)], dim=1)
    return (rows[:, :, None] == F.pad(segment_ids, (past, 0))[:, None, :])[:, None]
