"""A minute on a laptop shows something: real trainings against their trivial baselines (two cores, idle)."""

import json
import subprocess
import sys

import pytest

pytestmark = pytest.mark.slow


def held_out(tmp_path, name, corpus, budget):
    """Times the unigram guess's accuracy, and nats below its loss, on unseen text."""
    command = [
        sys.executable,
        "-m",
        "ptm_explore",
        "pretrain",
        name,
        "--corpus",
        str(corpus),
        "--budget",
        budget,
    ]
    subprocess.run([*command, "--out", str(tmp_path)], check=True, timeout=900)
    rows = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    last = next(row for row in reversed(rows) if "heldout_loss" in row)
    auc = f", auc {last['heldout_auc']:.3f}" if "heldout_auc" in last else ""
    times = last["heldout_accuracy"] / last["unigram_accuracy"]
    below = last["unigram_loss"] - last["heldout_loss"]
    found = f"{times:.2f} times, {below:.2f} nats below, {last['step']} steps{auc}"
    print(f"\n{name} on {corpus}, {budget}: {found}")
    return times, below, last


@pytest.mark.parametrize(("budget", "least"), [("60s", 3.0), ("180s", 4.5)])
def test_bert_on_real_english(budget, least, tmp_path, shared_data):
    times, below, _ = held_out(tmp_path, "bert-mini", shared_data / "wikipedia_en", budget)
    assert times >= least
    assert below >= 1.3


def test_bert_on_the_world(tmp_path):
    assert held_out(tmp_path, "bert-mini", "world", "60s")[0] >= 5


@pytest.mark.parametrize("name", ["gpt-mini", "roberta-mini", "albert-mini", "xlnet-mini"])
def test_others_on_real_english(name, tmp_path, shared_data):
    assert held_out(tmp_path, name, shared_data / "wikipedia_en", "60s")[0] >= 3


@pytest.mark.parametrize("name", ["gpt-mini", "roberta-mini", "albert-mini", "xlnet-mini"])
def test_others_on_the_world(name, tmp_path):
    assert held_out(tmp_path, name, "world", "60s")[0] >= 3


def test_electra_on_real_english(tmp_path, shared_data):
    """The generator where a token was really hidden from it, and the discriminator beyond the majority."""
    _, _, last = held_out(tmp_path, "electra-mini", shared_data / "wikipedia_en", "300s")
    assert last["heldout_guessed"] >= 3 * last["unigram_accuracy"]
    assert last["heldout_auc"] > 0.6


def test_electra_on_the_world(tmp_path):
    _, _, last = held_out(tmp_path, "electra-mini", "world", "60s")
    assert last["heldout_guessed"] >= 3 * last["unigram_accuracy"]
    assert last["heldout_auc"] > 0.6
