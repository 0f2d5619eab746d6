"""ptm.task: splits, majority, few-shot subsets, sources, and every kind of bad file with its place."""

import json
import lzma
import os
import subprocess
import sys

import pytest

from ptm_explore.errors import PtmError
from ptm_explore.text.tasks import task


def write(path, *rows):
    """JSON lines."""
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def opened(*args, **kwargs):
    return task(*args, show=False, **kwargs)


def labelled(n, labels=("good", "bad")):
    return [{"text": f"text number {i}", "label": labels[i % len(labels)]} for i in range(n)]


class TestSplits:
    def test_an_unsplit_file_is_split_by_seed(self, tmp_path):
        file = write(tmp_path / "all.jsonl", *labelled(200))
        t, again, other = opened(file), opened(file), opened(file, seed=1)
        assert (len(t.train), len(t.dev), len(t.test)) == (160, 20, 20)
        texts = [[e.text for e in part] for part in (t.train, t.dev, t.test)]
        assert sorted(text for part in texts for text in part) == sorted(row["text"] for row in labelled(200))
        assert [e.text for e in again.test] == texts[2]
        assert [e.text for e in other.test] != texts[2]
        assert "split by seed 0" in t.columns

    def test_equal_texts_are_in_one_split(self, tmp_path):
        t = opened(write(tmp_path / "all.jsonl", *labelled(50), *labelled(50), *labelled(50)))
        parts = [{e.text for e in part} for part in (t.train, t.dev, t.test)]
        assert sum(map(len, parts)) == 50

    def test_questions_on_one_text_are_in_one_split(self, tmp_path):
        rows = [
            {"question": f"q{q}?", "context": f"It is {c}.", "answers": {"text": ["It"], "answer_start": [0]}}
            for c in range(20)
            for q in range(5)
        ]
        t = opened(write(tmp_path / "qa.jsonl", *rows))
        parts = [{e.pair for e in part} for part in (t.train, t.dev, t.test)]
        assert sum(map(len, parts)) == 20

    def test_a_folder_names_its_splits_and_a_missing_one_is_none(self, tmp_path):
        write(tmp_path / "my-train.jsonl", *labelled(6))
        write(tmp_path / "my_validation.jsonl", *labelled(4))
        (tmp_path / "README.md").write_text("not data")
        t = opened(tmp_path)
        assert (len(t.train), len(t.dev), t.test) == (6, 4, None)
        assert t.judged == "dev"
        with pytest.raises(PtmError, match="no split 'test'; it has train, dev"):
            t.split("test")

    def test_a_column_names_the_split(self, tmp_path):
        rows = [row | {"split": ("train", "val", "test")[i % 3]} for i, row in enumerate(labelled(12))]
        t = opened(write(tmp_path / "all.jsonl", *rows))
        assert (len(t.train), len(t.dev), len(t.test)) == (4, 4, 4)
        assert "split by seed" not in t.columns

    def test_a_test_set_with_hidden_labels_is_left_out_and_said(self, tmp_path):
        write(tmp_path / "train.jsonl", *labelled(6))
        write(tmp_path / "test.jsonl", *(row | {"label": None} for row in labelled(6)))
        t = opened(tmp_path)
        assert t.test is None
        assert "test left out: its labels are hidden" in t.columns

    def test_slices_and_samples_read_what_they_say(self, tmp_path):
        train = opened(write(tmp_path / "train.jsonl", *(r | {"split": "train"} for r in labelled(30)))).train
        assert [e.text for e in train[2:4]] == ["text number 2", "text number 3"]
        assert train[-1].text == "text number 29"
        some = train.sample(5, seed=1)
        assert len({e.text for e in some}) == 5
        assert [e.text for e in train.sample(5, seed=1)] == [e.text for e in some]
        assert len(train.sample(99)) == 30

    def test_few_takes_so_many_of_each_class(self, tmp_path):
        t = opened(write(tmp_path / "all.jsonl", *labelled(300, ("a", "b", "c"))))
        few = t.few(4)
        assert sorted(e.label for e in few.train) == ["a"] * 4 + ["b"] * 4 + ["c"] * 4
        assert [e.text for e in few.test] == [e.text for e in t.test]
        assert [e.text for e in t.few(4, seed=1).train] != [e.text for e in few.train]


