"""Attention of one text, read in four ways; and the products of query and key that a score is made of.

L layers, H heads, T tokens, W words, K head size, D d_model; a row is a query, a column a key
"""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate, groupby, pairwise
from operator import itemgetter

import torch
from jaxtyping import Float
from torch import Tensor

from ptm_explore.errors import PtmError, unknown
from ptm_explore.interpret.trace import Trace, run, trace
from ptm_explore.layers.attention import Attention
from ptm_explore.layers.relative import RelativeAttention
from ptm_explore.layers.taps import Taps
from ptm_explore.model import Model
from ptm_explore.models.heads import Output

MEASURES = {
    "weights": "attention weights: how a query shares itself out over the keys; a row sums to 1",
    "norms": "weight times the length of what is taken over, |a f(x)| (Kobayashi et al. 2020)",
    "gradient": "weight times its gradient, where positive: what raises the score (Chefer et al. 2021)",
    "rollout": "weights of all layers so far multiplied, with the residual (Abnar and Zuidema 2020)",
}
Groups = list[list[int]]
STREAMS = {"content": "attention", "query": "attention.query"}  # of XLNet; other families have the first


def measure(
    model: Model, text: str, pair: str | None = None, kind: str = "weights", stream: str = "content"
) -> Float[Tensor, "L H T T"]:
    """What attention does on a text, as one of `MEASURES`. "rollout" has one map a layer (H = 1). "gradient"
    is of the predicted class of a classifier, else of the model's own score of the text: of the tokens'
    log-probabilities, or of its belief that they are original. PtmError for an unknown kind or stream."""
    return _measured(model, text, pair, kind, stream)[1]


def _measured(model: Model, text: str, pair: str | None, kind: str, stream: str) -> tuple[Trace, Tensor]:
    if kind not in MEASURES:
        raise unknown("measure of attention", kind, MEASURES)
    if kind == "rollout" and stream != "content":
        raise PtmError("rollout follows what flows from layer to layer, the content stream; choose that one")
    scope = _stream(model, stream)
    name = f"layers.*.{scope}.probs"
    if kind == "gradient":
        return trace(model, text, pair, read=()), times_gradient(model, text, pair, stream)
    found = trace(model, text, pair, read=[name, "layers.*.attention.v"])
    maps = found.layers(f"{scope}.probs")
    if kind == "rollout":
        maps = rollout(maps)[:, None]
    if kind == "norms":
        maps = maps * _lengths(model, found.layers("attention.v")).unsqueeze(2)
    return found, maps


def rollout(maps: Float[Tensor, "L H T T"]) -> Float[Tensor, "L T T"]:
    """How much of each input token arrives at each position, layer by layer, if attention is all there is
    (Abnar and Zuidema 2020, section 3.2). Rows sum to 1."""
    own = torch.eye(maps.size(-1))
    return torch.stack([*accumulate((maps.mean(1) + own) / 2, lambda before, layer: layer @ before)])


def merge(maps: Float[Tensor, "... T T"], groups: Groups) -> Float[Tensor, "... W W"]:
    """Maps between groups of tokens, such as words: what a group gets is the sum over its tokens, what it
    gives the mean (Clark et al. 2019, section 4.1)."""
    member = members(groups, maps.size(-1))
    return member / member.sum(1, keepdim=True) @ maps @ member.T


def members(groups: Groups, T: int) -> Float[Tensor, "W T"]:
    """1 where a token belongs to a group, else 0."""
    result = torch.zeros(len(groups), T)
    for row, group in zip(result, groups, strict=True):
        row[group] = 1
    return result


def words_of(words: list[int | None]) -> Groups:
    """The tokens of each word; a special token is a word of its own."""
    keys = [-1 - i if word is None else word for i, word in enumerate(words)]
    return [[i for i, _ in group] for _, group in groupby(enumerate(keys), key=itemgetter(1))]


@dataclass(frozen=True)
class Look:
    """The same text as several models attend to it, between the same tokens or words."""

    names: list[str]  # of the models
    tokens: list[str]
    special: list[bool]
    sections: list[int]  # 0 or, in the second of two texts, 1
    maps: list[Float[Tensor, "L H T T"]]  # one a model
    groups: list[Groups]  # of each model: the tokens that each of `tokens` is made of
    notice: str = ""  # what one has to know to read them


