"""The loop keeps its promises: resuming, spreading over batches and processes, stopping, failing."""

import json
import math
import os
import signal
import subprocess
import sys
import time

import pytest
import torch

from ptm_explore.errors import PtmError, TrainingError
from ptm_explore.models.recipes import Schedule
from ptm_explore.training import checkpoint, loop
from ptm_explore.training.pretrain import pretrain
from tests import tiny

SMALL = {"d_model": 16, "n_heads": 2, "d_ff": 32, "n_layers": 2, "vocab_size": 300, "length": 16, "batch": 8}
NOISY = {"dropout": 0.1, "attention_dropout": 0.1}


def train(name="bert-mini", budget="12steps", **changes):
    return pretrain(name, tiny.documents(), budget, **{**SMALL, "show": False, **changes})


def weights(model):
    return {name: tensor.clone() for name, tensor in model.net.state_dict().items()}


def equal(a, b):
    return all(torch.equal(a[name], b[name]) for name in a)


@pytest.fixture
def press_stop(monkeypatch):
    """Presses the stop button (SIGINT) while the given step runs."""

    def arrange(step):
        real = loop.Trainer._step

        def pressed(self, *arguments):
            if self.progress["steps"] + 1 == step:
                os.kill(os.getpid(), signal.SIGINT)
            return real(self, *arguments)

        monkeypatch.setattr(loop.Trainer, "_step", pressed)

    return arrange


MINIS = [
    "bert-mini",
    "bert-mini-nsp",
    "gpt-mini",
    "roberta-mini",
    "albert-mini",
    "electra-mini",
    "xlnet-mini",
]


@pytest.mark.parametrize("name", [*MINIS, "albert-mini shared in part"])
def test_stopped_and_resumed_is_bit_for_bit_undisturbed(name, tmp_path, press_stop):
    settings = {**NOISY, "save_every": 5}
    if "shared" in name:
        name, settings["share"] = "albert-mini", "attention"
    whole = train(name, out=tmp_path / "whole", **settings)
    press_stop(7)
    part = train(name, out=tmp_path / "part", **settings)
    assert part.history[-1]["step"] == 7
    assert not equal(weights(part), weights(whole))
    again = train(name, out=tmp_path / "part", resume=True, **settings)
    assert equal(weights(again), weights(whole))
    steps = [json.loads(line)["step"] for line in (tmp_path / "part/metrics.jsonl").read_text().splitlines()]
    assert steps == sorted(set(steps))
    assert steps[-1] == 12


def test_resume_of_an_empty_folder_starts_and_of_a_finished_run_changes_nothing(tmp_path):
    first = train(out=tmp_path, resume=True)
    again = train(out=tmp_path, resume=True)
    assert equal(weights(first), weights(again))


def test_resume_refuses_another_run(tmp_path):
    train(out=tmp_path)
    with pytest.raises(PtmError, match="seed"):
        train(out=tmp_path, resume=True, seed=1)
    with pytest.raises(PtmError, match="recipe"):
        train(out=tmp_path, resume=True, lr=1e-5)


def test_seed_decides_everything():
    torch.manual_seed(0)
    a = weights(train(**NOISY))
    state = torch.get_rng_state()
    torch.manual_seed(1)
    b = weights(train(**NOISY))
    assert equal(a, b)
    assert not equal(a, weights(train(seed=1, **NOISY)))
    torch.manual_seed(0)
    assert torch.equal(state, torch.get_rng_state())  # training leaves the user's generator alone


@pytest.mark.parametrize("name", ["bert-mini-nsp", "gpt-mini", "electra-mini", "xlnet-mini"])
def test_accumulated_batches_equal_one_large_batch(name):
    large = train(name, batch=16)
    split = train(name, batch=8, accumulate=2)
    for a, b in zip(large.history, split.history, strict=True):
        assert a.get("loss", 0) == pytest.approx(b.get("loss", 0), abs=1e-5)


def test_not_a_number_stops_and_keeps_the_last_good_weights(tmp_path, monkeypatch):
    real = loop.Trainer._step
    good = {}

    def poisoned(self, *arguments):
        if self.progress["steps"] == 5:
            good.update({n: p.detach().clone() for n, p in self.net.named_parameters()})
            monkeypatch.setattr(
                type(self.objective), "loss", lambda *_: {"mlm": torch.tensor(math.nan, requires_grad=True)}
            )
        return real(self, *arguments)

    monkeypatch.setattr(loop.Trainer, "_step", poisoned)
    with pytest.raises(TrainingError, match="learning rate") as error:
        train(out=tmp_path)
    assert "step 5" in str(error.value)
    kept = dict(error.value.model.net.named_parameters())
    assert all(torch.equal(kept[name], good[name]) for name in good)
    assert checkpoint.latest(tmp_path / "checkpoints").name == "step-00000005"


