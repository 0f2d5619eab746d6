"""What a model would say if it ended earlier. L layers, T tokens, C labels."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from ptm_explore.errors import PtmError
from ptm_explore.interpret.results import Grid, layers
from ptm_explore.interpret.trace import by_query, run, trace
from ptm_explore.layers.taps import Taps


@torch.no_grad()
def lens(model: Any, text: str, pair: str | None = None) -> Grid:
    """What the model would say if each layer were the last (the logit lens, nostalgebraist 2020): the
    likeliest token of every layer and position with its probability; of an ELECTRA the probability that a
    token was replaced; of a classifier the probabilities of its labels. Heads were trained on the last layer
    only: that an early one reads as nonsense does not say that it knows nothing."""
    found, L = trace(model, text, pair), model.config.n_layers
    tokens = model.encode(text, pair)
    # XLNet predicts by its query stream, whose states stand beside the others
    stream = "query." if by_query(model) else ""
    first = found["embeddings.query.out"] if stream else found.hidden[0]
    rows = []
    for state in (first, *(found[f"layers.{i}.{stream}out"] for i in range(L))):
        instead = state.to(model.device).expand_as  # whatever the last layer gives on
        taps = Taps(edit={f"layers.{L - 1}.{stream}out": instead})
        rows.append(_said(model, run(model, tokens.ids, tokens.segments, taps), found.tokens))
    chances, words = zip(*rows, strict=True)
    columns, what = (found.tokens, "position") if words[0] else (list(model.labels), "label")
    labels = [list(row) for row in words] if words[0] else None
    note = "the head was trained on the last layer alone" + "; what comes next" * model.net.causal
    title = "What each layer would say"
    return Grid(title, np.array(chances), layers(L), columns, "probability", ("layer", what), labels, note)


def _said(model: Any, out, tokens: list[str]) -> tuple[list[float], list[str]]:
    if out.task_logits is not None:
        if out.task_logits.dim() > 2 or getattr(model, "kind", "") == "regression":
            raise PtmError("the lens reads classifiers of texts; of this one, look at its body's model")
        return out.task_logits[0].softmax(-1).tolist(), []
    if out.replaced_logits is not None:
        return out.replaced_logits[0].sigmoid().tolist(), tokens
    if out.logits is None:
        raise PtmError(f"this model has no head to read layers with; it has {model.net.heads or 'none'}")
    chance, ids = out.logits.view(len(tokens), -1).softmax(-1).max(-1)
    return chance.tolist(), [model.tokenizer.token(i) for i in ids.tolist()]
