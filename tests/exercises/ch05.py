"""Right and wrong answers to the exercises of chapter 05, and what the checkers say to the wrong ones."""

import math

import torch

NAT = math.log(50)


def ranks(order, T):
    return torch.tensor([order.index(i) if i in order else -1 for i in range(T)])


def query_mask(order, T):
    mask = torch.zeros(T, T, dtype=torch.bool)
    for n, i in enumerate(order):
        for j in range(T):
            mask[i, j] = j not in order[n:]
    return mask


def by_key(scores):
    T = len(scores)
    return torch.stack([row[T - i :][:T] for i, row in enumerate(scores)])


RIGHT = {"05.query_mask": query_mask, "05.by_key": by_key, "05.bounds": (2 * NAT, NAT)}


def mask(rule):
    """(T, T) from a rule for row and column ranks."""
    return lambda order, T: rule(ranks(order, T)[:, None], ranks(order, T)[None, :])


WRONG = [
    ("05.query_mask", mask(lambda i, j: (j < i) | torch.eye(len(i)).bool()), "its own token"),
    ("05.query_mask", mask(lambda i, j: (j < i) & (j >= 0)), "context stay hidden"),
    ("05.query_mask", mask(lambda i, j: ((j > i) | (j < 0)) & (i >= 0)), "turned round"),
    ("05.query_mask", lambda o, T: query_mask([o.index(i) for i in range(5)], 5), "read it as the rank"),
    ("05.query_mask", mask(lambda i, j: j < i.clamp(min=0)), "rows of the context"),
    ("05.query_mask", lambda o, T: query_mask(o, T).T, "transposed"),
    ("05.query_mask", lambda o, T: query_mask(o, T).float(), "boolean"),
    ("05.query_mask", lambda o, T: query_mask(o, T)[1:], "shape (5, 5)"),
    ("05.query_mask", lambda o, T: None, "return"),
    ("05.by_key", lambda s: s[:, :4], "its own place"),
    ("05.by_key", lambda s: torch.stack([r[3 - i :][:4] for i, r in enumerate(s)]), "off by one"),
    ("05.by_key", lambda s: by_key(s).T, "transposed"),
    ("05.by_key", lambda s: by_key(s.flip(1).roll(1, 1)).clone(), "sign of the"),
    ("05.by_key", lambda s: s, "shape (4, 4)"),
    ("05.bounds", (2 * math.log2(50), math.log2(50)), "bits"),
    ("05.bounds", (NAT, 2 * NAT), "other way round"),
    ("05.bounds", (NAT, NAT / 2), "one token"),
    ("05.bounds", (NAT, NAT), "Both are hidden"),
    ("05.bounds", (2 * NAT, 2 * NAT), "still a riddle"),
    ("05.bounds", (2 * NAT, 0.0), "first half free"),
    ("05.bounds", (1.0, 2.0), "of 50?"),
    ("05.bounds", 7.8, "return two things"),
]
