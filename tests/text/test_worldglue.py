"""Tasks on the generated world: an independent reading confirms the labels, and words alone do not tell."""

import re
from collections import Counter
from itertools import islice

import pytest

from ptm_explore.baselines.tfidf import TfIdf
from ptm_explore.errors import PtmError
from ptm_explore.text import worldglue
from ptm_explore.text.tasks import task
from ptm_explore.text.world.lexicon import lexicon
from ptm_explore.text.world.state import world


@pytest.fixture(scope="module")
def opened():
    found = {}
    return lambda name: found.setdefault(name, task(f"world:{name}", show=False))


def sample(name, n=400):
    return list(islice(worldglue.rows(name), n))


def test_there_are_at_least_ten_tasks_of_every_kind(opened):
    assert len(worldglue.TASKS) >= 10
    kinds = {opened(name).kind for name in ("sentiment", "similarity", "question", "entities")}
    assert kinds == {"classification", "regression", "span", "tagging"}
    assert opened("acceptability").metric.name == "matthews"


@pytest.mark.parametrize("name", worldglue.TASKS)
def test_splits_share_no_text_and_rows_are_the_same_again(opened, name):
    t = opened(name)
    parts = [{(e.text, e.pair) for e in part} for part in (t.train, t.dev, t.test)]
    assert [len(part) for part in (t.train, t.dev, t.test)] == pytest.approx([4800, 600, 600], abs=20)
    assert sum(map(len, parts)) == len(set.union(*parts))
    assert sample(name, 30) == sample(name, 30)


@pytest.mark.parametrize("name", [name for name in worldglue.TASKS if name not in worldglue.OPEN])
def test_words_alone_are_ten_points_below_the_ceiling(opened, name):
    """The ceiling is 1: labels follow from the text, as the tests below find for each task."""
    t = opened(name)
    assert t.majority.high < 0.7
    assert TfIdf(t, longest=1).evaluate().value < 0.9


def test_acceptability_is_the_checkers_opinion():
    from ptm_explore.text.minimal_pairs import PHENOMENA, pairs
    from tests.text.grammar import faults

    judged = {}
    for phenomenon in PHENOMENA:
        for pair in islice(pairs(phenomenon, seed=1), 300):
            judged |= {text: not faults(words) for text, words in pair}
    rows = [row for row in sample("acceptability", 1000) if row["text"] in judged]
    assert len(rows) > 500
    assert all((row["label"] == "acceptable") == judged[row["text"]] for row in rows)


def test_sentiment_follows_from_its_rationale():
    """Praise counts for it, blame against, and what is denied the other way round: each sentence that says
    something says the same."""
    lists = {kind: {w for key, ws in lexicon().lists.items() if key.startswith(kind + ".") for w in ws}
             for kind in ("praise", "blame")}  # fmt: skip
    for row in sample("sentiment"):
        words = [(row["text"][a:b], a) for a, b in row["rationale"]]
        assert words
        for word, at in words:
            if word in ("not", "never"):
                continue
            good = word in lists["praise"]
            assert good or word in lists["blame"]
            sentence = row["text"].rfind(".", 0, at) + 1
            cut = max(row["text"].rfind(mark, sentence, at) for mark in ("because", "although", " but "))
            before = row["text"][max(sentence, cut) : at]
            denied = re.search(r"\b(not|never)\b", before) is not None
            assert (good != denied) == (row["label"] == "positive"), row["text"]


def test_paraphrases_say_the_same():
    """Who gave what to whom, read off the text."""
    for row in sample("paraphrase"):
        first, second = (roles(row[key]) for key in ("sentence1", "sentence2"))
        assert (first == second) == (row["label"] == "same"), row
        assert {*first} == {*second}


def roles(text):
    """(giver, taker, thing) of one giving."""
    text = re.sub(r" (in|on|at|near) the [\w-]+\.", ".", text).rstrip(".")
    if m := re.fullmatch(r"The (\w+) was \w+ to (\w+) by (\w+)", text):
        return m[3], m[2], m[1]
    if m := re.fullmatch(r"(\w+) \w+ the (\w+) to (\w+)", text):
        return m[1], m[3], m[2]
    m = re.fullmatch(r"(\w+) \w+ (\w+) the (\w+)", text)
    return m[1], m[2], m[3]


