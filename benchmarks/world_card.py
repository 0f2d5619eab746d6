"""`python -m benchmarks card [--out docs/world.md]`: the data card of the generated world: what its
language is like, and what counting makes of its tasks."""

import argparse
import lzma
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from pathlib import Path

import numpy as np

from ptm_explore.baselines.ngrams import NGrams, words
from ptm_explore.baselines.tfidf import TfIdf
from ptm_explore.text import minimal_pairs, worldglue
from ptm_explore.text.cache import digest
from ptm_explore.text.tasks import task
from ptm_explore.text.world import Document, documents
from ptm_explore.text.world.grammar import LEXICON, Word
from ptm_explore.text.world.state import world
from ptm_explore.text.world.stories import GENRES, SPLITS

DETERMINERS = (*LEXICON.lists["quantifiers"], "any")
PHENOMENA: dict[str, Callable[[tuple[Word, ...]], bool]] = {  # what a sentence has, read off its annotation
    "verb and subject parted by a noun of another number": lambda s: any(_parted(w, s) for w in s),
    "quantifiers and demonstratives": lambda s: _says(s, *DETERMINERS, tag="DET"),
    "reflexives": lambda s: _says(s, "herself", "himself", "itself", "myself", "themselves"),
    "pronouns for somebody or something mentioned": lambda s: any(w.tag == "PRON" and w.entity for w in s),
    "possessors": lambda s: _is(s, "nmod:poss"),
    "perfect": lambda s: any(w.lemma == "have" and w.relation == "aux" for w in s),
    "progressive": lambda s: any(w.tag == "VERB" and w.form == LEXICON.verb(w.lemma)[4] for w in s),
    "modal verbs": lambda s: _says(s, "will", "would", "could", "can", "must", tag="AUX"),
    "negation": lambda s: _says(s, "not", "never", "no", "nobody", "nothing"),
    "polarity items": lambda s: _says(s, "any"),
    "passive": lambda s: _is(s, "nsubj:pass"),
    "two objects": lambda s: _is(s, "iobj"),
    "infinitive clauses": lambda s: _is(s, "xcomp"),
    "reported speech": lambda s: _is(s, "ccomp") and s[0].form != "“",
    "direct speech": lambda s: s[0].form == "“",
    "comparatives": lambda s: _says(s, "than"),
    "coordination": lambda s: _is(s, "conj"),
    "relative clauses": lambda s: _is(s, "acl:relcl"),
    "apposition": lambda s: _is(s, "appos"),
    "questions": lambda s: _says(s, "?"),
    "filler and gap": lambda s: _says(s, "what", "who", "where") and _says(s, "?"),
    "ellipsis": lambda s: _says(s, "too") and any(w.lemma == "do" and w.tag == "VERB" for w in s),
    "reasons and contrasts": lambda s: _says(s, "because", "so", "although", "but"),
    "spatial relations": lambda s: _says(s, "in", "on", "at", "near", "under", "behind", tag="ADP"),
}


def _says(sentence: Sequence[Word], *forms: str, tag: str = "") -> bool:
    return any(w.form.lower() in forms and tag in ("", w.tag) for w in sentence)


def _is(sentence: Sequence[Word], relation: str) -> bool:
    return any(w.relation == relation for w in sentence)


def _parted(subject: Word, sentence: Sequence[Word]) -> bool:
    if subject.tag != "NOUN" or subject.relation not in ("nsubj", "nsubj:pass"):
        return False
    first, last = sorted((sentence.index(subject), sentence.index(subject.head)))
    between = [w for w in sentence[first + 1 : last] if w.tag == "NOUN"]
    return any((w.form == w.lemma) != (subject.form == subject.lemma) for w in between)


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser("card", description=__doc__)
    parser.add_argument("--out", type=Path, help="file for the card (else it is printed)")
    options = parser.parse_args(arguments)
    if options.out is None:
        print(card())
    else:
        options.out.write_text(card(), encoding="utf-8")


