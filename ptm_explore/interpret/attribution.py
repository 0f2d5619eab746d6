"""Which tokens decided: captum's methods and two of attention's own, behind one call.

B batch, T tokens, D d_model, W words
"""

import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ptm_explore.errors import PtmError, unknown
from ptm_explore.interpret import attention
from ptm_explore.interpret.goal import Goal
from ptm_explore.interpret.trace import by_query
from ptm_explore.model import Model

INTERNAL_BATCH = 16  # rows that a method computes at once
GRADIENT = ("integrated_gradients", "saliency", "input_x_gradient", "gradient_shap")
PERTURBATION = ("occlusion", "feature_ablation", "shapley_sampling", "kernel_shap", "lime")
ATTENTION = ("attention_rollout", "attention_x_gradient")
METHODS = (*GRADIENT, *PERTURBATION, *ATTENTION, "random")
SAMPLING = ("shapley_sampling", "kernel_shap", "lime")
RENAMED = {"shapley_sampling": "ShapleyValueSampling"}  # captum's classes are called as our methods otherwise
# their scores sum to the difference between the text and its baseline
COMPLETE = ("integrated_gradients", "gradient_shap", "shapley_sampling", "kernel_shap")


@dataclass(frozen=True)
class Attribution:
    """What each token, and each word, contributed to one score of a model; and how far to trust that."""

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
    goal: Goal = field(repr=False)  # what is explained

    @cached_property
    def comprehensiveness(self) -> float:
        """By how much the probability falls as the words with the highest scores go; see `Goal`."""
        best_first = self.word_scores[self.goal.ordinary].argsort(descending=True)
        return float(self.goal.comprehensiveness(best_first[None]))

    @property
    def random(self) -> tuple[float, float]:
        """Between which lie 95 % of what random orders of the words do."""
        return self.goal.by_chance


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
              (first, last) token of an answer (None: the one it gives); of a language model the token at its
              first mask (GPT: the next token), or (position, token); of an ELECTRA the position whose token
              may have been replaced
    method    one of METHODS; "random" is what others have to beat
    baseline  "pad", "mask" or "unk": the token that stands for "not there"; special tokens stay
    at        the activation whose parts are scored, "layers.0.out" for instance (gradient methods);
              None: the token embeddings
    steps     points of the path (integrated gradients, gradient SHAP) or samples for each token (Shapley,
              LIME)

    PtmError for an unknown method, target or baseline, and for a text that equals its baseline.
    """
    return explain(Goal(model, text, pair, target, baseline), method, at, steps, seed)


def explain(
    goal: Goal, method: str = "integrated_gradients", at: str | None = None, steps: int = 50, seed: int = 0
) -> Attribution:
    """`attribute`, of a goal that is there already."""
    if method not in METHODS:
        raise unknown("attribution method", method, METHODS)
    if not isinstance(steps, int) or steps < 1:
        raise PtmError(f"steps={steps!r}: give a whole number of at least 1")
    name, x, x0 = at or goal.embedded, goal.x, goal.x0
    if at:
        everything = torch.ones_like(goal.special)
        x, x0 = (goal.activation(at, edit=goal.present(there)) for there in (everything, ~everything))
        if x.dim() != 3 or x.size(1) != len(goal.tokens):
            raise PtmError(f"at={at!r} is {tuple(x.shape)}; give an activation with a state for each token")
    start = time.perf_counter()
    with _seeded((seed + goal.salt) % 2**32), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # captum's, on inputs it sets to require gradients
        if method in GRADIENT:
            scores = _by_gradient(goal, name, x, x0, method, steps)
        elif method in PERTURBATION:
            scores = _by_change(goal, method, steps)
        elif method in ATTENTION:
            scores = _by_attention(goal, method)
        else:
            scores = torch.zeros(len(goal.tokens))  # one draw a word, or long words would lie at both ends
            scores[[group[0] for group in goal.groups]] = torch.rand(len(goal.groups)) - 0.5
    seconds = time.perf_counter() - start
    scores = scores.detach().float().cpu()
    with torch.no_grad():
        score, without = float(goal()), float(goal(edit={name: lambda _: x0}))
    word_scores = torch.stack([scores[group].sum() for group in goal.groups])
    said = goal.name, goal.tokens, scores, goal.special.tolist(), goal.words, word_scores
    delta = float(scores.sum()) - (score - without) if method in COMPLETE else None
    return Attribution(method, *said, score, without, delta, seconds, goal.groups, goal)


def _captum(method: str, forward: Callable[[Tensor], Tensor]) -> Any:
    from captum import attr

    return getattr(attr, RENAMED.get(method, method.title().replace("_", "")))(forward)


def _by_gradient(goal: Goal, name: str, x: Tensor, x0: Tensor, method: str, steps: int) -> Tensor:
    def forward(value):
        return goal(goal.ids.expand(len(value), -1), {name: lambda _: value})

    options: dict[str, dict] = {
        "integrated_gradients": {"baselines": x0, "n_steps": steps, "internal_batch_size": INTERNAL_BATCH},
        "gradient_shap": {"baselines": torch.cat([x0, x0]), "n_samples": steps, "stdevs": 0.0},
    }
    found = _captum(method, forward).attribute(x, **options.get(method, {}))[0]
    return found.norm(dim=-1) if method == "saliency" else found.sum(-1)


def _by_change(goal: Goal, method: str, steps: int) -> Tensor:
    # each ordinary token is a feature of its own; special ones, which never change, share the last
    special = goal.special
    feature = torch.where(special, 0, (~special).cumsum(0) - 1)
    feature = torch.where(special, feature.max() + int(special.any()), feature)[None]

    @torch.no_grad()
    def forward(there):  # (B, T) 1 where a token is as it is, 0 where it is the baseline
        return goal(goal.ids.expand(len(there), -1), goal.present(there > 0.5))

    options: dict[str, Any] = {"baselines": 0}
    if method == "occlusion":
        options["sliding_window_shapes"] = (min(3, len(special)),)
    else:
        options["feature_mask"] = feature
    if method in SAMPLING:
        samples = steps if method == "shapley_sampling" else steps * (int(feature.max()) + 1)
        options |= {"n_samples": samples, "perturbations_per_eval": INTERNAL_BATCH}
    everything = torch.ones(goal.ids.shape, device=goal.ids.device)
    found = _captum(method, forward).attribute(everything, **options)[0].float()
    return torch.where(special, 0.0, found)


def _by_attention(goal: Goal, method: str) -> Tensor:
    """The row of the token that the score is read off."""
    model, (text, pair) = goal.model, goal.texts
    if method == "attention_rollout":
        return attention.measure(model, text, pair, "rollout")[-1, 0, goal.place]
    # Chefer et al. 2021, equations 5 and 6; XLNet's predictions read the content stream by the query stream
    maps = attention.times_gradient(model, text, pair, "content", goal.read).mean(1)
    asking = (
        attention.times_gradient(model, text, pair, "query", goal.read).mean(1) if by_query(model) else maps
    )
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
