"""The shapes that signatures promise: the tests of layers and models again, every call checked."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
CHECKED = "ptm_explore.layers,ptm_explore.models,beartype.beartype"


@pytest.mark.slow
def test_annotations_hold():
    """In a process of its own: checked functions cannot be compiled, which another test does."""
    command = [sys.executable, "-m", "pytest", "-q", f"--jaxtyping-packages={CHECKED}", "-k", "not compiles"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    files = ["tests/layers", "tests/models/test_networks.py", "tests/models/test_parity.py"]
    done = subprocess.run([*command, *files], cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-3000:]


def test_a_wrong_shape_is_caught():
    code = (
        "from jaxtyping import install_import_hook\n"
        "hook = install_import_hook('ptm_explore.layers', 'beartype.beartype')\n"
        "import torch\n"
        "from ptm_explore.layers.attention import attend\n"
        "attend(torch.zeros(1, 2, 3, 4), torch.zeros(1, 2, 3, 5), torch.zeros(1, 2, 3, 4))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert "TypeCheckError" in done.stderr
