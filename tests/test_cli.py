"""The command, as a user types it."""

import json
from itertools import islice
from types import SimpleNamespace

import pytest

from ptm_explore.cli import main
from ptm_explore.text.world import documents
from tests import tiny


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cli")
    (folder / "text.txt").write_text("\n\n".join(tiny.documents(200)))
    main(
        [
            "pretrain",
            "bert-mini",
            "--corpus",
            str(folder / "text.txt"),
            "--budget",
            "20steps",
            "--out",
            str(folder / "m"),
        ]
    )
    return folder / "m"


def test_pretrain_leaves_model_metrics_and_curve(trained):
    names = {path.name for path in trained.iterdir()}
    assert {
        "config.json",
        "model.safetensors",
        "tokenizer.json",
        "ptm.json",
        "metrics.jsonl",
        "curve.html",
        "checkpoints",
    } <= names
    rows = [json.loads(line) for line in (trained / "metrics.jsonl").read_text().splitlines()]
    assert rows[-1]["step"] == 20
    page = (trained / "curve.html").read_text()
    assert "unigram" in page
    assert 'src="http' not in page


def test_pretrain_reports(trained, capsys):
    main(
        [
            "pretrain",
            "bert-mini-nsp",
            "--corpus",
            str(trained.parent / "text.txt"),
            "--budget",
            "5steps",
            "--batch",
            "4",
        ]
    )
    said = capsys.readouterr()
    assert "nsp: accuracy" in said.out
    assert "unigram guess" in said.out
    assert "tokens/s" in said.err


def test_fill_and_trace(trained, capsys, tmp_path):
    main(["fill", str(trained), "The [MASK] runs.", "--top-k", "3"])
    assert capsys.readouterr().out.count("%") == 3
    main(["trace", str(trained), "The dog <b>runs</b>.", "--out", str(tmp_path / "t.html")])
    assert "attention" in capsys.readouterr().out
    assert "<b>runs" not in (tmp_path / "t.html").read_text()


def test_finetune_judges_and_saves(trained, capsys, tmp_path):
    rows = [f"{'old' if i % 2 else 'new'} cat {i}\t{'old' if i % 2 else 'new'}" for i in range(60)]
    (tmp_path / "task.tsv").write_text("\n".join(["remark\tverdict", *rows]))
    asked = ["--text", "remark", "--label", "verdict", "--budget", "5steps", "--out", str(tmp_path / "clf")]
    main(["finetune", str(trained), str(tmp_path / "task.tsv"), *asked])
    said = capsys.readouterr().out
    for part in (
        "text = remark, label = verdict",
        "test: accuracy",
        "the best constant answer: accuracy",
        "saved:",
    ):
        assert part in said
    assert json.loads((tmp_path / "clf" / "config.json").read_text())["id2label"] == {"0": "new", "1": "old"}


def test_gpt_continues(trained, capsys, tmp_path):
    text = str(trained.parent / "text.txt")
    main(["pretrain", "gpt-mini", "--corpus", text, "--budget", "5steps", "--out", str(tmp_path / "g")])
    capsys.readouterr()
    main(["fill", str(tmp_path / "g"), "The dog"])
    said = capsys.readouterr().out
    assert said.startswith("next:")
    assert "The dog" in said


def test_fill_without_a_mask_shows_what_electra_suspects(capsys, monkeypatch):
    class Judge:
        """A model with ELECTRA's heads that suspects the dog, and its own special tokens."""

        net = SimpleNamespace(heads=("rtd", "generator"), causal=False)
        tokenizer = tiny.tokenizer()
        encode = tokenizer.encode

        def replaced(self, text):
            tokens = self.encode(text).tokens[0]
            return [(token, 0.9 if token in ("dog", "[CLS]") else 0.1) for token in tokens]

        def fill(self, text, top_k):
            return [[("cat", 0.5)]]

    monkeypatch.setattr("ptm_explore.model.load", lambda _: Judge())
    for text, said in {
        "The dog runs.": "looks replaced: dog 90.0%\n",
        "The cat runs.": "looks replaced: nothing\n",
        "The [MASK] runs.": "mask 1: cat 50.0%\n",
    }.items():
        main(["fill", "electra", text])
        assert capsys.readouterr().out == said


def test_world_read(capsys):
    main(["world", "read", "--documents", "2", "--genre", "note", "--seed", "3"])
    told = capsys.readouterr().out
    assert [d.text in told for d in islice(documents("train", 3, "note"), 2)] == [True, True]


def test_recipes_and_doctor(capsys):
    main(["recipes"])
    assert "110,106,428" in capsys.readouterr().out
    main(["doctor"])
    assert "torch" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["pretrain", "bert-mni"], "bert-mini"),
        (["pretrain", "bert-mini", "--budget", "5 apples"], "2Mtokens"),
        (["pretrain", "bert-mini", "--corpus", "wrold"], "world"),
        (["pretrain", "bert-mini", "--resume"], "out"),
        (["pretrain", "bert-mini", "--length", "1000"], "512"),
        (["fill", "./nowhere", "text"], "no folder"),
    ],
)
def test_mistakes_are_one_line_and_status_2(arguments, message, capsys):
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    assert stop.value.code == 2
    said = capsys.readouterr().err
    assert message in said
    assert "Traceback" not in said
