from collections import Counter
from itertools import islice

import pytest

from ptm_explore.text.minimal_pairs import EACH, PHENOMENA, pairs
from ptm_explore.text.world import documents
from ptm_explore.text.world.grammar import clause, name, noun, pronoun, realise
from tests.text.grammar import CHECKS, faults, sentences

# what the checker must say of the bad sentence; where two are given, either will do
FAULT = {
    "agreement": "agreement",
    "agreement_relative": "agreement",
    "agreement_verb": "agreement",
    "coordination": "agreement",
    "determiner": "determiner",
    "quantifier": "determiner",
    "numeral": "determiner",
    "reflexive_gender": "reflexive",
    "reflexive_number": "reflexive",
    "case": "case",
    "tense": "tense",
    "polarity": "polarity",
    "arguments": "valency",
    "filler_gap": "valency",
    "passive": "valency",
    "comparative": "degree",
    "ellipsis": "ellipsis",
    "cause": "cause",
    "place": "place",
    "inversion": "inversion",
}


def test_there_are_twenty_phenomena():
    assert FAULT.keys() == PHENOMENA.keys()
    assert len(PHENOMENA) == 20


@pytest.mark.parametrize("phenomenon", PHENOMENA)
def test_good_is_good_and_bad_is_bad(phenomenon):
    """By a checker that reads the annotation and knows nothing of how the pair was made."""
    for good, bad in islice(pairs(phenomenon), EACH):
        assert faults(good[1]) == set(), good[0]
        assert FAULT[phenomenon] in faults(bad[1]), bad[0]


@pytest.mark.parametrize("phenomenon", PHENOMENA)
def test_counting_words_does_not_tell_good_from_bad(phenomenon):
    """Equal lengths in each pair; over the phenomenon the same words as often in good as in bad sentences."""
    counts, seen = (Counter(), Counter()), set()
    for texts in islice(pairs(phenomenon), EACH):
        forms = [[word.form.lower() for word in words] for _, words in texts]
        assert len(forms[0]) == len(forms[1])
        assert texts[0][0] != texts[1][0]
        seen.add(texts[0][0])
        for count, form in zip(counts, forms, strict=True):
            count.update(form)
    assert len(seen) == EACH
    assert counts[0] == counts[1]


def test_same_seed_same_pairs():
    texts = [[(good[0], bad[0]) for good, bad in islice(pairs("cause", seed), 20)] for seed in (1, 1, 2)]
    assert texts[0] == texts[1] != texts[2]


def test_the_world_makes_none_of_these_faults():
    """And it does hold what each check looks at."""
    told = list(sentences(islice(documents("train", 3), 1500)))
    for text, words in told:
        assert faults(words) == set(), text
    for form in ("herself", "any", "than", "because", "so", "too", "in", "on", "these", "every", "what"):
        assert sum(any(word.form.lower() == form for word in words) for _, words in told) > 5, form


@pytest.mark.parametrize("check", CHECKS)
def test_each_check_sees_only_its_own_fault(check):
    """The bad sentence of a phenomenon is bad in one way."""
    for phenomenon in (p for p, fault in FAULT.items() if fault == check):
        for _, bad in islice(pairs(phenomenon, seed=9), 50):
            assert faults(bad[1]) == {check}, bad[0]


def test_the_checker_on_sentences_made_by_hand():
    anna = lambda: name("Anna")  # noqa: E731
    assert faults(realise(clause(anna(), "find", noun("kite")))[1]) == set()
    assert faults(realise(clause(anna(), "find"))[1]) == {"valency"}
    assert faults(realise(clause(anna(), "hurt", pronoun("m", "reflexive")))[1]) == {"reflexive"}
    assert faults(realise(clause(anna(), "find", noun("kite", "any", plural=True)))[1]) == {"polarity"}
    denied = clause(anna(), "find", noun("kite", "any", plural=True), negative=True)
    assert faults(realise(denied)[1]) == set()


def test_the_world_says_the_words_of_the_pairs():
    """A model of the world's text could know what is asked: hardly a word is rarer than 1 in 100,000."""
    told, n = Counter(), 0
    for document in documents("train", 1):
        told.update(word.form.lower() for words in document.words for word in words)
        n += len(document.text.split())
        if n > 400_000:
            break
    for phenomenon in PHENOMENA:
        forms = [word.form.lower() for (_, words), _ in islice(pairs(phenomenon), 400) for word in words]
        rare = Counter(form for form in forms if told[form] < 4)
        assert rare.total() < 0.05 * len(forms), (phenomenon, rare.most_common(8))
