"""Chapter 01: rare words, unseen runs, and company."""

import math

import torch

from .base import exercise, match


def _value(got: object, right: float, mistakes: dict[str, float], what: str) -> None:
    match(got, torch.tensor(right), {q: torch.tensor(value) for q, value in mistakes.items()}, what)


@exercise(
    "01.idf",
    hint="a word in every text says nothing: log(1) = 0. What fraction is 1 there?",
    done="In every text: 0. In one of a thousand: 6.9. Rare words speak.",
)
def idf(answer):
    mistakes = {
        "did you turn the fraction round? A rare word must weigh more": math.log(5 / 1000),
        "did you forget the logarithm?": 1000 / 5,
        "is 10 the base? Use the natural logarithm": math.log10(1000 / 5),
        "is 2 the base? Use the natural logarithm": math.log2(1000 / 5),
        "is that the share of texts? It has to be turned round, and its logarithm taken": 5 / 1000,
    }
    _value(answer(1000, 5), math.log(1000 / 5), mistakes, "the weight of a word in 5 of 1,000 texts")


@exercise(
    "01.add_one",
    hint="every word of the vocabulary gets one more, so the total grows by V",
    done="Nothing is impossible any more, and everything sums to 1.",
)
def add_one(answer):
    mistakes = {
        "is that without smoothing? Pretend to have seen each word once more": 3 / 20,
        "what do all words sum to? The total grew, too: by one for each word of the vocabulary": 4 / 20,
        "did the total grow by 1 only? Each of the V words was counted once more": 4 / 21,
        "did only the total grow? The count of the word grows as well": 3 / 120,
    }
    _value(answer(3, 20, 100), 4 / 120, mistakes, "the probability of a word seen 3 times of 20, V = 100")
    _value(answer(0, 0, 100), 1 / 100, {}, "the probability after a context that was never seen")


@exercise(
    "01.pmi",
    hint="how often they met, over how often they would by chance: n(a) n(b) / n",
    done="0 for strangers, more for company; negative values are set to 0, for want of data to trust them.",
)
def pmi(answer):
    mistakes = {
        "did you forget the logarithm?": 8 * 1000 / (40 * 50),
        "is 2 the base? Use the natural logarithm": math.log2(8 * 1000 / (40 * 50)),
        "where is n? By chance they would meet n(a) n(b) / n times": math.log(8 / (40 * 50)),
        "did you turn the fraction round?": -math.log(8 * 1000 / (40 * 50)),
        "is that p(b | a)? Compare it with how frequent b is anyway": math.log(8 / 40),
    }
    right = math.log(8 * 1000 / (40 * 50))
    _value(answer(8, 40, 50, 1000), right, mistakes, "the PMI of two words that met 8 times")
