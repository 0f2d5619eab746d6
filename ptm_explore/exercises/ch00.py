"""Chapter 00: masks, and the guess to beat. V tokens in the vocabulary."""

import math

import torch

from .base import exercise


@exercise("00.mask", value=True)
def mask(answer):
    """a sentence in which one word is replaced by [MASK], brackets and capitals included

    One blank, and words around it that say something about it.
    """
    yield f"give a text in quotes, not a {type(answer).__name__}", not isinstance(answer, str)
    found, around = answer.count("[MASK]"), answer.replace("[MASK]", "").lower()
    yield "is the mask written exactly [MASK], capitals and brackets?", not found and "mask" in around
    yield "where is the blank? Replace one word by [MASK]", not found
    yield f"there are {found} masks; this exercise wants exactly one. Which word do you hide?", found > 1
    yield "what should the model go by? Put some words around the mask", not any(map(str.isalnum, around))


COUNTS = [50.0, 25.0, 15.0, 10.0], [3.0, 1.0, 0.0]


@exercise("00.unigram", "the accuracy", "the loss in nats", cases=[(torch.tensor(n),) for n in COUNTS])
def unigram(got, counts):
    """make probabilities p of the counts: max(p) of the guesses are right; the loss is the entropy

    That is what a model reaches that knows only how often each token occurs.
    """
    p = counts / counts.sum()
    entropy = torch.special.entr(p).sum()
    yield p.max(), entropy
    yield "is the accuracy a fraction? 0.5, not 50 %", (100 * p.max(), ...)
    yield "is that a guess at random, 1/V? The guess here is always the most frequent token", (p.mean(), ...)
    yield "do you guess at random, with p? Always guess the most frequent token", ((p * p).sum(), ...)
    yield "what of a token that never occurs? 0 · log 0 is 0 here, but the computer says nan", (..., math.nan)
    yield "is that in bits? Nats take the natural logarithm, log and not log2", (..., entropy / math.log(2))
    yield "did you forget the minus sign? A loss is not negative", (..., -entropy)
    yield "is that the loss on the most frequent token alone? Average over all", (..., -p.max().log())
    yield "did you weigh all tokens the same? Frequent tokens count more: weigh by p", (..., -p.log().mean())
    yield "is that the loss of a guess at random, log V? The counts say more", (..., math.log(len(p)))
