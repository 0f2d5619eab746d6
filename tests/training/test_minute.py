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
    times = last["heldout_accuracy"] / last["unigram_accuracy"]
    below = last["unigram_loss"] - last["heldout_loss"]
    print(f"\n{name} on {corpus}, {budget}: {times:.2f} times, {below:.2f} nats below, {last['step']} steps")
    return times, below


@pytest.mark.parametrize(("budget", "least"), [("60s", 3.0), ("180s", 4.5)])
def test_bert_on_real_english(budget, least, tmp_path, shared_data):
    times, below = held_out(tmp_path, "bert-mini", shared_data / "wikipedia_en", budget)
    assert times >= least
    assert below >= 1.3


def test_bert_on_the_world(tmp_path):
    assert held_out(tmp_path, "bert-mini", "world", "60s")[0] >= 5


def test_gpt_on_real_english(tmp_path, shared_data):
    assert held_out(tmp_path, "gpt-mini", shared_data / "wikipedia_en", "60s")[0] >= 4


def test_gpt_on_the_world(tmp_path):
    assert held_out(tmp_path, "gpt-mini", "world", "60s")[0] >= 4
