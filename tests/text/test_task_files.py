"""Files of labelled rows: what each format gives, and where it says that something is wrong."""

import json

import pytest

from ptm_explore.errors import PtmError
from ptm_explore.text.task_files import find, format_of, read, split_of


def rows(path, tags=None):
    return [row for _, row in read(path, tags)]


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("a.csv", ".csv"),
        ("a.tsv.xz", ".tsv"),
        ("x.conll.txt", ".conll"),
        ("en-ud-train.conllu.xz", ".conllu"),
        ("xquad.en.json.xz", ".json"),
        ("a.txt", None),
        ("README.md", None),
        ("a.xz", None),
    ],
)
def test_formats_are_known_by_name(tmp_path, name, kind):
    assert format_of(tmp_path / name) == kind


@pytest.mark.parametrize(
    ("name", "split"),
    [
        ("en_ewt-ud-dev.conllu", "dev"),
        ("train_0.json.xz", "train"),
        ("validation.parquet", "dev"),
        ("trainer.csv", None),
        ("test-of-train.csv", None),
    ],
)
def test_splits_are_known_by_a_part_of_the_name(tmp_path, name, split):
    assert split_of(tmp_path / name) == split


def test_a_folder_gives_its_splits_in_their_order(tmp_path):
    for name in ("test.csv", "dev.csv", "train_1.csv", "train_0.csv", "labels.csv", ".hidden.csv"):
        (tmp_path / name).write_text("text,label\na,b\n")
    found = [(path.name, split) for path, split in find(tmp_path)]
    assert found == [
        ("train_0.csv", "train"),
        ("train_1.csv", "train"),
        ("dev.csv", "dev"),
        ("test.csv", "test"),
    ]


def test_conll_gives_sentences(tmp_path):
    file = tmp_path / "a.conll"
    file.write_text("-DOCSTART- O\n\nAnna B-PER\n# O\n\n\nsleeps O\n")
    assert rows(file) == [
        {"tokens": ["Anna", "#"], "tags": ["B-PER", "O"]},
        {"tokens": ["sleeps"], "tags": ["O"]},
    ]


def test_a_column_of_conll_by_its_number(tmp_path):
    file = tmp_path / "a.conll"
    file.write_text("Anna PROPN B-PER\n")
    assert rows(file, "2")[0]["tags"] == ["PROPN"]
    with pytest.raises(PtmError, match=r"label='9': a CoNLL file has no names; .* from 2 to 3"):
        rows(file, "9")


LINE = "{}\t{}\tcan\t{}\t_\t_\t0\troot\t_\t{}\n"


def test_conllu_keeps_the_spaces_of_the_text(tmp_path):
    file = tmp_path / "a.conllu"
    file.write_text(
        "# sent_id = s1\n# text = I can't.\n"
        + LINE.format(1, "I", "PRON", "_")
        + LINE.format("2-3", "can't", "_", "SpaceAfter=No")
        + LINE.format(2, "ca", "AUX", "_")
        + LINE.format(3, "n't", "PART", "_")
        + LINE.format("3.1", "sleep", "VERB", "_")
        + LINE.format(4, ".", "PUNCT", "_")
    )
    (row,) = rows(file)
    assert row["tokens"] == ["I", "ca", "n't", "."]
    assert row["tags"] == ["PRON", "AUX", "PART", "PUNCT"]
    assert row["spaces"] == [True, False, False, True]
    assert row["id"] == "s1"
    assert rows(file, "lemma")[0]["tags"] == ["can"] * 4
    with pytest.raises(PtmError, match="label='pos': CoNLL-U has the columns id, form"):
        rows(file, "pos")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.conll", "Anna B-PER\nsleeps\n", "a.conll, line 2: 1 columns, others have 2"),
        ("a.conllu", "1\tAnna\n", "a.conllu, line 1: 2 columns; CoNLL-U has 10"),
        ("a.csv", "text,label\na,b\nc\n", "a.csv, line 3: 1 columns, the header has 2"),
        ("a.jsonl", '{"text": "a"}\n{"text": \n', "a.jsonl, line 2: no JSON object"),
        ("a.jsonl", "[1]\n", "a.jsonl, line 1: no JSON object"),
        ("a.json", "3", "a task in JSON is a list of objects, or an object of lists"),
        ("a.json", '{"banking": []}', "its keys are banking; a task has 'data'"),
        ("a.json", '[{"text": "a"}, 3]', "a.json, entry 2: 3 is no JSON object"),
        ("a.json", '{"train": [["a", "b", "c"]]}', "a.json, train 1: .* is no JSON object"),
        ("a.json", '{"data": [{"paragraphs": [{"qas": [{"id": "x"}]}]}]}', "article 1: not as SQuAD has it"),
        ("a.json", '[{"text": "a"}, {"te', "cannot read .*a.json: .* cut short or of another format"),
        ("a.json", "text,label\na,b\n", "cannot read .*a.json"),
        ("a.parquet", "text,label\na,b\n", "cannot read .*a.parquet"),
        ("a.conll.xz", "Anna B-PER\n", "cannot read .*a.conll.xz"),
    ],
)
def test_what_is_wrong_has_a_place(tmp_path, name, content, message):
    (tmp_path / name).write_text(content)
    with pytest.raises(PtmError, match=message):
        rows(tmp_path / name)


def test_bytes_that_are_no_utf8(tmp_path):
    (tmp_path / "a.jsonl").write_bytes(b'{"text": "\xff"}\n')
    with pytest.raises(PtmError, match="line 1: bytes that are not UTF-8"):
        rows(tmp_path / "a.jsonl")
    (tmp_path / "a.conll").write_bytes(b"\xff O\n")
    with pytest.raises(PtmError, match="cannot read"):
        rows(tmp_path / "a.conll")


def test_json_by_its_shape(tmp_path):
    file = tmp_path / "a.json"
    file.write_text(json.dumps({"train": [["a", "x"]], "oos_train": [["b", "oos"]]}))
    assert rows(file) == [
        {"text": "a", "label": "x", "split": "train"},
        {"text": "b", "label": "oos", "split": "oos_train"},
    ]
    file.write_text(
        json.dumps(
            [{"userInput": {"text": "at 5"}, "labels": [{"slot": "time", "valueSpan": {"endIndex": 4}}]}]
        )
    )
    assert rows(file) == [{"text": "at 5", "spans": [{"label": "time", "start": 0, "end": 4}]}]
    answer = {"text": "me", "answer_start": 3}
    paragraph = {"context": "to me", "qas": [{"id": "q", "question": "who?", "answers": [answer]}]}
    file.write_text(json.dumps({"version": "1.1", "data": [{"paragraphs": [paragraph]}]}))
    answers = {"text": ["me"], "answer_start": [3]}
    assert rows(file) == [{"id": "q", "question": "who?", "context": "to me", "answers": answers}]
