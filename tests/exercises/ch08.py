"""Right and wrong answers to the exercises of chapter 08, and what the checkers say to the wrong ones."""

import torch
from sklearn.metrics import roc_auc_score


def labels(ids, masked, drawn):
    shown = ids.clone()
    shown[masked] = drawn[masked]
    return shown, (shown != ids).long()


def pairs(scores, truth):
    for s, t in zip(scores.tolist(), truth.tolist(), strict=True):
        for other, u in zip(scores.tolist(), truth.tolist(), strict=True):
            if t == 1 and u == 0:
                yield s, other


def mean(values):
    values = list(values)
    return sum(values) / len(values)


RIGHT = {
    "08.labels": labels,
    "08.auc": lambda scores, truth: roc_auc_score(truth, scores),
    "08.loss": lambda mlm, n, rtd, m, weight: mlm / n + weight * rtd / m,
}


def in_place(ids, masked, drawn):
    ids[masked] = drawn[masked]
    return ids, masked


WRONG = [
    ("08.labels", lambda i, m, d: (labels(i, m, d)[0], m), "every mask count"),
    ("08.labels", lambda i, m, d: (labels(i, m, d)[0], 1 - labels(i, m, d)[1]), "which way round"),
    ("08.labels", lambda i, m, d: (labels(i, m, d)[0], d != i), "unmasked draws"),
    ("08.labels", lambda i, m, d: labels(i, m, d)[::-1], "swapped"),
    ("08.labels", lambda i, m, d: (d, d != i), "nothing was masked"),
    ("08.labels", lambda i, m, d: (torch.where(m, i, d), m), "right places"),
    ("08.labels", lambda i, m, d: (i, m), "replaced at all"),
    ("08.labels", in_place, "in place"),
    ("08.labels", lambda i, m, d: i, "return two things"),
    ("08.auc", lambda s, t: mean(a > b for a, b in pairs(s, t)), "half a win"),
    ("08.auc", lambda s, t: mean(a >= b for a, b in pairs(s, t)), "whole wins"),
    ("08.auc", lambda s, t: 1 - roc_auc_score(t, s), "turned round"),
    ("08.auc", lambda s, t: ((s > 0.5) == (t == 1)).float().mean(), "accuracy"),
    ("08.auc", lambda s, t: sum((a > b) + (a == b) / 2 for a, b in pairs(s, t)) / 28, "all pairs"),
    ("08.auc", lambda s, t: 0.5, "not right yet"),
    ("08.loss", lambda g, n, d, m, w: g / n + d / m, "weight there"),
    ("08.loss", lambda g, n, d, m, w: w * g / n + d / m, "right part"),
    ("08.loss", lambda g, n, d, m, w: g / n + w * d / n, "masked tokens only"),
    ("08.loss", lambda g, n, d, m, w: g / m + w * d / m, "generator asked about all"),
    ("08.loss", lambda g, n, d, m, w: g + w * d, "are those sums"),
    ("08.loss", lambda g, n, d, m, w: g / n - w * d / m, "do not fight"),
]
