"""Chapter 03: predicting the next token. B batch, T tokens, V vocabulary."""

import torch

from .base import exercise, match, pair, require, tensor


@exercise(
    "03.shift",
    hint="every position predicts the token after it: the last token has no target, the first is never one",
    done="Position t sees the tokens up to t and predicts token t + 1.",
)
def shift(answer):
    ids = torch.arange(10, 22).view(3, 4)
    got = pair(answer(ids.clone()), "the inputs and the targets")
    front, back = ids[:, :-1], ids[:, 1:]
    mistakes = {
        "did you shift the targets? Here each token is its own target": [(ids, ids), (front, front)],
        "did you shift the wrong way? The target comes after its input": [(back, front)],
        "do the lengths fit? The last input has no target: drop it": [(ids, back)],
        "do the lengths fit? The first token is nobody's target: drop it": [(front, ids)],
        "what follows the last token? roll brings back the first; drop it": [(ids, ids.roll(-1, 1))],
        "did you shift along the batch? Time is the second dimension": [(ids[:-1], ids[1:])],
    }
    inputs, targets = tensor(got[0], "the inputs"), tensor(got[1], "the targets")
    for question, wrongs in mistakes.items():
        require(not any(torch.equal(inputs, a) and torch.equal(targets, b) for a, b in wrongs), question)
    match(inputs, front, {}, "the first result (inputs)")
    match(targets, back, {}, "the second result (targets)")


@exercise(
    "03.perplexity",
    hint="the loss is the mean of -log p in nats; perplexity undoes the logarithm",
    done="A perplexity of n: as unsure as between n equally likely tokens.",
)
def perplexity(answer):
    loss = torch.tensor(1.7)
    match(
        answer(loss.clone()),
        loss.exp(),
        {
            "is the loss in bits? It is in nats, so e and not 2 is the base": 2**loss,
            "is 10 the base? The natural logarithm is undone by e": 10**loss,
            "did you lose the sign? The loss is already -log p": (-loss).exp(),
            "did you take the logarithm once more? It has to be undone": loss.log(),
            "is that still the loss?": loss,
        },
        "the perplexity",
    )


@exercise(
    "03.temperature",
    hint="divide the logits, then take the softmax; a temperature under 1 makes the likely likelier",
    done="Low temperatures sharpen, high ones flatten, and 1 changes nothing.",
)
def temperature(answer):
    logits = torch.tensor([[2.0, 1.0, 0.0, -1.0], [0.5, 0.0, 3.0, 1.0]])
    plain = logits.softmax(-1)
    for t in (0.5, 2.0):
        match(
            answer(logits.clone(), t),
            (logits / t).softmax(-1),
            {
                "did you multiply by the temperature? High ones should flatten": (logits * t).softmax(-1),
                "did you apply the temperature after the softmax? Divide the logits, before it": plain / t,
                "did you multiply after the softmax? Divide the logits, before it": plain * t,
                "did you use the temperature? That is the softmax of the logits alone": plain,
                "did you forget the softmax? Those are still logits": logits / t,
                "over which dimension is the softmax? The vocabulary is the last": (logits / t).softmax(0),
            },
            f"the result at temperature {t}",
        )
