"""The chapters, and a clean offline kernel to run them in."""

import os
import shutil
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CHAPTERS = sorted((ROOT / "notebooks").glob("*.ipynb"))


@dataclass
class Run:
    """What running a notebook cost, and the notebook with its outputs."""

    seconds: float
    peak_mb: float
    refused: list[str]  # hosts outside this machine that the kernel wanted to reach
    notebook: object
    budget_scale: float


def pytest_generate_tests(metafunc):
    if "chapter" in metafunc.fixturenames:
        metafunc.parametrize("chapter", CHAPTERS, ids=[path.stem for path in CHAPTERS])


@pytest.fixture
def run_notebook(tmp_path):
    """Function that runs a notebook in a new kernel with no network and an empty cache, and returns a Run."""
    return lambda path, timeout=300: _run(path, tmp_path, timeout)


def _run(path: Path, tmp_path: Path, timeout: float) -> Run:
    import nbformat
    from nbclient import NotebookClient

    folder = tmp_path / "notebooks"
    shutil.copytree(path.parent, folder, ignore=shutil.ignore_patterns(".ipynb_checkpoints", "runs"))
    refused = tmp_path / "refused"
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join([str(ROOT / "tests" / "offline"), str(ROOT)]),
        "PTM_REFUSED": str(refused),
        "PTM_CACHE": str(tmp_path / "cache"),
        "IPYTHONDIR": str(tmp_path / "ipython"),
        "HF_HUB_OFFLINE": "1",
        "PTM_BUDGET_SCALE": os.environ.get("PTM_BUDGET_SCALE", "0.3"),  # `make notebooks` has them whole
    }
    client = NotebookClient(
        nbformat.read(path, as_version=4),
        timeout=timeout,
        kernel_name="python3",
        resources={"metadata": {"path": str(folder)}},
    )
    peak = Peak(client)
    start = time.perf_counter()
    with peak:
        client.execute(env=environment)
    seconds = time.perf_counter() - start
    hosts = refused.read_text().split() if refused.exists() else []
    return Run(seconds, peak.megabytes, hosts, client.nb, float(environment["PTM_BUDGET_SCALE"]))


class Peak:
    """The largest resident size of a client's kernel and its children, sampled ten times a second."""

    def __init__(self, client):
        self.client, self.megabytes = client, 0.0
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self._sample, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *error):
        self.stop.set()
        self.thread.join()

    def _sample(self):
        import psutil

        while not self.stop.wait(0.1):
            try:
                kernel = psutil.Process(self.client.km.provisioner.pid)
                family = [kernel, *kernel.children(recursive=True)]
                size = sum(process.memory_info().rss for process in family) / 2**20
            except (AttributeError, TypeError, psutil.Error):  # before the kernel starts, after it ends
                continue
            self.megabytes = max(self.megabytes, size)
