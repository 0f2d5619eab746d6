"""Chapter 08: ELECTRA. B batch, T tokens."""

import torch

from .base import exercise, match, pair, require, tensor


@exercise(
    "08.labels",
    hint="put what was drawn where the mask is; then a token is replaced if it is not what it was",
    done="A lucky draw is no forgery: where the generator hit the original, the label is 0.",
)
def labels(answer):
    ids = torch.tensor([[7, 8, 9, 10, 11], [5, 6, 5, 6, 5]])
    masked = torch.tensor([[0, 1, 0, 1, 0], [1, 0, 0, 0, 1]]).bool()
    drawn = torch.tensor([[1, 3, 2, 10, 4], [5, 2, 2, 2, 8]])  # a draw everywhere; two hit the original
    before = ids.clone()
    got = pair(answer(ids, masked.clone(), drawn.clone()), "what is shown and the labels")
    require(
        torch.equal(ids, before), "did you change ids in place? Work on a copy: torch.where or ids.clone()"
    )
    shown, label = tensor(got[0], "what is shown"), tensor(got[1], "the labels")
    right = torch.where(masked, drawn, ids)
    swapped = "are the two results swapped? First what is shown, then the labels"
    require(not torch.equal(shown.double(), (right != ids).double()), swapped)
    match(
        shown,
        right,
        {
            "is something drawn shown where nothing was masked?": drawn,
            "is the draw in the right places? It belongs where the mask is": torch.where(masked, ids, drawn),
            "is anything replaced at all? That is the original": ids,
        },
        "what is shown",
    )
    match(
        label.double(),
        (right != ids).double(),
        {
            "does every mask count as replaced? The generator may have drawn the original": masked.double(),
            "which way round are the labels? 1 is replaced": (right == ids).double(),
            "are unmasked draws compared too? Compare what is shown": (drawn != ids).double(),
        },
        "the row of labels",
    )


@exercise(
    "08.auc",
    hint="of all pairs of a replaced and an original token: how often does the replaced one score higher?",
    done="0.5 is chance whatever the majority, and nothing changes when all scores are squashed alike.",
)
def auc(answer):
    scores = torch.tensor([0.1, 0.4, 0.4, 0.8, 0.3, 0.2, 0.4, 0.05])
    truth = torch.tensor([0, 0, 1, 1, 0, 0, 0, 1])
    a, b = scores[truth == 1][:, None], scores[truth == 0][None, :]
    above, same = (a > b).double().mean(), (a == b).double().mean()
    match(
        answer(scores.clone(), truth.clone()),
        above + same / 2,
        {
            "how do you count ties? They are half a win": above,
            "do ties count as whole wins? They are half of one": above + same,
            "is it turned round? The replaced token should have the higher score": 1 - above - same / 2,
            "is that the accuracy? It depends on a threshold, the area does not": (
                ((scores > 0.5) == (truth == 1)).double().mean()
            ),
            "do you divide by all pairs? Only those of a replaced and an original token count": (
                (above + same / 2) * a.numel() * b.numel() / (len(scores) * (len(scores) - 1) / 2)
            ),
        },
        "the area",
    )


@exercise(
    "08.loss",
    hint="two means, each over what its part is asked about; the discriminator's counts fifty times",
    done="The fifty makes up for sizes: a yes or no is a small question beside a whole vocabulary.",
)
def loss(answer):
    mlm, n_masked, rtd, n_tokens, weight = 63.0, 12, 20.0, 80, 50.0
    value = torch.tensor(mlm / n_masked + weight * rtd / n_tokens)
    match(
        answer(mlm, n_masked, rtd, n_tokens, weight),
        value,
        {
            "is the weight there?": torch.tensor(mlm / n_masked + rtd / n_tokens),
            "is the weight on the right part? The discriminator's loss is the small one": torch.tensor(
                weight * mlm / n_masked + rtd / n_tokens
            ),
            "is the discriminator asked about masked tokens only? About all of them": torch.tensor(
                mlm / n_masked + weight * rtd / n_masked
            ),
            "is the generator asked about all tokens? About the masked ones": torch.tensor(
                mlm / n_tokens + weight * rtd / n_tokens
            ),
            "are those sums? Each part is a mean": torch.tensor(mlm + weight * rtd),
            "is one part subtracted? They do not fight: both are minimised": torch.tensor(
                mlm / n_masked - weight * rtd / n_tokens
            ),
        },
        "the loss",
    )
