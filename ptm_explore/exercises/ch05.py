"""Chapter 05: XLNet. T tokens, V vocabulary."""

import math

import torch

from .base import exercise

ORDERS = ([3, 0, 4, 1, 2], 5), ([4, 2], 6)


@exercise("05.query_mask", "the mask (True = may see) for the order {0} of {1} tokens", cases=ORDERS)
def query_mask(got, order, T):
    """give every token a rank: its place in the order, or -1 if it is not in it; then compare ranks

    A prediction sees the context and what was predicted before it, and never its own token.
    """
    rank = torch.full((T,), -1)
    rank[order] = torch.arange(len(order))
    asked, given = rank[:, None] >= 0, (rank < 0).expand(T, T)
    earlier, later = rank[None, :] < rank[:, None], rank[None, :] > rank[:, None]
    yield (right := earlier & asked)
    itself = torch.eye(T, dtype=torch.bool)
    yield "may a prediction see its own token? Nothing is left then", right | itself, right | itself & asked
    yield "does the context stay hidden? Tokens outside the order are given from the start", right & ~given
    turned = "is the order turned round, or the mask transposed? A row looks, at what came before it"
    yield turned, (given | later) & asked, right.T
    swapped = torch.tensor([*order, *range(len(order), T)])  # what the order says, read as ranks
    yield "order[0] is predicted first; did you read it as the rank of token 0?", swapped < swapped[:, None]
    for seen in (earlier | (given & ~asked), earlier | (given & ~asked & ~itself)):
        yield "do rows of the context see something? Nothing is predicted there: leave them False", seen


@exercise("05.by_key", "the result", cases=[(torch.randn(4, 8, generator=torch.Generator().manual_seed(0)),)])
def by_key(got, scores):
    """the key at j stands i - j behind the query at i; which column holds the score of that distance?

    One product for all distances, and a shift of each row by its own place: no (T, T, D) table.
    """
    T = len(scores)
    i, j = torch.arange(T)[:, None], torch.arange(T)[None, :]
    at = lambda column: scores.gather(1, column.expand(T, T))  # noqa: E731
    yield at(T - i + j)
    yield "does each row begin at its own place? Here a column is one distance for all", at(j)
    yield "is it off by one? Column 0 is distance T, so distance 0 is column T", at(T - 1 - i + j)
    yield "is the sign of the distance right? Behind is positive: i - j", at((T + i - j).clamp(max=2 * T - 1))
    yield "is it transposed? The query is the row", at(T - i + j).T


@exercise("05.bounds", "the masked model's bound", "XLNet's", value=True, rtol=0.01)
def bounds(answer):
    """either half alone can be any of V symbols; once one half is known, the other is certain

    2 ln V against ln V: the price of guessing two tokens as if they did not know of each other.
    """
    nat = math.log(50)
    yield 2 * nat, nat
    yield "are these bits? In nats the logarithm is the natural one", (2 * math.log2(50), math.log2(50))
    yield "is it the other way round? The masked model cannot use one half for the other", (nat, 2 * nat)
    yield "is that for one token? The loss of both halves together is asked", (nat, nat / 2)
    yield "can the masked model use one half for the other? Both are hidden from it", (nat, nat)
    yield "is the second half still a riddle for XLNet, when it has seen the first?", (2 * nat, 2 * nat)
    yield "is the first half free for XLNet? It can be any of the 50", (2 * nat, 0.0)
    a, b = map(float, answer)
    yield f"{a:.3f} and {b:.3f} nats; how many symbols can the first half be, of 50?", ...