def test_similarity_counts_what_two_givings_share():
    for row in sample("similarity"):
        one, other = ((*roles(row[k]), row[k].split()[-1]) for k in ("sentence1", "sentence2"))
        assert sum(a == b for a, b in zip(one, other, strict=True)) == row["score"], row
    assert len(Counter(row["score"] for row in sample("similarity"))) == 5


def test_inference_follows_from_who_has_it_now():
    rows = sample("inference", 1500)
    for row in rows:
        giver, taker, thing = roles(row["premise"])
        if m := re.fullmatch(r"(\w+) does not have the (\w+)\.", row["hypothesis"]):
            who, what, has = m[1], m[2], False
        else:
            who, what = re.fullmatch(r"(\w+) has the (\w+)\.", row["hypothesis"]).groups()
            has = True
        known = {(giver, thing): False, (taker, thing): True}.get((who, what))
        label = "neutral" if known is None else "entailment" if known == has else "contradiction"
        assert row["label"] == label, row
    denied = Counter((row["label"], " not " in row["hypothesis"]) for row in rows)
    assert max(denied.values()) < 1.3 * min(denied.values())  # the hypothesis by itself does not tell


def test_answers_are_facts_of_the_world():
    entities = {entity.name: facts for entity, facts in world().of.items()}
    for row in sample("question", 200):
        (answer,), (start,) = row["answers"]["text"], row["answers"]["answer_start"]
        assert row["context"][start : start + len(answer)] == answer
        who = [word for word in re.findall(r"\w+", row["question"]) if word in entities]
        values = {str(value) for name in who for value in entities[name].values()}
        assert {answer, answer.lower()} & (values | {lexicon().plural(value) for value in values}), row


def test_entities_are_names_that_no_list_has():
    lists = lexicon().lists
    known = {*lists["women"], *lists["men"], *lists["towns"], *lists["pets"]}
    for row in sample("entities"):
        assert len(row["tokens"]) == len(row["tags"])
        names = [token for token, tag in zip(row["tokens"], row["tags"], strict=True) if tag != "O"]
        assert names
        assert not {*names} & known
        assert all(name[0].isupper() for name in names)


def test_word_classes_keep_their_endings():
    coined = total = 0
    for row in sample("word_class"):
        for token, tag in zip(row["tokens"], row["tags"], strict=True):
            if tag in ("NOUN", "VERB", "ADJ"):
                total += 1
                coined += (
                    re.fullmatch(r"([bdfgklmnprstvz][aeiou]){2}[nrlskt](s|ed|ing|er)?", token) is not None
                )
    assert 0.5 < coined / total < 0.75


def test_coreference_is_somebody_of_the_right_gender_who_was_mentioned():
    women, men = {*lexicon().lists["women"]}, {*lexicon().lists["men"]}
    for row in sample("coreference"):
        pronoun, name = re.fullmatch(r"(She|He) is (\w+)\.", row["pair"]).groups()
        if row["label"] == "yes":
            assert name in (women if pronoun == "She" else men), row
    labels = Counter(row["label"] for row in sample("coreference", 1000))
    assert min(labels.values()) > 400


def test_choice_is_a_mood_that_fits_or_does_not():
    rows = sample("choice", 600)
    assert all(re.fullmatch(r"[\w ]+ was \w+\.", row["pair"]) for row in rows)
    assert min(Counter(row["label"] for row in rows).values()) > 200


def test_minimal_pairs_are_a_task(opened):
    t = opened("pairs")
    assert t.kind == "minimal_pair"
    assert len(t.test) == 20_000
    assert t.majority.value == 0.5


def test_unknown_task():
    with pytest.raises(PtmError, match="sentiment"):
        task("world:sentimant", show=False)