class TestMajority:
    def test_classes(self, tmp_path):
        rows = [{"text": f"t{i}", "label": "yes" if i % 4 else "no"} for i in range(40)]
        t = opened(
            write(
                tmp_path / "a.jsonl",
                *(r | {"split": "test" if i < 20 else "train"} for i, r in enumerate(rows)),
            )
        )
        assert t.majority.value == pytest.approx(15 / 20)
        assert t.majority.low < 0.75 < t.majority.high

    def test_numbers_are_guessed_by_their_mean_which_orders_nothing(self, tmp_path):
        rows = [{"text": f"t{i}", "score": i / 10} for i in range(40)]
        t = opened(write(tmp_path / "a.jsonl", *rows))
        assert t.kind == "regression"
        assert t.metric.name == "spearman"
        assert t.majority.value == 0
        table = tmp_path / "a.csv"
        table.write_text("text,score\n" + "".join(f"t{i},{i / 10}\n" for i in range(40)))
        assert opened(table).majority.value == 0

    def test_spans_by_the_commonest_answer_or_the_first_word(self, tmp_path):
        def row(context, answer, split):
            where = {"text": [answer], "answer_start": [context.index(answer)]}
            return {"question": "who?", "context": context, "answers": where, "split": split}

        rows = [row("Anna met Tom", "Anna", "train"), row("then Anna left", "Anna", "train")]
        rows += [
            row("Max saw Anna", "Anna", "test"),
            row("Ida slept", "Ida", "test"),
            row("no Ida", "Ida", "test"),
        ]
        assert opened(write(tmp_path / "a.jsonl", *rows)).majority.value == pytest.approx(2 / 3)

    def test_minimal_pairs_are_all_for_testing_and_chance_is_half(self, tmp_path):
        rows = [
            {"sentence_good": f"she sees {i}", "sentence_bad": f"she see {i}", "UID": "sv"} for i in range(5)
        ]
        t = opened(write(tmp_path / "pairs.jsonl", *rows))
        assert (t.train, t.dev, len(t.test), t.kind) == (None, None, 5, "minimal_pair")
        assert t.majority.value == 0.5
        assert (t.test[0].text, t.test[0].pair, t.test[0].label) == ("she sees 0", "she see 0", "sv")


class TestBadInput:
    @pytest.mark.parametrize(
        ("rows", "message"),
        [
            ([{"text": "a", "label": "x"}, {"text": "b"}], r"line 2: its label is missing"),
            ([{"text": "a", "label": "x"}, {"text": "b", "label": " "}], r"line 2: its label is missing"),
            ([{"text": "a", "label": ["x"]}], r"line 1: label is \['x'\], list; give a name or a number"),
            ([{"text": "", "label": "x"}], r"line 1: text is ''; give a string that is not empty"),
            ([{"text": None, "label": "x"}], r"line 1: text is None"),
            ([{"text": "\ud800", "label": "x"}], r"line 1: text has bytes that are not UTF-8"),
            ([{"tokens": ["a", "b"], "tags": ["O"]}], r"line 1: 2 tokens and 1 tags"),
            ([{"tokens": ["a"], "tags": [3]}], r"line 1: token 0 is 'a', its tag 3"),
            ([{"tokens": ["a"]}], r"line 1: tokens without tags; there are tokens"),
            (
                [{"one": "a", "two": "b", "three": "c"}],
                r"cannot tell which column holds the text; there are one",
            ),
            ([{"text": "a", "two": "b", "three": "c"}], r"cannot tell which column holds the label"),
            (
                [{"question": "q", "context": "abc", "answers": {"text": ["c"], "answer_start": [9]}}],
                r"line 1: answer from 9 to 10 is outside the text of 3 characters",
            ),
            (
                [{"question": "q", "context": "abc", "answers": {"text": ["c"], "answer_start": [0]}}],
                r"line 1: the answer 'c' does not stand at character 0",
            ),
            (
                [{"text": "abc", "spans": [{"start": 1, "end": 7, "label": "x"}]}],
                r"line 1: span 'x' from 1 to 7 is outside the text of 3 characters",
            ),
            (
                [{"id": 1, "text": "a", "label": "x"}, {"id": 1, "text": "b", "label": "y"}],
                r"line 2: the id '1' was given before, in .*line 1",
            ),
            (
                [*({"text": f"t{i}", "score": i / 7} for i in range(30)), {"text": "t", "score": "high"}],
                r"line 31: label 'high' is no number",
            ),
            (
                [{"text": "a", "label": "x", "split": "train"}, {"text": "b", "label": "x"}],
                "some rows name their split, others do not",
            ),
            ([], "has no row"),
        ],
    )
    def test_a_row(self, tmp_path, rows, message):
        with pytest.raises(PtmError, match=message):
            opened(write(tmp_path / "bad.jsonl", *rows))

    def test_nothing_half_read_stays_behind(self, tmp_path, monkeypatch):
        monkeypatch.setenv("PTM_CACHE", str(tmp_path / "cache"))
        file = write(tmp_path / "bad.jsonl", *labelled(50), {"text": "b"})
        with pytest.raises(PtmError, match="line 51"):
            opened(file)
        assert list((tmp_path / "cache").iterdir()) == []
        write(file, *labelled(50))
        assert len(opened(file).train) == 40

    def test_a_label_that_train_does_not_have(self, tmp_path):
        write(tmp_path / "train.jsonl", *labelled(6))
        write(tmp_path / "dev.jsonl", *labelled(2), {"text": "odd", "label": "ugly"})
        with pytest.raises(
            PtmError, match=r"dev.jsonl, line 3: label 'ugly' does not occur in train, .* bad, good"
        ):
            opened(tmp_path)

    def test_the_wrong_column_is_no_label(self, tmp_path):
        rows = [{"text": "always the same", "label": f"free text {i}"} for i in range(1500)]
        with pytest.raises(PtmError, match="1,500 different labels in 1,500 rows; is this the right column"):
            opened(write(tmp_path / "a.jsonl", *rows))

    def test_names_that_do_not_exist(self, tmp_path):
        file = write(tmp_path / "a.jsonl", *labelled(9))
        with pytest.raises(PtmError, match="no column 'txt' for text=; there are text, label"):
            opened(file, text="txt")
        with pytest.raises(PtmError, match="unknown metric 'acc'"):
            opened(file, metric="acc")
        with pytest.raises(PtmError, match="unknown kind of task 'tags'"):
            opened(file, kind="tags")
        with pytest.raises(PtmError, match="nothing for tagging"):
            opened(file, kind="tagging")
        with pytest.raises(PtmError, match="label 'good' is no number"):
            opened(file, kind="regression")
        with pytest.raises(PtmError, match="no such file or folder"):
            opened(tmp_path / "nowhere.csv")

    def test_a_folder_that_is_no_task(self, tmp_path):
        for name in ("a.jsonl", "b.jsonl"):
            write(tmp_path / name, *labelled(3))
        with pytest.raises(PtmError, match=r"is no task: .* It holds a.jsonl, b.jsonl"):
            opened(tmp_path)


