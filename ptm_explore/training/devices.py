"""Where training runs: the device, the precision, and the processes it is spread over (by `accelerate`)."""

import os

import torch


def on_cpu(asked: bool = False) -> bool:
    """Whether to train on the CPU: because one asked for it, or because there is nothing else."""
    return asked or not (torch.cuda.is_available() or torch.backends.mps.is_available())


def processes(cpu: bool = False):
    """accelerate's PartialState: which process this is, of how many. `accelerate` joins CPU processes only
    if it is told that they are on the CPU."""
    from accelerate import PartialState

    return PartialState(cpu=on_cpu(cpu))


def accelerator(cpu: bool = False, precision: str | None = None):
    """A fresh Accelerator. An earlier run in this process may have had another precision or device, which
    accelerate keeps; that is forgotten, except where it holds the connection to other processes."""
    from accelerate import Accelerator
    from accelerate.state import AcceleratorState

    AcceleratorState._reset_state(reset_partial_state=int(os.environ.get("WORLD_SIZE", 1)) == 1)
    return Accelerator(cpu=on_cpu(cpu), mixed_precision=precision or precision_of(cpu))


def precision_of(cpu: bool = False) -> str:
    """bf16 where the GPU computes in it (below capability 8 it is emulated), else fp16; fp32 without one."""
    if on_cpu(cpu) or not torch.cuda.is_available():
        return "no"
    return "bf16" if torch.cuda.get_device_capability()[0] >= 8 else "fp16"


def name_of(device: torch.device) -> str:
    """For a model's card: "cpu, 2 threads", or what the accelerator calls itself."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    threads = torch.get_num_threads()
    return f"cpu, {threads} thread{'s' * (threads > 1)}" if device.type == "cpu" else device.type


class Threads:
    """The faster of one thread and all of them, found while training goes on.

    Threads wait for each other, so a competitor on one of two cores (a browser, a second notebook) makes
    two of them slower than one: 98 ms a step of bert-mini against 28; on an idle machine it is 20 against
    31. Results differ in their last bits with the number of threads, so only runs that end by the clock,
    which no one can repeat exactly anyway, adapt; `before` and `after` frame a step."""

    TRIES, PAUSE = 3, 10.0  # steps of a trial, seconds between trials

    def __init__(self, adapt: bool):
        self.all = torch.get_num_threads()
        self._adapt = adapt and self.all > 1
        self._counts = [self.all, 1]
        self._times: dict[int, list[float]] = {self.all: [], 1: []}
        self._trial = [self.all] * self.TRIES + [1] * self.TRIES
        self._next = 0.0

    def before(self) -> None:
        if self._adapt:
            torch.set_num_threads(self._trial[0] if self._trial else self._counts[0])

    def after(self, now: float, seconds: float) -> None:
        if not self._adapt:
            return
        if self._trial:
            self._times[self._trial.pop(0)].append(seconds)
            if not self._trial:
                self._counts.sort(key=lambda count: min(self._times[count]))
                self._times = {count: [] for count in self._counts}
                self._next = now + self.PAUSE
        elif now >= self._next:
            self._trial = [count for count in self._counts for _ in range(self.TRIES)]

    def restore(self) -> None:
        torch.set_num_threads(self.all)
