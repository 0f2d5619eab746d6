"""Chapter 07: ALBERT. V vocabulary, E embedding size, D d_model."""

import torch
from torch import nn

from .base import exercise, match, require, tensor


@exercise(
    "07.factorised",
    hint="a table with V rows of E numbers, and a matrix from E to D with a bias",
    done="30,000 x 128 + 128 x 768 + 768: 3.9 million in place of 23.",
)
def factorised(answer):
    V, E, D = 700, 11, 52
    right = V * E + E * D + D
    mistakes = {
        "is that the table before it was taken apart, V x D?": V * D,
        "is the projection there? Tokens have E numbers and the body wants D": V * E,
        "is the bias of the projection missing?": V * E + E * D,
        "is the table E wide? The narrow side is the vocabulary's": V * D + E * D + D,
        "is the bias as long as what comes out of the projection, D?": V * E + E * D + E,
    }
    got = tensor(answer(V, E, D), "the number of parameters")
    match(got, torch.tensor(right), {q: torch.tensor(count) for q, count in mistakes.items()})
    require(got.item() == right, f"close, but parameters can be counted exactly: {got.item() - right:+g}")


@exercise(
    "07.shared",
    hint="call make_block once; the same object may stand in a list many times",
    done="One set of parameters, applied n times: that is all of cross-layer sharing.",
)
def shared(answer):
    made: list[nn.Linear] = []

    def make_block() -> nn.Linear:
        made.append(nn.Linear(3, 3))
        return made[-1]

    layers = answer(make_block, 4)
    require(layers is not None, "your function returned None. Is a `return` missing?")
    require(hasattr(layers, "__len__"), f"return a list of blocks, not a {type(layers).__name__}")
    blocks = list(layers)
    require(all(isinstance(block, nn.Module) for block in blocks), "is each layer a block that was made?")
    require(len(blocks) == 4, f"is a block there for each layer? {len(blocks)} came back, not 4")
    places = {block.weight.data_ptr() for block in blocks}  # type: ignore[union-attr, operator]
    copies = "are these copies? They begin alike and part with the first step: each has a gradient of its own"
    alike = all(torch.equal(block.weight, blocks[0].weight) for block in blocks)  # type: ignore[arg-type]
    require(len(places) == 1 or not alike, copies)
    require(len(places) == 1, "is each layer a new block? Then nothing is shared: make one, use it n times")
    require(len(made) == 1, f"{len(made)} blocks were made and one is used; the others are garbage")


@exercise(
    "07.ngrams",
    hint="1, 1/2, 1/3, ... and then divide by their sum",
    done="6/11, 3/11, 2/11 for up to three words: single words are still the most frequent.",
)
def ngrams(answer):
    for N in (3, 5):
        n = torch.arange(1, N + 1)
        weights = 1 / n
        match(
            tensor(answer(N), "the probabilities"),
            weights / weights.sum(),
            {
                "do they add up to 1? Divide by their sum": weights,
                "are all lengths equally likely? Longer ones should be rarer": torch.full((N,), 1 / N),
                "is the order turned round? The first is of a single word": (weights / weights.sum()).flip(0),
                "is that proportional to n? It should be to 1/n": n / n.sum(),
                "are these halves of halves? 1/n, not 1/2^n": 0.5**n / (0.5**n).sum(),
                "does counting begin at 0? The shortest has one word": (1 / (n + 1)) / (1 / (n + 1)).sum(),
                "is there a softmax? Dividing by the sum is enough": weights.softmax(0),
            },
            f"the list for N = {N}",
        )
