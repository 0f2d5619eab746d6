"""Chapter 10: attribution. D numbers, W words."""

import torch

from .base import exercise

X, X0 = torch.tensor([2.0, 1.0]), torch.tensor([0.5, -1.0])
LOSSES = [0.3, 0.01, 0.02, 0.2, 0.01, 0.01, 0.01, 0.1, 0.05, 0.01]  # of ten words
SCORES = [5.0, -1.0, 0.2, 4.0, -6.0, 0.5, 0.1, 3.0, 2.0, 0.3]
GAME = {(): 0.5, (0,): 0.5, (1,): 0.4, (2,): -2.0, (0, 1): 0.7, (0, 2): 1.0, (1, 2): -3.0, (0, 1, 2): 2.0}


def slope(x):
    """The gradient of a²b + b³ at x = (a, b)."""
    a, b = x[..., 0], x[..., 1]
    return torch.stack([2 * a * b, a**2 + 3 * b**2], -1)


@exercise("10.integrated", "the attribution", cases=[(slope, X, X0, 20), (slope, X0, X, 25)], rtol=0.01)
def integrated(got, slope, x, x0, steps):
    """walk from x0 to x, take the gradient at the middle of each step, average, times the way

    Together the parts make up f(x) - f(x0), whatever f is: completeness.
    """
    path = lambda shares, start: slope(start + shares[:, None] * (x - start)).mean(0)  # noqa: E731
    left = torch.arange(steps) / steps
    mean = path(left + 0.5 / steps, x0)
    yield mean * (x - x0)
    yield "is that the mean gradient? It wants to be multiplied by the way, x - x0", mean
    yield "is the sign turned round? The way goes from x0 to x", mean * (x0 - x)
    yield "is that the gradient at the end alone? Walk there from x0", slope(x) * (x - x0)
    yield "is that a sum over the steps? A mean is wanted", mean * (x - x0) * steps
    from_zero = path(left + 0.5 / steps, torch.zeros(2))
    yield "does the path start at zero? It starts at x0", from_zero * x, from_zero * (x - x0)
    for ends in (left, left + 1 / steps):
        yield "is that one end of each step? The middle is more exact by far", path(ends, x0) * (x - x0)


def chance(kept):
    return 0.9 - sum(loss for word, loss in enumerate(LOSSES) if word not in set(kept))


@exercise("10.comprehensiveness", "the mean fall", cases=[(chance, SCORES, (0.1, 0.2, 0.5))])
def comprehensiveness(got, chance, scores, fractions):
    """sort the words by score, highest first; for each fraction keep what is not among the first

    0 would say that nobody misses these words; ask next what random words would do.
    """
    W, best = len(scores), sorted(range(len(scores)), key=lambda w: -scores[w])
    whole, cuts = chance(range(W)), [round(f * W) for f in fractions]
    fall = lambda order: whole - sum(chance(order[cut:]) for cut in cuts) / len(cuts)  # noqa: E731
    yield (right := fall(best))
    yield "is the sign turned round? A fall is before less after", -right
    yield "is that a sum? Divide by the number of fractions", right * len(cuts)
    yield "are those the words with the lowest scores? The best go first", fall(best[::-1])
    absolute = "is that sorted by size without the sign? A word that speaks against is none of the best"
    yield absolute, fall(sorted(range(W), key=lambda w: -abs(scores[w])))
    yield "is that the text's own order? Sort by score", fall(range(W))
    kept = whole - sum(chance(best[:cut]) for cut in cuts) / len(cuts)
    yield "did you keep the best words and drop the others? That is sufficiency", kept


@exercise("10.shapley", "the list of shares", cases=[(lambda words: GAME[tuple(sorted(words))],)])
def shapley(got, value):
    """let the words come in each of the six orders; what does each add when it comes?

    Together they make up value(all) - value(nothing), and no order of coming is preferred.
    """

    def adds(*before):  # for each word, what it adds to the words of `before` that are others
        return torch.tensor([value({*before, w}) - value({*before} - {w}) for w in range(3)])

    alone, whole = adds(), adds(0, 1, 2)
    pairs = torch.stack([adds(1), adds(2), adds(0)]) + torch.stack([adds(2), adds(0), adds(1)])
    ones = pairs.diagonal()  # what each adds to one of the two others, and to the other one
    yield (right := alone / 3 + ones / 6 + whole / 3)
    yield "is that a sum over the orders? Divide by their number, 6", right * 6
    yield "is each word taken away from the whole text? It comes to smaller ones, too", whole
    yield "does each word come to an empty text? It comes to others, too", alone
    yield "did you forget to take off what was there before it?", alone + value(set())
    yield "is that a single order, 0, 1, 2? There are six", torch.stack([alone[0], adds(0)[1], whole[2]])
    yield "do all sets count alike? Both others and none weigh 1/3, one alone 1/6", (alone + ones + whole) / 4
