"""Chapter 04: BERT. B batch, T tokens, V vocabulary."""

from itertools import combinations
from numbers import Integral

import torch

from .base import Hint, exercise, pair, require, tensor

_ONE_DRAW = "is one share a share of what was left over (81/9/10)? Split one draw: below 0.8, below 0.9"
# (masked, random, kept) shares of the chosen tokens, and what gives them.
_SHARES = {
    (1.0, 0.0, 0.0): "did every chosen token become [MASK]? Only 80 % should: 10 % are random, 10 % stay",
    (0.8, 0.0, 0.2): "are the random tokens missing? 80 % are masked, 10 % random, 10 % stay",
    (0.8, 0.02, 0.18): "did you draw 10 % of the remaining 20 %? Of those left over, half become random",
    (0.81, 0.09, 0.10): _ONE_DRAW,
    (0.81, 0.10, 0.09): _ONE_DRAW,
}


@exercise(
    "04.mask_8010",
    hint="choose ordinary tokens with the rate; one more draw each decides between mask, random and kept",
    done="80 % masked, 10 % random, 10 % kept; the loss is asked for only where a token was chosen.",
)
def mask_8010(answer):
    draw = torch.Generator().manual_seed(0)
    ids = torch.randint(5, 1000, (1600, 256), generator=draw)  # V is 1000, specials 0 to 4, the mask 4
    ids[:, 0], ids[:, -1] = 2, 3
    special, before, rate = ids < 5, ids.clone(), 0.4
    result = answer(ids, special.clone(), rate, 4, 1000, torch.Generator().manual_seed(1))
    inputs, targets = pair(result, "the input ids and the targets")
    inputs, targets = tensor(inputs, "the input ids"), tensor(targets, "the targets")
    for what, x in (("input ids", inputs), ("targets", targets)):
        require(x.shape == ids.shape, f"the {what} should have the shape of ids; they have {tuple(x.shape)}")
    require(torch.equal(ids, before), "did you change ids in place? Work on a copy: ids.clone()")
    chosen = targets != -100
    require(not chosen.all(), "are there targets everywhere? They should be -100 except at the chosen tokens")
    require(chosen.any(), "was nothing chosen? All targets are -100")
    require(not (chosen & special).any(), "can special tokens be chosen? [CLS] and [SEP] never should")
    original = "do the targets hold the original tokens? They are what to find, not what is shown"
    require(torch.equal(targets[chosen], before[chosen]), original)
    changed = (inputs != before) & ~chosen
    require(not changed.any(), "did tokens change that have no target? Only the chosen ones may")
    share = chosen.sum().item() / (~special).sum().item()
    require(abs(share - rate) < 0.01, f"is the rate used? {share:.1%} were chosen, not {rate:.0%}")
    require(inputs.min() >= 0 and inputs.max() < 1000, "are all ids in the vocabulary, 0 to vocab_size - 1?")
    masked = (inputs == 4)[chosen].double().mean().item()
    kept = (inputs == before)[chosen].double().mean().item()
    shares = (masked, 1 - masked - kept, kept)  # of 160,000 tokens: the standard error is 0.001
    nearest = min([*_SHARES, (0.8, 0.1, 0.1)], key=lambda known: _distance(known, shares))
    measured = "80/10/10 was asked; masked/random/kept came out as {:.1%}, {:.1%}, {:.1%}".format(*shares)
    require(_distance(nearest, shares) < 0.006, measured)
    require(nearest not in _SHARES, _SHARES.get(nearest, ""))
    again = answer(ids.clone(), special.clone(), rate, 4, 1000, torch.Generator().manual_seed(1))
    seeded = "do all draws use the generator? The same seed gave two different maskings"
    require(torch.equal(torch.as_tensor(again[0]), inputs), seeded)


def _distance(a: tuple, b: tuple) -> float:
    return max(abs(x - y) for x, y in zip(a, b, strict=True))


# BERT base: V 30522, 512 positions, 2 segments, D 768, F 3072, L 12, and the pooler.
_PARAMETERS = 109_482_240
_TERMS = {
    "the token table": 30522 * 768,
    "the position table": 512 * 768,
    "the token types (segments)": 2 * 768,
    "the LayerNorm of the embeddings": 2 * 768,
    "the LayerNorms of the layers": 12 * 2 * 2 * 768,
    "the pooler": 768 * 768 + 768,
    "the biases of attention": 12 * 4 * 768,
    "the biases of the feed-forward part": 12 * (3072 + 768),
    "the output matrix of attention": 12 * 768 * 768,
}


@exercise(
    "04.parameters",
    hint="three tables, a LayerNorm; 12 layers of 4 D·D + 2 D·F, their biases, 2 LayerNorms; the pooler",
    done="109,482,240: the 110M of the paper, a fifth of it in the token table.",
    function=False,
)
def parameters(answer):
    whole = isinstance(answer, (Integral, float)) and answer == int(answer)
    require(whole and not isinstance(answer, bool), "give the exact number, as a whole number")
    missing = _PARAMETERS - int(answer)
    if missing == 0:
        return
    require(int(answer) % 1_000_000, "that is a rounded number; what is the exact one?")
    tied = 768 * 768 + 3 * 768 + 30522
    extra = {tied: "its transform and output bias", tied + 30522 * 768: "its own output matrix"}
    require(-missing not in extra, f"is the head counted, with {extra.get(-missing)}? Body only")
    for size in range(1, len(_TERMS)):
        found = [terms for terms in combinations(_TERMS, size) if sum(_TERMS[t] for t in terms) == missing]
        forgotten = " or ".join(" and ".join(terms) for terms in found)
        require(not found, f"{missing:,} too few: did you forget {forgotten}?")
    far = "too few" if missing > 0 else "too many"
    raise Hint(f"{abs(missing):,} {far}. Go through tables, layers and pooler: is L = 12, D = 768?")
