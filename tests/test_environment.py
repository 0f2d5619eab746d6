import random

import numpy as np
import pytest
import torch

import ptm_explore as ptm
import ptm_explore.environment


def test_setup_seeds_what_a_notebook_draws():
    def draws():
        return random.random(), np.random.rand(), float(torch.rand(1))  # noqa: NPY002

    said = ptm.setup(seed=3)
    first = draws()
    ptm.setup(seed=3)
    assert draws() == first
    ptm.setup()
    assert draws() != first
    assert "seed 3" in repr(said)
    with pytest.raises(ptm.PtmError, match="whole number"):
        ptm.setup(seed="x")


def test_doctor_names_what_is_missing(monkeypatch):
    assert "Everything a chapter needs is here" in ptm.doctor()
    monkeypatch.setattr("ptm_explore.environment.NEEDED", ("torch", "surely-not-installed"))
    assert "To do: install surely-not-installed" in ptm.doctor()


def test_recipes_table():
    table = ptm.recipes()
    assert table.loc["gpt2", "parameters"] == 124_439_808
    assert (table["FLOPs/token"] > table["parameters"] / 10).all()
    assert {f"{f}-mini" for f in ("bert", "roberta", "albert", "electra", "xlnet", "gpt")} <= set(table.index)
    assert table.loc["albert-xxlarge", "training GB"] == pytest.approx(16 * 0.22315845)
    assert table.loc["roberta-base", "steps"] == 500_000
    assert table["steps"].isna()["bert-mini"]


def test_every_public_name_resolves_twice():
    for name in ptm.__all__:
        assert getattr(ptm, name) is getattr(ptm, name), name
    with pytest.raises(AttributeError, match="pretrain"):
        ptm.pretain  # noqa: B018


def test_show_gives_the_source_that_runs():
    from ptm_explore.layers.attention import attend

    source = ptm.show(attend)
    assert "softmax" in source.code
    assert source.title == "ptm_explore/layers/attention.py"
    assert "<" in source._repr_html_()
    with pytest.raises(ptm.PtmError, match="source"):
        ptm.show(3)


@pytest.mark.parametrize(
    ("limit", "expected"), [("100000 100000", 1), ("max 100000", 8), ("350000 100000", 4)]
)
def test_cores_of_a_container(monkeypatch, limit, expected):
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(8)), raising=False)
    monkeypatch.setattr("pathlib.Path.read_text", lambda _: limit)
    assert ptm.environment.cores() == expected
