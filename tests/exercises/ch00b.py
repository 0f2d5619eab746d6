"""Right and wrong answers to the exercises of chapter 00b, and what the checkers say to the wrong ones."""

import math
from collections import Counter
from itertools import pairwise


def pair(words):
    counts = Counter()
    for word, n in words.items():
        for two in pairwise(word):
            counts[two] += n
    return counts.most_common(1)[0][0]


def merge(pieces, two):
    found = []
    while pieces:
        joined = tuple(pieces[:2]) == two
        found.append("".join(pieces[: 1 + joined]))
        pieces = pieces[1 + joined :]
    return found


def overlapping(pieces, two):
    if pieces[0] == "b":
        return merge(pieces, two)
    return ["".join(p) for p in pairwise(pieces)]


def cut(pieces, p):
    return sum(math.log(p[piece]) for piece in pieces)


def once(words):
    return Counter(two for word in words for two in pairwise(word)).most_common(1)[0][0]


RIGHT = {"00b.pair": pair, "00b.merge": merge, "00b.cut": cut}
WRONG = [
    ("00b.pair", once, "count each word once"),
    ("00b.pair", lambda w: (pair(w), 16), "with its count"),
    ("00b.pair", lambda w: "u", "one piece"),
    ("00b.pair", lambda w: pair(w)[::-1], "turn the pair round"),
    ("00b.pair", lambda w: "".join(pair(w)), "did you join"),
    ("00b.pair", lambda w: ("p", "u"), "expected"),
    ("00b.pair", lambda w: None, "return"),
    ("00b.merge", lambda p, two: ["b", "an", "a", "n", "a"], "stop after the first"),
    ("00b.merge", lambda p, two: ["b", "an", "a", "n", "an", "a", "n", "a"], "keep the parts"),
    ("00b.merge", lambda p, two: "".join(p), "a text"),
    ("00b.merge", lambda p, two: p, "nothing was merged"),
    ("00b.merge", overlapping, "step over both"),
    ("00b.cut", lambda c, p: math.prod(p.values()), "probability itself"),
    ("00b.cut", lambda c, p: math.log(sum(p.values())), "add probabilities"),
    ("00b.cut", lambda c, p: cut(c, p) / 3, "the mean"),
    ("00b.cut", lambda c, p: cut(c, p) / math.log(2), "the base"),
    ("00b.cut", lambda c, p: -cut(c, p), "the sign"),
]
