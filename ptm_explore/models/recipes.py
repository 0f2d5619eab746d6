"""Recipes: a body, its objectives, a tokenizer and a schedule, under one name.

The mini recipes share a shape so that they can be compared; the papers' recipes keep the papers' numbers
(for counting parameters, FLOPs and days; nobody trains them on a laptop).
"""

from dataclasses import dataclass, field, replace
from typing import Any

import torch

from ptm_explore.errors import unknown
from ptm_explore.models import bert, gpt
from ptm_explore.models.network import Config, Network

FAMILIES: dict[str, type[Network]] = {"bert": bert.Bert, "gpt": gpt.Gpt}


@dataclass(frozen=True)
class Schedule:
    """How long rows are, how many make a step, and how fast to learn."""

    length: int = 32  # tokens in a row
    batch: int = 32  # rows in an optimiser step
    lr: float = 2e-3  # peak
    warmup: float = 0.06  # share of the budget spent warming up
    decay: str = "linear"  # or "cosine"; to zero
    weight_decay: float = 0.01  # not on biases, norms and other vectors
    betas: tuple[float, float] = (0.9, 0.98)
    eps: float = 1e-6
    clip: float = 1.0  # of the gradient's global norm
    steps: int | None = None  # of the paper


@dataclass(frozen=True)
class Recipe:
    name: str
    family: str
    config: Config
    objectives: dict[str, dict] = field(default_factory=dict)  # name -> options, "weight" among them
    tokenizer: str = "wordpiece"
    style: str = "bert"  # whose special tokens
    lowercase: bool = True
    schedule: Schedule = Schedule()
    start: str = "cold"  # or "warm": training/start.py

    def build(self, heads=None, device="cpu", seed: int | None = None) -> Network:
        """The untrained network; on the `meta` device it costs no memory, which is enough for counting."""
        return build(self.family, self.config, heads or self.heads, device=device, seed=seed)

    @property
    def heads(self) -> tuple[str, ...]:
        """The heads that the objectives need."""
        return tuple(HEAD_OF[objective] for objective in self.objectives)

    @property
    def parameters(self) -> int:
        """Parameters of the body and the pre-training heads, tied ones counted once."""
        return count_parameters(self.build(device="meta"))

    def flops_per_token(self, length: int | None = None) -> float:
        """Floating-point operations of one forward pass per token, matrix products only (a multiply and an
        add are two). Training costs three times as much: one pass forward, two of that size backward."""
        return flops_per_token(self.config, length or self.schedule.length, self._predicted)

    @property
    def _predicted(self) -> float:
        """The share of positions with logits."""
        return self.objectives["mlm"].get("rate", 0.15) if "mlm" in self.objectives else 1.0


HEAD_OF = {"mlm": "mlm", "nsp": "pair", "clm": "lm"}


def build(family: str, config, heads, n_labels: int = 2, device="cpu", seed: int | None = None) -> Network:
    """A network of a family, its weights drawn from `seed` (not set at all without one)."""
    if family not in FAMILIES:
        raise unknown("model family", family, FAMILIES)
    with torch.device("meta"):
        net = FAMILIES[family](config, heads, n_labels)
    if str(device) == "meta":
        return net
    net = net.to_empty(device="cpu")
    if seed is not None:
        net.initialise(torch.Generator().manual_seed(seed))
    return net.to(device)


def count_parameters(net: torch.nn.Module) -> int:
    """Each parameter once, however many places share it."""
    return sum(parameter.numel() for parameter in net.parameters())


def flops_per_token(config, length: int, predicted: float = 1.0) -> float:
    """Forward pass, per token of a row of `length`: projections, attention, feed-forward, and the head's
    product with the vocabulary at the share `predicted` of positions. Causal attention counts whole rows:
    the kernels skip the upper triangle, but papers do not."""
    D, F, L, V = config.d_model, config.d_ff, config.n_layers, config.vocab_size
    block = 2 * (4 * D * D + 2 * D * F) + 4 * length * D
    transform = 0 if isinstance(config, gpt.GptConfig) else 2 * D * D
    return L * block + predicted * (2 * D * V + transform)


MINI = Schedule()
BERT_PAPER = Schedule(512, 256, 1e-4, 0.01, "linear", 0.01, (0.9, 0.999), 1e-6, 1.0, 1_000_000)
GPT2_PAPER = Schedule(1024, 512, 2.5e-4, 0.01, "cosine", 0.01, (0.9, 0.999), 1e-8, 1.0, None)

_bert_mini = bert.BertConfig(4096, 128, 2, 4, 512, 512, dropout=0.0, attention_dropout=0.0)
_gpt_mini = gpt.GptConfig(4096, 128, 2, 4, 512, 512, dropout=0.0, attention_dropout=0.0)
_pair: dict[str, dict] = {"mlm": {}, "nsp": {}}

RECIPES = {
    recipe.name: recipe
    for recipe in (
        Recipe("bert-mini", "bert", _bert_mini, {"mlm": {}}, schedule=MINI, start="warm"),
        Recipe("bert-mini-nsp", "bert", _bert_mini, _pair, schedule=MINI, start="warm"),
        Recipe("gpt-mini", "gpt", _gpt_mini, {"clm": {}}, "bpe", "gpt2", False, MINI, "warm"),
        *(Recipe(name, "bert", config, _pair, schedule=BERT_PAPER) for name, config in bert.PRESETS.items()),
        *(
            Recipe(
                name,
                "gpt",
                config,
                {"clm": {}},
                "bpe",
                "gpt2",
                False,
                replace(GPT2_PAPER, length=config.max_len),
            )
            for name, config in gpt.PRESETS.items()
        ),
    )
}


def recipe(name: "str | Recipe", **changes) -> Recipe:
    """The recipe of that name, with fields of it, its config or its schedule changed.

    >>> recipe("bert-mini", n_layers=4, length=64).config.n_layers
    4
    """
    if not isinstance(name, Recipe) and name not in RECIPES:
        raise unknown("recipe", name, RECIPES, "See ptm.recipes().")
    found = name if isinstance(name, Recipe) else RECIPES[name]
    parts: dict[str, Any] = {"config": found.config, "schedule": found.schedule, "recipe": found}
    for key, value in changes.items():
        where = next((part for part in parts if hasattr(parts[part], key)), None)
        if where is None:
            fields = [f for part in parts.values() for f in part.__dataclass_fields__]
            raise unknown(f"setting of recipe {found.name}:", key, fields)
        parts[where] = replace(parts[where], **{key: value})
    return replace(parts["recipe"], config=parts["config"], schedule=parts["schedule"])
