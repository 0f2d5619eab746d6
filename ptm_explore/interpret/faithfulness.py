"""How far an attribution may be trusted: does the model need what it points at, and does it say so again?

M methods, N texts, W words, F fractions
"""

import re
import time
from collections.abc import Sequence
from copy import copy, deepcopy
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float
from scipy.stats import spearmanr
from sklearn.metrics import average_precision_score
from torch import Tensor

from ptm_explore.errors import PtmError, unknown
from ptm_explore.interpret.attribution import METHODS, explain
from ptm_explore.interpret.goal import ERASER, FRACTIONS, Goal
from ptm_explore.interpret.results import Estimates, Grid, intervals
from ptm_explore.interpret.states import pairs_of
from ptm_explore.model import Model
from ptm_explore.text.tasks import Example

METRICS = {
    "comprehensiveness": "how much the probability falls when the best words go; more is better",
    "sufficiency": "how much it falls when only the best words stay; less is better",
    "deletion": "area under the probability as words go, the best first; less is better",
    "insertion": "area under the probability as words come, the best first; more is better",
    "rationale": "average precision for the words that people marked; more is better",
}
RANDOM = "random orders"
GOLD = "rationale"  # as a method: the marked words first
AT = [FRACTIONS.index(fraction) for fraction in ERASER]


@dataclass(frozen=True)
class Faithfulness:
    """Each method beside the mean of random orders of the words. In a short text random orders find the right
    words, too: what counts is the distance from them."""

    methods: list[str]  # the last are the random orders
    metrics: list[str]
    values: Float[np.ndarray, "N M K"]  # of each text, method and metric
    curves: Float[np.ndarray, "M 2 F"]  # mean probability as words are removed, and as they are given
    agreement: Grid  # of the methods' word scores
    seconds: dict[str, float]  # of each method, a text

    def estimates(self) -> Estimates:
        """Means over the texts."""
        return self._estimates("Does the model need what the method points at?", self.values, self.methods)

    def against_random(self) -> Estimates:
        """The differences from random orders of the same text: an interval that holds 0 shows nothing."""
        values = self.values[:, :-1] - self.values[:, -1:]
        return self._estimates("What a method adds to random orders", values, self.methods[:-1])

    def table(self) -> pd.DataFrame:
        return self.estimates().table()

    def _estimates(self, title: str, values: np.ndarray, methods: list[str]) -> Estimates:
        units = [METRICS[name].rpartition("; ")[2] for name in self.metrics]
        note = f"means over {len(values)} texts with 95 % intervals"
        return Estimates(title, intervals(values), methods, self.metrics, units, "method", note)


def faithfulness(
    model: Model,
    texts: Sequence[str | Example],
    methods: Sequence[str] = ("integrated_gradients", "saliency", "feature_ablation", "attention_rollout"),
    target: Any = None,
    baseline: str = "pad",
    orders: int = 10,
    steps: int = 20,
    seed: int = 0,
) -> Faithfulness:
    """Tests attribution methods on texts: on the predicted class of each, or on `target`.

    Comprehensiveness and sufficiency after ERASER (DeYoung et al. 2020, section 4.2: over 1, 5, 10, 20 and
    50 % of the words); areas after Petsiuk et al. 2018; against `orders` random orders of each text's words.
    Where every example has a rationale, agreement with it is measured too, and "rationale" is a method.
    """
    texts, allowed = list(texts), [*METHODS, GOLD]
    marks = [getattr(text, "rationale", None) for text in texts]
    for method in methods:
        if method not in allowed:
            raise unknown("attribution method", method, allowed)
    written = pairs_of(texts)
    if not methods or orders < 1 or (GOLD in methods and not all(marks)):
        raise PtmError("give a method and a random order at least; 'rationale' needs marked examples")
    found = []
    for (text, pair), marked in zip(written, marks, strict=True):
        goal = Goal(model, text, pair, target, baseline)
        spans = [goal.spans[w] for w in goal.ordinary]
        gold = torch.tensor([any(a < end and start < b for start, end in marked or ()) for a, b in spans])
        scores, took = [], []
        for method in methods:
            start = time.perf_counter()
            if method == GOLD:  # the marked words first
                scores.append(gold.float())
            else:
                scores.append(explain(goal, method, steps=steps, seed=seed).word_scores[goal.ordinary])
            took.append(time.perf_counter() - start)
        measured = _measure(goal, torch.stack(scores), gold, goal.random_orders(orders, seed))
        found.append((*measured, took))
    values, curves, agree, seconds = zip(*found, strict=True)
    names, metrics = list(methods), [name for name in METRICS if name != GOLD or all(marks)]
    mean = pd.concat(agree).groupby(level=0).mean().to_numpy()
    note = "Spearman's rank correlation of a text's word scores, the mean over texts"
    title, axes = "Do the methods agree?", ("method", "method")
    agreement = Grid(title, mean, names, names, "rank correlation", axes, note=note)
    each, took = np.stack(values)[..., : len(metrics)], np.mean(seconds, 0).tolist()
    times = dict(zip(names, took, strict=True))
    return Faithfulness([*names, RANDOM], metrics, each, np.mean(curves, 0), agreement, times)


