"""What analyses return: a grid of numbers that says what it is, and means with their intervals.

R rows, C columns, N examples
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Float
from scipy.stats import t

from ptm_explore.text.metrics import bootstrap

Combine = Callable[[np.ndarray], float]


@dataclass(frozen=True)
class _Result:
    title: str
    values: Float[np.ndarray, "R C *_"]
    rows: list[str]
    columns: list[str]
    unit: str | list[str]  # what a number is; of estimates, maybe of each column


@dataclass(frozen=True)
class Grid(_Result):
    """Numbers in rows and columns (R, C), with the words that a figure of them needs."""

    axes: tuple[str, str]  # what rows and columns are
    labels: list[list[str]] | None = None  # written into the cells
    note: str = ""  # how far to trust it

    def table(self) -> pd.DataFrame:
        return pd.DataFrame(self.values, self.rows, self.columns)


@dataclass(frozen=True)
class Estimates(_Result):
    """Means with 95 % intervals, (R, C, 3) for mean, low, high, with the words that a figure needs."""

    axis: str  # what a row is
    note: str = ""  # how far to trust it

    def table(self) -> pd.DataFrame:
        """A column for each mean, and for its interval's ends."""
        columns = pd.MultiIndex.from_product([self.columns, ["mean", "low", "high"]])
        return pd.DataFrame(self.values.reshape(len(self.rows), -1), self.rows, columns)


def interval(rows: np.ndarray, combine: Combine | None = None, seed: int = 0) -> tuple[float, float, float]:
    """The mean of N numbers with its 95 % interval by Student's t; or what `combine` makes of N rows, with
    that of a percentile bootstrap over the examples (Efron 1979), which is too narrow where they are few.
    Not a number, where there are none or, for the interval, only one."""
    rows = np.asarray(rows, dtype=float)
    value = float(np.nan) if not len(rows) else combine(rows) if combine else float(rows.mean())
    if len(rows) < 2:
        return value, np.nan, np.nan
    if combine is None:
        half = float(t.ppf(0.975, len(rows) - 1) * rows.std(ddof=1) / len(rows) ** 0.5)
        return value, value - half, value + half
    return value, *bootstrap(rows, combine, seed)


def intervals(each: Float[np.ndarray, "N R C"]) -> Float[np.ndarray, "R C 3"]:
    """`interval` of each row and column over N examples."""
    return np.array([[interval(each[:, r, c]) for c in range(each.shape[2])] for r in range(each.shape[1])])


def layers(n: int) -> list[str]:
    """Names of the embeddings and of n layers."""
    return ["embeddings", *(f"layer {i}" for i in range(n))]
