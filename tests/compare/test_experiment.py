"""Comparisons end to end at tiny budgets: what is kept, resumed, reported, and refused."""

import json
from collections import Counter
from itertools import islice

import numpy as np
import pytest

import ptm_explore as ptm
from benchmarks import compare as experiment
from benchmarks.compare import compare
from ptm_explore.baselines.ngrams import words
from ptm_explore.compare import yardsticks
from ptm_explore.text.minimal_pairs import PHENOMENA
from ptm_explore.text.minimal_pairs import pairs as minimal_pairs

TINY = {"d_model": 16, "n_heads": 2, "d_ff": 32, "n_layers": 1, "vocab_size": 400, "batch": 4}


@pytest.fixture(scope="module")
def measured():
    """A yardstick that counts how often it is asked."""
    asked = []

    def parameters(model, quick, seed):
        asked.append(seed)
        return {"millions": model.parameters / 1e6, "seed": float(seed)}

    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(yardsticks.YARDSTICKS, "parameters", parameters)
        yield asked


def run(folder, arms=("bert-mini", "gpt-mini"), seeds=2, **more):
    options = {
        "budget": "2steps",
        "yardsticks": ["parameters"],
        "out": folder,
        "show": False,
        "start": "cold",
    }
    return compare(arms, "world:3k", seeds=seeds, **{**options, **TINY, **more})


def test_runs_are_kept_and_what_is_missing_is_run(measured, tmp_path):
    first = run(tmp_path, seeds=1)
    assert [(r["arm"], r["seed"]) for r in first.runs] == [("bert-mini", 0), ("gpt-mini", 0)]
    done = len(measured)
    again = run(tmp_path, seeds=2)
    assert len(measured) == done + 2
    assert again.runs[:2] == first.runs
    assert run(tmp_path, seeds=2, lr=1e-4).runs[0]["recipe"] != first.runs[0]["recipe"]  # another run
    assert again.measures == ["parameters.millions", "parameters.seed"]
    assert again.headline == ["parameters.millions"]
    saved = json.loads(again.to_json(tmp_path / "r.json").read_text())
    assert saved["runs"] == again.runs
    assert saved["settings"]["seeds"] == [0, 1]


def test_what_differs_is_listed(measured, tmp_path):
    found = run(tmp_path, {"a": ("bert-mini", {}), "b": ("bert-mini", {"lr": 1e-4})}, seeds=1).unequal()
    assert found == {"schedule.lr": {"a": 2e-3, "b": 1e-4}} or set(found) == {"schedule.lr"}


def test_verdicts_take_five_seeds(measured, tmp_path):
    found = run(tmp_path, seeds=2).verdicts()
    assert found.loc[0, "verdict"].startswith("no verdict: 2 seeds")
    assert np.isfinite(found.loc[0, "difference"])


def test_a_run_that_diverges_is_reported_and_others_go_on(measured, tmp_path, monkeypatch):
    real = experiment.pretrain

    def sometimes(chosen, *arguments, **options):
        if chosen.family == "bert":
            raise ptm.TrainingError("the loss is not a number")
        return real(chosen, *arguments, **options)

    monkeypatch.setattr(experiment, "pretrain", sometimes)
    found = run(tmp_path, seeds=1)
    assert found.runs[0]["error"] == "the loss is not a number"
    assert found.runs[1]["scores"]
    assert found.verdicts().empty


def test_a_stop_loses_nothing_that_is_done(measured, tmp_path, monkeypatch):
    real = experiment.pretrain

    def stopped(chosen, *arguments, **options):
        if chosen.family == "gpt":
            raise KeyboardInterrupt
        return real(chosen, *arguments, **options)

    monkeypatch.setattr(experiment, "pretrain", stopped)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, seeds=1)
    monkeypatch.setattr(experiment, "pretrain", real)
    done = len(measured)
    assert len(run(tmp_path, seeds=1).runs) == 2
    assert len(measured) == done + 1


def test_constant_unigram_and_oracle_on_every_phenomenon():
    good = {pair[0][0] for name in PHENOMENA for pair in islice(minimal_pairs(name), 60)}
    constant = yardsticks.judged(lambda texts: [0.0] * len(texts), 60)
    oracle = yardsticks.judged(lambda texts: [float(text in good) for text in texts], 60)
    assert set(constant.values()) == {0.5}
    assert set(oracle.values()) == {1.0}
    seen = Counter(word for text in ptm.corpus("world:100k").documents() for word in words(text))

    def unigram(texts):
        return [sum(np.log(seen[word] + 1) for word in sorted(words(text))) for text in texts]

    found = yardsticks.judged(unigram, 60)
    assert {name: share for name, share in found.items() if abs(share - 0.5) > 0.1} == {}


def test_facts_have_one_right_answer_among_five():
    for options in yardsticks.facts(20):
        assert len(set(options)) == yardsticks.CHOICES


def test_bad_input(tmp_path):
    for arms, options, message in (
        (["bert-mni"], {}, "Did you mean 'bert-mini'"),
        (["bert-mini"], {"yardsticks": ["pears"]}, "unknown yardstick 'pears'"),
        (["bert-mini"], {"budget": "sixty"}, "is not a budget"),
        ([], {}, "at least one recipe"),
    ):
        with pytest.raises(ptm.PtmError, match=message):
            run(tmp_path, arms, **options)
    assert not list(tmp_path.glob("*.json"))
