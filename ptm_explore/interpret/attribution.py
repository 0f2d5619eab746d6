"""Which tokens decided: captum's methods and two of attention's own, behind one call.

B batch, T tokens, D d_model, W words
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from ptm_explore.errors import PtmError, unknown
from ptm_explore.interpret import attention
from ptm_explore.interpret.trace import trace
from ptm_explore.layers.taps import Taps

if TYPE_CHECKING:
    from ptm_explore.model import Model

INTERNAL_BATCH = 16  # rows that a method computes at once
GRADIENT = ("integrated_gradients", "saliency", "input_x_gradient", "gradient_shap")
PERTURBATION = ("occlusion", "feature_ablation", "shapley_sampling", "kernel_shap", "lime")
ATTENTION = ("attention_rollout", "attention_x_gradient")
METHODS = (*GRADIENT, *PERTURBATION, *ATTENTION, "random")
COMPLETE = (
    "integrated_gradients",
    "gradient_shap",
    "shapley_sampling",
    "kernel_shap",
)  # sum to the difference


@dataclass(frozen=True)
class Attribution:
    """What each token, and each word, contributed to one score of a model."""

    method: str
    target: str  # what the score is, in words
    tokens: list[str]
    scores: Tensor  # (T,)
    special: list[bool]
    words: list[str]
    word_scores: Tensor  # (W,) sums over a word's tokens; a special token is a word of its own
    score: float  # of the text
    baseline: float  # of the text with every ordinary token replaced by the baseline
    delta: float | None  # the sum of the scores - (score - baseline), where the method promises 0
    seconds: float
    groups: list[list[int]] = field(repr=False)  # the tokens of each word


def attribute(
    model: Model,
    text: str,
    pair: str | None = None,
    target: Any = None,
    method: str = "integrated_gradients",
    baseline: str = "pad",
    at: str | None = None,
    steps: int = 50,
    seed: int = 0,
) -> Attribution:
    """Scores of a text's tokens for one score of the model.

    target    of a classifier a label (None: the predicted one); of a tagger (word, tag); of a span model the
              answer it gives; of a language model the token at its first mask (GPT: the next token), or
              (position, token); of an ELECTRA the position whose token may have been replaced
    method    one of METHODS; "random" is what others have to beat
    baseline  "pad", "mask" or "unk": the token that stands for "not there"; special tokens stay
    at        the activation whose parts are scored, "layers.0.out" for instance (gradient methods);
              None: the token embeddings
    steps     points of the path (integrated gradients, gradient SHAP) or samples for each token (Shapley,
              LIME)

    PtmError for an unknown method, target or baseline, and for a text that equals its baseline.
    """
    if method not in METHODS:
        raise unknown("attribution method", method, METHODS)
    tokens = model.encode(text, pair)
    ids = tokens.ids.to(model.device)
    # what is asked for is no part of the answer: masks stay, too
    special = tokens.special[0] | tokens.ids[0].eq(_mask_id(model))
    goal = _Goal(model, tokens, target)
    nothing = torch.where(special.to(ids.device), ids, _filler(model, baseline))
    if torch.equal(nothing, ids):
        raise PtmError(f"this text is its own baseline: nothing but special tokens and {baseline!r}")
    found = trace(model, text, pair, read=())
    groups = attention.words_of(found.words)
    # in place of tokens their embeddings change: to RoBERTa, a PAD would move all that follows
    embedded = "embeddings.out" if model.family == "xlnet" else "embeddings.tokens"
    x, x0 = (goal.activation(row, embedded) for row in (ids, nothing))
    name = at or embedded
    if at:
        x, x0 = (goal.activation(ids, at, embedded, value) for value in (x, x0))
    start = time.perf_counter()
    with _seeded(seed), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # captum's, on inputs it sets to require gradients
        if method in GRADIENT:
            scores = _by_gradient(goal, ids, name, x, x0, method, steps)
        elif method in PERTURBATION:
            scores = _by_change(goal, ids, name, x, x0, method, special, steps)
        elif method in ATTENTION:
            scores = _by_attention(model, goal, text, pair, method)
        else:
            scores = torch.rand(ids.size(1)) - 0.5
    seconds = time.perf_counter() - start
    with torch.no_grad():
        score, without = float(goal(ids)), float(goal(ids, name, x0))
    scores = scores.detach().float().cpu()
    delta = float(scores.sum()) - (score - without) if method in COMPLETE else None
    return Attribution(
        method,
        goal.name,
        found.tokens,
        scores,
        special.tolist(),
        [attention.label_of(found, (text, pair or ""), group) for group in groups],
        torch.stack([scores[group].sum() for group in groups]),
        score,
        without,
        delta,
        seconds,
        groups,
    )


class _Goal:
    """One score of a model as a function of ids, or of an activation put in place of what they give."""

    def __init__(self, model: Model, tokens, target):
        self.model, self.segments = model, tokens.segments.to(model.device)
        self.place = 0  # the token whose state the score is read off
        self.read, self.name = self._choose(tokens, target)

    def __call__(self, ids: Tensor, name: str = "", value: Tensor | None = None) -> Tensor:
        """(B,) scores of rows of ids (B, T); with `value` the activation `name` is replaced."""
        taps = None if value is None else Taps(edit={name: lambda _: value})
        segments = self.segments.expand(len(ids), -1)
        options = self.model.net.trace_options(ids.numel())  # XLNet: every position asks
        return self.read(self.model(ids, None, segments, taps=taps, **options))

    @torch.no_grad()
    def activation(self, ids: Tensor, name: str, edited: str = "", value: Tensor | None = None) -> Tensor:
        """An activation of one row; with `value`, of what follows from putting it in the place `edited`."""
        taps = Taps(read=[name], edit=None if value is None else {edited: lambda _: value})
        self.model(ids, None, self.segments, taps=taps)
        if name not in taps.values:
            raise PtmError(f"no activation {name!r}; m.trace(text).names() lists them")
        return taps.values[name]

    def _choose(self, tokens, target) -> tuple[Callable, str]:
        model, T = self.model, tokens.ids.size(1)
        if getattr(model, "kind", None):
            return self._task(tokens, target)
        if "rtd" in model.net.heads:
            place = _place(target if target is not None else 1, T)
            self.place = place
            return lambda out: out.replaced_logits[:, place], f"{tokens.tokens[0][place]!r} was replaced"
        if not {"mlm", "lm"} & set(model.net.heads):
            raise PtmError(f"this model has no head to score with; it has {model.net.heads or 'none'}")
        place, token = target if isinstance(target, tuple) else (None, target)
        if place is None:
            masks = tokens.ids[0].eq(_mask_id(model))
            if not model.net.causal and not masks.any():
                raise PtmError("write [MASK] where a token is wanted, or give target=(position, token)")
            place = T - 1 if model.net.causal else int(masks.nonzero()[0])
        self.place = place = _place(place, T)

        def logits(out):
            return out.logits.view(len(out.hidden), T, -1)[:, place]

        with torch.no_grad():
            out = model(tokens.ids, None, tokens.segments, **model.net.trace_options(T))
            best = int(logits(out)[0].argmax())
        wanted = best if token is None else _token(model, token)
        name = model.tokenizer.token(wanted)
        return lambda out: logits(out)[:, wanted], f"the logit of {name!r} at position {place}"

    def _task(self, tokens, target) -> tuple[Callable, str]:
        model: Any = self.model
        self.place = tokens.ids.size(1) - 1 if model.family in ("gpt", "xlnet") else 0
        with torch.no_grad():
            logits = model(tokens.ids, None, tokens.segments).task_logits[0]
        if model.kind == "regression":
            return lambda out: out.task_logits[:, 0], "the predicted number"
        if model.kind == "classification":
            label = model.labels[int(logits.argmax())] if target is None else target
            n = _label(model, label)
            return lambda out: out.task_logits[:, n], f"the logit of {label!r}"
        if model.kind == "span":
            first = int(logits[:, 0].argmax())
            last = first + int(logits[first:, 1].argmax())
            words = " ".join(tokens.tokens[0][first : last + 1])
            answer = f"the answer {words!r}"
            return lambda out: out.task_logits[:, first, 0] + out.task_logits[:, last, 1], answer
        word, tag = target if isinstance(target, tuple) and len(target) == 2 else (target or 0, None)
        if word not in tokens.words[0]:
            most = max(w for w in tokens.words[0] if w is not None)
            raise PtmError(f"no word {word!r}; words are counted from 0 to {most}")
        place = tokens.words[0].index(word)
        self.place, tag = place, model.labels[int(logits[place].argmax())] if tag is None else tag
        n = _label(model, tag)
        return lambda out: out.task_logits[
            :, place, n
        ], f"the logit of {tag!r} at {tokens.tokens[0][place]!r}"


def _by_gradient(goal: _Goal, ids, name: str, x: Tensor, x0: Tensor, method: str, steps: int) -> Tensor:
    from captum import attr

    def forward(value):
        return goal(ids.expand(len(value), -1), name, value)

    if method == "integrated_gradients":
        path = attr.IntegratedGradients(forward)
        found = path.attribute(x, x0, n_steps=steps, internal_batch_size=INTERNAL_BATCH)
    elif method == "gradient_shap":
        found = attr.GradientShap(forward).attribute(x, torch.cat([x0, x0]), n_samples=steps, stdevs=0.0)
    elif method == "saliency":
        return attr.Saliency(forward).attribute(x, abs=True)[0].norm(dim=-1)
    else:
        found = attr.InputXGradient(forward).attribute(x)
    return found[0].sum(-1)


def _by_change(goal: _Goal, ids, name: str, x, x0, method: str, special, steps: int) -> Tensor:
    from captum import attr

    # each ordinary token is a feature of its own; special ones, which never change, share the last
    feature = torch.where(special, 0, (~special).cumsum(0) - 1)
    feature = torch.where(special, feature.max() + int(special.any()), feature)[None].to(ids.device)
    count = int(feature.max()) + 1

    @torch.no_grad()
    def forward(there):  # (B, T) 1 where a token is as it is, 0 where it is the baseline
        return goal(ids.expand(len(there), -1), name, torch.where(there[..., None] > 0.5, x, x0))

    options: dict = {"baselines": torch.zeros(ids.shape, device=ids.device), "feature_mask": feature}
    if method == "occlusion":
        run = attr.Occlusion(forward)
        del options["feature_mask"]
        options["sliding_window_shapes"] = (min(3, ids.size(1)),)
    elif method == "feature_ablation":
        run = attr.FeatureAblation(forward)
    elif method == "shapley_sampling":
        run = attr.ShapleyValueSampling(forward)
        options |= {"n_samples": steps, "perturbations_per_eval": INTERNAL_BATCH}
    else:
        run = (attr.KernelShap if method == "kernel_shap" else attr.Lime)(forward)
        options |= {"n_samples": steps * count, "perturbations_per_eval": INTERNAL_BATCH}
    found = run.attribute(torch.ones(ids.shape, device=ids.device), **options)[0].float()
    return torch.where(special.to(found.device), 0.0, found)


def _by_attention(model: Model, goal: _Goal, text: str, pair: str | None, method: str) -> Tensor:
    """The row of the token that the score is read off."""
    if method == "attention_rollout":
        return attention.measure(model, text, pair, "rollout")[-1, 0, goal.place]
    # Chefer et al. 2021, equations 5 and 6; XLNet's predictions read the content stream by the query stream
    asks = model.family == "xlnet" and not getattr(model, "kind", None)
    maps = attention.times_gradient(model, text, pair, "content", goal.read).mean(1)
    asking = attention.times_gradient(model, text, pair, "query", goal.read).mean(1) if asks else maps
    found, row = torch.eye(maps.size(-1)), torch.zeros(maps.size(-1))
    for layer, query in zip(maps, asking, strict=True):
        row = row + query[goal.place] @ found
        found = found + layer @ found
    return row


@contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """Captum draws from the global generators of torch and of numpy: afterwards they are where they were."""
    before = np.random.get_state()  # noqa: NPY002
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        np.random.seed(seed)  # noqa: NPY002
        try:
            yield
        finally:
            np.random.set_state(before)  # noqa: NPY002


def _mask_id(model: Model) -> int:
    return -1 if model.tokenizer.mask_id is None else model.tokenizer.mask_id


def _filler(model: Model, baseline: str) -> Tensor:
    ids = {"pad": model.tokenizer.pad_id, "mask": model.tokenizer.mask_id, "unk": model.tokenizer.unk_id}
    if baseline not in ids:
        raise unknown("baseline", baseline, ids)
    chosen = ids[baseline] if ids[baseline] is not None else model.tokenizer.eos_id
    if chosen is None:
        raise PtmError(f"this tokenizer has no {baseline} token; take another baseline")
    return torch.tensor(chosen, device=model.device)


def _label(model: Any, label: Any) -> int:
    if label not in model.labels:
        raise unknown("label", label, model.labels)
    return model.labels.index(label)


def _place(place: Any, T: int) -> int:
    if not isinstance(place, int) or not 0 <= place < T:
        raise PtmError(f"position {place!r} does not exist: this text has tokens 0 to {T - 1}")
    return place


def _token(model: Model, token: str) -> int:
    for form in (token, f"Ġ{token}", f"▁{token}"):
        if (found := model.tokenizer.backend.token_to_id(form)) is not None:
            return found
    raise PtmError(f"{token!r} is not one token of this vocabulary; give a single token, such as 'the'")
