"""Chapter 02: attention. B batch, H heads, T queries, S keys, K head size."""

import torch

from .base import exercise, match, require, tensor


@exercise(
    "02.softmax",
    hint="exponentiate, then divide by the sum over the last dimension; what happens to exp(1000)?",
    done="Each row sums to one, and large scores do no harm.",
)
def softmax(answer):
    scores = torch.randn(2, 3, 4, generator=torch.Generator().manual_seed(0))
    e = scores.exp()
    match(
        answer(scores.clone()),
        e / e.sum(-1, keepdim=True),
        {
            "did you normalise? The weights of a row should sum to 1": e,
            "over which dimension did you sum? The keys are the last, not -2": e / e.sum(-2, keepdim=True),
            "over which dimension did you sum? The keys are the last, not 0": e / e.sum(0, keepdim=True),
            "did you sum over the whole tensor? Each row has its own sum": e / e.sum(),
            "did you divide without exponentiating?": scores / scores.sum(-1, keepdim=True),
        },
        "the weights",
    )
    far = torch.tensor([[1000.0, 1001.0], [-1000.0, -1001.0]])
    overflow = "exp(1000) overflows. Did you subtract the maximum first? It changes nothing else"
    require(torch.isfinite(tensor(answer(far[:1].clone()), "the weights")).all(), overflow)
    own = "does each row subtract its own maximum? With one for all, the other rows become 0/0"
    require(torch.isfinite(tensor(answer(far.clone()), "the weights")).all(), own)


@exercise(
    "02.attention",
    hint="scores q @ k.transpose(-1, -2), scaled, softmax over the keys, then the weighted mean of v",
    done="Each output is a weighted mean of the values.",
)
def attention(answer):
    draw = torch.Generator().manual_seed(0)
    q, k, v = (torch.randn(2, 3, 5, 4, generator=draw) for _ in range(3))
    scores = q @ k.transpose(-1, -2)
    scaled = scores / 2  # the square root of K = 4
    weights = scaled.softmax(-1)
    match(
        answer(q.clone(), k.clone(), v.clone()),
        weights @ v,
        {
            "did you forget to scale by the square root of the head size?": scores.softmax(-1) @ v,
            "did you divide by K? Its square root keeps the variance at 1": (scores / 4).softmax(-1) @ v,
            "did you multiply by the square root of K? Scores should shrink": (scores * 2).softmax(-1) @ v,
            "did you take the square root of T? Scores grow with K": (scores / 5**0.5).softmax(-1) @ v,
            "over which dimension is the softmax? It is the keys, the last": scaled.softmax(-2) @ v,
            "did you swap q and k? Rows belong to queries": scaled.transpose(-1, -2).softmax(-1) @ v,
            "did you forget v? Those are the weights; they still have to average the values": weights,
            "did you forget the softmax? Scores are not weights": scaled @ v,
        },
        "the output",
    )


@exercise(
    "02.causal",
    hint="a token may look at itself and at what comes before; torch.tril keeps the lower triangle",
    done="True on and below the diagonal: no token sees its future.",
)
def causal(answer):
    full = torch.ones(5, 5, dtype=torch.bool)
    got = tensor(answer(5), "the mask")
    kind = "is the mask boolean? True = may attend, False = may not"
    require(got.dtype == torch.bool, f"{kind} (this one is {got.dtype})")
    match(
        got,
        full.tril(),
        {
            "is the mask inverted? Here True means may attend, not blocked": full.triu(1),
            "is that the upper triangle? Rows are queries: row 0 sees only token 0": full.triu(),
            "may a token see itself? The diagonal belongs to the mask": full.tril(-1),
            "may every token see every other? Nothing is masked": full,
        },
        "the mask",
    )
