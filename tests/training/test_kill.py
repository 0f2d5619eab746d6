"""SIGKILL at random moments, twenty times in a row; training resumes and ends as if nothing had happened."""

import os
import random
import signal
import subprocess
import sys
import time

import pytest
from safetensors.torch import load_file

from ptm_explore.training import checkpoint

pytestmark = pytest.mark.slow

STEPS = 5000
RUN = f"""
import sys
from tests.training.test_loop import train
noise = dict(dropout=0.1, attention_dropout=0.1)
train("bert-mini", "{STEPS}steps", save_every=20, resume=True, out=sys.argv[1], **noise)
"""


def start(script, folder):
    environment = {**os.environ, "PYTHONPATH": os.getcwd(), "OMP_NUM_THREADS": "1"}
    return subprocess.Popen([sys.executable, str(script), str(folder)], env=environment)


def test_twenty_kills(tmp_path):
    script = tmp_path / "run.py"
    script.write_text(RUN)
    undisturbed = start(script, tmp_path / "whole")
    draw, seen = random.Random(0), []
    for _ in range(20):
        process = start(script, tmp_path / "killed")
        began = time.monotonic()
        before = _step(tmp_path / "killed")
        while _step(tmp_path / "killed") == before and process.poll() is None:  # until it trains
            time.sleep(0.02)
            assert time.monotonic() - began < 120
        time.sleep(draw.uniform(0, 0.8))
        process.send_signal(signal.SIGKILL)
        process.wait()
        seen.append(_step(tmp_path / "killed"))
    print("\nkilled after steps", seen)
    assert len({step for step in seen if step < STEPS}) >= 10  # most kills hit a run that was under way
    assert start(script, tmp_path / "killed").wait() == 0
    assert undisturbed.wait() == 0
    whole, killed = (load_file(tmp_path / name / "model.safetensors") for name in ("whole", "killed"))
    assert whole.keys() == killed.keys()
    for name, tensor in whole.items():
        assert tensor.equal(killed[name]), name


def _step(folder):
    path = checkpoint.latest(folder / "checkpoints")
    return int(path.name.removeprefix("step-")) if path else 0
