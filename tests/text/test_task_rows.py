"""Rows to records: columns by their names, entities in one scheme, spans as tags."""

import pytest

from ptm_explore.text.task_rows import Reader, bio


def record(row, **asked):
    return Reader("a", **{"text": None, "pair": None, "label": None, "kind": None, **asked}).example(
        "here", row
    )


@pytest.mark.parametrize(
    ("row", "text", "pair", "label"),
    [
        ({"sentence": "s", "label": "x"}, "s", None, "x"),
        ({"label": "x", "premise": "p", "hypothesis": "h", "explanation": "e"}, "p", "h", "x"),
        ({"idx": 3, "sentence1": "a", "sentence2": "b", "label": 0}, "a", "b", "0"),
        ({"question": "q", "sentence": "s", "label": True}, "q", "s", "True"),
        ({"Text": "t", "Sentiment": "good"}, "t", None, "good"),
        ({"utterance": "u", "intent": "i"}, "u", None, "i"),  # one column is left
        ({"content": "c", "flavour": "f"}, "c", None, "f"),
        ({"text": "t", "score": 3.5}, "t", None, 3.5),
    ],
)
def test_columns_are_guessed(row, text, pair, label):
    found = record(row)
    assert (found["text"], found.get("pair"), found["label"]) == (text, pair, label)


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ("O I-PER I-PER O", "O B-PER I-PER O"),  # IOB1
        ("I-PER I-LOC I-LOC B-LOC", "B-PER B-LOC I-LOC B-LOC"),
        ("B-PER I-PER B-PER O", "B-PER I-PER B-PER O"),  # as it was
        ("S-PER B-LOC I-LOC E-LOC S-LOC", "B-PER B-LOC I-LOC I-LOC B-LOC"),  # IOBES
        ("U-PER B-LOC L-LOC O", "B-PER B-LOC I-LOC O"),  # BILOU
        ("NOUN VERB", "NOUN VERB"),
    ],
)
def test_entities_come_as_bio(tags, expected):
    assert bio(tags.split()) == expected.split()


def test_words_stand_where_they_are_said_to():
    found = record({"tokens": ["ca", "n't", "go"], "tags": ["A", "B", "C"], "spaces": [False, True, True]})
    assert found["text"] == "can't go"
    assert [found["text"][start:end] for start, end in found["words"]] == ["ca", "n't", "go"]


def test_spans_become_tags_of_the_words_they_touch():
    spans = [{"start": 3, "end": 8, "label": "time"}, {"start": 9, "end": 12, "label": "day"}]
    found = record({"text": "at 5 pm today, ok", "spans": spans})
    words = [found["text"][start:end] for start, end in found["words"]]
    tags = dict(zip(words, found["label"], strict=True))
    assert tags == {"at": "O", "5": "B-time", "pm": "I-time", "today": "B-day", ",": "O", "ok": "O"}


def test_rationales_and_ids_are_kept():
    found = record({"text": "so good", "label": "pos", "rationale": [[3, 7]], "id": 7})
    assert found["rationale"] == [[3, 7]]
    assert found["id"] == "7"
