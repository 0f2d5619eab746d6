"""Right and wrong answers to the exercises of chapter 10, and what the checkers say to the wrong ones."""

from itertools import combinations, permutations

import torch


def integrated(slope, x, x0, steps, first=0.5):
    shares = [(n + first) / steps for n in range(steps)]
    return torch.stack([slope(x0 + share * (x - x0)) for share in shares]).mean(0) * (x - x0)


def trapezoid(slope, x, x0, steps):
    return (integrated(slope, x, x0, steps, 0) + integrated(slope, x, x0, steps, 1)) / 2


def falls(sort, keep=False):
    """The mean fall when the first words of an order go, or (`keep`) stay."""

    def answer(chance, scores, fractions):
        order, W = sorted(range(len(scores)), key=lambda w: sort(w, scores)), len(scores)
        cuts = [round(f * W) for f in fractions]
        left = [chance(order[:cut] if keep else order[cut:]) for cut in cuts]
        return chance(range(W)) - sum(left) / len(left)

    return answer


comprehensiveness = falls(lambda w, scores: -scores[w])


def orders(value):
    parts = [0.0] * 3
    for order in permutations(range(3)):
        for n, w in enumerate(order):
            parts[w] += (value(set(order[: n + 1])) - value(set(order[:n]))) / 6
    return parts


def adds(value, w, before):
    return value({*before, w}) - value(set(before))


def banzhaf(value):
    others = [[x for x in range(3) if x != w] for w in range(3)]
    sets = [[s for n in range(3) for s in combinations(o, n)] for o in others]
    return [sum(adds(value, w, s) for s in sets[w]) / 4 for w in range(3)]


RIGHT = {"10.integrated": integrated, "10.comprehensiveness": comprehensiveness, "10.shapley": orders}


ALSO_RIGHT = [("10.integrated", trapezoid)]
WRONG = [
    ("10.integrated", lambda f, x, x0, n: integrated(f, x, x0, n) / (x - x0), "multiplied by the way"),
    ("10.integrated", lambda f, x, x0, n: -integrated(f, x, x0, n), "turned round"),
    ("10.integrated", lambda f, x, x0, n: f(x) * (x - x0), "at the end alone"),
    ("10.integrated", lambda f, x, x0, n: integrated(f, x, x0, n) * n, "sum over the steps"),
    ("10.integrated", lambda f, x, x0, n: integrated(f, x, 0 * x0, n), "start at zero"),
    ("10.integrated", lambda f, x, x0, n: integrated(f, x, x0, n, 0), "one end of each step"),
    ("10.integrated", lambda f, x, x0, n: integrated(f, x, x0, n, 1), "one end of each step"),
    ("10.integrated", lambda f, x, x0, n: integrated(f, x, x0, n).sum(), "shape (2,)"),
    ("10.comprehensiveness", lambda *a: -comprehensiveness(*a), "before less after"),
    ("10.comprehensiveness", lambda *a: 3 * comprehensiveness(*a), "number of fractions"),
    ("10.comprehensiveness", falls(lambda w, scores: scores[w]), "lowest scores"),
    ("10.comprehensiveness", falls(lambda w, scores: -abs(scores[w])), "without the sign"),
    ("10.comprehensiveness", falls(lambda w, scores: w), "text's own order"),
    ("10.comprehensiveness", falls(lambda w, scores: -scores[w], keep=True), "sufficiency"),
    ("10.comprehensiveness", lambda p, s, f: [p(range(10))], "shape"),
    ("10.shapley", lambda v: [6 * part for part in orders(v)], "their number, 6"),
    ("10.shapley", lambda v: [adds(v, w, {0, 1, 2} - {w}) for w in range(3)], "from the whole text"),
    ("10.shapley", lambda v: [adds(v, w, ()) for w in range(3)], "to an empty text"),
    ("10.shapley", lambda v: [v({w}) for w in range(3)], "take off what was there"),
    ("10.shapley", lambda v: [adds(v, w, range(w)) for w in range(3)], "a single order"),
    ("10.shapley", banzhaf, "count alike"),
    ("10.shapley", lambda v: sum(orders(v)), "shape (3,)"),
]