def test_given_columns_are_used(tmp_path):
    rows = [{"text": "no", "remark": f"yes {i}", "label": "no", "verdict": "xy"[i % 2]} for i in range(20)]
    t = opened(write(tmp_path / "a.jsonl", *rows), text="remark", label="verdict")
    assert t.labels == ("x", "y")
    assert t.train[0].text.startswith("yes")
    assert t.columns.startswith("text = remark, label = verdict")


def test_it_prints_what_it_took_for_what(tmp_path, capsys):
    task(
        write(
            tmp_path / "a.jsonl",
            *({"premise": f"p{i}", "hypothesis": "h", "label": i % 3} for i in range(30)),
        )
    )
    shown = capsys.readouterr().out
    for part in (
        "classification, 3 labels (0, 1, 2)",
        "text = premise, pair = hypothesis, label = label",
        "24",
    ):
        assert part in shown


def test_the_hub_by_way_of_a_local_data_set(tmp_path):
    import datasets

    features = datasets.Features(
        {"sentence": datasets.Value("string"), "label": datasets.ClassLabel(names=["bad", "fine"])}
    )
    rows = {"sentence": [f"s{i}" for i in range(8)], "label": [i % 2 for i in range(8)]}
    data = datasets.Dataset.from_dict(rows, features=features)
    (tmp_path / "set").mkdir()
    for split in ("train", "validation"):
        data.to_parquet(tmp_path / "set" / f"{split}.parquet")
    hidden = datasets.Dataset.from_dict({"sentence": ["s"], "label": [-1]}, features=features)
    hidden.to_parquet(tmp_path / "set" / "test.parquet")
    t = opened(f"hf:{tmp_path / 'set'}")
    assert t.labels == ("bad", "fine")
    assert [e.label for e in t.train][:3] == ["bad", "fine", "bad"]
    assert (len(t.dev), t.test) == (8, None)


