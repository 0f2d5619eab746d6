"""Chapter 00: masks, and the guess to beat. V tokens in the vocabulary."""

import math

import torch

from .base import exercise, match, pair, require


@exercise(
    "00.mask",
    hint="a sentence in which one word is replaced by [MASK], brackets and capitals included",
    done="One blank, and words around it that say something about it.",
    function=False,
)
def mask(answer):
    require(isinstance(answer, str), f"give a text in quotes, not a {type(answer).__name__}")
    found = answer.count("[MASK]")
    require(
        found or "mask" not in answer.lower(),
        "is the mask written exactly [MASK], in capitals and square brackets?",
    )
    require(found, "where is the blank? Replace one word by [MASK]")
    require(found == 1, f"there are {found} masks; this exercise wants exactly one. Which word do you hide?")
    around = any(letter.isalnum() for letter in answer.replace("[MASK]", ""))
    require(around, "what should the model go by? Put some words around the mask")


@exercise(
    "00.unigram",
    hint="make probabilities p of the counts: max(p) of the guesses are right; the loss is the entropy",
    done="That is what a model reaches that knows only how often each token occurs.",
)
def unigram(answer):
    counts = torch.tensor([50.0, 25.0, 15.0, 10.0])
    p = counts / counts.sum()
    entropy = -(p * p.log()).sum()
    accuracy, loss = pair(answer(counts.clone()), "the accuracy and the loss in nats")
    match(
        accuracy,
        p.max(),
        {
            "is the accuracy a fraction? 0.5, not 50 %": 100 * p.max(),
            "is that a guess at random, 1/V? The guess here is always the most frequent token": p.mean(),
            "do you guess at random, with p? Always guess the most frequent token": (p * p).sum(),
        },
        "the accuracy",
    )
    match(
        loss,
        entropy,
        {
            "is that in bits? Nats take the natural logarithm, log and not log2": entropy / math.log(2),
            "did you forget the minus sign? A loss is not negative": -entropy,
            "is that the loss on the most frequent token alone? Average over all": -p.max().log(),
            "did you weigh every token the same? Frequent tokens count more: weigh by p": -p.log().mean(),
            "is that the loss of a guess at random, log V? The counts say more": torch.tensor(math.log(4)),
        },
        "the loss",
    )
    _, loss = pair(answer(torch.tensor([3.0, 1.0, 0.0])), "the accuracy and the loss in nats")
    unseen = "what of a token that never occurs? 0 · log 0 is 0 here, but the computer says nan"
    require(torch.isfinite(torch.as_tensor(loss)).all(), unseen)
