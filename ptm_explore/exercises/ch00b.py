"""Chapter 00b: pairs, merges, and the probability of a cut."""

import math

import torch

from .base import exercise, match, same


@exercise(
    "00b.pair",
    hint="go through the neighbours in each word and add the word's count, not 1, to theirs",
    done="Byte-pair encoding does nothing else: count, merge the winner, count again.",
)
def pair(answer):
    words = {tuple("hug"): 1, tuple("pug"): 1, tuple("hugs"): 1, tuple("pun"): 12, tuple("bun"): 4}
    mistakes = {
        "do you count each word once? `pun` occurs 12 times, so its pairs do, too": ("u", "g"),
        "is that pair right, but with its count? Return the pair alone": (("u", "n"), 16),
        "is that one piece? A pair is two neighbours, (left, right)": "u",
        "did you turn the pair round? The left piece comes first": ("n", "u"),
        "did you join them? Return the two pieces; the merge comes next": "un",
    }
    same(answer(dict(words)), ("u", "n"), mistakes, "the most frequent pair")


@exercise(
    "00b.merge",
    hint="walk from the left: where the two stand side by side, put them together and step over both",
    done="What was merged is one piece from now on, and may be merged again.",
)
def merge(answer):
    mistakes = {
        "did you stop after the first? Merge wherever the pair stands": ["b", "an", "a", "n", "a"],
        "did you keep the parts? The two pieces give way to one": ["b", "an", "a", "n", "an", "a", "n", "a"],
        "is that a text? Return a list of pieces": "banana",
        "nothing was merged. Do you compare both pieces, left and right?": list("banana"),
    }
    same(answer(list("banana"), ("a", "n")), ["b", "an", "an", "a"], mistakes, "what became of banana")
    overlap = "aaa with the pair (a, a): after a merge, step over both pieces. A piece is used once"
    same(answer(list("aaa"), ("a", "a")), ["aa", "a"], {overlap: ["aa", "aa"]}, "what became of aaa")


@exercise(
    "00b.cut",
    hint="pieces are drawn one after the other: probabilities multiply, so logarithms add",
    done="Of all cuts, Unigram takes the one where this is largest: few pieces, and frequent ones.",
)
def cut(answer):
    p = {"un": 0.02, "kind": 0.01, "ness": 0.03}
    logs = [math.log(value) for value in p.values()]
    mistakes = {
        "is that the probability itself? Take its logarithm": math.prod(p.values()),
        "do you add probabilities? They multiply; their logarithms add": math.log(sum(p.values())),
        "is that the mean? Each piece has its price, so more pieces cost more": sum(logs) / 3,
        "is 2 the base? Use the natural logarithm": sum(logs) / math.log(2),
        "where is the sign? The logarithm of a probability is negative": -sum(logs),
    }
    found = {question: torch.tensor(value) for question, value in mistakes.items()}
    match(answer(list(p), dict(p)), torch.tensor(sum(logs)), found, "the log-probability")
