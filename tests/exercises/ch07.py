"""Right and wrong answers to the exercises of chapter 07, and what the checkers say to the wrong ones."""

from copy import deepcopy

import torch
from torch import nn


def shared(make_block, n):
    return [make_block()] * n


def ngrams(N):
    total = sum(1 / n for n in range(1, N + 1))
    return [1 / n / total for n in range(1, N + 1)]


def copied(make_block, n):
    block = make_block()
    return [deepcopy(block) for _ in range(n)]


def wasteful(make_block, n):
    blocks = [make_block() for _ in range(n)]
    return blocks[:1] * n


RIGHT = {"07.factorised": lambda V, E, D: V * E + E * D + D, "07.shared": shared, "07.ngrams": ngrams}


ALSO_RIGHT = [
    ("07.shared", lambda make, n: nn.ModuleList(shared(make, n))),
    ("07.shared", lambda make, n: tuple(shared(make, n))),
]
WRONG = [
    ("07.factorised", lambda V, E, D: V * D, "before it was taken apart"),
    ("07.factorised", lambda V, E, D: V * E, "is the projection there"),
    ("07.factorised", lambda V, E, D: V * E + E * D, "bias of the projection missing"),
    ("07.factorised", lambda V, E, D: V * D + E * D + D, "narrow side"),
    ("07.factorised", lambda V, E, D: V * E + E * D + E, "as long as"),
    ("07.factorised", lambda V, E, D: 1, "not right yet"),
    ("07.factorised", lambda V, E, D: V * E + E * D + D + 5, "exactly: +5"),
    ("07.shared", lambda make, n: [make() for _ in range(n)], "a new block"),
    ("07.shared", copied, "copies"),
    ("07.shared", wasteful, "garbage"),
    ("07.shared", lambda make, n: [make()], "1 came back"),
    ("07.shared", lambda make, n: make(), "return a list"),
    ("07.shared", lambda make, n: [make] * n, "a block that was made"),
    ("07.shared", lambda make, n: None, "return"),
    ("07.ngrams", lambda N: [1 / n for n in range(1, N + 1)], "add up to 1"),
    ("07.ngrams", lambda N: [1 / N] * N, "equally likely"),
    ("07.ngrams", lambda N: ngrams(N)[::-1], "turned round"),
    ("07.ngrams", lambda N: torch.arange(1, N + 1) / (N * (N + 1) / 2), "proportional to n"),
    ("07.ngrams", lambda N: torch.tensor([2.0**-n for n in range(N)]) / (2 - 2 * 2.0**-N), "halves"),
    ("07.ngrams", lambda N: torch.tensor(ngrams(N + 1))[1:] / sum(ngrams(N + 1)[1:]), "begin at 0"),
    ("07.ngrams", lambda N: (1 / torch.arange(1, N + 1)).softmax(0), "softmax"),
    ("07.ngrams", lambda N: ngrams(2), "shape"),
]
