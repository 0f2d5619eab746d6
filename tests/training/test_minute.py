"""A minute on a laptop shows something: real trainings against their trivial baselines.

Each gets about the steps that two cores make in a minute, so that the outcome does not hang on what else this
machine does. Machines were seen to make 1,068 to 2,000 of bert-mini's, 808 to 1,171 of electra-mini's; the
others are estimates from README's table. `python -m benchmarks minute` takes the time."""

import json
import subprocess
import sys

import pytest

pytestmark = pytest.mark.slow

MINUTE = {
    "bert-mini": 1900,
    "gpt-mini": 1000,
    "roberta-mini": 1600,
    "albert-mini": 1700,
    "xlnet-mini": 1200,
    "electra-mini": 1150,
}


def held_out(tmp_path, name, corpus, minutes=1):
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
        f"{minutes * MINUTE[name]}steps",
    ]
    subprocess.run([*command, "--out", str(tmp_path)], check=True, timeout=900)
    rows = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    last = next(row for row in reversed(rows) if "heldout_loss" in row)
    auc = f", auc {last['heldout_auc']:.3f}" if "heldout_auc" in last else ""
    times = last["heldout_accuracy"] / last["unigram_accuracy"]
    below = last["unigram_loss"] - last["heldout_loss"]
    found = f"{times:.2f} times, {below:.2f} nats below, {last['step']} steps{auc}"
    print(f"\n{name} on {corpus}, {minutes} min: {found}")
    return times, below, last


@pytest.mark.parametrize(("minutes", "least"), [(1, 3.0), (3, 4.5)])
def test_bert_on_real_english(minutes, least, tmp_path, shared_data):
    times, below, _ = held_out(tmp_path, "bert-mini", shared_data / "wikipedia_en", minutes)
    assert times >= least
    assert below >= 1.3


def test_bert_on_the_world(tmp_path):
    times, below, _ = held_out(tmp_path, "bert-mini", "world")
    assert times >= 5
    assert below >= 3


@pytest.mark.parametrize("name", ["gpt-mini", "roberta-mini", "albert-mini", "xlnet-mini"])
def test_others_on_real_english(name, tmp_path, shared_data):
    assert held_out(tmp_path, name, shared_data / "wikipedia_en")[0] >= 3


@pytest.mark.parametrize("name", ["gpt-mini", "roberta-mini", "albert-mini", "xlnet-mini"])
def test_others_on_the_world(name, tmp_path):
    assert held_out(tmp_path, name, "world")[0] >= 3


def test_electra_on_real_english(tmp_path, shared_data):
    """The generator where a token was really hidden from it, and the discriminator beyond the majority."""
    _, _, last = held_out(tmp_path, "electra-mini", shared_data / "wikipedia_en", minutes=5)
    assert last["heldout_guessed"] >= 3 * last["unigram_accuracy"]
    assert last["heldout_auc"] > 0.6


def test_electra_on_the_world(tmp_path):
    _, _, last = held_out(tmp_path, "electra-mini", "world")
    assert last["heldout_guessed"] >= 3 * last["unigram_accuracy"]
    assert last["heldout_auc"] > 0.6
