"""Verdicts from seeds: nominal error rates by simulation, textbook values, and what a difference needs."""

import numpy as np
import pytest
from scipy import stats

from ptm_explore.compare.statistics import Difference, difference, holm
from ptm_explore.interpret.results import interval


def test_identical_recipes_differ_no_more_often_than_the_nominal_rate():
    """1,000 comparisons of three recipes that are one, on four yardsticks: any verdict is a false one."""
    rng = np.random.default_rng(0)
    false = 0
    for _ in range(1000):
        scores = rng.normal(size=(3, 4, 5)) + rng.normal(size=(1, 1, 5))  # recipes, yardsticks, seeds
        pairs = [(a, b) for a in range(3) for b in range(a)]
        ps = [difference(scores[a, y], scores[b, y]).p for a, b in pairs for y in range(4)]
        false += min(holm(ps)) < 0.05
    assert false / 1000 < 0.05 + 2 * (0.05 * 0.95 / 1000) ** 0.5


def test_a_planted_difference_is_found_and_intervals_cover_it():
    rng = np.random.default_rng(0)
    found = []
    for _ in range(500):
        common = rng.normal(size=8) * 10  # what seeds share cancels in pairs
        found.append(difference(common + 2 + rng.normal(size=8) * 0.5, common + rng.normal(size=8) * 0.5))
    assert {one.verdict for one in found} == {"higher"}
    assert np.mean([one.low < 2 < one.high for one in found]) == pytest.approx(0.95, abs=0.03)


def test_the_detectable_difference_is_detected_four_times_in_five():
    rng = np.random.default_rng(0)
    true = difference(rng.normal(size=100_000), np.zeros(100_000)).detectable * (100_000 / 6) ** 0.5
    reach = (stats.t.ppf(0.975, 5) + stats.t.ppf(0.8, 5)) / (
        stats.t.ppf(0.975, 99_999) + stats.t.ppf(0.8, 99_999)
    )
    hits = [difference(rng.normal(true * reach, 1, size=6), np.zeros(6)).p < 0.05 for _ in range(2000)]
    assert np.mean(hits) == pytest.approx(0.8, abs=0.05)


def test_textbook_values():
    first, second = [3.1, 2.9, 3.4, 3.0, 3.3], [2.8, 2.9, 3.0, 2.7, 3.1]
    found, expected = difference(first, second), stats.ttest_rel(first, second)
    assert found.p == pytest.approx(expected.pvalue)
    assert (found.low, found.high) == pytest.approx(tuple(expected.confidence_interval(0.95)))
    assert holm([0.01, 0.04, 0.03, float("nan")])[:3] == pytest.approx([0.03, 0.06, 0.06])
    assert interval([1.0])[0] == 1
    assert np.isnan(interval([1.0])[1])


def test_verdicts():
    assert "no verdict: 3 seeds" in difference([1, 2, 3], [0, 0, 0]).verdict
    assert difference([1] * 5, [1] * 5).verdict.startswith("no measurable difference")
    assert difference([1] * 5, [2] * 5).verdict == "lower"
    assert "one of 0.5 could" in Difference(0.1, -0.2, 0.4, 0.5, 5, 0.5).verdict
