"""Which token comes next: what may be drawn from a decoder's logits, and how likely.

V vocabulary, C candidates
"""

from numbers import Integral, Real

from jaxtyping import Float, Int
from torch import Tensor

from ptm_explore.errors import PtmError


def candidates(
    logits: Float[Tensor, "V"], temperature: float = 1.0, top_k: int | None = None, top_p: float | None = None
) -> tuple[Int[Tensor, "C"], Float[Tensor, "C"]]:
    """The ids that may be drawn, likeliest first, and their probabilities (float64), which sum to 1.

    Logits are divided by `temperature` (0: only the likeliest stays); of the tokens, the `top_k` likeliest
    stay (Fan et al. 2018), and of these the nucleus: the fewest that together reach the probability `top_p`
    (Holtzman et al. 2020). None keeps all. PtmError for values that make no sense."""
    if not (isinstance(temperature, Real) and temperature >= 0):
        raise PtmError(f"temperature={temperature!r}: give 0, for always the likeliest, or more")
    if top_k is not None and not (isinstance(top_k, Integral) and top_k >= 1):
        raise PtmError(f"top_k={top_k!r}: give how many tokens to draw from, at least 1, or None for all")
    if top_p is not None and not (isinstance(top_p, Real) and 0 < top_p <= 1):
        raise PtmError(f"top_p={top_p!r}: give a probability above 0 and at most 1, or None")
    count = len(logits) if top_k is None else min(int(top_k), len(logits))
    best, ids = logits.double().topk(count if temperature else 1)
    # less the largest, so that a temperature close to 0 cannot make two infinities
    probabilities = ((best - best[0]) / (temperature or 1)).softmax(-1)
    if top_p is not None:
        short = int((probabilities.cumsum(-1) < top_p).sum())  # so many together do not reach it
        ids, probabilities = ids[: short + 1], probabilities[: short + 1]
    return ids, probabilities / probabilities.sum()
