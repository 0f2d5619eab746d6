"""GPT and GPT-2 (Radford et al. 2018, 2019): a decoder that reads left to right and predicts the next token.

The blocks are BERT's parts in another order (norms before, not after), no position sees its future, and
there is no head to speak of: logits are products with the token embeddings. GPT-1 is the same with BERT's
post-norm order and no norm at the end.

B batch, T tokens, S tokens with those in the cache, D d_model, V vocabulary, N predicted positions
"""

from collections.abc import Sequence
from dataclasses import dataclass

from jaxtyping import Bool, Float, Int
from torch import Generator, Tensor, nn

from ptm_explore.errors import PtmError
from ptm_explore.layers.attention import Cache
from ptm_explore.layers.blocks import PostNormBlock, PreNormBlock
from ptm_explore.layers.embeddings import Embeddings
from ptm_explore.layers.taps import Taps, at, tap
from ptm_explore.models.heads import Output, last_state, select
from ptm_explore.models.network import LARGE, Config, Network


@dataclass(frozen=True)
class GptConfig(Config):
    vocab_size: int = 50257
    max_len: int = 1024
    activation: str = "gelu_tanh"
    norm_eps: float = 1e-5
    pre_norm: bool = True  # False: GPT-1

    def head_flops(self) -> int:
        return 2 * self.d_model * self.vocab_size


PRESETS = {
    "gpt1": GptConfig(vocab_size=40478, max_len=512, pre_norm=False),
    "gpt2": GptConfig(),
    "gpt2-medium": GptConfig(**LARGE),
    "gpt2-large": GptConfig(d_model=1280, n_layers=36, n_heads=20, d_ff=5120),
    "gpt2-xl": GptConfig(d_model=1600, n_layers=48, n_heads=25, d_ff=6400),
}


class GptBody(nn.Module):
    """Embeddings, causal blocks, a last norm."""

    def __init__(self, config: GptConfig):
        super().__init__()
        c = config
        self.max_len = c.max_len
        self.embeddings = Embeddings(c.vocab_size, c.d_model, c.max_len, c.dropout)
        block = (c.d_model, c.n_heads, c.d_ff, c.dropout, c.attention_dropout, c.activation, c.norm_eps)
        kind = PreNormBlock if c.pre_norm else PostNormBlock
        self.layers = nn.ModuleList(kind(*block, causal=True) for _ in range(c.n_layers))
        self.norm = nn.LayerNorm(c.d_model, c.norm_eps) if c.pre_norm else nn.Identity()

    def forward(
        self,
        input_ids: Int[Tensor, "B T"],
        attention_mask: Bool[Tensor, "B S"] | None = None,
        segment_ids: Int[Tensor, "B T"] | None = None,  # taken and left: GPT has no segments
        taps: Taps | None = None,
        cache: Cache | None = None,
    ) -> Float[Tensor, "B T D"]:
        """States of the tokens given, which follow those in `cache` and are added to it. Positions are
        columns, padding included. `attention_mask` covers the cache too. PtmError beyond max_len."""
        past, T = 0 if cache is None else len(cache), input_ids.size(1)
        if past + T > self.max_len:
            raise PtmError(
                f"{past} tokens in the cache and {T} to read make {past + T}; this model reads "
                f"{self.max_len}. Begin a new Cache() with the last part of the text"
            )
        if attention_mask is not None and attention_mask.size(1) != past + T:
            raise PtmError(
                f"attention_mask covers {attention_mask.size(1)} tokens; give one value for each of "
                f"the {past} in the cache and the {T} to read"
            )
        x = self.embeddings(input_ids, taps=at(taps, "embeddings"), start=past)
        mask = None if attention_mask is None else attention_mask[:, None, None, :]  # (B, 1, 1, S)
        for i, layer in enumerate(self.layers):
            x = layer(x, mask, at(taps, f"layers.{i}"), None if cache is None else cache.at(i))
        return tap(taps, "hidden", self.norm(x))


class Gpt(Network):
    """A body with the head `lm`, or a task's: `sequence` (on each text's last token), `token`, `span`."""

    config_class = GptConfig
    config: GptConfig
    body: GptBody
    causal = True

    def __init__(self, config: GptConfig, heads: Sequence[str] = ("lm",), n_labels: int = 2):
        super().__init__(config, heads)
        self.body = GptBody(config)
        if self.task:
            outputs = 2 if self.task == "span" else n_labels
            self.task_head = nn.Linear(config.d_model, outputs, bias=self.task != "sequence")

    def forward(
        self,
        input_ids: Int[Tensor, "B T"],
        attention_mask: Bool[Tensor, "B S"] | None = None,
        segment_ids: Int[Tensor, "B T"] | None = None,
        at: Int[Tensor, "N"] | None = None,
        taps: Taps | None = None,
        cache: Cache | None = None,
    ) -> Output:
        """With `cache`, the ids are those that follow what it holds; `at` counts among them."""
        out = Output(self.body(input_ids, attention_mask, segment_ids, taps, cache))
        if "lm" in self.heads:
            out.features = select(out.hidden, at)
            out.decoder = (self.body.embeddings.tokens.weight, None)
            out.tap_logits(taps)
        if self.task:
            text = self.task == "sequence"
            out.task_logits = self.task_head(last_state(out.hidden, attention_mask) if text else out.hidden)
        return out

    def initialise(self, generator: Generator) -> None:
        """Normal with std 0.02; what a block adds to the residual stream starts smaller, by the root of
        the number of additions, so that its variance does not grow with depth (GPT-2, section 2.3)."""
        std = self.config.init_std
        for name, parameter in self.named_parameters():
            if parameter.dim() > 1:
                deep = name.endswith(("attention.out.weight", "ffn.down.weight")) and self.config.pre_norm
                shrink = (2 * self.config.n_layers) ** -0.5 if deep else 1.0
                nn.init.normal_(parameter, 0.0, std * shrink, generator)
            else:
                nn.init.constant_(parameter, 1.0 if name.endswith("norm.weight") else 0.0)
