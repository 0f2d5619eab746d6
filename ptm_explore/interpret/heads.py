"""What each head does, over many sentences (Clark et al. 2019), and which heads are alike.

L layers, H heads, T tokens, W words
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import torch

from ptm_explore.errors import PtmError
from ptm_explore.interpret.results import Grid, interval
from ptm_explore.interpret.states import PROBS, texts_of, word_attention
from ptm_explore.interpret.trace import trace
from ptm_explore.model import Model
from ptm_explore.text.trees import Tree


def statistics(model: Model, texts: Sequence[str]) -> pd.DataFrame:
    """A row for each head: the share of its attention that goes to the token before, after, to the token
    itself, the first one, and to special tokens; its mean distance (tokens), its entropy (nats), and what the
    entropy would be if it looked at all it may look at evenly. Means over all queries that are no special
    tokens."""
    sums, count = torch.zeros(()), 0
    for text in texts_of(texts):
        found = trace(model, text, read=PROBS)
        a, T = found.attention, len(found.tokens)
        special = torch.tensor([word is None for word in found.words])
        offset = torch.arange(T) - torch.arange(T)[:, None]  # key - query
        first = torch.arange(T).eq(0).expand(T, T)
        shares = [(a * mask).sum(-1) for mask in (offset.eq(-1), offset.eq(1), offset.eq(0), first, special)]
        even = torch.arange(1, T + 1).log() if model.net.causal else torch.full((T,), T).log()
        entropy = -torch.special.xlogy(a, a).sum(-1)
        each = torch.stack([*shares, (a * offset.abs()).sum(-1), entropy, even.expand(entropy.shape)])
        sums = sums + each[..., ~special].sum(-1)  # (measures, L, H)
        count += int((~special).sum())
    columns = ["previous", "next", "itself", "first", "special", "distance", "entropy", "even entropy"]
    means = sums.flatten(1).T.numpy() / count
    return pd.DataFrame(means, _index(model), columns)


def relations(model: Model, trees: Sequence[Tree], least: int = 20) -> pd.DataFrame:
    """For each dependency relation that occurs `least` times the head that finds the governor of a word most
    often, as the word that it looks at most; and, what it has to beat, the best fixed distance. Both are
    chosen on one half of the sentences and scored on the other, with 95 % intervals over words."""
    hits: dict[str, list[list]] = {}
    for n, tree in enumerate(trees):
        maps, kept = word_attention(model, tree.text, tree.words)
        looks = maps.argmax(-1).flatten(0, 1).T.tolist()  # of each word (L H)
        place = {word: i for i, word in enumerate(kept)}
        for i, word in enumerate(kept):
            if (governor := place.get(tree.heads[word])) is not None:
                row = [n % 2, governor - i, *(look == governor for look in looks[i])]
                hits.setdefault(tree.relations[word], []).append(row)
    rows = {}
    for relation, found in sorted(hits.items()):
        table = np.array(found, dtype=int)
        first, second = table[table[:, 0] == 0], table[table[:, 0] == 1]
        if len(table) >= least and len(first) and len(second):
            best = int(first[:, 2:].mean(0).argmax())
            step = int(pd.Series(first[:, 1]).mode()[0])
            score, fixed = interval(second[:, 2 + best]), (second[:, 1] == step).mean()
            rows[relation] = [*_index(model)[best], *score, step, fixed, len(second)]
    if not rows:
        raise PtmError(f"no relation occurs {least} times; give more trees, or a smaller `least`")
    columns = ["layer", "head", "score", "low", "high", "distance", "by distance", "words"]
    return pd.DataFrame.from_dict(rows, orient="index", columns=columns).sort_values("score", ascending=False)


def likeness(model: Model, texts: Sequence[str]) -> Grid:
    """Jensen-Shannon divergences (nats) between what the heads look at: the mean over all queries. Heads are
    in the order of a hierarchical clustering, so that those alike stand together."""
    from scipy.cluster.hierarchy import leaves_list, linkage
    from scipy.spatial.distance import squareform

    total, count = torch.zeros(()), 0
    for text in texts_of(texts):
        a = trace(model, text, read=PROBS).attention.flatten(0, 1)  # (L H, T, T)
        entropy = -torch.special.xlogy(a, a).sum(-1)
        for i, row in enumerate(a.unbind(1)):
            middle = (row[:, None] + row[None]) / 2
            mixed = -torch.special.xlogy(middle, middle).sum(-1)
            total = total + mixed - (entropy[:, None, i] + entropy[None, :, i]) / 2
            count += 1
    apart = total.numpy().clip(min=0) / count
    np.fill_diagonal(apart, 0)
    order = leaves_list(linkage(squareform(apart, checks=False), "average"))
    names = ["{}.{}".format(*_index(model)[i]) for i in order]
    title, axes = "Which heads look at the same?", ("layer.head", "layer.head")
    values, note = apart[np.ix_(order, order)], f"{count} queries"
    return Grid(title, values, names, names, "divergence (nats)", axes, note=note)


def _index(model: Model) -> pd.MultiIndex:
    sizes = (range(model.config.n_layers), range(model.config.n_heads))
    return pd.MultiIndex.from_product(sizes, names=["layer", "head"])