def _measure(goal: Goal, scores: Tensor, gold: Tensor, shuffled: Tensor):
    """Of one text: metrics (M + 1, K), curves (M + 1, 2, F), rank correlations (M, M) of the methods."""
    any_order = shuffled[0]  # of words with the same score
    ranked = any_order[scores[:, any_order].argsort(dim=-1, descending=True, stable=True)]
    order = torch.cat([ranked, shuffled])
    curves = torch.stack([goal.erase(order), goal.erase(order, give=True)], 1)  # (P, 2, F)
    falls = (curves[:, :1, :1] - curves)[..., AT].mean(-1)
    areas = torch.trapezoid(curves, torch.tensor(FRACTIONS))
    ranks = -order.argsort(-1)
    found = [average_precision_score(gold, row) if gold.any() else np.nan for row in ranks]
    metrics = torch.cat([falls, areas, torch.tensor(found)[:, None]], 1)
    folded = (torch.cat([x[: len(scores)], x[len(scores) :].mean(0)[None]]) for x in (metrics, curves))
    return *(x.numpy() for x in folded), pd.DataFrame(scores.T).corr("spearman")


def randomised(
    model: Model, text: str, method: str = "integrated_gradients", target: Any = None, seed: int = 0
) -> dict[str, float]:
    """The sanity check of Adebayo et al. 2018, section 3: weights become random part by part, from the head
    down, and each time the scores of the words are compared with those of the trained model (Spearman's rank
    correlation). A method whose scores stay the same does not explain what the model has learnt."""
    goal = Goal(model, text, target=target)
    first = explain(goal, method, seed=seed).word_scores[goal.ordinary]
    other = copy(model)
    other.net = deepcopy(model.net)
    fresh = deepcopy(model.net)
    # not the weights that a training of this seed began with
    fresh.initialise(torch.Generator(model.device).manual_seed(seed + 2**20))
    parts: dict[str, list[str]] = {}
    for name, _ in fresh.named_parameters():
        layer = re.match(r"body\.layers\.(\d+)", name)
        part = f"layer {layer[1]}" if layer else "embeddings" if name.startswith("body.") else "head"
        parts.setdefault(part, []).append(name)
    result, layers = {}, [part for part in parts if part.startswith("layer")]
    for part in (part for part in ("head", *reversed(layers), "embeddings") if part in parts):
        for name in parts[part]:
            other.net.get_parameter(name).data.copy_(fresh.get_parameter(name))
        now = explain(Goal(other, text, target=goal.target), method, seed=seed).word_scores[goal.ordinary]
        result[part] = float(spearmanr(first, now).statistic)
    return result
