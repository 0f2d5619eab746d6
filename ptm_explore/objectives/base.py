"""What an objective is, how several add up, and random draws that do not depend on batching.

B batch, T tokens, N predicted positions
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from ptm_explore.errors import PtmError
from ptm_explore.models.heads import Output
from ptm_explore.text.batches import Batch, Row, collate
from ptm_explore.text.store import Store
from ptm_explore.text.tokenizers import Tokenizer


@dataclass(frozen=True)
class Description:
    """What an objective does to one row, for figures. Targets stand where the states that predict them do."""

    objective: str
    original: Tensor  # (T,) long: the text
    seen: Tensor  # (T,) long: what the model gets to see of it
    targets: Tensor  # (T,) long: the token to be predicted, -1 where there is none
    loss: Tensor  # (T,) bool: positions whose last hidden state is judged
    visible: Tensor  # (T, T) bool: position i may see the token at j
    query: Tensor | None = None  # (T, T) bool: the prediction at i may see the token at j, where that differs
    order: Tensor | None = None  # (T,) long: when a token is predicted, from 0 on; -1: it is given
    label: int | None = None  # of the pair


@dataclass(frozen=True)
class Objective:
    """documents --arrange--> rows --corrupt--> what is seen and what is wanted --forward, loss--> a number.

    `counts` says, before the model runs, over how many predictions each loss is a sum. So a step spread
    over several batches or processes divides by what they predict together, and equals one large batch.
    What is wanted are the tokens `targets` at the positions `at`, unless a kind of objective says otherwise.
    """

    pairs: ClassVar[bool] = False  # whether it arranges rows as pairs of segments
    weight: float = 1.0

    @property
    def name(self) -> str:
        return type(self).__name__.lower()

    def arrange(
        self, store: Store, first: int, last: int, tokenizer: Tokenizer, length: int, rng: np.random.Generator
    ) -> Iterator[Row]:
        """Documents `first` to `last` of a store as rows of at most `length` tokens."""
        raise NotImplementedError

    def corrupt(self, batch: Batch, tokenizer: Tokenizer, seed: int) -> Batch:
        """The batch as the model gets to see it, with `at` and `targets` filled in. The given one stays as
        it is; the draws depend on `seed` and each row's number only."""
        return batch

    def forward(self, net: nn.Module, batch: Batch) -> Output:
        """One pass of the network over a corrupted batch."""
        return net(batch.input_ids, batch.attention_mask, batch.segment_ids, at=batch.at)

    def counts(self, batch: Batch) -> dict[str, int]:
        """name -> number of predictions that the loss of that name sums over."""
        assert batch.targets is not None  # `corrupt` filled them in
        return {self.name: len(batch.targets)}

    def loss(self, out: Output, batch: Batch) -> dict[str, Tensor]:
        """name -> sum over the predictions, in nats."""
        assert batch.targets is not None
        return {self.name: out.token_loss(batch.targets)}

    def correct(self, out: Output, batch: Batch) -> dict[str, Tensor]:
        """name -> how many of the predictions were right."""
        return {self.name: (out.logits.argmax(-1) == batch.targets).sum()}

    def weights(self) -> dict[str, float]:
        """name -> weight of that loss in the total."""
        return {self.name: self.weight}

    def scores(self, out: Output, batch: Batch) -> dict[str, Tensor]:
        """What `summary` needs to know of a held-out batch beyond loss and accuracy: name -> (n,) numbers."""
        return {}

    def summary(self, scores: Mapping[str, Tensor]) -> dict[str, float]:
        """Further held-out metrics, from the scores of all batches, joined."""
        return {}

    def headline(self, metrics: Mapping[str, Any]) -> str:
        """The held-out metrics that matter, in a few words; "" where `metrics` has none."""
        if (share := accuracy(metrics, self.name)) is None:
            return ""
        return f"{self.name} {100 * share:.0f} %" if self.pairs else f"held-out {100 * share:.1f} %"

    def concern(self, metrics: Mapping[str, Any]) -> str | None:
        """What is wrong with a training that ended with these metrics, if anything is, and what may help."""
        return None

    def describe(
        self, example: Row | Sequence[int], tokenizer: Tokenizer, seed: int = 0, net: nn.Module | None = None
    ) -> Description:
        """What it makes of one row, or of the ids (T,) of one text, in the draw that `seed` decides. Where
        what is shown depends on a network (rtd), that of `net`."""
        batch = collate([one_row(example, tokenizer)], tokenizer, [0])
        return self._described(batch, self.corrupt(batch, tokenizer, seed), net)

    def _described(self, batch: Batch, corrupted: Batch, net: nn.Module | None) -> Description:
        original = batch.input_ids[0]
        targets = torch.full_like(original, -1)
        if corrupted.at is not None and corrupted.targets is not None:
            targets[corrupted.at] = corrupted.targets
        everything = torch.ones(len(original), len(original), dtype=torch.bool)
        label = None if batch.pair_labels is None else int(batch.pair_labels[0])
        seen = corrupted.input_ids[0]
        return Description(self.name, original, seen, targets, targets >= 0, everything, label=label)


