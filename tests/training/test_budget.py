import pytest

from ptm_explore.errors import PtmError
from ptm_explore.training.budget import Budget


@pytest.mark.parametrize(
    ("text", "amount", "unit"),
    [
        ("60s", 60, "seconds"),
        ("1.5min", 90, "seconds"),
        ("2h", 7200, "seconds"),
        ("60steps", 60, "steps"),
        ("1step", 1, "steps"),
        ("2Mtokens", 2e6, "tokens"),
        ("300 k tokens", 3e5, "tokens"),
        ("1e13flops", 1e13, "flops"),
        ("5Tflops", 5e12, "flops"),
    ],
)
def test_quantities(text, amount, unit):
    assert Budget.parse(text) == Budget(amount, unit)


@pytest.mark.parametrize(
    "text", ["", "60", "s", "-5s", "0steps", "5 apples", "sixty seconds", "nans", None, 60]
)
def test_what_is_no_quantity(text):
    with pytest.raises(PtmError, match="2Mtokens"):
        Budget.parse(text)


def test_share_and_scale(monkeypatch):
    progress = {"steps": 30, "tokens": 10, "seconds": 1.0, "flops": 5.0}
    assert Budget.parse("60steps").share(progress) == 0.5
    assert Budget.parse("5tokens").share(progress) == 1.0
    monkeypatch.setenv("PTM_BUDGET_SCALE", "0.5")
    assert Budget.parse("60steps").scaled() == Budget(30, "steps")
