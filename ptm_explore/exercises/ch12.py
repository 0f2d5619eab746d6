"""Chapter 12: causes. L layers, T tokens, D d_model, V vocabulary."""

import torch
from torch.nn.functional import layer_norm

from .base import exercise

draw = torch.Generator().manual_seed(0)
STATES, TABLE = (torch.randn(*size, generator=draw) * 3 + 1 for size in ((2, 3, 4), (5, 4)))


@exercise("12.lens", "the logits (L, T, V)", cases=[(STATES, TABLE)])
def lens(got, states, U):
    """layer_norm over the last dimension, then the product with U, transposed

    What the last layer goes through, every layer goes through: that is the whole lens.
    """
    norm = lambda x: layer_norm(x, x.shape[-1:])  # noqa: E731
    yield norm(states) @ U.T
    yield "is the norm there? The table was trained on normalised states", states @ U.T
    yield "does the norm come after the table? First norm, then unembed", norm(states @ U.T)
    yield "is that normalised over the tokens? Over the D numbers of each state", norm(states.mT).mT @ U.T
    yield "is that the last layer alone? A lens reads all", norm(states)[-1] @ U.T
    yield "is there a softmax? Logits were asked for", (norm(states) @ U.T).softmax(-1)


@exercise("12.share", "the share", cases=[(-1.5, 1.6, 0.4), (2.0, 0.5, 1.7)])
def share(got, here, source, patched):
    """how far the score has moved from here, over how far it is from here to the source

    0: nothing moved; 1: this activation alone makes the difference. Shares need not add up to 1.
    """
    whole = source - here
    yield (patched - here) / whole
    yield "is that how far is still to go? Ask how far it has moved from here", (source - patched) / whole
    yield "is the sign turned? Both differences start from here", (here - patched) / whole
    yield "is that the change itself? Divide by the difference of the two texts", patched - here
    yield "is that a ratio of scores? They have no zero: compare differences", patched / source


WORDS = [2.0, 1.0, 0.5, -1.0, 1.5], [1.0, -1.5, 0.4, -3.0, 0.6]


@exercise("12.flip", "the list of positions", cases=[WORDS])
def flip(got, now, other):
    """in each round change the place where now[i] - other[i] is largest; stop once the sum is not above 0

    Where words add up, no smaller edit flips the label. In a network they do not, and it is only a good try.
    """
    by = lambda gain: sorted(range(len(now)), key=gain, reverse=True)  # noqa: E731
    gain = [a - b for a, b in zip(now, other, strict=True)]

    def until(order):
        return order[: next(n for n in range(6) if sum(now) <= sum(gain[i] for i in order[:n]))]

    best = by(gain.__getitem__)
    yield (right := until(best))
    yield "does it go from left to right? The best exchange may stand anywhere", until([*range(len(now))])
    yield "is that the word that says most now? Count what the exchange changes", until(by(now.__getitem__))
    yield "is that the strongest new word? Count what the exchange changes", until(by(lambda i: -other[i]))
    yield "does it stop? Once the sum is 0 or less, the label has flipped", best
    yield "is it one too many? Look at the sum before the next round", best[: len(right) + 1]
    yield "is the order of the rounds kept?", sorted(got) == sorted(right)
