"""Chapter 08: ELECTRA. B batch, T tokens."""

import torch

from .base import exercise

IDS = torch.tensor([[7, 8, 9, 10, 11], [5, 6, 5, 6, 5]])
MASKED = torch.tensor([[0, 1, 0, 1, 0], [1, 0, 0, 0, 1]]).bool()
DRAWN = torch.tensor([[1, 3, 2, 10, 4], [5, 2, 2, 2, 8]])  # a draw everywhere; two hit the original


@exercise("08.labels", "what is shown", "the labels", cases=[(IDS, MASKED, DRAWN)], unchanged=True)
def labels(got, ids, masked, drawn):
    """put what was drawn where the mask is; then a token is replaced if it is not what it was

    A lucky draw is no forgery: where the generator hit the original, the label is 0.
    """
    shown = torch.where(masked, drawn, ids)
    label = (shown != ids).long()
    yield shown, label
    yield "are the two results swapped? First what is shown, then the labels", (label, ...)
    yield "is something drawn shown where nothing was masked?", (drawn, ...)
    yield "is the draw in the right places? Where the mask is", (torch.where(masked, ids, drawn), ...)
    yield "is anything replaced at all? That is the original", (ids, ...)
    yield "does every mask count as replaced? The generator may have drawn the original", (..., masked)
    yield "which way round are the labels? 1 is replaced", (..., shown == ids)
    yield "are unmasked draws compared too? Compare what is shown", (..., drawn != ids)


SCORES = torch.tensor([0.1, 0.4, 0.4, 0.8, 0.3, 0.2, 0.4, 0.05])
TRUTH = torch.tensor([0, 0, 1, 1, 0, 0, 0, 1])


@exercise("08.auc", "the area", cases=[(SCORES, TRUTH)])
def auc(got, scores, truth):
    """of all pairs of a replaced and an original token: how often does the replaced one score higher?

    0.5 is chance whatever the majority, and nothing changes when all scores are squashed alike.
    """
    a, b = scores[truth == 1][:, None], scores[truth == 0][None, :]  # 3 and 5, so 15 pairs of 28
    above, same = (a > b).double().mean(), (a == b).double().mean()
    yield (right := above + same / 2)
    yield "how do you count ties? They are half a win", above
    yield "do ties count as whole wins? They are half of one", above + same
    yield "is it turned round? The replaced token should have the higher score", 1 - right
    yield "is that the accuracy? An area has no threshold", ((scores > 0.5) == (truth == 1)).double().mean()
    yield "do you divide by all pairs? Only those of a replaced and an original token count", right * 15 / 28


@exercise("08.loss", "the loss", cases=[(63.0, 12, 20.0, 80, 50.0)])
def loss(got, mlm, n_masked, rtd, n_tokens, weight):
    """two means, each over what its part is asked about; the discriminator's counts fifty times

    The fifty makes up for sizes: a yes or no is a small question beside a whole vocabulary.
    """
    generator, judge = mlm / n_masked, rtd / n_tokens
    yield generator + weight * judge
    yield "is the weight there?", generator + judge
    yield "is the weight on the right part? The small loss is the discriminator's", weight * generator + judge
    yield "is the judge asked about masked tokens only? About all", generator + weight * rtd / n_masked
    yield "is the generator asked about all tokens? About the masked ones", mlm / n_tokens + weight * judge
    yield "are those sums? Each part is a mean", mlm + weight * rtd
    yield "is one part subtracted? They do not fight: both are minimised", generator - weight * judge
