"""Hidden states and attention of many sentences, word by word.

L layers, H heads, W words, D d_model, T tokens
"""

from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from ptm_explore.errors import PtmError
from ptm_explore.interpret.attention import merge
from ptm_explore.interpret.trace import Trace, trace
from ptm_explore.model import Model

Spans = Sequence[tuple[int, int]]
PROBS = ["layers.*.attention.probs"]
READ = ("embeddings.out", "embeddings.projected", "layers.*.out")


def pairs_of(texts: Any) -> list[tuple[str, str | None]]:
    """Texts with their pairs, given as strings or as examples; PtmError for anything else, and for a single
    string."""
    given = () if isinstance(texts, str) else texts
    found = [(getattr(one, "text", one), getattr(one, "pair", None)) for one in given]
    if not found or not all(isinstance(text, str) and text.strip() for text, _ in found):
        raise PtmError(f"give a list of one or more texts that are not empty, not {texts!r:.60}")
    return found


def texts_of(texts: Any) -> list[str]:
    """`pairs_of` without the pairs."""
    return [text for text, _ in pairs_of(texts)]


def tokens_of(found: Trace, spans: Spans) -> list[list[int]]:
    """The tokens that overlap each span of characters; none, where the text was cut."""
    places = [(i, a, b) for i, (a, b) in enumerate(found.offsets) if found.words[i] is not None]
    return [[i for i, a, b in places if a < end and start < b] for start, end in spans]


def word_states(model: Model, text: str, spans: Spans) -> Float[Tensor, "L1 W D"]:
    """The states of words after the embeddings and after each layer, the mean over each word's tokens; not a
    number for a word that no token holds."""
    found = trace(model, text, read=READ)
    groups = tokens_of(found, spans)
    return torch.stack([found.hidden[:, group].mean(1) for group in groups], 1)


def text_states(model: Model, texts: Sequence[str]) -> Float[Tensor, "N L1 D"]:
    """The mean over the tokens of each text, special ones too, after the embeddings and after each layer."""
    return torch.stack([trace(model, text, read=READ).hidden.mean(1) for text in texts_of(texts)])


def word_attention(model: Model, text: str, spans: Spans) -> tuple[Float[Tensor, "L H W W"], list[int]]:
    """Attention between the words of a sentence that have tokens, and which those are."""
    found = trace(model, text, read=PROBS)
    groups = tokens_of(found, spans)
    kept = [w for w, group in enumerate(groups) if group]
    return merge(found.attention, [groups[w] for w in kept]), kept
