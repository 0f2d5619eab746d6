"""The first line of every chapter, and answers to "what have I got here?"."""

import os
import platform
import random
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

import ptm_explore
from ptm_explore.errors import PtmError

if TYPE_CHECKING:
    import pandas

NEEDED = (
    "torch",
    "tokenizers",
    "safetensors",
    "accelerate",
    "plotly",
    "ipywidgets",
    "anywidget",
    "captum",
    "bertviz",
)
OPTIONAL = {
    "jupyterlab": "the lab (pip install 'ptm_explore[lab]')",
    "datasets": "corpora by hf: name",
    "transformers": "opening what we save elsewhere",
    "tensorboard": "metrics as events (pip install 'ptm_explore[tensorboard]')",
}
CHAPTER_GB = 1.5


@dataclass(frozen=True)
class Setup:
    """What a chapter runs on; shown as one line."""

    seed: int
    device: str

    def __repr__(self) -> str:
        return (
            f"ptm_explore {ptm_explore.__version__} on torch {version('torch')}, "
            f"{self.device} ({cores()} cores), seed {self.seed}"
        )


def setup(seed: int = 0) -> Setup:
    """Seeds Python, numpy and torch for what a chapter draws by hand, and says what it runs on.

    Training and corpora take their own seed and do not depend on this one."""
    import numpy as np
    import torch

    if not isinstance(seed, int) or not 0 <= seed < 2**32:
        raise PtmError(f"seed {seed!r}; give a whole number from 0 to 2**32 - 1")
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002  the notebook's own draws, not the package's
    torch.manual_seed(seed)
    torch.set_num_threads(min(torch.get_num_threads(), cores()))
    return Setup(seed, device_name())


def cores() -> int:
    """Cores that this process may use: a container (Binder) shows those of its host, and a program that
    starts a thread for each of them stands still."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
        return max(1, min(allowed, round(int(quota) / int(period))))
    except (OSError, ValueError):  # no such file, or "max"
        return allowed


def device_name() -> str:
    """The device that training takes: a GPU's name, "mps", or "cpu"."""
    import torch

    if torch.cuda.is_available():
        return torch.cuda.get_device_name()
    return "mps" if torch.backends.mps.is_available() else "cpu"


def recipes() -> "pandas.DataFrame":
    """A table of all recipes: family, objectives, shape, parameters (tied ones once); FLOPs per token at the
    recipe's row length, of a forward pass and of training; GB of weights, gradients and the optimiser's two
    moments in float32, activations apart; data and steps of the paper, where it tells them."""
    import pandas as pd

    from ptm_explore.models.recipes import RECIPES

    rows = []
    for name, r in RECIPES.items():
        c, s = r.config, r.schedule
        rows.append(
            {
                "recipe": name,
                "family": r.family,
                "objective": " + ".join(r.objectives),
                "layers": c.n_layers,
                "d_model": c.d_model,
                "heads": c.n_heads,
                "vocabulary": c.vocab_size,
                "parameters": r.parameters,
                "FLOPs/token": r.flops_per_token(),
                "training FLOPs/token": 3 * r.flops_per_token(),  # backward takes twice as many
                "training GB": 16 * r.parameters / 1e9,
                "row length": s.length,
                "batch": s.batch,
                "steps": s.steps,
                "data": r.data,
                "start": r.start,
            }
        )
    return pd.DataFrame(rows).set_index("recipe").astype({"steps": "Int64"})


def doctor() -> str:
    """What is installed, what it runs on, and whether the chapters will: a text of a few lines."""
    from ptm_explore.text.cache import cache_folder

    lines = [
        f"ptm_explore {ptm_explore.__version__}, Python {platform.python_version()}, {platform.platform()}"
    ]
    missing = []
    for name in NEEDED:
        found = _version(name)
        missing += [] if found else [name]
        lines.append(f"  {name:13} {found or 'MISSING'}")
    for name, purpose in OPTIONAL.items():
        lines.append(f"  {name:13} {_version(name) or f'not installed, needed for {purpose}'}")
    if "torch" not in missing:
        lines.append(f"device: {device_name()}, {cores()} cores")
    memory = _memory_gb()
    if memory is not None:
        enough = "enough" if memory >= CHAPTER_GB else "too little"
        lines.append(f"memory free: {memory:.1f} GB, {enough} for a chapter (up to {CHAPTER_GB} GB)")
    lines.append(f"cache: {cache_folder()} (set PTM_CACHE to move it)")
    if missing:
        lines.append(f"To do: install {', '.join(missing)} (pip install ptm_explore).")
    else:
        lines.append("Everything a chapter needs is here.")
    return "\n".join(lines)


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _memory_gb() -> float | None:
    """Free memory in GB, where the system tells."""
    try:
        with open("/proc/meminfo") as lines:
            return next(int(line.split()[1]) / 1e6 for line in lines if line.startswith("MemAvailable"))
    except (OSError, StopIteration):
        return None
