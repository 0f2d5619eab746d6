"""Recipes: a body, its objectives, a tokenizer and a schedule, under one name.

The mini recipes share a shape so that they can be compared; the papers' recipes keep the papers' numbers
(for counting parameters, FLOPs and days; nobody trains them on a laptop).
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import torch

from ptm_explore.errors import unknown
from ptm_explore.models import albert, bert, electra, gpt, roberta, xlnet
from ptm_explore.models.network import Config, Network
from ptm_explore.text.styles import STYLES

_MODULES = (bert, roberta, albert, electra, xlnet, gpt)
_KINDS = (bert.Bert, roberta.Roberta, albert.Albert, electra.Electra, xlnet.Xlnet, gpt.Gpt)
FAMILIES: dict[str, type[Network]] = {kind.__name__.lower(): kind for kind in _KINDS}


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
    data: str = "any"  # that the paper trained on

    def build(self, heads=None, device="cpu", seed: int | None = None) -> Network:
        """The untrained network; on the `meta` device it costs no memory, which is enough for counting."""
        return build(self.family, self.config, heads or self.heads, device=device, seed=seed)

    @property
    def heads(self) -> tuple[str, ...]:
        """The heads that the objectives need."""
        return tuple(head for objective in self.objectives for head in HEADS_OF[objective].split())

    @property
    def parameters(self) -> int:
        """Parameters of the body and the pre-training heads, tied ones counted once."""
        return count_parameters(self.build(device="meta"))

    def flops_per_token(self, length: int | None = None) -> float:
        """Floating-point operations of one forward pass per token, matrix products only (a multiply and an
        add are two). Training costs three times as much: one pass forward, two of that size backward."""
        name, options = next(iter(self.objectives.items()))
        # the share of tokens that are predicted from the vocabulary
        predicted = {"clm": 1.0, "plm": 1 / options.get("K", 6)}.get(name, options.get("rate", 0.15))
        return self.config.flops_per_token(length or self.schedule.length, predicted)


HEADS_OF = {"mlm": "mlm", "nsp": "pair", "sop": "pair", "clm": "lm", "plm": "lm", "rtd": "rtd generator"}


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


# where a name has no schedule of its own, the family's
PAPERS = {
    "bert": Schedule(512, 256, 1e-4, 0.01, "linear", 0.01, (0.9, 0.999), 1e-6, 1.0, 1_000_000),
    "roberta": Schedule(512, 8192, 6e-4, 0.048, "linear", 0.01, (0.9, 0.98), 1e-6, math.inf, 500_000),
    "albert": Schedule(512, 4096, 1.76e-3, 0.025, "linear", 0.01, (0.9, 0.999), 1e-6, 1.0, 125_000),  # LAMB
    "electra": Schedule(512, 256, 2e-4, 0.013, "linear", 0.01, (0.9, 0.999), 1e-6, 1.0, 766_000),
    "xlnet": Schedule(512, 8192, 4e-4, 0.08, "linear", 0.01, (0.9, 0.999), 1e-6, 1.0, 500_000),
    "gpt": Schedule(1024, 512, 2.5e-4, 0.01, "cosine", 0.01, (0.9, 0.999), 1e-8, 1.0, None),  # lr a guess
    "gpt1": Schedule(512, 64, 2.5e-4, 0.01, "cosine", 0.01, (0.9, 0.999), 1e-8, 1.0, None),
}
PAPERS |= {
    "roberta-large": replace(PAPERS["roberta"], lr=4e-4, warmup=0.06),
    "electra-small": replace(PAPERS["electra"], length=128, batch=128, lr=5e-4, warmup=0.01, steps=1_000_000),
    "electra-large": replace(PAPERS["electra"], batch=2048, warmup=0.025, steps=400_000),
    # of the paper's comparison with BERT; the released model's is not published
    "xlnet-base": PAPERS["bert"],
}
_DATA = {
    "BooksCorpus, Wikipedia (16 GB)": "bert albert electra xlnet-base",
    "Books, Wikipedia, CC-News, OpenWebText, Stories (160 GB)": "roberta",
    "Books, Wikipedia, Giga5, ClueWeb, Common Crawl (33 B word pieces)": "xlnet",
    "XLNet's (33 B word pieces)": "electra-large",
    "WebText (40 GB)": "gpt",
    "BooksCorpus (7,000 books)": "gpt1",
}
DATA = {name: data for data, names in _DATA.items() for name in names.split()}

# what a family is trained with: objectives, and whose tokenizer
_WAYS: dict[str, tuple[dict[str, dict], str]] = {
    "bert": ({"mlm": {}, "nsp": {}}, "bert"),
    "roberta": ({"mlm": {"full_sentences": True}}, "roberta"),
    "albert": ({"mlm": {"units": "ngrams"}, "sop": {}}, "albert"),
    "electra": ({"rtd": {}}, "bert"),
    "xlnet": ({"plm": {}}, "xlnet"),
    "gpt": ({"clm": {}}, "gpt2"),
}
_MINI: dict[str, Any] = {"vocab_size": 4096, "d_model": 128, "n_layers": 2, "n_heads": 4, "d_ff": 512}
_MINI |= {"max_len": 512, "dropout": 0.0, "attention_dropout": 0.0}
# the shape of bert-small, where a paper has no small model
_SMALL: dict[str, Any] = {"d_model": 512, "n_layers": 4, "n_heads": 8, "d_ff": 2048}

_ALBERT = albert.AlbertConfig(**_MINI, d_embedding=64, classifier_dropout=0.0)
_HALVED = electra.ElectraConfig(**_MINI, d_embedding=128, generator_size=0.5)

# name -> what differs from the family's way; at most 1.8 million parameters each
MINIS: dict[str, tuple[Config, dict]] = {
    "bert-mini": (bert.BertConfig(**_MINI), {"objectives": {"mlm": {}}}),
    "bert-mini-nsp": (bert.BertConfig(**_MINI), {}),
    "gpt-mini": (gpt.GptConfig(**_MINI), {}),
    "roberta-mini": (roberta.RobertaConfig(**_MINI), {}),
    # single tokens: n-grams cost it half of what it learns in a minute (3.2 against 5.4 times the unigram)
    "albert-mini": (_ALBERT, {"objectives": {"mlm": {}}}),
    "albert-mini-sop": (_ALBERT, {}),
    # faster, and the discriminator learns the majority and no more. The paper's weight of 50 lets it rule
    # the embeddings that both share: after 1,150 steps on the world the generator guesses 3.1 times the
    # unigram with 10, 2.5 with 50
    "electra-mini": (
        _HALVED,
        {"schedule": Schedule(lr=1e-3), "objectives": {"rtd": {"discriminator": 10.0}}},
    ),
    "xlnet-mini": (xlnet.XlnetConfig(**_MINI), {}),
}


def _recipe(name: str, family: str, config: Config, **changes: Any) -> Recipe:
    objectives, style = _WAYS[family]
    way: dict[str, Any] = {"objectives": objectives, "tokenizer": STYLES[style].kind, "style": style}
    return Recipe(name, family, config, **way | {"lowercase": STYLES[style].lowercase} | changes)


def _all() -> Iterator[Recipe]:
    for name, (config, changes) in MINIS.items():
        yield _recipe(name, name.split("-")[0], config, start="warm", **changes)
    for family, module in zip(FAMILIES, _MODULES, strict=True):
        small: dict[str, Config] = {f"{family}-small": FAMILIES[family].config_class(**_SMALL)}
        for name, config in (small | module.PRESETS).items():
            schedule = PAPERS.get(name, PAPERS[family])
            schedule = replace(schedule, length=min(schedule.length, config.max_len))
            yield _recipe(name, family, config, schedule=schedule, data=DATA.get(name, DATA[family]))


RECIPES = {found.name: found for found in _all()}


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
        where = next((part for part in parts if key in parts[part].__dataclass_fields__), None)
        if where is None:
            fields = [f for part in parts.values() for f in part.__dataclass_fields__]
            raise unknown(f"setting of recipe {found.name}:", key, fields)
        parts[where] = replace(parts[where], **{key: value})
    return replace(parts["recipe"], config=parts["config"], schedule=parts["schedule"])
