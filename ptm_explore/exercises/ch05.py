"""Chapter 05: XLNet. T tokens, V vocabulary."""

import math

import torch

from .base import exercise, match, pair, require, tensor


@exercise(
    "05.query_mask",
    hint="give every token a rank: its place in the order, or -1 if it is not in it; then compare ranks",
    done="A prediction sees the context and what was predicted before it, and never its own token.",
)
def query_mask(answer):
    for order, T in (([3, 0, 4, 1, 2], 5), ([4, 2], 6)):
        rank = torch.full((T,), -1)
        rank[order] = torch.arange(len(order))
        asked, given = rank >= 0, (rank < 0).expand(T, T)
        earlier = rank[None, :] < rank[:, None]
        right = earlier & asked[:, None]
        got = tensor(answer(list(order), T), "the mask")
        require(got.shape == right.shape, f"the mask should be ({T}, {T}); it is {tuple(got.shape)}")
        require(got.dtype == torch.bool, f"make the mask boolean (True = may see); its type is {got.dtype}")
        swapped = torch.tensor([*order, *range(len(order), T)])  # what the order says, read as ranks
        itself = torch.eye(T, dtype=torch.bool)
        mistakes = {
            "may a prediction see its own token? Then it has nothing left to predict": [
                right | itself,
                right | itself & asked[:, None],
            ],
            "does the context stay hidden? Tokens outside the order are given from the start": [
                right & ~given,
            ],
            "is the order turned round, or the mask transposed? A row looks, at what was predicted before": [
                (given | (rank[None, :] > rank[:, None])) & asked[:, None],
                right.T,
            ],
            "order[0] is the position that is predicted first; did you read it as the rank of position 0?": [
                swapped[None, :] < swapped[:, None],
            ],
            "do rows of the context see something? Nothing is predicted there: leave them False": [
                earlier | (given & ~asked[:, None]),
                earlier | (given & ~asked[:, None] & ~itself),
            ],
        }
        for question, wrongs in mistakes.items():
            is_it = any(torch.equal(got, wrong) and not torch.equal(wrong, right) for wrong in wrongs)
            require(not is_it, question)
        match(got, right, {}, f"the mask for the order {order} of {T} tokens")


@exercise(
    "05.by_key",
    hint="the key at j stands i - j behind the query at i; which column holds the score of that distance?",
    done="One product for all distances, and a shift of each row by its own place: no (T, T, D) table.",
)
def by_key(answer):
    T = 4
    scores = torch.randn(T, 2 * T, generator=torch.Generator().manual_seed(0))
    i, j = torch.arange(T)[:, None], torch.arange(T)[None, :]
    at = lambda column: scores.gather(1, column.expand(T, T))  # noqa: E731
    match(
        answer(scores.clone()),
        at(T - i + j),
        {
            "does each row begin at its own place? Here a column is one distance for all": at(j + 0 * i),
            "is it off by one? Column 0 is distance T, so distance 0 is column T": at(T - 1 - i + j),
            "is the sign of the distance right? Keys before the query are behind it: i - j is positive": (
                at((T + i - j).clamp(max=2 * T - 1))
            ),
            "is it transposed? The query is the row": at(T - i + j).T,
        },
    )


@exercise(
    "05.bounds",
    hint="either half alone can be any of V symbols; once one half is known, the other is certain",
    done="2 ln V against ln V: the price of guessing two tokens as if they did not know of each other.",
    function=False,
)
def bounds(answer):
    got = [float(tensor(x, "each bound")) for x in pair(answer, "the masked model's bound and XLNet's")]
    nat = math.log(50)
    close = lambda *wanted: all(math.isclose(a, b, rel_tol=0.01) for a, b in zip(got, wanted, strict=True))  # noqa: E731
    if close(2 * nat, nat):
        return
    mistakes = {
        "are these bits? In nats the logarithm is the natural one": (2 * math.log2(50), math.log2(50)),
        "is it the other way round? The masked model cannot use one half for the other": (nat, 2 * nat),
        "is that for one token? The loss of both halves together is asked": (nat, nat / 2),
        "can the masked model use one half for the other? Both are hidden from it": (nat, nat),
        "is the second half still a riddle for XLNet, when it has seen the first?": (2 * nat, 2 * nat),
        "is the first half free for XLNet? It can be any of the 50": (2 * nat, 0.0),
    }
    for question, wrong in mistakes.items():
        require(not close(*wrong), question)
    require(False, f"{got[0]:.3f} and {got[1]:.3f} nats; how many symbols can the first half be, of 50?")