@pytest.mark.slow
@pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="reads the peak of memory from /proc")
def test_a_large_file_takes_constant_memory(tmp_path):
    """Of 150 MB of JSON lines and of JSON, no more than 120 MB are ever in memory, Python included."""
    code = (
        "import re, sys; from ptm_explore.text.tasks import task; "
        "t = task(sys.argv[1], show=False); t.train[-1]; "
        "peak = re.search(r'VmHWM: *\\s*(\\d+)', open('/proc/self/status').read())[1]; "
        "print(int(peak) // 1024, len(t.train))"
    )
    with open(tmp_path / "train.jsonl", "w") as lines, open(tmp_path / "train.json", "w") as document:
        document.write('{"train": [')
        for i in range(150_000):
            row = json.dumps({"text": f"{i} " + "word " * 200, "label": str(i % 7)})
            lines.write(row + "\n")
            document.write(row + ("," if i < 149_999 else "]}"))
    for name, kept in (("train.jsonl", 120_000), ("train.json", 150_000)):  # the second names its split
        environment = os.environ | {"PTM_CACHE": str(tmp_path / "cache")}
        found = subprocess.run(
            [sys.executable, "-c", code, tmp_path / name],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
        megabytes, rows = map(int, found.stdout.split())
        assert rows == kept
        assert megabytes < 120, name


class TestRealSets:
    """What is known of them: sizes and labels as their READMEs have them."""

    def test_sentences(self, shared_data):
        t = opened(shared_data / "mr_sentence_polarity")
        assert len(t.train) + len(t.dev) + len(t.test) == 10_662
        assert t.labels == ("neg", "pos")
        assert 0.45 < t.majority.value < 0.55

    def test_intents(self, shared_data):
        t = opened(shared_data / "clinc150" / "data_full.json.xz")
        assert (len(t.train), len(t.dev), len(t.test), len(t.labels)) == (15_000, 3_000, 4_500, 150)
        assert t.majority.value == pytest.approx(1 / 150)
        assert "'oos_test' left out (1000 rows)" in t.columns

    def test_word_classes(self, shared_data):
        t = opened(shared_data / "ud_english_ewt")
        assert (len(t.train), len(t.dev), len(t.test)) == (12_544, 2_001, 2_077)
        assert len(t.labels) == 17
        assert t.metric.name == "tag_accuracy"
        raw = (shared_data / "ud_english_ewt" / "en_ewt-ud-test.conllu").read_text(encoding="utf-8")
        texts = [line.partition("= ")[2] for line in raw.splitlines() if line.startswith("# text =")]
        same = sum(example.text == text for example, text in zip(t.test, texts, strict=True))
        assert same > 0.99 * len(texts)  # a few have two spaces

    def test_entities(self, shared_data):
        t = opened(shared_data / "wikigold")
        assert len(t.train) + len(t.dev) + len(t.test) == 1_696
        kinds = {"PER", "LOC", "ORG", "MISC"}
        assert set(t.labels) == {"O", *(f"{how}-{kind}" for how in "BI" for kind in kinds)}
        assert t.metric.name == "entity_f1"

    def test_inference(self, shared_data):
        t = opened(shared_data / "esnli_dev_test")
        assert (t.train, len(t.dev), len(t.test)) == (None, 9_842, 9_824)
        assert t.labels == ("contradiction", "entailment", "neutral")

    def test_questions(self, shared_data):
        t = opened(shared_data / "xquad" / "xquad.zh.json.xz")
        assert sum(len(t.split(name)) for name in ("train", "dev", "test")) == 1_190
        assert t.metric.name == "squad_f1"
        with pytest.raises(PtmError, match=r"xquad.ar.json.xz.*Give one of them"):
            opened(shared_data / "xquad")

    def test_minimal_pairs(self, shared_data):
        t = opened(shared_data / "blimp" / "blimp.jsonl.xz")
        assert len(t.test) == 67_000
        assert len({e.label for e in t.test}) == 67

    def test_slots(self, shared_data):
        t = opened(shared_data / "restaurant8k")
        assert (len(t.train), t.dev, len(t.test)) == (8_198, None, 3_731)
        first = t.train[0]
        assert first.text == "There will be 5 adults and 1 child."
        people = [first.tokens[i] for i, tag in enumerate(first.label) if tag.endswith("people")]
        assert people == ["5", "adults", "and", "1", "child"]


def test_compressed_files(tmp_path):
    with lzma.open(tmp_path / "a.tsv.xz", "wt") as file:
        file.write("label\tsentence\n" + "".join(f"{'xy'[i % 2]}\ts {i}\n" for i in range(20)))
    assert len(opened(tmp_path / "a.tsv.xz").train) == 16
    (tmp_path / "b.tsv.xz").write_bytes((tmp_path / "a.tsv.xz").read_bytes()[:-20])
    with pytest.raises(PtmError, match=r"cannot read .*b.tsv.xz: .* damaged, cut short or of another format"):
        opened(tmp_path / "b.tsv.xz")
