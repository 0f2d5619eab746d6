"""Chapter 02: attention. B batch, H heads, T queries, S keys, K head size."""

import torch

from .base import exercise

DRAWS = torch.randn(3, 2, 3, 5, 4, generator=torch.Generator().manual_seed(0))
FAR = torch.tensor([[1000.0, 1001.0], [-1000.0, -1001.0]])


@exercise("02.softmax", "the weights", cases=[(DRAWS[0, :, :, 0],), (FAR[:1],), (FAR,)])
def softmax(got, scores):
    """exponentiate, then divide by the sum over the last dimension; what happens to exp(1000)?

    Each row sums to one, and large scores do no harm.
    """
    yield scores.softmax(-1)
    shares = lambda x, dim=-1: x / x.sum(dim, keepdim=True)  # noqa: E731
    e, one_for_all = scores.exp(), shares((scores - scores.max()).exp())
    yield "exp(1000) overflows. Did you subtract the maximum first? It changes nothing else", shares(e)
    yield "does each row subtract its own maximum? With one for all, the other rows become 0/0", one_for_all
    yield "did you normalise? The weights of a row should sum to 1", e
    yield "over which dimension did you sum? The keys are the last, not -2", shares(e, -2)
    yield "over which dimension did you sum? The keys are the last, not 0", shares(e, 0)
    yield "did you sum over the whole tensor? Each row has its own sum", e / e.sum()
    yield "did you divide without exponentiating?", shares(scores)


@exercise("02.attention", "the output", cases=[tuple(DRAWS)])
def attention(got, q, k, v):
    """scores q @ k.transpose(-1, -2), scaled, softmax over the keys, then the weighted mean of v

    Each output is a weighted mean of the values.
    """
    scores = q @ k.transpose(-1, -2)
    scaled = scores / 2  # the square root of K = 4
    weights = scaled.softmax(-1)
    yield weights @ v
    yield "did you forget to scale by the square root of the head size?", scores.softmax(-1) @ v
    yield "did you divide by K? Its square root keeps the variance at 1", (scores / 4).softmax(-1) @ v
    yield "did you multiply by the square root of K? Scores should shrink", (scores * 2).softmax(-1) @ v
    yield "did you take the square root of T? Scores grow with K", (scores / 5**0.5).softmax(-1) @ v
    yield "over which dimension is the softmax? It is the keys, the last", scaled.softmax(-2) @ v
    yield "did you swap q and k? Rows belong to queries", scaled.transpose(-1, -2).softmax(-1) @ v
    yield "did you forget v? Those are the weights; they still have to average the values", weights
    yield "did you forget the softmax? Scores are not weights", scaled @ v


@exercise("02.causal", "the mask (True = may attend)", cases=[(5,)])
def causal(got, T):
    """a token may look at itself and at what comes before; torch.tril keeps the lower triangle

    True on and below the diagonal: no token sees its future.
    """
    full = torch.ones(T, T, dtype=torch.bool)
    yield full.tril()
    yield "is the mask inverted? Here True means may attend, not blocked", full.triu(1)
    yield "is that the upper triangle? Rows are queries: row 0 sees only token 0", full.triu()
    yield "may a token see itself? The diagonal belongs to the mask", full.tril(-1)
    yield "may every token see every other? Nothing is masked", full
