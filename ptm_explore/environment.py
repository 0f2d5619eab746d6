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

    from ptm_explore.models.recipes import Recipe

COMPUTE = ("torch", "tokenizers", "safetensors", "accelerate", "captum", "psutil")
DISPLAY = ("plotly", "ipywidgets", "anywidget", "bertviz")
NEEDED = (*COMPUTE, *DISPLAY)
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
        torch = f"torch {version('torch')}, {self.device} ({cores()} cores)"
        return f"ptm_explore {ptm_explore.__version__} on {torch}, seed {self.seed}"


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

    table = pd.DataFrame(map(_row, RECIPES.values()), index=pd.Index(RECIPES, name="recipe"))
    return table.astype({"steps": "Int64"})


def _row(r: "Recipe") -> dict:
    c, s, flops = r.config, r.schedule, r.flops_per_token()
    what = {"family": r.family, "objective": " + ".join(r.objectives)}
    shape = {"layers": c.n_layers, "d_model": c.d_model, "heads": c.n_heads, "vocabulary": c.vocab_size}
    size = {"parameters": r.parameters, "FLOPs/token": flops}
    # the backward pass costs two forward ones
    training = {"training FLOPs/token": 3 * flops, "training GB": 16 * r.parameters / 1e9}
    read = {"row length": s.length, "batch": s.batch, "steps": s.steps, "data": r.data, "start": r.start}
    return what | shape | size | training | read


def doctor() -> str:
    """What is installed, what it runs on, and whether the chapters will: a text of a few lines."""
    from ptm_explore.text.cache import cache_folder

    python = f"Python {platform.python_version()}, {platform.platform()}"
    missing = [name for name in NEEDED if not _version(name)]
    lines = [f"ptm_explore {ptm_explore.__version__}, {python}"]
    lines += [f"  {name:13} {_version(name) or 'MISSING'}" for name in NEEDED]
    for name, purpose in OPTIONAL.items():
        lines.append(f"  {name:13} {_version(name) or f'not installed, needed for {purpose}'}")
    if "torch" not in missing:
        lines.append(f"device: {device_name()}, {cores()} cores")
    if "psutil" not in missing:
        import psutil

        memory = psutil.virtual_memory().available / 1e9
        enough = "enough" if memory >= CHAPTER_GB else "too little"
        lines.append(f"memory free: {memory:.1f} GB, {enough} for a chapter (up to {CHAPTER_GB} GB)")
    lines.append(f"cache: {cache_folder()} (set PTM_CACHE to move it)")
    to_do = f"To do: install {', '.join(missing)} (pip install ptm_explore)."
    return "\n".join([*lines, to_do if missing else "Everything a chapter needs is here."])


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
