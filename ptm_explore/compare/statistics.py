"""What may be concluded from a few seeds. N seeds, each a pair of runs on the same text."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from ptm_explore.interpret.results import interval

LEAST = 5  # seeds, below which there is no verdict
ALPHA = 0.05
POWER = 0.8


@dataclass(frozen=True)
class Difference:
    """Of two arms on one yardstick: a mean over paired seeds, and how sure one may be of it."""

    mean: float
    low: float  # 95 % interval
    high: float
    p: float  # two-sided paired t-test; after `holm` of all tests in a report
    n: int
    detectable: float  # the smallest true difference that so many seeds would find four times in five

    @property
    def verdict(self) -> str:
        if self.n < LEAST:
            return f"no verdict: {self.n} seeds, {LEAST} are the least"
        if self.p < ALPHA:
            return "higher" if self.mean > 0 else "lower"
        return f"no measurable difference (one of {self.detectable:.2g} could have been found)"


def difference(first: Sequence[float], second: Sequence[float]) -> Difference:
    """`first` - `second`, paired by seed."""
    apart = np.asarray(first, float) - np.asarray(second, float)
    n, mean_low_high = len(apart), interval(apart)
    if n < 2:
        return Difference(*mean_low_high, p=np.nan, n=n, detectable=np.nan)
    error = apart.std(ddof=1) / n**0.5
    # all seeds differ by the same amount: as sure as it gets, or no difference at all
    p = float(stats.ttest_1samp(apart, 0).pvalue) if error > 0 else float(not apart.any())
    reach = stats.t.ppf(1 - ALPHA / 2, n - 1) + stats.t.ppf(POWER, n - 1)
    return Difference(*mean_low_high, p=p, n=n, detectable=float(reach * error))


def holm(ps: Sequence[float]) -> list[float]:
    """p values corrected for as many tests as there are (Holm 1979): the chance of any false verdict among
    them stays below 5 %. Those that are no numbers do not count as tests."""
    p = np.asarray(ps, float)
    tests = np.flatnonzero(~np.isnan(p))
    order = tests[np.argsort(p[tests])]
    factors = np.arange(len(order), 0, -1)
    p[order] = np.minimum(np.maximum.accumulate(p[order] * factors), 1)
    return p.tolist()
