"""Right and wrong answers to the exercises of chapter 09, and what the checkers say to the wrong ones."""

import torch


def half(a):
    return (a + torch.eye(len(a))) / 2


def rollout(first, second):
    return half(second) @ half(first)


def fold(rows, columns):
    """The map of words, when a word's rows and its columns are put together by these functions."""

    def merge(a, groups):
        return torch.stack([torch.stack([columns(rows(a[g], 0)[h], 0) for h in groups]) for g in groups])

    return merge


def member(groups, T):
    return torch.tensor([[float(t in g) for t in range(T)] for g in groups])


def norms(a, values):
    return a * values.norm(dim=-1)


def in_place(a, values):
    a *= values.norm(dim=-1)
    return a


RIGHT = {"09.rollout": rollout, "09.merge": fold(torch.mean, torch.sum), "09.norms": norms}


ALSO_RIGHT = [
    ("09.merge", lambda a, g: (m := member(g, len(a))) / m.sum(1, keepdim=True) @ a @ m.T),
    ("09.norms", lambda a, v: (a[:, :, None] * v).norm(dim=-1)),
]
WRONG = [
    ("09.rollout", lambda one, two: half(one) @ half(two), "which layer comes first"),
    ("09.rollout", lambda one, two: two @ one, "residual missing"),
    ("09.rollout", lambda one, two: one @ two, "residual missing"),
    ("09.rollout", lambda one, two: 4 * rollout(one, two), "sum to 4"),
    ("09.rollout", lambda one, two: half(two) @ one, "one layer only"),
    ("09.rollout", lambda one, two: two @ half(one), "one layer only"),
    ("09.rollout", lambda one, two: half(two) * half(one), "cell by cell"),
    ("09.rollout", lambda one, two: (half(two) + half(one)) / 2, "mean of the two"),
    ("09.rollout", lambda one, two: rollout(one, two)[0], "shape"),
    ("09.rollout", lambda one, two: rollout(one, two) * 1.1, "furthest off"),
    ("09.merge", fold(torch.mean, torch.mean), "mean over the keys"),
    ("09.merge", fold(torch.sum, torch.sum), "more than 1"),
    ("09.merge", fold(torch.sum, torch.mean), "swapped"),
    ("09.merge", lambda a, groups: a[[g[0] for g in groups]][:, [g[0] for g in groups]], "first piece"),
    ("09.merge", lambda a, groups: a, "shape (2, 2)"),
    ("09.norms", lambda a, v: a * v.norm(dim=-1)[:, None], "query's value"),
    ("09.norms", lambda a, v: a @ v, "sum over the keys"),
    ("09.norms", lambda a, v: (a @ v).norm(dim=-1), "each key is asked for alone"),
    ("09.norms", lambda a, v: a * (v**2).sum(-1), "root is missing"),
    ("09.norms", lambda a, v: a * v.sum(-1), "signs cancel"),
    ("09.norms", lambda a, v: (n := norms(a, v)) / n.sum(-1, keepdim=True), "normalise the rows"),
    ("09.norms", lambda a, v: a * v.norm(), "all values together"),
    ("09.norms", in_place, "in place"),
    ("09.norms", lambda a, v: None, "return"),
]
