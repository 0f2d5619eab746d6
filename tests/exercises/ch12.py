"""Right and wrong answers to the exercises of chapter 12, and what the checkers say to the wrong ones."""

from torch.nn.functional import layer_norm


def norm(x):
    return layer_norm(x, x.shape[-1:])


def greedy(order):
    """Places are changed in an order, by `order(now, other, i)`, until the sum is not above 0."""

    def flip(now, other):
        now, taken = list(now), []
        while sum(now) > 0:
            i = max({*range(len(now))} - {*taken}, key=lambda i: order(now, other, i))
            now[i] = other[i]
            taken.append(i)
        return taken

    return flip


flip = greedy(lambda now, other, i: now[i] - other[i])
RIGHT = {
    "12.lens": lambda states, U: norm(states) @ U.T,
    "12.share": lambda here, source, patched: (patched - here) / (source - here),
    "12.flip": flip,
}
WRONG = [
    ("12.lens", lambda s, U: s @ U.T, "norm there"),
    ("12.lens", lambda s, U: norm(s @ U.T), "after the table"),
    ("12.lens", lambda s, U: norm(s.mT).mT @ U.T, "over the tokens"),
    ("12.lens", lambda s, U: norm(s[-1]) @ U.T, "last layer alone"),
    ("12.lens", lambda s, U: (norm(s) @ U.T).softmax(-1), "softmax"),
    ("12.lens", lambda s, U: norm(s) @ U, "stopped with"),
    ("12.share", lambda here, source, patched: (source - patched) / (source - here), "still to go"),
    ("12.share", lambda here, source, patched: (here - patched) / (source - here), "sign turned"),
    ("12.share", lambda here, source, patched: patched - here, "the change itself"),
    ("12.share", lambda here, source, patched: patched / source, "ratio of scores"),
    ("12.flip", greedy(lambda now, other, i: -i), "left to right"),
    ("12.flip", greedy(lambda now, other, i: now[i]), "says most now"),
    ("12.flip", greedy(lambda now, other, i: -other[i]), "strongest new word"),
    ("12.flip", lambda now, other: [1, 3, 0, 4, 2], "does it stop"),
    ("12.flip", lambda now, other: [1, 3, 0], "too many"),
    ("12.flip", lambda now, other: {1, 3}, "order of the rounds"),
    ("12.flip", lambda now, other: [0], "was expected"),
]
