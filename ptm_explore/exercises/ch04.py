"""Chapter 04: BERT. B batch, T tokens, V vocabulary."""

from itertools import combinations
from numbers import Integral

import torch

from .base import exercise, meant

_ONE_DRAW = "is one share a share of what was left over (81/9/10)? Split one draw: below 0.8, below 0.9"
# (masked, random, kept) shares of the chosen tokens, and what gives them.
_SHARES = {
    (1.0, 0.0, 0.0): "did every chosen token become [MASK]? Only 80 % should: 10 % are random, 10 % stay",
    (0.8, 0.0, 0.2): "are the random tokens missing? 80 % are masked, 10 % random, 10 % stay",
    (0.8, 0.02, 0.18): "did you draw 10 % of the remaining 20 %? Of those left over, half become random",
    (0.81, 0.09, 0.10): _ONE_DRAW,
    (0.81, 0.10, 0.09): _ONE_DRAW,
}


@exercise("04.mask_8010")
def mask_8010(answer):
    """choose ordinary tokens with the rate; one more draw each decides between mask, random and kept

    80 % masked, 10 % random, 10 % kept; the loss is asked for only where a token was chosen.
    """
    ids = torch.randint(5, 1000, (1600, 256), generator=torch.Generator().manual_seed(0))
    ids[:, 0], ids[:, -1] = 2, 3  # V is 1000, specials 0 to 4, the mask 4
    special, rate = ids < 5, 0.4

    def masking():
        given = ids.clone()
        got = answer(given, special.clone(), rate, 4, 1000, torch.Generator().manual_seed(1))
        inputs, targets = meant(got, (ids, ids), ("the input ids", "the targets"))
        return given, inputs, targets

    given, inputs, targets = masking()
    for what, x in {"input ids": inputs, "targets": targets}.items():
        yield f"the {what} should have the shape of ids, not {tuple(x.shape)}", x.shape != ids.shape
    yield "did you change ids in place? Work on a copy: ids.clone()", not torch.equal(given, ids)
    chosen = targets != -100
    yield "are there targets everywhere? They should be -100 except at the chosen tokens", chosen.all()
    yield "was nothing chosen? All targets are -100", not chosen.any()
    yield "can special tokens be chosen? [CLS] and [SEP] never should", (chosen & special).any()
    yield "do the targets hold the original tokens, not what is shown?", (targets != ids)[chosen].any()
    yield "did tokens change that have no target? Only the chosen ones may", ((inputs != ids) & ~chosen).any()
    share = (chosen.sum() / (~special).sum()).item()
    yield f"is the rate used? {share:.1%} were chosen, not {rate:.0%}", abs(share - rate) >= 0.01
    yield "are all ids in the vocabulary, 0 to vocab_size - 1?", inputs.min() < 0 or inputs.max() >= 1000
    masked, kept = (same[chosen].double().mean() for same in (inputs == 4, inputs == ids))
    shares = torch.stack([masked, 1 - masked - kept, kept])  # of 160,000 tokens: a standard error of 0.001
    distance = lambda known: (torch.tensor(known) - shares).abs().max()  # noqa: E731
    nearest = min([*_SHARES, (0.8, 0.1, 0.1)], key=distance)
    measured = "80/10/10 was asked; masked/random/kept came out as {:.1%}, {:.1%}, {:.1%}".format(*shares)
    yield measured, distance(nearest) >= 0.006
    yield _SHARES.get(nearest), nearest in _SHARES
    yield "do all draws use the generator? One seed gave two maskings", not inputs.equal(masking()[1])


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


@exercise("04.parameters", value=True)
def parameters(answer):
    """three tables, a LayerNorm; 12 layers of 4 D·D + 2 D·F, their biases, 2 LayerNorms; the pooler

    109,482,240: the 110M of the paper, a fifth of it in the token table.
    """
    whole = isinstance(answer, (Integral, float)) and answer == int(answer)
    yield "give the exact number, as a whole number", not whole or isinstance(answer, bool)
    missing = _PARAMETERS - int(answer)
    yield "that is a rounded number; what is the exact one?", answer % 1_000_000 == 0
    tied = 768 * 768 + 3 * 768 + 30522
    yield "is the head counted, with its transform and output bias? Body only", missing == -tied
    yield "is the head counted, with its own output matrix? Body only", missing == -tied - 30522 * 768
    for size in range(1, len(_TERMS)):
        found = [terms for terms in combinations(_TERMS, size) if sum(_TERMS[t] for t in terms) == missing]
        forgotten = " or ".join(" and ".join(terms) for terms in found)
        yield f"{missing:,} too few: did you forget {forgotten}?", found
    far = f"{abs(missing):,} too {'few' if missing > 0 else 'many'}"
    yield f"{far}. Go through tables, layers and pooler: is L = 12, D = 768?", missing
