"""WorldGLUE: tasks on the generated world that mirror those of GLUE and its kin, their answers known.

Each generator yields rows as a file would have them, without end. Documents come from the world's test split,
which no corpus holds. What a task is about (roles, order, negation, reference) is not in its bag of words;
the one exception is `genre`.
"""

import re
from collections.abc import Callable, Iterator
from itertools import islice
from random import Random
from typing import Any

from ptm_explore.text.minimal_pairs import EACH, PHENOMENA, THINGS, pairs
from ptm_explore.text.world import Document, documents
from ptm_explore.text.world.grammar import LEXICON, Phrase, Word, clause, name, noun, pp, realise
from ptm_explore.text.world.state import world
from ptm_explore.text.world.teller import at, frame

ROWS = 6_000  # of a task, for train, dev and test together
MOODS = ("happy", "sad", "tired", "afraid")
ENTITIES = {"person": "PERSON", "animal": "PET", "town": "TOWN"}
Rows = Iterator[dict[str, Any]]


def _documents(genre: str = "") -> Iterator[Document]:
    return documents("test", 1, genre)


def acceptability(rng: Random) -> Rows:
    """CoLA: one of the two sentences of a minimal pair."""
    streams = [pairs(phenomenon, seed=1) for phenomenon in PHENOMENA]
    while True:
        good, bad = next(rng.choice(streams))
        fine = rng.random() < 0.5
        yield {"text": (good if fine else bad)[0], "label": "acceptable" if fine else "unacceptable"}


def sentiment(rng: Random) -> Rows:
    """SST: reviews; the words that carry the sentiment, and what denies them, are the rationale."""
    for d in _documents("review"):
        label = "positive" if d.sentiment == "praise" else "negative"
        spans = [place for words, word, place in _placed(d) if _carries(word, words, d.sentiment)]
        yield {"text": d.text, "label": label, "rationale": spans}


def _placed(d: Document) -> Iterator[tuple[tuple[Word, ...], Word, tuple[int, int]]]:
    """Each word after its sentence and with where it stands."""
    for words, places in zip(d.words, d.offsets(), strict=True):
        yield from ((words, word, place) for word, place in zip(words, places, strict=True))


def _carries(word: Word, words: tuple[Word, ...], sentiment: str | None) -> bool:
    """A word of the sentiment that is not denied, a denied one of the other, or what denies it."""
    if word.form in ("not", "never"):
        return True
    if word.relation != "attr":
        return False
    verb = word.head
    said = (verb, verb.head) if verb.relation == "ccomp" else (verb,)  # was not; I do not think that it was
    denied = any(w.form in ("not", "never") and w.head in said for w in words)
    wanted = sentiment if not denied else "blame" if sentiment == "praise" else "praise"
    return any(word.lemma in LEXICON.lists[key] for key in LEXICON.lists if key.startswith(f"{wanted}."))


def paraphrase(rng: Random) -> Rows:
    """MRPC: one giving told twice, in other words and another voice; or, with the same words, the reverse."""
    while True:
        (giver, taker), thing = _people(rng, 2), rng.choice(THINGS)
        same = rng.random() < 0.5
        other = (giver, taker) if same else (taker, giver)
        texts = [_giving(rng, *roles, thing) for roles in ((giver, taker), other)]
        if texts[0] != texts[1]:
            yield {"sentence1": texts[0], "sentence2": texts[1], "label": "same" if same else "different"}


def _giving(rng: Random, giver: str, taker: str, thing: str, *more: Phrase) -> str:
    verb, way = rng.choice(("give", "hand", "pass")), rng.randrange(3)
    to, what = pp("to", name(taker)), noun(thing)
    if way == 0:
        return realise(clause(what, verb, to, pp("by", name(giver)), *more, passive=True))[0]
    return realise(clause(name(giver), verb, *((what, to) if way == 1 else (name(taker), what)), *more))[0]


