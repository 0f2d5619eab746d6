"""What a pre-trained model is worth, measured in the same way for every family.

A yardstick takes a model, how much to look at (`quick` or all), and a seed; it returns numbers by name, the
one that counts first. Losses of different objectives are no yardstick: they ask different questions.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from itertools import islice
from random import Random

import numpy as np
import torch
import torch.nn.functional as F
from scipy.stats import spearmanr

from ptm_explore.errors import unknown
from ptm_explore.interpret.probing import probe
from ptm_explore.interpret.states import text_states
from ptm_explore.model import Model
from ptm_explore.text.minimal_pairs import EACH, PHENOMENA
from ptm_explore.text.minimal_pairs import pairs as minimal_pairs
from ptm_explore.text.tasks import task
from ptm_explore.text.trees import trees
from ptm_explore.text.world import documents
from ptm_explore.transfer.finetune import finetune

Found = dict[str, float]
Scorer = Callable[[list[str]], Sequence[float]]
GLUE = ("sentiment", "entities", "question", "acceptability", "coreference")
CHOICES = 5  # answers that a fact is picked from


def judged(score: Scorer, each: int) -> Found:
    """The share of minimal pairs whose good sentence has the higher score, over all phenomena and of each;
    ties count half, so that a constant has 0.5."""
    found = {}
    for phenomenon in PHENOMENA:
        both = [(good[0], bad[0]) for good, bad in islice(minimal_pairs(phenomenon), each)]
        good, bad = (np.array(score(list(texts))) for texts in zip(*both, strict=True))
        found[phenomenon] = float(((good > bad) + 0.5 * (good == bad)).mean())
    return {"all": float(np.mean(list(found.values()))), **found}


def pairs(model: Model, quick: bool, seed: int) -> Found:
    """Minimal pairs by `model.score`: the likelihood of decoders, the word-level pseudo-log-likelihood of
    encoders, XLNet's by its query stream, ELECTRA's by its generator."""
    return judged(model.score, 50 if quick else EACH)


def discriminator(model: Model, quick: bool, seed: int) -> Found:
    """Minimal pairs by ELECTRA's discriminator: the log-probability that all tokens are original."""
    if "rtd" not in model.net.heads:
        return {}

    def originality(texts: list[str]) -> list[float]:
        return [
            float(np.log1p(-np.array([p for _, p in model.replaced(text)[1:-1]])).sum()) for text in texts
        ]

    return judged(originality, 50 if quick else EACH)


def glue(model: Model, quick: bool, seed: int) -> Found:
    """Scores after fine-tuning on tasks of the world with few labels, each on 300 test examples."""
    found = {}
    for name in GLUE[: 2 if quick else None]:
        data = task(f"world:{name}", show=False)
        few = replace(data, train=data.split("train").sample(200 if quick else 1_000, seed))
        clf = finetune(model, few, budget="5epochs", seed=seed, show=False)
        found[name] = float(clf.evaluate(data.split("test").sample(300)))
    return {"all": float(np.mean(list(found.values()))), **found}


def probes(model: Model, quick: bool, seed: int) -> Found:
    """The selectivity of a linear probe for word classes, of the best layer."""
    rows = probe(model, trees("world", 150 if quick else 600), "tags", seed).scores.values[:, :, 0]
    best = rows[rows[:, 2].argmax()]
    return dict(zip(("selectivity", "accuracy", "control"), best[[2, 0, 1]].tolist(), strict=True))


def cloze(model: Model, quick: bool, seed: int) -> Found:
    """How often a fact of the world scores higher than the same sentence with the answer to another question
    of its kind; chance is 0.2."""
    right = [int(np.argmax(model.score(options))) == 0 for options in facts(100 if quick else 400, seed)]
    return {"recall": float(np.mean(right))}


def facts(n: int, seed: int = 0) -> Iterable[list[str]]:
    """Sentences of the test split that tell a fact, each first as it is and then with other answers."""
    told: list[tuple[str, str, str]] = []  # sentence, relation, answer
    for document in documents("test", seed=seed):
        for fact in document.facts:
            holding = [s for s in document.sentences if fact.subject in s and fact.object in s.split()]
            told += [(holding[0], fact.relation, fact.object)] if holding else []
        if len(told) >= 4 * n:
            break
    others = {relation: sorted({a for _, r, a in told if r == relation}) for _, relation, _ in told}
    rng = Random(seed)
    usable = [one for one in told if len(others[one[1]]) >= CHOICES]
    for sentence, relation, answer in rng.sample(usable, min(n, len(usable))):
        wrong = rng.sample([a for a in others[relation] if a != answer], CHOICES - 1)
        yield [sentence.replace(answer, option) for option in (answer, *wrong)]


def similarity(model: Model, quick: bool, seed: int) -> Found:
    """The rank correlation of the cosine of mean states with the likeness that a pair of sentences has
    (world:similarity), of the best layer; and isotropy, 1 less the mean cosine of random sentences."""
    examples = list(task("world:similarity", show=False).split("test").sample(100 if quick else 400, seed))
    one, other = (text_states(model, [getattr(e, side) for e in examples]) for side in ("text", "pair"))
    likeness = F.cosine_similarity(one, other, dim=-1)  # (N, L1)
    found = [float(spearmanr(layer, [e.label for e in examples]).statistic) for layer in likeness.T]
    best = int(np.nanargmax(found))
    apart = F.cosine_similarity(one[:, best], one[torch.randperm(len(one)), best], dim=-1)
    return {"correlation": found[best], "isotropy": 1 - float(apart.mean())}


YARDSTICKS = {f.__name__: f for f in (pairs, discriminator, glue, probes, cloze, similarity)}
QUICK = ("pairs", "discriminator", "glue", "cloze")


def choose(names: str | Iterable[str]) -> list[str]:
    """ "all", "quick", or names of yardsticks. PtmError for one that does not exist."""
    if isinstance(names, str):
        names = {"all": tuple(YARDSTICKS), "quick": QUICK}.get(names, (names,))
    chosen = list(names)
    for name in chosen:
        if name not in YARDSTICKS:
            raise unknown("yardstick", name, YARDSTICKS, "Or 'all', or 'quick'.")
    return chosen
