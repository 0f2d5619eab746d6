"""What hidden states know: linear probes with control tasks and code lengths, and probes for trees.

N sentences, W words of one, L layers, D d_model, C labels
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float
from scipy.sparse.csgraph import minimum_spanning_tree
from scipy.stats import spearmanr
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch.nn.utils.rnn import pad_sequence

from ptm_explore.errors import PtmError
from ptm_explore.interpret.results import Estimates, interval, layers
from ptm_explore.interpret.states import text_states, word_states
from ptm_explore.model import Model
from ptm_explore.text.trees import Tree

States = Sequence[Float[np.ndarray, "L1 W D"]]  # of each sentence
PARTS = (1 / 32, 1 / 16, 1 / 8, 1 / 4, 1 / 2, 1)  # of the training data: when the online code learns anew
DEGREES = 0.6  # share of the sentences that probes are trained on


@dataclass(frozen=True)
class Probed:
    """`scores` has a row for the embeddings and for each layer; its columns are the accuracy of the probe on
    other sentences, that of its control, and their difference, the selectivity."""

    scores: Estimates
    compression: dict[str, float]  # of each row: how much shorter the labels get when the states are known
    majority: float  # accuracy of always saying the most frequent label


def probe(model: Model, examples: Sequence, of: str = "label", seed: int = 0) -> Probed:
    """Linear probes of every layer for a property of texts or of their words: `of` names the field of each
    example (the "label" of a task, the "tags" of a tree); one value a word, or one for the text.

    Control task (Hewitt and Liang 2019): the same words with labels drawn once for each word form, or for
    texts shuffled; what a probe learns of those it learns by itself. Compression is the uniform code's length
    over the online code's (Voita and Titov 2020, section 2.2).
    """
    labels: list[tuple[Hashable, ...]] = []
    forms, states = [], []
    for example in examples:
        label, words, text = getattr(example, of), getattr(example, "words", None), example.text
        labels.append(tuple(label) if words else (label,))
        forms.append([text[a:b].lower() for a, b in words] if words else [text])
        found = word_states(model, text, words) if words else text_states(model, [text]).transpose(0, 1)
        states.append(found.numpy())
    return probe_states(states, labels, forms, seed)


def probe_states(states: States, labels: Sequence, forms: Sequence[Sequence[str]], seed: int = 0) -> Probed:
    """`probe`, of states that are there already: of each sentence (L1, W, D), W labels and W word forms."""
    names, numbers = np.unique([str(x) for sentence in labels for x in sentence], return_inverse=True)
    if len(labels) < 10 or len(names) < 2:
        found = f"{len(labels)} texts with {len(names)} labels"
        raise PtmError(f"{found}; a probe needs at least 10, and two labels")
    rng = np.random.default_rng(seed)
    sentence = np.repeat(np.arange(len(labels)), [len(x) for x in labels])
    everything = np.concatenate(states, 1)  # (L1, all words, D)
    known = ~np.isnan(everything[0, :, 0])  # not cut off
    everything, numbers, sentence = everything[:, known], numbers[known], sentence[known]
    types, form = np.unique(np.concatenate([list(f) for f in forms])[known], return_inverse=True)
    control = rng.choice(numbers, len(types))[form]
    order = rng.permutation(len(labels))
    train = np.isin(sentence, order[: int(DEGREES * len(order))])
    majority = np.bincount(numbers[train]).argmax()
    shuffled = order.argsort()[sentence[train]].argsort(kind="stable")  # whole sentences, or words would leak
    rows, compression = [], {}
    for name, x in zip(layers(len(everything) - 1), everything, strict=True):
        right = [_fit(x[train], y[train]).predict(x[~train]) == y[~train] for y in (numbers, control)]
        each = pd.DataFrame(np.stack([*right, np.ones_like(right[0])], 1)).groupby(sentence[~train]).sum()
        rows.append([interval(each, partial(_share, weights=w)) for w in ((1, 0, 0), (0, 1, 0), (1, -1, 0))])
        compression[name] = _compression(x[train][shuffled], numbers[train][shuffled], len(names))
    level = float((numbers[~train] == majority).mean())
    note = f"always the most frequent of {len(names)} labels: {level:.2f}; 95 % intervals over sentences"
    columns, title = ["probe", "control task", "selectivity"], "Which layer knows it?"
    scores = Estimates(title, np.array(rows), [*compression], columns, "accuracy", "layer", note)
    return Probed(scores, compression, level)


def _share(rows: np.ndarray, weights: Sequence[int]) -> float:
    return float((rows @ weights).sum() / rows[:, -1].sum())


def _fit(x: np.ndarray, y: np.ndarray) -> Any:
    several = len(np.unique(y)) > 1
    probe = LogisticRegression(max_iter=200, tol=1e-3) if several else DummyClassifier()
    return make_pipeline(StandardScaler(), probe).fit(x, y)


def _compression(x: np.ndarray, y: np.ndarray, C: int) -> float:
    """Labels are sent in portions, each coded by a probe of all before it, the first one uniformly."""
    ends = sorted({max(int(part * len(y)), 2) for part in PARTS})
    bits = ends[0] * np.log2(C)
    for end, then in pairwise(ends):
        chance = np.full((then - end, C), 1.0 / C)
        if len(np.unique(y[:end])) > 1:
            fitted = _fit(x[:end], y[:end])
            chance *= 1e-3  # for labels that it has not seen
            chance[:, fitted[-1].classes_] += (1 - 1e-3) * fitted.predict_proba(x[end:then])
        bits -= np.log2(chance[np.arange(then - end), y[end:then]]).sum()
    return float(len(y) * np.log2(C) / bits)


def structural_probe(
    model: Model, trees: Sequence[Tree], rank: int = 32, steps: int = 300, seed: int = 0
) -> Estimates:
    """Whether a linear map of the states holds the tree (Hewitt and Manning 2019): of each layer the share
    of edges found as the minimum spanning tree of distances (UUAS), the rank correlation of distances, and
    that of depths; on sentences that the map was not trained on."""
    states = [word_states(model, tree.text, tree.words).numpy() for tree in trees]
    whole = [i for i, s in enumerate(states) if s.shape[1] > 2 and not np.isnan(s).any()]
    if len(whole) < 10:
        raise PtmError(f"{len(whole)} of these sentences have three words or more; give at least 10")
    trees, states = [trees[i] for i in whole], [states[i] for i in whole]
    found = np.array([structure(one, trees, rank, steps, seed) for one in zip(*states, strict=True)])
    chains = (replace(tree, heads=tuple(range(-1, len(tree.words) - 1))) for tree in trees)
    chain = np.mean([_uuas(one.distances, tree) for one, tree in zip(chains, trees, strict=True)])
    note = f"joining each word with the next finds {chain:.2f} of the edges"
    columns = ["edges (UUAS)", "distance (Spearman)", "depth (Spearman)"]
    names = layers(len(found) - 1)
    return Estimates("Do states hold the tree?", found, names, columns, "score", "layer", note)


def structure(
    states: Sequence[np.ndarray], trees: Sequence[Tree], rank: int = 32, steps: int = 300, seed: int = 0
) -> list[tuple[float, float, float]]:
    """The three scores of `structural_probe`, of one layer's states (W, D) of each sentence."""
    cut = int(DEGREES * len(trees))
    xs = [torch.from_numpy(s).float() for s in states]
    apart = [torch.from_numpy(tree.distances).float() for tree in trees]
    deep = [torch.from_numpy(tree.depths).float() for tree in trees]
    near = _train(xs[:cut], apart[:cut], rank, steps, seed, _distances)
    high = _train(xs[:cut], deep[:cut], rank, steps, seed, _norms)
    rows = []
    for x, tree in zip(xs[cut:], trees[cut:], strict=True):
        guess, upper = _distances(x @ near).numpy(), np.triu_indices(len(x), 1)
        distance = spearmanr(guess[upper], tree.distances[upper]).statistic
        rows.append([_uuas(guess, tree), distance, spearmanr(_norms(x @ high), tree.depths).statistic])
    return [interval(column[np.isfinite(column)]) for column in np.array(rows).T]


