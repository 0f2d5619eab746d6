"""What an objective is, how several add up, and random draws that do not depend on batching.

B batch, T tokens, N predicted positions
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from torch import Tensor, nn

from ptm_explore.models.heads import Output
from ptm_explore.text.batches import Batch, Row
from ptm_explore.text.store import Store
from ptm_explore.text.tokenizers import Tokenizer


@dataclass(frozen=True)
class Objective:
    """documents --arrange--> rows --corrupt--> what is seen and what is wanted --forward, loss--> a number.

    `counts` says, before the model runs, over how many predictions each loss is a sum. So a step spread
    over several batches or processes divides by what they predict together, and equals one large batch.
    """

    weight: float = 1.0

    def arrange(
        self, store: Store, first: int, last: int, tokenizer: Tokenizer, length: int, rng: np.random.Generator
    ) -> Iterator[Row]:
        """Documents `first` to `last` of a store as rows of at most `length` tokens."""
        raise TypeError(f"{type(self).__name__} arranges nothing by itself; combine it with one that does")

    def corrupt(self, batch: Batch, tokenizer: Tokenizer, seed: int) -> Batch:
        """The batch as the model gets to see it, with `at` and `targets` filled in. The given one stays as
        it is; the draws depend on `seed` and each row's number only."""
        return batch

    def forward(self, net: nn.Module, batch: Batch) -> Output:
        """One pass of the network over a corrupted batch."""
        return net(batch.input_ids, batch.attention_mask, batch.segment_ids, at=batch.at)

    def counts(self, batch: Batch) -> dict[str, int]:
        """name -> number of predictions that the loss of that name sums over."""
        raise NotImplementedError

    def loss(self, out: Output, batch: Batch) -> dict[str, Tensor]:
        """name -> sum over the predictions, in nats."""
        raise NotImplementedError

    def correct(self, out: Output, batch: Batch) -> dict[str, Tensor]:
        """name -> how many of the predictions were right."""
        raise NotImplementedError

    def weights(self) -> dict[str, float]:
        """name -> weight of that loss in the total."""
        return {type(self).__name__.lower(): self.weight}


@dataclass(frozen=True)
class TokenObjective(Objective):
    """One that asks for the tokens `targets` at the positions `at`."""

    def counts(self, batch):
        return dict.fromkeys(self.weights(), len(batch.targets))

    def loss(self, out, batch):
        return dict.fromkeys(self.weights(), out.token_loss(batch.targets))

    def correct(self, out, batch):
        return dict.fromkeys(self.weights(), (out.logits.argmax(-1) == batch.targets).sum())


class Together(Objective):
    """Several objectives on one pass. The first that asks for pairs of segments arranges the rows."""

    parts: list[Objective]

    def __init__(self, parts: list[Objective]):
        object.__setattr__(self, "parts", parts)

    def __repr__(self) -> str:
        return f"Together({', '.join(map(repr, self.parts))})"

    def arrange(self, store, first, last, tokenizer, length, rng):
        arranger = next((p for p in self.parts if getattr(p, "pairs", False)), self.parts[0])
        return arranger.arrange(store, first, last, tokenizer, length, rng)

    def corrupt(self, batch, tokenizer, seed):
        for part in self.parts:
            batch = part.corrupt(batch, tokenizer, seed)
        return batch

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

    @staticmethod
    def _merge(dicts):
        return {name: value for d in dicts for name, value in d.items()}


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
