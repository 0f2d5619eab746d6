"""Chapter 07: ALBERT. V vocabulary, E embedding size, D d_model."""

import torch
from torch import nn

from .base import exercise


@exercise("07.factorised", "the number of parameters", cases=[(700, 11, 52)], rtol=0)
def factorised(got, V, E, D):
    """a table with V rows of E numbers, and a matrix from E to D with a bias

    30,000 x 128 + 128 x 768 + 768: 3.9 million in place of 23.
    """
    yield (right := V * E + E * D + D)
    yield "is that the table before it was taken apart, V x D?", V * D
    yield "is the projection there? Tokens have E numbers and the body wants D", V * E
    yield "is the bias of the projection missing?", V * E + E * D
    yield "is the table E wide? The narrow side is the vocabulary's", V * D + E * D + D
    yield "is the bias as long as what comes out of the projection, D?", V * E + E * D + E
    off = float(got) - right
    yield f"close, but parameters can be counted exactly: {off:+g}", abs(off) < right / 1000


@exercise("07.shared")
def shared(answer):
    """call make_block once; the same object may stand in a list many times

    One set of parameters, applied n times: that is all of cross-layer sharing.
    """
    made: list[nn.Linear] = []

    def make_block() -> nn.Linear:
        made.append(nn.Linear(3, 3))
        return made[-1]

    layers = answer(make_block, 4)
    yield "your function returned None. Is a `return` missing?", layers is None
    yield f"return a list of blocks, not a {type(layers).__name__}", not hasattr(layers, "__len__")
    blocks = list(layers)
    yield "is each layer a block that was made?", not all(isinstance(block, nn.Module) for block in blocks)
    yield f"is a block there for each layer? {len(blocks)} came back, not 4", len(blocks) != 4
    places = {block.weight.data_ptr() for block in blocks}
    alike = all(torch.equal(block.weight, blocks[0].weight) for block in blocks)
    yield "are these copies? They begin alike, but each has its own gradient", len(places) > 1 and alike
    yield "is each layer a new block? Then nothing is shared: make one, use it n times", len(places) > 1
    yield f"{len(made)} blocks were made and one is used; the others are garbage", len(made) > 1


@exercise("07.ngrams", "the list of probabilities for N = {0}", cases=[(3,), (5,)])
def ngrams(got, N):
    """1, 1/2, 1/3, ... and then divide by their sum

    6/11, 3/11, 2/11 for up to three words: single words are still the most frequent.
    """
    n = torch.arange(1, N + 1)
    shares = lambda weights: weights / weights.sum()  # noqa: E731
    yield shares(1 / n)
    yield "do they add up to 1? Divide by their sum", 1 / n
    yield "are all lengths equally likely? Longer ones should be rarer", torch.full((N,), 1 / N)
    yield "is the order turned round? The first is of a single word", shares(1 / n).flip(0)
    yield "is that proportional to n? It should be to 1/n", shares(n)
    yield "are these halves of halves? 1/n, not 1/2^n", shares(0.5**n)
    yield "does counting begin at 0? The shortest has one word", shares(1 / (n + 1))
    yield "is there a softmax? Dividing by the sum is enough", (1 / n).softmax(0)