def _people(rng: Random, n: int) -> list[str]:
    return rng.sample(LEXICON.lists["women"] + LEXICON.lists["men"], n)


def similarity(rng: Random) -> Rows:
    """STS-B: two givings share none to all four of giver, taker, thing and place; the score counts them."""
    while True:
        one, other = ([*_people(rng, 2), *map(rng.choice, (THINGS, LEXICON.lists["in"]))] for _ in range(2))
        for kept in rng.sample(range(4), rng.randrange(5)):
            other[kept] = one[kept]
        if rng.random() < 0.5:  # the same people, the other way round: the same words, less in common
            other[:2] = other[1::-1]
        if other[0] != other[1]:
            texts = [_giving(rng, a, b, thing, at(site)) for a, b, thing, site in (one, other)]
            score = sum(a == b for a, b in zip(one, other, strict=True))
            yield {"sentence1": texts[0], "sentence2": texts[1], "score": float(score)}


def inference(rng: Random) -> Rows:
    """NLI: who has a thing after it changed hands. By itself a hypothesis is as likely to be true as not."""
    while True:
        (giver, taker, third), (thing, other) = _people(rng, 3), rng.sample(THINGS, 2)
        label = rng.choice(("entailment", "contradiction", "neutral"))
        denied = rng.random() < 0.5
        who, what = rng.choice(((third, other), (taker, other), (giver, other)))
        if label != "neutral":
            who, what = taker if (label == "entailment") != denied else giver, thing
        said = realise(clause(name(who), "have", noun(what), tense="present", negative=denied))[0]
        yield {"premise": _giving(rng, giver, taker, thing), "hypothesis": said, "label": label}


def question(rng: Random) -> Rows:
    """SQuAD: a fact that a document tells of somebody, asked for; the answer is one of its words."""
    entities = {entity.name: entity for entity in world().of}
    for d in _documents():
        asked = [fact for fact in d.facts if fact.subject in entities]
        for fact in rng.sample(asked, min(2, len(asked))):
            verb, _, ask = frame("fact." + fact.relation)
            found = _told(d, entities[fact.subject], fact.object)
            if ask == "?" or found is None:
                continue
            verb = LEXICON.lists[verb[1:]][0] if verb[0] == "@" else verb
            text = realise(clause(name(fact.subject), verb, tense="present", ask=ask), "?")[0]
            where = {"text": [d.text[slice(*found)]], "answer_start": [found[0]]}
            yield {"question": text, "context": d.text, "answers": where}


def _told(d: Document, subject: Any, answer: str) -> tuple[int, int] | None:
    """Where the answer stands, in a clause about the subject."""
    for words, word, place in _placed(d):
        heads = [w.head for w in words if w.entity is subject and w.relation == "nsubj"]
        if answer in (word.form, word.lemma) and word.head in heads:
            return place
    return None


def entities(rng: Random) -> Rows:
    """CoNLL-2003: persons, pets and towns, all of them renamed, so that no list of names helps."""
    for d in _documents():
        names: dict[Any, str] = {}
        first = rng.randrange(max(len(d.words) - 2, 1))
        words = [word for words in d.words[first : first + 3] for word in words]
        kinds = [ENTITIES.get(getattr(w.entity, "kind", ""), "") if w.tag == "PROPN" else "" for w in words]
        said = zip(words, kinds, strict=True)
        tokens = [names.setdefault(w.entity, _coined(rng).capitalize()) if k else w.form for w, k in said]
        if names:
            yield {"tokens": tokens, "tags": [f"B-{kind}" if kind else "O" for kind in kinds]}


def _coined(rng: Random) -> str:
    """A word that there is not."""
    return "".join(map(rng.choice, (*("bdfgklmnprstvz", "aeiou") * 2, "nrlskt")))


