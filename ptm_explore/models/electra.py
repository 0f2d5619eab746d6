"""ELECTRA (Clark et al. 2020, arXiv 2003.10555): an encoder that tells which tokens were replaced.

What changed: a small generator, a masked language model, fills the masks with tokens it draws; the model
itself, the discriminator, says of every token whether it is the original. Both learn at once, each by its
own loss: no gradient passes through the drawn tokens, and nothing is adversarial. They share the embeddings
of the discriminator's size, which the generator projects to its own. There is no pooler.

B batch, T tokens, E embedding size, D d_model, N predicted positions
"""

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass, replace

import torch
from torch import nn

from ptm_explore.errors import PtmError
from ptm_explore.layers.taps import at as scope
from ptm_explore.layers.taps import tap
from ptm_explore.models.bert import Bert, BertBody, BertConfig
from ptm_explore.models.heads import ClassificationHead, Output, select
from ptm_explore.models.network import LARGE, Network


@dataclass(frozen=True)
class ElectraConfig(BertConfig):
    d_embedding: int = 768
    generator_size: float = 1 / 3  # of the discriminator's width, heads and feed-forward
    tied: bool = True  # generator and discriminator share all embeddings and their norm

    def __post_init__(self):
        if not 0 < self.generator_size <= 1:
            advice = "give a fraction above 0 and at most 1 (the paper's best are 1/4 to 1/2)"
            raise PtmError(
                f"a generator of {self.generator_size:g} times the discriminator's width; {advice}"
            )

    @property
    def generator(self) -> "ElectraConfig":
        """Of the generator by itself: as deep, narrower, with heads of the same size, at least one."""
        width, n_heads = self.d_model * self.generator_size, max(1, round(self.n_heads * self.generator_size))
        if abs(width - round(width)) > 1e-6 or round(width) % n_heads:
            size = f"generator_size={self.generator_size:g} of d_model={self.d_model}"
            advice = "give a fraction that makes a multiple of the heads"
            raise PtmError(f"{size} makes {width:g} dimensions for {n_heads} heads; {advice}")
        d_ff = round(self.d_ff * self.generator_size)
        return replace(self, d_model=round(width), n_heads=n_heads, d_ff=d_ff, generator_size=1.0)

    def flops_per_token(self, length: int, predicted: float) -> float:
        """Of generator and discriminator together; the discriminator judges every token."""
        g, E = self.generator, self.d_embedding
        body = self.n_layers * (self.layer_flops(length) + g.layer_flops(length))
        projections = sum(2 * E * d for d in (self.d_model, g.d_model) if d != E)
        heads = 2 * (self.d_model**2 + self.d_model) + predicted * 2 * E * (g.d_model + self.vocab_size)
        return body + projections + heads


PRESETS = {
    "electra-small": ElectraConfig(d_model=256, n_heads=4, d_ff=1024, d_embedding=128, generator_size=1 / 4),
    "electra-base": ElectraConfig(),
    "electra-large": ElectraConfig(**LARGE, d_embedding=1024, generator_size=1 / 4),
}


class ElectraBody(BertBody):
    """BERT's, on embeddings that may be narrower than it is."""

    def __init__(self, config: ElectraConfig):
        super().__init__(config)
        narrow = config.d_embedding != config.d_model
        self.project = nn.Linear(config.d_embedding, config.d_model) if narrow else nn.Identity()

    def encode(self, x, attention_mask, taps):
        return super().encode(tap(taps, "embeddings.projected", self.project(x)), attention_mask, taps)


class Electra(Bert):
    """A body with any of the heads `rtd` (discriminator), `mlm` (a generator by itself), `sequence` (on
    [CLS]), `token`, `span`; and, for pre-training, beside it a `generator`."""

    config_class = ElectraConfig
    body_class = ElectraBody
    pooled = frozenset()
    classifier = "gelu"
    config: ElectraConfig
    body: ElectraBody

    def __init__(self, config: ElectraConfig, heads: Sequence[str] = ("rtd", "generator"), n_labels: int = 2):
        super().__init__(config, heads, n_labels)
        rtd_head = ClassificationHead(config.d_model, 1, config.activation, dropout=0.0)
        self.rtd_head = rtd_head if "rtd" in heads else None
        self.generator = Electra(config.generator, ("mlm",)) if "generator" in heads else None
        if self.generator is not None and config.tied:
            del self.generator.body.embeddings  # a tied table is registered once, with the discriminator

    def forward(self, input_ids, attention_mask=None, segment_ids=None, at=None, taps=None) -> Output:
        out = super().forward(input_ids, attention_mask, segment_ids, at, taps)
        if self.rtd_head is not None:
            out.replaced_logits = tap(taps, "replaced", self.rtd_head(out.hidden).squeeze(-1))
        return out

    def propose(self, input_ids, attention_mask=None, segment_ids=None, at=None, taps=None) -> Output:
        """What the generator makes of a text with masks: its logits at `at`, or everywhere. It is given what
        `forward` is."""
        g = self.generator
        if g is None or g.head is None:
            advice = "load the folder that holds both, or open the generator's own checkpoint"
            raise PtmError(
                f"this network (heads: {', '.join(self.heads)}) came without its generator; {advice}"
            )
        taps = scope(taps, "generator")
        embeddings = (self if self.config.tied else g).body.embeddings
        x = embeddings(input_ids, segment_ids, scope(taps, "embeddings"))
        hidden = g.body.encode(x, attention_mask, taps)
        features = tap(taps, "transform", g.head(select(hidden, at)))
        out = Output(hidden, features, (embeddings.tokens.weight, g.head.bias))
        out.tap_logits(taps)
        return out

    def predict(self, input_ids, hidden, at, mask_id, attention_mask=None, segment_ids=None):
        if self.head is not None:
            return super().predict(input_ids, hidden, at, mask_id, attention_mask, segment_ids)
        return self.propose(input_ids.masked_fill(hidden, mask_id), attention_mask, segment_ids, at).logits

    def companion(self) -> "Electra | None":
        """The generator as a network of its own, with a copy of the embeddings."""
        if self.generator is None:
            return None
        alone = deepcopy(self.generator)
        alone.body.embeddings = deepcopy(self.body.embeddings if self.config.tied else alone.body.embeddings)
        return alone

    def joined(self, companion: Network) -> "Electra":
        """Discriminator and generator as one network, tied if their embeddings are equal."""
        size = companion.config.d_model / self.config.d_model
        mine, other = self.body.embeddings.state_dict(), companion.body.embeddings.state_dict()
        tied = all(torch.equal(mine[name], other[name]) for name in mine)
        both = Electra(replace(self.config, generator_size=size, tied=tied), (*self.heads, "generator"))
        weights = {f"generator.{name}": tensor for name, tensor in companion.state_dict().items()}
        weights |= self.state_dict()
        both.load_state_dict({name: weights[name] for name in both.state_dict()})
        return both
