"""Attention of one text, read in four ways; and the products of query and key that a score is made of.

L layers, H heads, T tokens, W words, K head size, D d_model; a row is a query, a column a key
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from jaxtyping import Float
from torch import Tensor

from ptm_explore.errors import PtmError, unknown
from ptm_explore.interpret.trace import Trace, trace
from ptm_explore.layers.attention import Attention
from ptm_explore.layers.relative import RelativeAttention
from ptm_explore.layers.taps import Taps

if TYPE_CHECKING:
    from ptm_explore.model import Model

MEASURES = {
    "weights": "attention weights: how a query shares itself out over the keys; a row sums to 1",
    "norms": "weight times the length of what is taken over, |a f(x)| (Kobayashi et al. 2020)",
    "gradient": "weight times its gradient, where positive: what raises the score (Chefer et al. 2021)",
    "rollout": "weights of all layers so far multiplied, with the residual (Abnar and Zuidema 2020)",
}
STREAMS = {"content": "attention", "query": "attention.query"}  # of XLNet; other families have the first


def measure(
    model: Model, text: str, pair: str | None = None, kind: str = "weights", stream: str = "content"
) -> Float[Tensor, "L H T T"]:
    """What attention does on a text, as one of `MEASURES`. "rollout" has one map a layer (H = 1). "gradient"
    is of the predicted class of a classifier, else of the model's own score of the text: of the tokens'
    log-probabilities, or of its belief that they are original. PtmError for an unknown kind or stream."""
    if kind not in MEASURES:
        raise unknown("measure of attention", kind, MEASURES)
    name = f"layers.*.{_stream(model, stream)}.probs"
    if kind == "rollout" and stream != "content":
        raise PtmError("rollout follows what flows from layer to layer, the content stream; choose that one")
    if kind == "gradient":
        return _times_gradient(model, text, pair, name)
    wanted = [name, "layers.*.attention.v"] if kind == "norms" else [name]
    found = trace(model, text, pair, read=wanted)
    maps = _stack(found, _stream(model, stream), "probs")
    if kind == "rollout":
        return rollout(maps)[:, None]
    return maps * _lengths(model, _stack(found, "attention", "v")).unsqueeze(2) if kind == "norms" else maps


def rollout(maps: Float[Tensor, "L H T T"]) -> Float[Tensor, "L T T"]:
    """How much of each input token arrives at each position, layer by layer, if attention is all there is
    (Abnar and Zuidema 2020, section 3.2). Rows sum to 1."""
    own = torch.eye(maps.size(-1))
    result = [own]
    for layer in maps.mean(1):
        result.append((layer + own) / 2 @ result[-1])
    return torch.stack(result[1:])


def merge_words(
    maps: Float[Tensor, "... T T"], words: list[int | None]
) -> tuple[Float[Tensor, "... W W"], list[list[int]]]:
    """Maps between words, and the tokens of each: what a word gets is the sum over its tokens, what it gives
    the mean (Clark et al. 2019, section 4.1). A special token is a word of its own."""
    groups: list[list[int]] = []
    for i, word in enumerate(words):
        if word is not None and i and words[i - 1] == word:
            groups[-1].append(i)
        else:
            groups.append([i])
    member = torch.zeros(len(groups), len(words))
    for n, group in enumerate(groups):
        member[n, group] = 1
    return member / member.sum(1, keepdim=True) @ maps @ member.T, groups


@dataclass(frozen=True)
class Products:
    """The score of one query for one key: `score` = sum of `products` + `place`, before the softmax."""

    query: Float[Tensor, K]
    key: Float[Tensor, K]
    products: Float[Tensor, K]  # query * key / sqrt(K): what each dimension adds
    place: float  # what else there is: XLNet's terms of position and segment; 0 elsewhere
    score: float
    weight: float


def products(found: Trace, layer: int, head: int, query: int, key: int, stream: str = "content") -> Products:
    """What bertviz calls the neuron view, of one pair of positions. Needs a trace that read `attention.*`."""
    at = f"layers.{layer}.{STREAMS[stream]}"
    q, k = found[f"{at}.q"][head, query], found[f"layers.{layer}.attention.k"][head, key]
    score, weight = (float(found[f"{at}.{name}"][head, query, key]) for name in ("scores", "probs"))
    each = q * k / len(q) ** 0.5
    rest = score - float(each.sum())
    return Products(q, k, each, rest if abs(rest) > 1e-4 else 0.0, score, weight)


def _stream(model: Model, stream: str) -> str:
    streams = STREAMS if model.family == "xlnet" else {"content": STREAMS["content"]}
    if stream not in streams:
        raise unknown(f"stream of attention in {model.family}", stream, streams)
    return streams[stream]


def _stack(found: Trace, scope: str, name: str) -> Float[Tensor, "L H T _"]:
    return torch.stack([v for n, v in found.values.items() if n.endswith(f".{scope}.{name}")])


def _lengths(model: Model, values: Float[Tensor, "L H T K"]) -> Float[Tensor, "L H T"]:
    """Of each head's values, carried to the model's width by its share of the output projection."""
    heads = [
        part.out.weight.detach().float().cpu().unflatten(1, (part.n_heads, -1))  # (D, H, K)
        for layer in model.net.body.layers
        for part in layer.modules()
        if isinstance(part, Attention | RelativeAttention)
    ]
    return torch.stack(
        [torch.einsum("htk,dhk->htd", v, w).norm(dim=-1) for v, w in zip(values, heads, strict=True)]
    )


def _times_gradient(model: Model, text: str, pair: str | None, name: str) -> Float[Tensor, "L H T T"]:
    tokens, taps = model.encode(text, pair), Taps(read=[name], gradients=True)
    with torch.enable_grad():
        options = model.net.trace_options(tokens.ids.size(1))
        out = model(tokens.ids, None, tokens.segments, taps=taps, **options)
        goal = _own_score(model, out, tokens.ids.to(model.device))
        gradients = torch.autograd.grad(goal, list(taps.values.values()), allow_unused=True)
    maps = zip(taps.values.values(), gradients, strict=True)
    # what the score does not depend on (the last layer's content stream, where the query stream predicts)
    parts = [torch.zeros_like(m) if g is None else (m * g).clamp(min=0) for m, g in maps]
    return torch.cat(parts).detach().float().cpu()


def _own_score(model: Model, out, ids: Tensor) -> Tensor:
    if getattr(out, "task_logits", None) is not None:
        return out.task_logits.flatten(1).amax()
    if getattr(out, "replaced_logits", None) is not None:
        return -out.replaced_logits.sum()
    if out.logits is None:
        raise PtmError("this model has no head whose score could have a gradient; choose another measure")
    shift = int(model.net.causal)
    logits = out.logits.view(*ids.shape, -1) if out.logits.dim() == 2 else out.logits
    told = logits[:, : ids.size(1) - shift].log_softmax(-1)
    return told.gather(-1, ids[:, shift:, None]).sum()
