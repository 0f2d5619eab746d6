"""Every chapter runs from a clean kernel, offline, in the memory and (about) the time it promises."""

import json
import os
from pathlib import Path

import nbformat
import pytest
from nbclient.exceptions import CellExecutionError
from nbformat.v4 import new_code_cell, new_notebook

pytestmark = pytest.mark.notebooks

ARTEFACTS = Path(__file__).parents[2] / "test-artefacts"
SECONDS = 90  # on two idle cores; other work on the machine may stretch it
MEGABYTES = 1500


@pytest.mark.skipif(
    "PTM_BUDGET_SCALE" not in os.environ,
    reason="tests/browser runs every chapter; `make notebooks` measures them with their whole budgets",
)
@pytest.mark.timeout(900)
def test_chapter_runs(chapter, run_notebook):
    run = run_notebook(chapter)
    seconds, megabytes = round(run.seconds, 1), round(run.peak_mb)
    report(chapter.stem, seconds=seconds, peak_mb=megabytes, budget_scale=run.budget_scale)
    assert run.refused == []
    assert run.peak_mb < MEGABYTES
    assert run.seconds < 4 * SECONDS, "far slower than the 90 s a chapter may take"


def report(chapter: str, **numbers):
    """Merge one chapter's numbers into test-artefacts/chapters.json."""
    file = ARTEFACTS / "chapters.json"
    ARTEFACTS.mkdir(exist_ok=True)
    known = json.loads(file.read_text()) if file.exists() else {}
    known[chapter] = numbers
    file.write_text(json.dumps(known, indent=2, sort_keys=True) + "\n")


def scratch(tmp_path, *sources) -> Path:
    path = tmp_path / "scratch" / "scratch.ipynb"
    path.parent.mkdir()
    nbformat.write(new_notebook(cells=[new_code_cell(source) for source in sources]), path)
    return path


def test_a_kernel_sees_the_package_and_its_memory_is_measured(tmp_path, run_notebook):
    run = run_notebook(
        scratch(tmp_path, "import ptm_explore", "import time; x = b'x' * 400_000_000; time.sleep(0.5)")
    )
    assert 400_000_000 / 2**20 < run.peak_mb < 900
    assert run.seconds > 0.5
    assert run.refused == []


def test_a_kernel_has_no_network_and_attempts_are_counted(tmp_path, run_notebook):
    source = """
        import urllib.request
        try: urllib.request.urlopen("http://example.org", timeout=5)
        except OSError as error: print(error)
    """
    run = run_notebook(scratch(tmp_path, "\n".join(line[8:] for line in source.splitlines())))
    assert "runs offline" in run.notebook.cells[0].outputs[0].text
    assert run.refused == ["example.org"]


def test_an_error_in_a_cell_is_an_error_here(tmp_path, run_notebook):
    with pytest.raises(CellExecutionError, match="ZeroDivisionError"):
        run_notebook(scratch(tmp_path, "1 / 0"))
