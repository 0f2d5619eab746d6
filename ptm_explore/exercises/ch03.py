"""Chapter 03: predicting the next token. B batch, T tokens, V vocabulary."""

import torch

from .base import exercise


@exercise("03.shift", "the inputs", "the targets", cases=[(torch.arange(10, 22).view(3, 4),)])
def shift(got, ids):
    """every position predicts the token after it: the last token has no target, the first is never one

    Position t sees the tokens up to t and predicts token t + 1.
    """
    front, back = ids[:, :-1], ids[:, 1:]
    yield front, back
    yield "did you shift the targets? Here each token is its own target", (ids, ids), (front, front)
    yield "did you shift the wrong way? The target comes after its input", (back, front)
    yield "do the lengths fit? The last input has no target: drop it", (ids, back)
    yield "do the lengths fit? The first token is nobody's target: drop it", (front, ids)
    yield "what follows the last token? roll brings back the first; drop it", (ids, ids.roll(-1, 1))
    yield "did you shift along the batch? Time is the second dimension", (ids[:-1], ids[1:])


@exercise("03.perplexity", "the perplexity", cases=[(torch.tensor(1.7),)])
def perplexity(got, loss):
    """the loss is the mean of -log p in nats; perplexity undoes the logarithm

    A perplexity of n: as unsure as between n equally likely tokens.
    """
    yield loss.exp()
    yield "is the loss in bits? It is in nats, so e and not 2 is the base", 2**loss
    yield "is 10 the base? The natural logarithm is undone by e", 10**loss
    yield "did you lose the sign? The loss is already -log p", (-loss).exp()
    yield "did you take the logarithm once more? It has to be undone", loss.log()
    yield "is that still the loss?", loss


LOGITS = torch.tensor([[2.0, 1.0, 0.0, -1.0], [0.5, 0.0, 3.0, 1.0]])


@exercise("03.temperature", "the result at temperature {1}", cases=[(LOGITS, 0.5), (LOGITS, 2.0)])
def temperature(got, logits, t):
    """divide the logits, then take the softmax; a temperature under 1 makes the likely likelier

    Low temperatures sharpen, high ones flatten, and 1 changes nothing.
    """
    plain = logits.softmax(-1)
    yield (logits / t).softmax(-1)
    yield "did you multiply by the temperature? High ones should flatten", (logits * t).softmax(-1)
    yield "did you apply the temperature after the softmax? Divide the logits, before it", plain / t
    yield "did you multiply after the softmax? Divide the logits, before it", plain * t
    yield "did you use the temperature? That is the softmax of the logits alone", plain
    yield "did you forget the softmax? Those are still logits", logits / t
    yield "over which dimension is the softmax? The vocabulary is the last", (logits / t).softmax(0)
