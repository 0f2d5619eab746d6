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


@pytest.mark.parametrize(("two", "one", "chosen"), [(20, 31, 2), (98, 28, 1)])
def test_the_faster_number_of_threads_is_found_and_found_again(monkeypatch, two, one, chosen):
    used = [2]
    monkeypatch.setattr("torch.get_num_threads", lambda: used[-1])
    monkeypatch.setattr("torch.set_num_threads", used.append)
    threads = devices.Threads(adapt=True)
    now = 0.0
    for cost in ({2: two, 1: one}, {2: one, 1: two}):  # then the competitor comes or goes
        for _ in range(400):
            threads.before()
            threads.after(now, cost[used[-1]])
            now += 0.1
        assert used[-1] == chosen
        assert sum(count != chosen for count in used[-100:]) <= 2 * threads.TRIES
        chosen = 3 - chosen
    threads.restore()
    assert used[-1] == 2


def test_threads_stay_where_results_must_repeat(monkeypatch):
    monkeypatch.setattr("torch.set_num_threads", pytest.fail)
    threads = devices.Threads(adapt=False)
    threads.before()
    threads.after(0.0, 1.0)