def _train(xs, targets, rank: int, steps: int, seed: int, of) -> torch.Tensor:
    """The map (D, rank) whose squared lengths come nearest to the targets: the mean error over the pairs, or
    the words, of each sentence."""
    draw = torch.Generator().manual_seed(seed)
    x = pad_sequence(xs, batch_first=True)  # (N, W, D)
    target = torch.full((len(xs), *[x.size(1)] * targets[0].dim()), torch.nan)
    for row, known in zip(target, targets, strict=True):
        row[(slice(len(known)),) * known.dim()] = known
    scale = float(torch.cat(xs).norm(dim=-1).mean())
    weights = (torch.randn(x.size(2), rank, generator=draw) / (scale * rank**0.5)).requires_grad_()
    adam = torch.optim.Adam([weights], lr=0.02 / scale)
    with torch.enable_grad():
        for _ in range(steps):
            chosen = torch.randint(len(xs), (20,), generator=draw)
            error = (of(x[chosen] @ weights) - target[chosen]).abs()
            adam.zero_grad()
            error.flatten(1).nanmean(1).mean().backward()
            adam.step()
    return weights.detach()


def _distances(x: torch.Tensor) -> torch.Tensor:
    return (x.unsqueeze(-2) - x.unsqueeze(-3)).pow(2).sum(-1)


def _norms(x: torch.Tensor) -> torch.Tensor:
    return x.pow(2).sum(-1)


def _uuas(distances: np.ndarray, tree: Tree) -> float:
    """Share of the tree's edges in the minimum spanning tree; punctuation, which hangs anywhere, apart."""
    keep = [i for i, tag in enumerate(tree.tags) if tag != "PUNCT"]
    spanning = minimum_spanning_tree(distances[np.ix_(keep, keep)] + 1e-9).nonzero()
    found = {frozenset((keep[a], keep[b])) for a, b in zip(*spanning, strict=True)}
    gold = {frozenset((i, h)) for i, h in enumerate(tree.heads) if h >= 0 and i in keep and h in keep}
    return len(found & gold) / max(len(gold), 1)
