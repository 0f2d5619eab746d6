"""Right and wrong answers to the exercises of chapter 06, and what the checkers say to the wrong ones."""

from collections import Counter
from itertools import pairwise

import torch


def positions(ids, pad_id):
    return torch.tensor([[pad_id if i == pad_id else n for i, n in _numbered(row, pad_id)] for row in ids])


def _numbered(row, pad_id):
    n = pad_id
    for i in row.tolist():
        n += i != pad_id
        yield i, n


def merge(words, most=max, times=lambda count: count, twice=True):
    pairs = Counter()
    for word, count in words.items():
        found = list(pairwise(word))
        for pair in found if twice else dict.fromkeys(found):
            pairs[pair] += times(count)
    return {joined(word, *most(pairs, key=pairs.get)): count for word, count in words.items()}


def joined(word, a, b):
    i, out = 0, []
    while i < len(word):
        n = 2 if word[i : i + 2] == (a, b) else 1
        out.append("".join(word[i : i + n]))
        i += n
    return tuple(out)


RIGHT = {"06.positions": positions, "06.merge": merge, "06.sequences": 16}
ALSO_RIGHT = [("06.sequences", 8000 * 500_000 / (256 * 1_000_000))]  # who takes 8K to be 8,000


def real(ids):
    return (ids != 1).long()


WRONG = [
    ("06.positions", lambda ids, p: torch.arange(2, 8).expand_as(ids), "padding counted"),
    ("06.positions", lambda ids, p: (real(ids).cumsum(1) - 1) * real(ids) + p, "start at pad_id + 1"),
    ("06.positions", lambda ids, p: real(ids).cumsum(1) * real(ids), "own id added"),
    ("06.positions", lambda ids, p: real(ids).cumsum(1) + p, "keep counting"),
    ("06.positions", lambda ids, p: torch.arange(6).expand_as(ids), "BERT's way"),
    ("06.positions", lambda ids, p: ids, "not right yet"),
    ("06.positions", lambda ids, p: positions(ids, 1), "for pad_id=7"),
    ("06.merge", lambda words: words, "did anything change"),
    ("06.merge", lambda words: merge(words, times=lambda count: 1), "as often as it occurs"),
    ("06.merge", lambda words: merge(words, twice=False), "twice in a word"),
    ("06.merge", lambda words: {("ew", "e", "w"): 4}, "spell what they did"),
    ("06.merge", lambda words: merge(words) | {("ew", "e", "w"): 4}, "joined everywhere"),
    ("06.merge", lambda words: dict.fromkeys(merge(words), 1), "counts of the words"),
    ("06.merge", lambda words: merge(words, most=min), "not of the most frequent"),
    ("06.merge", lambda words: None, "return"),
    ("06.merge", list, "dictionary"),
    ("06.sequences", 0.5, "steps alone"),
    ("06.sequences", 32, "batch alone"),
    ("06.sequences", 0.0625, "upside down"),
    ("06.sequences", 4.096e9, "RoBERTa's rows"),
    ("06.sequences", 10, "10 times?"),
    ("06.sequences", "many", "should be numbers"),
]
