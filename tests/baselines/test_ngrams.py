"""N-gram models against counting by hand, from the formulas."""

import math
from collections import Counter
from itertools import product

import pytest

from ptm_explore.baselines.ngrams import END, START, UNKNOWN, NGrams, words
from ptm_explore.errors import PtmError

TEXTS = [
    "the cat sat on the mat",
    "the dog sat on the log",
    "a cat saw the dog",
    "the dog saw a cat on the mat",
]
SENTENCES = [words(text) for text in TEXTS]
UNSEEN = [words("the cat saw the log"), words("a bird sat on the dog")]


def lines(n):
    return [[START] * (n - 1) + sentence + [END] for sentence in SENTENCES]


def count(run, n):
    """How often a run of words stands in the padded sentences."""
    return sum(
        tuple(line[i : i + len(run)]) == run for line in lines(n) for i in range(len(line) - len(run) + 1)
    )


def brute_kneser_ney(word, context, n, d=0.75):
    """Chen and Goodman's interpolated formula, term by term, every set written out."""
    everything = {w for line in lines(n) for w in line}
    vocabulary = (everything - {START}) | {UNKNOWN}

    def c(run):  # the highest order counts, lower ones count the different words before
        if len(run) == n:
            return count(run, n)
        return sum(c2 > 0 for c2 in (count((w, *run), n) for w in everything))

    def p(word, context):
        lower = p(word, context[1:]) if context else 1 / len(vocabulary)
        after = {w: c((*context, w)) for w in vocabulary}
        total = sum(after.values())
        if not total:
            return lower
        distinct = sum(v > 0 for v in after.values())
        return max(after.get(word, 0) - d, 0) / total + d * distinct / total * lower

    return p(word, context)


@pytest.mark.parametrize("n", [1, 2, 3])
def test_kneser_ney_is_the_formula(n):
    model = NGrams(n).fit(SENTENCES)
    vocabulary = list(model.vocabulary)
    for context in product([START, "the", "cat", "on"], repeat=n - 1):
        for word in ("the", "mat", END, UNKNOWN):
            if START in context[1:] and context[0] != START:
                continue  # the start comes first
            assert model.probability(word, context) == pytest.approx(brute_kneser_ney(word, context, n))
        assert sum(model.probability(w, context) for w in vocabulary) == pytest.approx(1)


@pytest.mark.parametrize("n", [1, 2, 3])
def test_perplexity_is_the_formula(n):
    model = NGrams(n).fit(SENTENCES)
    logs = []
    for sentence in UNSEEN:
        line = [START] * (n - 1) + [w if w in model.vocabulary else UNKNOWN for w in sentence] + [END]
        at = range(n - 1, len(line))
        logs += [math.log(brute_kneser_ney(line[i], tuple(line[i - n + 1 : i]), n)) for i in at]
    assert model.perplexity(UNSEEN) == pytest.approx(math.exp(-sum(logs) / len(logs)))


def test_additive_and_none_are_relative_frequencies():
    vocabulary = {w for s in SENTENCES for w in s} | {END, UNKNOWN}
    model = NGrams(2, "additive", 0.5).fit(SENTENCES)
    expected = (count(("the", "dog"), 2) + 0.5) / (count(("the",), 2) + 0.5 * len(vocabulary))
    assert model.probability("dog", ["the"]) == pytest.approx(expected)
    assert model.probability("bird", ["never", "seen"]) == pytest.approx(1 / len(vocabulary))
    plain = NGrams(2, "none").fit(SENTENCES)
    assert plain.probability("dog", ["the"]) == pytest.approx(count(("the", "dog"), 2) / count(("the",), 2))
    assert plain.log_likelihood(UNSEEN[1]) == -math.inf
    assert plain.perplexity(UNSEEN) == math.inf
    assert plain.perplexity(SENTENCES) < model.perplexity(SENTENCES)


def test_a_uniform_model_is_as_unsure_as_its_vocabulary_is_large():
    model = NGrams(1, "additive", 1e9).fit(SENTENCES)
    assert model.perplexity(UNSEEN) == pytest.approx(len(model.vocabulary), rel=1e-6)


@pytest.mark.parametrize("smoothing", ["kneser_ney", "additive", "none"])
def test_samples_follow_the_probabilities(smoothing):
    model = NGrams(2, smoothing).fit(SENTENCES)
    draws = 6000
    first = Counter((model.sample(seed, ["the"], longest=1) or [END])[0] for seed in range(draws))
    for word in model.vocabulary:
        p = model.probability(word, ["the"])
        assert abs(first[word] / draws - p) < 5 * math.sqrt(p * (1 - p) / draws) + 1e-9, word


def test_samples_are_reproducible_and_end():
    model = NGrams(3).fit(SENTENCES)
    assert model.sample(seed=3) == model.sample(seed=3)
    assert len(model.sample(seed=0, longest=4)) <= 4
    assert all(word in model.vocabulary for word in model.sample(seed=5))


def test_following_ranks_all_words():
    model = NGrams(3).fit(SENTENCES)
    context = ["on", "the"]
    everything = sorted(((model.probability(w, context), w) for w in model.vocabulary), reverse=True)
    assert [round(p, 12) for _, p in model.following(context, 4)] == [round(p, 12) for p, _ in everything[:4]]


def test_a_short_context_is_the_beginning_of_a_sentence():
    model = NGrams(4, "none").fit(SENTENCES)
    assert model.probability("sat", ["the", "cat"]) == model.probability("sat", [START, "the", "cat"]) == 1
    long = ["dog", "cat", "sat", "on"]
    assert model.probability("the", long[1:]) == model.probability("the", long) == 1


def test_rare_words_are_one_word():
    model = NGrams(1, "none", min_count=2).fit(SENTENCES)
    assert "log" not in model.vocabulary
    rare = sum(v for v in Counter(w for s in SENTENCES for w in s).values() if v == 1)
    total = sum(len(s) + 1 for s in SENTENCES)
    assert model.probability("log") == model.probability("zebra") == pytest.approx(rare / total)


def test_bad_input():
    with pytest.raises(PtmError, match="smoothing"):
        NGrams(2, "kneser-nay")
    with pytest.raises(PtmError, match="at least 1"):
        NGrams(0)
    with pytest.raises(PtmError, match="0 to 1"):
        NGrams(2, amount=1.5)
    with pytest.raises(PtmError, match="no words"):
        NGrams(2).fit([[], []])
    with pytest.raises(PtmError, match="no sentence"):
        NGrams(2).fit(SENTENCES).perplexity([])
