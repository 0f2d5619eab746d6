"""Every chapter starts the same way, is mostly prose, and is stored without outputs."""

import json
import re
import tomllib
import warnings
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).parents[2]
ADDRESS = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["urls"]["Repository"]
NAME = ADDRESS.removeprefix("https://github.com/")

# The first code cell of every chapter, letter by letter.
SETUP_CELL = f"""\
try:
    import ptm_explore as ptm
except ImportError:  # on Colab: install beside what is there
    %pip install -q "git+{ADDRESS}"
    import ptm_explore as ptm
ptm.setup()"""


@pytest.fixture
def book(chapter):
    return nbformat.read(chapter, as_version=4)


def cells(book, kind: str):
    return [cell for cell in book.cells if cell.cell_type == kind]


def test_the_chapter_that_make_lab_opens_exists():
    assert (ROOT / "notebooks" / "00_start_here.ipynb").is_file()


def test_is_a_valid_notebook(chapter):
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # nbformat only warns of missing and repeated cell ids
        nbformat.validate(json.loads(chapter.read_text(encoding="utf-8")))


def test_is_stored_without_outputs_and_widget_state(book):
    for cell in cells(book, "code"):
        assert cell.outputs == [], cell.source
        assert cell.execution_count is None, cell.source
    assert "widgets" not in book.metadata
    assert book.metadata.kernelspec.name == "python3"


def test_opens_with_title_badges_minutes_and_memory(chapter, book):
    first = book.cells[0]
    assert first.cell_type == "markdown"
    assert re.match(r"# \S.*\n", first.source)
    path = f"notebooks/{chapter.name}"
    assert f"](https://mybinder.org/v2/gh/{NAME}/HEAD?urlpath=lab/tree/{path})" in first.source
    assert f"](https://colab.research.google.com/github/{NAME}/blob/main/{path})" in first.source
    assert re.search(r"\d+ minutes", first.source)
    assert re.search(r"\d (MB|GB) of memory", first.source)


def test_loads_no_picture_from_the_network(book):
    """A badge is a plain link: its picture would be fetched each time a reader opens the chapter."""
    for cell in cells(book, "markdown"):
        assert not re.search(r"!\[[^]]*\]\(https?:|<img[^>]*https?:", cell.source), cell.source


def test_first_code_cell_is_the_setup_cell(book):
    assert cells(book, "code")[0].source == SETUP_CELL


def test_is_mostly_prose_and_not_too_long(book):
    share = len(cells(book, "markdown")) / len(book.cells)
    assert 0.45 <= share <= 0.75, f"{share:.0%} of the cells are prose"
    assert len(book.cells) <= 60


def test_code_cells_are_short_and_none_is_empty(book):
    for cell in cells(book, "code"):
        lines = len(cell.source.splitlines())
        assert lines > 0
        assert lines <= 8 or "long-ok" in cell.metadata.get("tags", []), cell.source


def test_names_no_path_of_one_machine(book):
    path = re.compile(r"(?<![\w.:/>])/(home|Users|root|work|tmp|content|opt|mnt)/|[A-Z]:\\")
    for cell in book.cells:
        assert not path.search(cell.source), cell.source