@dataclass(frozen=True)
class PairObjective(Objective):
    """One that asks for the label of two segments."""

    pairs: ClassVar[bool] = True

    def counts(self, batch):
        return {self.name: len(batch.pair_labels)}

    def loss(self, out, batch):
        return {self.name: cross_entropy(out.pair_logits.float(), batch.pair_labels, reduction="sum")}

    def correct(self, out, batch):
        return {self.name: (out.pair_logits.argmax(-1) == batch.pair_labels).sum()}

    def _described(self, batch, corrupted, net):
        found = super()._described(batch, corrupted, net)
        return replace(found, loss=torch.arange(len(found.loss)) == 0)  # the first token stands for the pair


class Together(Objective):
    """Objectives on one pass: one that asks for tokens and decides what is shown, one that arranges pairs."""

    parts: list[Objective]

    def __init__(self, parts: list[Objective]):
        for pairs, role in ((False, "says which tokens are asked for"), (True, "arranges the pairs")):
            rivals = [part.name for part in parts if part.pairs == pairs]
            if len(rivals) > 1:
                raise PtmError(f"{' and '.join(rivals)} do not go together: each {role}; choose one of them")
        # tokens before pairs, so that metrics without a name are those of the tokens
        object.__setattr__(self, "parts", sorted(parts, key=lambda part: part.pairs))

    def __repr__(self) -> str:
        return f"Together({', '.join(map(repr, self.parts))})"

    @property
    def name(self):
        return "+".join(part.name for part in self.parts)

    def arrange(self, store, first, last, tokenizer, length, rng):
        return self.parts[-1].arrange(store, first, last, tokenizer, length, rng)

    def corrupt(self, batch, tokenizer, seed):
        return self.parts[0].corrupt(batch, tokenizer, seed)

    def forward(self, net, batch):
        return self.parts[0].forward(net, batch)

    def counts(self, batch):
        return self._merge(part.counts(batch) for part in self.parts)

    def loss(self, out, batch):
        return self._merge(part.loss(out, batch) for part in self.parts)

    def correct(self, out, batch):
        return self._merge(part.correct(out, batch) for part in self.parts)

    def weights(self):
        return self._merge(part.weights() for part in self.parts)

    def scores(self, out, batch):
        return self.parts[0].scores(out, batch)

    def summary(self, scores):
        return self.parts[0].summary(scores)

    def headline(self, metrics):
        return ", ".join(filter(None, (part.headline(metrics) for part in self.parts)))

    def concern(self, metrics):
        return next(filter(None, (part.concern(metrics) for part in self.parts)), None)

    def _described(self, batch, corrupted, net):
        each = [part._described(batch, corrupted, net) for part in self.parts]
        return replace(each[0], objective=self.name, loss=torch.stack([one.loss for one in each]).any(0))

    @staticmethod
    def _merge(dicts):
        return {name: value for d in dicts for name, value in d.items()}


def accuracy(metrics: Mapping[str, Any], name: str) -> float | None:
    """The held-out accuracy of an objective; that of the first one, in a sum of several, bears no name."""
    return metrics.get(f"heldout_accuracy_{name}", metrics.get("heldout_accuracy"))


def one_row(example: Row | Sequence[int], tokenizer: Tokenizer) -> Row:
    """A row, or the ids of one text as a row; a `PtmError` if they are not that."""
    row = example if isinstance(example, Row) else Row(np.asarray(example))
    if row.ids.ndim != 1 or not len(row.ids) or row.ids.dtype.kind not in "iu":
        raise PtmError(f"give a row or token ids, as in tokenizer.encode(text).ids[0]; not {example!r}")
    tokenizer.tokens(row.ids)  # raises if there is no such token
    return row


def cut(noise: np.ndarray, weights: Sequence[float], stretch: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """(B, n) rows cut into consecutive units whose lengths 1, 2, ... are drawn by `weights`: where each one
    begins, if it takes `stretch` times its length, and the length. `noise` (B, n) in [0, 1) is the chance."""
    total = np.cumsum(weights)
    lengths = 1 + np.searchsorted(total / total[-1], noise, side="right")
    ends = stretch * np.cumsum(lengths, axis=1)
    return ends - stretch * lengths, lengths


@contextmanager
def no_gradient() -> Iterator[None]:
    """For a pass that comes before the one that learns. The weights that autocast has cast in it are dropped:
    older versions of PyTorch would use them again in the next pass, where they have no gradient."""
    with torch.no_grad():
        yield
    torch.clear_autocast_cache()


def uniform(seed: int, examples: Tensor | np.ndarray, n: int, draw: int) -> np.ndarray:
    """(B, n) numbers in [0, 1), a function of (seed, example, position, draw) alone.

    A counter-based generator (the finaliser of SplitMix64, Steele et al. 2014): a row gets the same numbers
    in whatever batch, process or resumed run it turns up. `draw` keeps independent draws apart."""
    examples = np.asarray(examples, dtype=np.uint64)[:, None]
    x = np.arange(n, dtype=np.uint64)[None] * np.uint64(0x9E3779B97F4A7C15)
    x = _mix(x + np.uint64((draw + 1) * 0xD1342543DE82EF95 % 2**64))
    x = _mix(x ^ _mix(examples + np.uint64((seed + 1) * 0xA0761D6478BD642F % 2**64)))
    return (x >> np.uint64(11)) * 2.0**-53


def _mix(x: np.ndarray) -> np.ndarray:
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))
