"""How a classifier behaves when a text changes: the smallest edits that flip it, and tests of what it should
not, or should, react to."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import compress, count
from random import Random
from typing import Any

import numpy as np

from ptm_explore.errors import PtmError
from ptm_explore.interpret.results import Estimates, interval
from ptm_explore.interpret.states import texts_of
from ptm_explore.model import Model
from ptm_explore.text.task_rows import WORD


@dataclass(frozen=True)
class Counterfactual:
    """A text that a classifier says something else of. `edits` are (word, new word)."""

    text: str
    label: Any
    edits: list[tuple[str, str]]
    probability: tuple[float, float]  # of the first label, before and after

    def __str__(self) -> str:
        changed = ", ".join(f"{old} → {new}" for old, new in self.edits)
        before, after = self.probability
        return f"{changed}: {self.label}; what it said before fell from {before:.2f} to {after:.2f}"


def counterfactual(
    clf: Any, text: str, words: Sequence[str] | Model, most: int = 4, top_k: int = 20
) -> Counterfactual:
    """The fewest words whose change flips a classifier's label: in each round the best exchange anywhere is
    made, then edits that are not needed are taken back (after Ross et al. 2021, whose search is wider). Where
    words add up, as in a linear model, no smaller edit does it. `words` are those that may be put in, or a
    masked-language model that proposes its `top_k` in each place. PtmError if `most` words do not suffice."""
    if getattr(clf, "kind", "") != "classification":
        raise PtmError("counterfactual takes a classifier of texts, as ptm.finetune gives one")
    parts, first = WORD.findall(text), clf.predict(text)[0]

    def written(changed: dict[int, str]) -> str:
        number = count()
        return WORD.sub(lambda found: changed.get(next(number), found[0]), text)

    edits: dict[int, str] = {}
    while len(edits) < most:
        tries = [{**edits, i: word} for i, word in _exchanges(words, parts, written, edits, top_k)]
        if not tries:
            break
        said = clf.predict([written(one) for one in tries])
        best = min(range(len(tries)), key=lambda n: said[n].probabilities[first.label])
        edits = tries[best]
        if said[best].label == first.label:
            continue
        for i in list(edits):  # an early edit may have become needless
            fewer = {k: v for k, v in edits.items() if k != i}
            if fewer and clf.predict(written(fewer))[0].label != first.label:
                edits = fewer
        final = clf.predict(written(edits))[0]
        chances = first.probability, final.probabilities[first.label]
        return Counterfactual(written(edits), final.label, [(parts[i], w) for i, w in edits.items()], chances)
    failed = f"no change of {most} words flips {first.label!r}"
    raise PtmError(f"{failed}; allow more of them, or give other words")


def _exchanges(words, parts: list[str], written, edits: dict, top_k: int) -> Iterator[tuple[int, str]]:
    for i, part in enumerate(parts):
        if i in edits or not part[0].isalnum():
            continue
        proposals = words
        if hasattr(words, "fill"):
            proposals = [token.strip() for token, _ in words.fill(written({**edits, i: "[MASK]"}), top_k)[0]]
        yield from ((i, word) for word in proposals if word.isalnum() and word.lower() != part.lower())


NAMES = ("Anna", "Ben", "Clara", "David", "Emma", "Felix", "Grace", "Henry", "Ida", "Jack")
DENIABLE = {"is", "was", "are", "were", "can", "could", "will", "would", "should", "must"}


def typo(text: str, rng: Random) -> str | None:
    """Two neighbouring letters of a word of four letters or more change places."""
    words = (found.span() for found in WORD.finditer(text) if found[0].isalpha())
    places = [at for a, b in words for at in range(a + 1, b - 2) if text[at] != text[at + 1]]
    at = rng.choice(places) if places else None
    return None if at is None else text[:at] + text[at + 1] + text[at] + text[at + 2 :]


def punctuation(text: str, rng: Random) -> str | None:
    """The mark at the end goes, or a full stop comes."""
    return text[:-1] if text[-1:] in ".!?" else text + "."


def another_name(text: str, rng: Random) -> str | None:
    """A capitalised word inside a sentence becomes another name, wherever it stands."""
    titled = [w for w in WORD.finditer(text) if w[0].istitle() and w[0] != "I"]
    inside = [w[0] for w in titled if text[: w.start()].rstrip()[-1:].isalnum()]
    return swap({rng.choice(inside): rng.choice(NAMES)})(text, rng) if inside else None


def negation(text: str, rng: Random) -> str | None:
    """ "not" comes after the first form of "be" or modal verb, or goes where it stands."""
    found = re.search(rf"(?i:\b({'|'.join(DENIABLE)})\b)(\s+not\b)?", text)
    return found and text[: found.end(1)] + ("" if found[2] else " not") + text[found.end() :]


def swap(synonyms: Mapping[str, str]) -> Callable[[str, Random], str | None]:
    """A change that puts words in place of others, such as synonyms."""

    def change(text: str, rng: Random) -> str | None:
        swapped = WORD.sub(lambda found: synonyms.get(found[0], found[0]), text)
        return swapped if swapped != text else None

    return change


Changes = Mapping[str, Callable]
INVARIANT = {"typo": typo, "punctuation": punctuation, "another name": another_name}
DIRECTED = {"negation": negation}


def robustness(
    clf: Any, texts: Sequence[str], same: Changes = INVARIANT, flipped: Changes = DIRECTED, seed: int = 0
) -> Estimates:
    """Failure rates after CheckList (Ribeiro et al. 2020): how often a change that means nothing changes the
    label (`same`: invariance tests), and how often one that turns the meaning does not lower the probability
    of the label (`flipped`: directional tests). A change is a function of a text and a `random.Random`; texts
    that it returns None for do not count. PtmError where no text can be changed."""
    if getattr(clf, "kind", "") != "classification":
        raise PtmError("robustness tests a classifier of texts, as ptm.finetune gives one")
    texts = texts_of(texts)
    before, rows, names = clf.predict(texts), [], []
    for name, change in [*same.items(), *flipped.items()]:
        new = [change(text, Random(f"{seed} {text}")) for text in texts]
        changed = [text is not None for text in new]
        if not any(changed):
            none = f"{name!r} can change none of the {len(texts)} texts"
            raise PtmError(f"{none}; leave it out, or give other texts")
        after = clf.predict(list(compress(new, changed)))
        pairs = zip(compress(before, changed), after, strict=True)
        if name in same:
            failed = [old.label != new.label for old, new in pairs]
        else:
            failed = [new.probabilities[old.label] >= old.probability for old, new in pairs]
        rows.append([interval(np.array(failed))])
        names.append(f"{name} (n = {len(failed)})")
    note = "95 % intervals over texts; negation fails where the label does not become less likely"
    title, columns = "How often a test fails", ["failure rate"]
    return Estimates(title, np.array(rows), names, columns, "share of texts", "change", note)
