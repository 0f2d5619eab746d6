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
    """bf16 where the GPU computes in it (compute capability 8; below, it is emulated), else fp16, else fp32."""
    if on_cpu(cpu) or not torch.cuda.is_available():
        return "no"
    return "bf16" if torch.cuda.get_device_capability()[0] >= 8 else "fp16"
