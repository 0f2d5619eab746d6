"""Over whole data sets: what drives a class, directions that stand for concepts, models that are alike.

N texts, D d_model, L layers
"""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float
from scipy.stats import mannwhitneyu
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split

from ptm_explore.errors import PtmError
from ptm_explore.interpret.attention import name_of
from ptm_explore.interpret.attribution import attribute
from ptm_explore.interpret.goal import Goal
from ptm_explore.interpret.results import Grid, interval, layers
from ptm_explore.interpret.states import text_states, texts_of
from ptm_explore.model import Model


def patterns(
    model: Model,
    texts: Sequence[str],
    target: Any = None,
    method: str = "integrated_gradients",
    words: int = 1,
    least: int = 3,
    **options: Any,
) -> pd.DataFrame:
    """The words, or runs of `words` words, that drive a score over many texts: of each that occurs `least`
    times the mean of its attributions with a 95 % interval, the strongest first."""
    found: dict[str, list[float]] = defaultdict(list)
    _one_class(model, target)
    for text in texts_of(texts):
        a = attribute(model, text, target=target, method=method, **options)
        plain = [not a.special[group[0]] for group in a.groups]
        for i in range(len(a.words) - words + 1):
            if all(plain[i : i + words]):
                run = " ".join(a.words[i : i + words]).lower()
                found[run].append(float(a.word_scores[i : i + words].sum()))
    rows = {run: [*interval(np.array(s)), len(s)] for run, s in found.items() if len(s) >= least}
    if not rows:
        few = f"nothing occurs {least} times in these {len(texts)} texts"
        raise PtmError(f"{few}; give more, or a smaller `least`")
    table = pd.DataFrame.from_dict(rows, orient="index", columns=["mean", "low", "high", "times"])
    return table.sort_values("mean", ascending=False)


def concept(
    model: Model,
    having: Sequence[str],
    lacking: Sequence[str],
    texts: Sequence[str],
    layer: int,
    target: Any = None,
    runs: int = 10,
    seed: int = 0,
) -> pd.DataFrame:
    """Testing with concept activation vectors (TCAV, Kim et al. 2018): a linear classifier tells the states
    of texts `having` a concept from those `lacking` it; the score is the share of `texts` whose target gets
    likelier when the states of `layer` move along its direction. Rows: "concept", and "random", the same
    texts dealt out by chance: means over `runs` halves of the examples. A concept counts only if its scores
    differ from the random ones (`p`, Mann and Whitney's test; optimistic, as the halves overlap) and its
    classifier tells the other half apart (`accuracy`)."""
    if not 0 <= layer < (L := model.config.n_layers):
        raise PtmError(f"layer {layer} does not exist: this model has layers 0 to {L - 1}")
    _one_class(model, target)
    if min(len(having), len(lacking)) < 4 or not texts:
        raise PtmError("give at least 4 texts with the concept, 4 without it, and a text to test")
    x = text_states(model, [*having, *lacking])[:, layer + 1].numpy()
    labels = np.repeat([1, 0], [len(having), len(lacking)])
    slopes = np.stack([_slope(model, text, layer, target) for text in texts_of(texts)])  # (N, D)
    rng, scores, right = np.random.default_rng(seed), np.zeros((2, runs)), np.zeros((2, runs))
    for kind, run in np.ndindex(2, runs):
        y = rng.permutation(labels) if kind else labels
        half, other = train_test_split(np.arange(len(y)), stratify=y, test_size=0.5, random_state=run)
        probe = LogisticRegression(max_iter=500).fit(x[half], y[half])
        scores[kind, run] = (slopes @ probe.coef_[0] > 0).mean()
        right[kind, run] = probe.score(x[other], y[other])
    p = [mannwhitneyu(*scores).pvalue, np.nan]  # scores are often all 0 or all 1
    columns = {"score": scores.mean(1), "spread": scores.std(1), "accuracy": right.mean(1), "p": p}
    return pd.DataFrame(columns, ["concept", "random"])


def _slope(model: Model, text: str, layer: int, target: Any) -> np.ndarray:
    """(D,) by how much the score rises when the states of all tokens move together."""
    goal, name = Goal(model, text, target=target), f"layers.{layer}.out"
    value = goal.activation(name).clone().requires_grad_()
    with torch.enable_grad():
        (slope,) = torch.autograd.grad(goal(edit={name: lambda _: value}).sum(), value)
    return slope[0].sum(0).float().cpu().numpy()


def _one_class(model: Any, target: Any) -> None:
    if target is None and getattr(model, "kind", "") == "classification":
        raise PtmError(f"name the class that is asked about: target=, one of {', '.join(model.labels)}")


def cka(one: Float[np.ndarray, "N D"], other: Float[np.ndarray, "N E"]) -> float:
    """Linear centred kernel alignment (Kornblith et al. 2019, equation 4) of two representations of the same
    N things: 1 if they are equal but for rotation and scale. For N below the width it is high by chance."""
    one, other = (x - x.mean(0) for x in (one.astype(float), other.astype(float)))
    both, *each = (float(np.linalg.norm(a.T @ b)) for a, b in ((one, other), (one, one), (other, other)))
    return both**2 / max(each[0] * each[1], 1e-30)


def compare_layers(first: Model, second: Model, texts: Sequence[str]) -> Grid:
    """CKA between all layers of two models, of the mean states of texts; families and widths may differ."""
    if len(texts) < 4:
        raise PtmError(f"{len(texts)} texts are too few to compare by; give some hundred")
    one, other = (text_states(model, texts).numpy() for model in (first, second))  # (N, L1, D)
    values = [[cka(x, y) for y in other.swapaxes(0, 1)] for x in one.swapaxes(0, 1)]
    rows, columns = (layers(m.config.n_layers) for m in (first, second))
    names = name_of(first), name_of(second)
    level = cka(one[:, -1], np.random.default_rng(0).permutation(other[:, -1]))
    note = f"{len(texts)} texts; the last layers with the texts shuffled: {level:.2f}"
    return Grid("Are their layers alike?", np.array(values), rows, columns, "CKA", names, note=note)