def test_a_full_disk_leaves_the_checkpoint_before(tmp_path, monkeypatch):
    train(out=tmp_path, budget="6steps", save_every=3)
    before = checkpoint.latest(tmp_path / "checkpoints")
    content = (before / "model.safetensors").read_bytes()

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("safetensors.torch.save_file", full)
    with pytest.raises(PtmError, match="No space left"):
        train(out=tmp_path, budget="12steps", save_every=3, resume=True)
    assert (before / "model.safetensors").read_bytes() == content
    assert not list((tmp_path / "checkpoints").glob(".writing-*"))


def test_history_tells_what_a_curve_needs():
    history = train("bert-mini-nsp", "24steps").history
    assert history[0]["step"] == 0
    assert history[-1]["step"] == 24
    last = history[-1]
    assert {
        "tokens",
        "seconds",
        "loss",
        "lr",
        "heldout_loss",
        "heldout_accuracy",
        "unigram_loss",
        "unigram_accuracy",
    } <= set(last)
    assert {"loss_mlm", "loss_nsp", "heldout_accuracy_nsp"} <= set(last)
    assert last["loss"] == pytest.approx(last["loss_mlm"] + last["loss_nsp"])


@pytest.mark.parametrize("budget", ["900tokens", "1e8flops", "1s"])
def test_every_kind_of_budget_ends(budget):
    last = train(budget=budget).history[-1]
    assert last["share"] == 1
    if budget == "900tokens":
        assert 900 <= last["tokens"] < 900 + 8 * 16


@pytest.mark.parametrize(("seconds", "least", "most"), [(0.3, 2, 4), (0.0, 8, 13)])
def test_judging_takes_a_small_share_of_the_time(monkeypatch, seconds, least, most):
    def judge(*arguments):
        time.sleep(seconds)
        return {"heldout_loss": 1.0, "heldout_accuracy": 0.5}

    monkeypatch.setattr(loop, "evaluate_on", judge)
    judged = [row["step"] for row in train(budget="24steps").history if "heldout_loss" in row]
    assert judged[0] == 0
    assert judged[-1] == 24
    assert least <= len(judged) <= most


@pytest.mark.parametrize("decay", ["linear", "cosine"])
def test_rate_rises_then_falls_to_zero(decay):
    schedule = Schedule(warmup=0.1, decay=decay)
    rates = [loop.rate(schedule, share / 100) for share in range(101)]
    assert rates[:11] == sorted(rates[:11])
    assert rates[10] == pytest.approx(1)
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert rates[100] == pytest.approx(0, abs=1e-12)
    assert rates[55] == pytest.approx(0.5)


def test_only_matrices_decay():
    net = torch.nn.Sequential(torch.nn.Linear(3, 3), torch.nn.LayerNorm(3))
    decayed, free = loop._optimizer(net, Schedule(weight_decay=0.3)).param_groups
    assert (decayed["weight_decay"], free["weight_decay"]) == (0.3, 0.0)
    assert [p.dim() for p in decayed["params"]] == [2]
    assert len(free["params"]) == 3


def test_bf16_on_request_on_a_cpu():
    history = train(precision="bf16", budget="24steps").history
    assert math.isfinite(history[-1]["loss"])


RUN = """
import json, os, sys
from tests.training.test_loop import train
history = train("bert-mini-nsp", "25steps", batch=int(sys.argv[1])).history
if os.environ.get("RANK", "0") == "0":
    print("LOSSES", json.dumps([row["loss"] for row in history if "loss" in row]))
"""


@pytest.mark.slow
def test_two_processes_equal_one_with_the_doubled_batch(tmp_path):
    """Through gloo, on the CPU."""
    script = tmp_path / "run.py"
    script.write_text(RUN)
    environment = {**os.environ, "PYTHONPATH": os.getcwd(), "OMP_NUM_THREADS": "1"}

    def losses(*launcher, batch):
        command = [sys.executable, *launcher, str(script), str(batch)]
        done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=300)
        assert done.returncode == 0, done.stderr[-3000:]
        return json.loads(
            next(line for line in done.stdout.splitlines() if line.startswith("LOSSES")).removeprefix(
                "LOSSES"
            )
        )

    torchrun = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")
    two, one = losses(*torchrun, batch=8), losses(batch=16)
    assert len(two) == len(one) == 25
    assert two == pytest.approx(one, abs=1e-5)