def card(n_words: int = 1_000_000, tasks: Iterable[str] = tuple(worldglue.TASKS)) -> str:
    """The card as Markdown, from so many words of train; it says on stderr what it is at (minutes)."""
    _say(f"telling {n_words:,} words")
    began = time.process_time()
    told, size = list[Document](), 0
    for document in documents("train"):
        told.append(document)
        size += len(document.text.split())
        if size >= n_words:
            break
    seconds = time.process_time() - began
    sentences = [words(sentence) for d in told for sentence in d.sentences]
    parts = [
        "# The generated world",
        "Made by `python -m benchmarks card`, every number by this text and machine.",
        *(_language(told, sentences, size, seconds), _splits(min(2_000, len(told))), _facts(told)),
        *(_guessing(sentences, min(len(told) // 10, 1000)), _tasks(tasks)),
    ]
    return "\n\n".join(parts) + "\n"


def _say(what: str) -> None:
    print(f"{what} ...", file=sys.stderr, flush=True)


def _table(*rows: Sequence[object]) -> str:
    lines = ["| " + " | ".join(map(str, row)) + " |" for row in rows]
    return "\n".join([lines[0], "|---" * len(rows[0]) + "|", *lines[1:]])


def _language(told: list[Document], sentences: list[list[str]], size: int, seconds: float) -> str:
    counts = Counter(word for sentence in sentences for word in sentence if word.isalpha())
    frequencies = np.array(sorted(counts.values(), reverse=True))
    ranks = np.unique(np.geomspace(1, min(1000, len(frequencies)), 60).astype(int))
    x, y = np.log(ranks), np.log(frequencies[ranks - 1])
    slope, fit = np.polyfit(x, y, 1)[0], np.corrcoef(x, y)[0, 1] ** 2
    genres = Counter(d.genre for d in told)
    trees = [tree for d in told for tree in d.words]
    found = [(name, sum(map(has, trees))) for name, has in PHENOMENA.items()]
    return "\n\n".join((
        f"{size:,} words of `train`, seed 0, hold {len(counts):,} word forms in {len(sentences):,} sentences "
        f"of {len(told):,} documents: {', '.join(f'{genres[genre]:,} of {genre}' for genre in GENRES)}. "
        f"They were told, with all annotation, at {size / seconds:,.0f} words a second on one core.",
        f"Zipf: the frequency of the word of rank r falls as r^{slope:.2f} (a line through ranks 1 to "
        f"{ranks[-1]:,} on logarithmic axes, R² {fit:.2f}).",
        "## What sentences have",
        _table(("", "sentences", "share"), *((k, f"{n:,}", f"{n / len(trees):.1%}") for k, n in found)),
    ))  # fmt: skip


def _splits(n: int) -> str:
    _say("comparing splits")
    seen = {s: {d.text for seed in (0, 1) for d in islice(documents(s, seed), n)} for s in SPLITS}
    shared = sum(map(len, seen.values())) - len(set.union(*seen.values()))
    first = [digest(*(d.text for d in islice(documents("train", seed), 100))) for seed in (0, 0, 1)]
    assert first[0] == first[1] != first[2]
    return (
        f"## Splits\n\nOf {n:,} documents of each split and of two seeds, {shared} are in two splits. "
        f"The same seed tells the same (the first 100 of train, seed 0, have the digest `{first[0][:16]}`)."
    )


def _facts(told: list[Document]) -> str:
    counts = Counter(fact for d in told for fact in d.facts)
    times = sorted(counts.values())
    known = len(set(world().facts()))
    return (
        f"## Facts\n\nThe world has {known:,} facts that are the same in every document; {len(counts):,} are "
        f"told here, half of them up to {times[len(times) // 2]} times, the commonest {times[-1]:,} times."
    )


def _guessing(sentences: list[list[str]], n: int) -> str:
    """Entropy from above, by the cross-entropy of n-gram models, and what they make of minimal pairs."""
    unseen = [words(sentence) for d in islice(documents("dev"), n) for sentence in d.sentences]
    letters = sum(len(word) + 1 for sentence in unseen for word in sentence)
    packed = 8 * len(lzma.compress("\n".join(map(" ".join, unseen)).encode()))
    bits, right = dict[int, float](), dict[int, dict[str, float]]()
    for order in (1, 2, 3, 4):
        _say(f"counting runs of {order}")
        model = NGrams(order).fit(sentences)
        bits[order] = float(np.log2(model.perplexity(unseen)))
        if order in (1, 3):
            right[order] = {name: _right(model, name) for name in minimal_pairs.PHENOMENA}
    rows = [(name, f"{right[1][name]:.0%}", f"{share:.0%}") for name, share in right[3].items()]
    mean = ("all", *(f"{np.mean(list(right[order].values())):.0%}" for order in (1, 3)))
    return "\n\n".join((
        "## How well it can be guessed",
        f"The entropy rate is at most what a model needs. Interpolated Kneser-Ney needs, on {n:,} unseen "
        f"documents, {', '.join(f'{b:.2f} bits a word with n = {order}' for order, b in bits.items())}; "
        f"the compressor xz {packed / letters:.2f} bits a letter.",
        f"## Minimal pairs\n\n{minimal_pairs.EACH:,} pairs a phenomenon; how often the good sentence is the "
        "likelier one (ties count half). Ceiling 100 %.",
        _table(("", "n = 1", "n = 3"), *rows, mean),
    ))  # fmt: skip


def _right(model: NGrams, phenomenon: str) -> float:
    found = []
    for pair in islice(minimal_pairs.pairs(phenomenon), minimal_pairs.EACH):
        good, bad = (model.log_likelihood(words(text)) for text, _ in pair)
        found.append(0.5 if abs(good - bad) < 1e-9 else float(good > bad))
    return float(np.mean(found))


def _tasks(names: Iterable[str]) -> str:
    rows = []
    for name in names:
        _say(f"counting words for {name}")
        t = task(f"world:{name}", show=False)
        mirrors, colon, _ = (worldglue.TASKS[name].__doc__ or "").partition(":")
        scores = (f"{s.value:.2f}" for s in (t.majority, *(TfIdf(t, k).evaluate() for k in (1, 2))))
        kind = f"{t.kind}, {len(t.labels)} labels" if t.labels else t.kind
        sizes = f"{len(t.split('train')):,} / {len(t.split('dev')):,} / {len(t.split('test')):,}"
        ceiling = "1" if name not in worldglue.OPEN else "under 1"
        rows.append((name, mirrors if colon else "", kind, sizes, t.metric.name, *scores, ceiling))
    head = (
        "task",
        "mirrors",
        "kind",
        "train / dev / test",
        "metric",
        "majority",
        "words",
        "pairs",
        "ceiling",
    )
    return (
        '## Tasks\n\n`ptm.task("world:NAME")`. By TF-IDF of words, then of pairs of words as well: '
        "logistic or ridge regression; a word's commonest tag; the rarest word of the sentence with most in "
        "common with the question. Labels follow from the text by the generator's rules; where they leave it "
        "open the ceiling is under 1.\n\n" + _table(head, *rows)
    )