def word_class(rng: Random) -> Rows:
    """Part of speech: most nouns, verbs and adjectives are coined, with the ending that it had."""
    for d in _documents():
        words = rng.choice(d.words)
        yield {"tokens": [_disguised(rng, w) for w in words], "tags": [word.tag for word in words]}


def _disguised(rng: Random, word: Word) -> str:
    if word.tag not in ("NOUN", "VERB", "ADJ") or rng.random() >= 0.6:
        return word.form
    return _coined(rng) + (re.search(r"(s|ed|ing|er)?$", word.form) or [""])[0]


def coreference(rng: Random) -> Rows:
    """WSC: whom a pronoun means, among those that were mentioned."""
    for d in _documents():
        for i in range(1, len(d.words)):
            means = [w for w in d.words[i] if w.tag == "PRON" and w.lemma in ("she", "he") and w.entity]
            before = {w.entity for words in d.words[:i] for w in words if w.tag == "PROPN" and w.entity}
            known = sorted((e for e in before if e.kind == "person"), key=str)
            if d.sentences[i].startswith("“") or not means or len(known) < 2 or means[0].entity not in known:
                continue
            who, right = means[0], rng.random() < 0.5
            said = who.entity if right else rng.choice([e for e in known if e is not who.entity])
            text, pair = " ".join(d.sentences[max(i - 4, 0) : i + 1]), f"{who.lemma.capitalize()} is {said}."
            yield {"text": text, "pair": pair, "label": "yes" if right else "no"}
            break


def choice(rng: Random) -> Rows:
    """COPA: how somebody feels after what happened; the other answer is of another mood."""
    kinds = {mood: kind for kind in MOODS for mood in LEXICON.lists[kind]}
    for d in _documents("story"):
        for event in [e for e in d.events if e.kind == "feel" and 2 <= e.sentence < len(d.sentences)][:1]:
            words = d.words[event.sentence]
            mood = next((w for w in words if w.form == event.place and w.relation == "attr"), None)
            reason = any(w.form == "because" for w in words)
            if reason or mood is None or mood.form not in kinds or mood.head.relation != "root":
                continue
            kind, right = kinds[mood.form], rng.random() < 0.5
            others = [k for k in MOODS if k != kind and "happy" in (k, kind)]
            said = rng.choice(LEXICON.lists[kind if right else rng.choice(others)])
            text = " ".join(d.sentences[max(event.sentence - 4, 0) : event.sentence])
            pair, label = f"{event.agent} was {said}.", "plausible" if right else "implausible"
            yield {"text": text, "pair": pair, "label": label}


def genre(rng: Random) -> Rows:
    """Which of the seven genres three sentences are from. Words alone tell."""
    for d in _documents():
        first = rng.randrange(len(d.sentences) - 2)
        yield {"text": " ".join(d.sentences[first : first + 3]), "label": d.genre}


_OF_SENTENCES = (acceptability, sentiment, paraphrase, similarity, inference)
_OF_DOCUMENTS = (question, entities, word_class, coreference, choice, genre)
TASKS: dict[str, Callable[[Random], Rows]] = {t.__name__: t for t in (*_OF_SENTENCES, *_OF_DOCUMENTS)}
METRICS = {"acceptability": "matthews"}
KINDS = {"similarity": "regression"}
OPEN = ("word_class", "genre")  # words may leave the label open: a coined one, three sentences of any genre


def rows(name: str) -> Rows:
    """The rows of a task, each once; "pairs" are the minimal pairs of all phenomena."""
    if name == "pairs":
        for phenomenon in PHENOMENA:
            for good, bad in islice(pairs(phenomenon), EACH):
                yield {"sentence_good": good[0], "sentence_bad": bad[0], "UID": phenomenon}
        return
    seen = set[str]()
    for row in TASKS[name](Random(f"worldglue {name}")):
        key = repr(sorted((k, v) for k, v in row.items() if k != "score"))
        if key not in seen:
            seen.add(key)
            yield row
        if len(seen) == ROWS:
            return
