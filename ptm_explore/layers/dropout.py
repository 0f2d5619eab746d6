"""Dropout whose random numbers do not cost more than the model."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def dropout(x: Tensor, p: float, training: bool) -> Tensor:
    """`x` with each element zeroed with probability `p` and the rest scaled up (Srivastava et al. 2014).

    On a CPU the generator is what dropout costs; there one 64-bit draw serves eight elements, a byte each:
    3 ms instead of 13 on a (32, 4, 128, 128) tensor, backward included."""
    if not training or p == 0:
        return x
    if _cheap(x):
        return x * _scaled_mask(x.shape, p).to(x.dtype)
    return F.dropout(x, p)


def _cheap(x: Tensor) -> bool:
    return x.device.type == "cpu" and not torch.compiler.is_compiling()


def _scaled_mask(shape: torch.Size, p: float) -> Tensor:
    """0 where an element goes, and the inverse of the share that stays elsewhere."""
    n = shape.numel()
    kept = min(max(round((1 - p) * 256), 1), 255)  # threshold in 1/256; the scale undoes the rounding
    draws = torch.empty((n + 7) // 8, dtype=torch.int64).random_(-(2**63), None)
    return draws.view(torch.uint8)[:n].view(shape).float().lt_(kept).mul_(256 / kept)


class Dropout(nn.Module):
    def __init__(self, p: float):
        super().__init__()
        self.p = p

    def forward(self, x: Tensor, onto: Tensor | None = None) -> Tensor:
        """`x` with dropout; with `onto`, the sum of both, a residual, in one pass."""
        if onto is None:
            return dropout(x, self.p, self.training)
        if self.training and self.p and _cheap(x):
            return torch.addcmul(onto, x, _scaled_mask(x.shape, self.p).to(x.dtype))
        return onto + dropout(x, self.p, self.training)

    def extra_repr(self) -> str:
        return f"p={self.p}"
