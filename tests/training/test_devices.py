import pytest

from ptm_explore.training import devices


@pytest.mark.parametrize(
    ("capability", "expected"), [((9, 0), "bf16"), ((8, 0), "bf16"), ((7, 5), "fp16"), ((6, 1), "fp16")]
)
def test_precision_follows_the_gpu(monkeypatch, capability, expected):
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.get_device_capability", lambda: capability)
    assert devices.precision_of() == expected
    assert devices.precision_of(cpu=True) == "no"


def test_a_second_run_may_have_another_precision():
    assert devices.accelerator(cpu=True, precision="bf16").mixed_precision == "bf16"
    assert devices.accelerator(cpu=True).mixed_precision == "no"
