"""TF-IDF against scikit-learn called by hand, and against known answers."""

import json
import math

import numpy as np
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score

from ptm_explore.baselines.tfidf import Search, TfIdf
from ptm_explore.errors import PtmError
from ptm_explore.text.tasks import task


def opened(tmp_path, rows):
    file = tmp_path / "rows.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return task(file, show=False)


def test_the_classifier_equals_scikit_learn(shared_data):
    t = task(shared_data / "mr_sentence_polarity", show=False)
    ours = TfIdf(t)
    vectorizer = TfidfVectorizer(token_pattern=r"\w+|[^\w\s]", ngram_range=(1, 2))  # lower case by default
    features = vectorizer.fit_transform([e.text for e in t.train])
    theirs = LogisticRegression(C=10, max_iter=1000).fit(features, [e.label for e in t.train])
    expected = theirs.predict(vectorizer.transform([e.text for e in t.test])).tolist()
    assert ours.predict(t.test) == expected
    score = ours.evaluate()
    assert score.value == accuracy_score([e.label for e in t.test], expected)
    assert 0.74 < score.value < 0.80  # as bags of words have long been known to score on it


def test_search_is_the_cosine_by_hand():
    texts = ["red apple", "green apple", "red car", "blue sky"]
    found = Search(texts)("a red apple")
    idf = {w: math.log(5 / (1 + n)) + 1 for w, n in {"red": 2, "apple": 2, "green": 1, "car": 1}.items()}
    one = np.array([idf["red"], idf["apple"]])
    cosine = lambda other: one @ other / np.linalg.norm(one)  # noqa: E731
    half = {"green apple": ("apple", "green"), "red car": ("red", "car")}
    expected = {0: 1.0}
    for text, (shared, other) in half.items():
        length = math.hypot(idf[shared], idf[other])
        expected[texts.index(text)] = idf[shared] ** 2 / length / np.linalg.norm(one)
    assert [i for i, _ in found] == [0, 1, 2]
    for i, value in found:
        assert value == pytest.approx(expected[i])
    assert cosine(one / np.linalg.norm(one)) == pytest.approx(1)
    assert Search(texts)("zebra") == []


def test_weights_name_the_words_that_speak_for_a_class(tmp_path):
    rows = [{"text": f"{'good' if i % 2 else 'bad'} film {i}", "label": "yn"[i % 2]} for i in range(60)]
    model = TfIdf(opened(tmp_path, rows))
    assert model.weights("n", 1)[0][0] == "good"
    assert model.weights("y", 1)[0][0] == "bad"


def test_pairs_see_what_two_texts_share(tmp_path):
    """Same or not is in neither bag, but in the distance between them."""
    things = ["cat", "dog", "cow", "hen", "fox", "bee"]
    rows = [
        {"sentence1": f"{a} {i}", "sentence2": f"{b} {i}", "label": str(a == b)}
        for i, (a, b) in enumerate((a, b) for _ in range(12) for a in things for b in (a, things[i_of(a)]))
    ]
    t = opened(tmp_path, rows)
    assert TfIdf(t).evaluate().value == 1.0


def i_of(thing):
    return (["cat", "dog", "cow", "hen", "fox", "bee"].index(thing) + 1) % 6


def test_numbers_by_ridge(tmp_path):
    rows = [{"text": "good " * (i % 5) + f"film {i}", "score": i % 5 + 0.5} for i in range(100)]
    assert TfIdf(opened(tmp_path, rows)).evaluate().value > 0.8


def test_tags_by_word(tmp_path):
    rows = [{"tokens": ["Anna", "sees", f"x{i}"], "tags": ["B-PER", "O", "O"]} for i in range(40)]
    model = TfIdf(opened(tmp_path, rows))
    assert model.evaluate().value == 1.0
    assert model.predict([model.task.test[0]]) == [("B-PER", "O", "O")]


def test_an_answer_is_the_rarest_word_of_the_best_sentence(tmp_path):
    towns = ["Marrow", "Fenwick", "Dale", "Holm", "Ash"]
    people = ["Anna", "Piet", "Otto"]
    rows = []
    for i in range(60):
        who, town = people[i % 3], towns[i % 5]
        text = f"{who} lives in {town}. The weather was fine."
        start = text.index(town)
        rows.append(
            {
                "question": f"Where does {who} live in?",
                "context": f"{text} It was {i}.",
                "answers": {"text": [town], "answer_start": [start]},
            }
        )
    assert TfIdf(opened(tmp_path, rows)).evaluate().value > 0.9


def test_bad_input(tmp_path):
    with pytest.raises(PtmError, match="no text"):
        Search(["", " "])
    rows = [{"sentence_good": f"She is {i}.", "sentence_bad": f"She are {i}.", "UID": "a"} for i in range(9)]
    with pytest.raises(PtmError, match="nothing to learn"):
        TfIdf(opened(tmp_path, rows))