def look(
    models: Sequence[Model],
    text: str,
    pair: str | None = None,
    kind: str = "weights",
    stream: str = "content",
    words: bool = False,
) -> Look:
    """Attention of one or more models on a text. Where their tokens differ, they are compared between the
    shortest stretches of text that all of them cut at both ends, special tokens left out."""
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        both = [_measured(m, text, pair, kind, stream if m.family == "xlnet" else "content") for m in models]
    notices = dict.fromkeys(str(warning.message) for warning in said)
    first = both[0][0]
    if any(found.tokens != first.tokens for found, _ in both):
        notices["The models cut this text differently; shown are the stretches that all of them share"] = None
        groups = _stretches([found for found, _ in both], words)
        if not groups[0]:
            raise PtmError("the models share no stretch of this text that both read; write more words")
    else:
        each = words_of(first.words) if words else [[i] for i in range(len(first.tokens))]
        groups = [each] * len(both)
    names, starts = list(map(name_of, models)), [group[0] for group in groups[0]]
    tokens = [label_of(first, (text, pair or ""), group) for group in groups[0]]
    special, sections = [first.words[i] is None for i in starts], [first.sections[i] for i in starts]
    maps = [merge(m, g) if len(g) < m.size(-1) else m for (_, m), g in zip(both, groups, strict=True)]
    return Look(names, tokens, special, sections, maps, groups, ". ".join(notices))


def name_of(model: Model) -> str:
    kind = f", {model.kind}" if hasattr(model, "kind") else ""
    return (model.recipe.name if model.recipe else model.family) + kind


def label_of(found: Trace, texts: tuple[str, str], group: list[int]) -> str:
    """How a group of tokens stands in its text; of one token, the token."""
    if len(group) == 1:
        return found.tokens[group[0]]
    return texts[found.sections[group[0]]][found.offsets[group[0]][0] : found.offsets[group[-1]][1]]


def _stretches(found: Sequence[Trace], words: bool) -> list[Groups]:
    """Of each trace: its tokens between the places where all of them end a token (or a word)."""
    ends = [{i: (t.sections[i], t.offsets[i][1]) for i in _closing(t, words)} for t in found]
    common = set.intersection(*(set(places.values()) for places in ends))
    result = []
    for t, places in zip(found, ends, strict=True):
        kept = [i for i, word in enumerate(t.words) if word is not None]
        cuts = [n for n, i in enumerate(kept, 1) if places.get(i) in common]
        result.append([kept[a:b] for a, b in pairwise([0, *cuts])])
    return result


def _closing(t: Trace, words: bool) -> list[int]:
    """Tokens that end a word, or a character: several tokens may share the bytes of one."""
    keys = t.words if words else t.offsets
    last = len(keys) - 1
    return [i for i, w in enumerate(t.words) if w is not None and (i == last or keys[i + 1] != keys[i])]


@dataclass(frozen=True)
class Products:
    """The score of one query for one key: `score` = sum of `products` + `place`, before the softmax."""

    query: Float[Tensor, " K"]
    key: Float[Tensor, " K"]
    products: Float[Tensor, " K"]  # query * key / sqrt(K): what each dimension adds
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


def _lengths(model: Model, values: Float[Tensor, "L H T K"]) -> Float[Tensor, "L H T"]:
    """Of each head's values, carried to the model's width by its share of the output projection."""
    parts = (part for layer in model.net.body.layers for part in layer.modules())
    heads = (part.out.weight for part in parts if isinstance(part, Attention | RelativeAttention))
    found = []
    for value, weight in zip(values, heads, strict=True):
        weight = weight.detach().float().cpu().unflatten(1, (len(value), -1))  # (D, H, K)
        found.append(torch.einsum("htk,dhk->htd", value, weight).norm(dim=-1))
    return torch.stack(found)


def times_gradient(
    model: Model, text: str, pair: str | None, stream: str, score: Callable[[Output], Tensor] | None = None
) -> Float[Tensor, "L H T T"]:
    """Weight times its gradient, where positive; of `score`, or of the model's own score of the text."""
    tokens = model.encode(text, pair)
    taps = Taps(read=[f"layers.*.{_stream(model, stream)}.probs"], gradients=True)
    with torch.enable_grad():
        out = run(model, tokens.ids, tokens.segments, taps)
        goal = score(out).sum() if score else _own_score(model, out, tokens.ids.to(model.device))
        gradients = torch.autograd.grad(goal, list(taps.values.values()), allow_unused=True)
    maps = zip(taps.values.values(), gradients, strict=True)
    # what the score does not depend on (the last layer's content stream, where the query stream predicts)
    parts = [torch.zeros_like(m) if g is None else (m * g).clamp(min=0) for m, g in maps]
    return torch.cat(parts).detach().float().cpu()


def _own_score(model: Model, out: Output, ids: Tensor) -> Tensor:
    if out.task_logits is not None:
        return out.task_logits.flatten(1).amax()
    if out.replaced_logits is not None:
        return -out.replaced_logits.sum()
    if out.logits is None:
        raise PtmError("this model has no head whose score could have a gradient; choose another measure")
    shift = int(model.net.causal)
    told = out.logits.view(*ids.shape, -1)[:, : ids.size(1) - shift].log_softmax(-1)
    return told.gather(-1, ids[:, shift:, None]).sum()
