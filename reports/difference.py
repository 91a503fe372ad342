"""By how much one run differs from earlier ones, and whether runs that are alike differ as much. Pure statistics.

The run is the unit: all devices of a run share its state (a busy machine, a cold cache), so that however many there
are, they are one observation of it. How runs differ among each other is measured on the earlier runs, and the new one
is held against the band in which one more of them would fall (a prediction interval, n - 1 degrees of freedom).
What is compared is handed in; no step and no objective is known here.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from reports.percentiles import band_ranks, binomial
from reports.student import quantile, two_sided

ALPHA: Final = 0.05
"""The chance that runs which are alike are told apart in any of the gated objectives, at most."""
POWER: Final = 0.8
RUNS_AT_LEAST: Final = 5
"""With fewer earlier runs nobody knows how much they differ among each other."""
DEVICES_AT_LEAST: Final = 6
"""An order-statistic band of a median needs as many."""


@dataclass(frozen=True, slots=True)
class Change:
    """One change, as a difference of logarithms (of times) or of shares.

    `error` is the standard deviation of what one more run like the earlier ones would show, None where there are too
    few of them; then `low` and `high` are the band within the runs, otherwise the 95 % band between runs.
    `count` is how many devices, or runs, it rests on.
    """

    value: float
    low: float | None
    high: float | None
    error: float | None
    df: int
    count: int

    @property
    def p(self) -> float | None:
        """The chance that one more run like the earlier ones differs as much, either way; None where unknown."""
        if self.error is None:
            return None
        if not self.error:
            return 0.0 if self.value else 1.0
        return two_sided(self.value / self.error, self.df)

    def smallest(self, alpha: float) -> float | None:
        """The smallest true change that is found in POWER of all runs when tested at `alpha`; None where unknown."""
        if self.error is None:
            return None
        return (quantile(1 - alpha / 2, self.df) + quantile(POWER, self.df)) * self.error


def of_figures(new: float, old: Sequence[float], bands: Sequence[tuple[float, float]] = ()) -> Change | None:
    """The change of one figure a run.

    Args:
        new, old: its logarithm or share in the new run and in the earlier ones; infinite where it falls among the
            outcomes other than ok.
        bands: low and high of the new run and then of each earlier one, used where these are too few.
    Returns: None where an earlier run's figure is infinite, or the runs are too few and without bands.
    """
    if not old or any(math.isinf(value) for value in old):
        return None
    centre, runs = float(np.mean(old)), len(old)
    if runs >= RUNS_AT_LEAST:
        return _between(new - centre, float(np.std(old, ddof=1)), runs, count=runs)
    if len(bands) != runs + 1 or any(math.isinf(end) for _, end in bands[1:]):
        return None
    low = bands[0][0] - float(np.mean([high for _, high in bands[1:]]))
    high = bands[0][1] - float(np.mean([low for low, _ in bands[1:]]))
    return Change(new - centre, low, high, None, 0, runs)


def of_devices(new: NDArray[np.float64], old: Sequence[NDArray[np.float64]]) -> Change | None:
    """The change of the typical device: each device against itself, in each pair of runs, and the median of them.

    What makes devices differ (a slow line, a slow typist) falls out, and a few that had bad luck move nothing. Between
    any two runs the median difference is one number; a run's place is the mean of its differences to the earlier runs,
    and theirs to each other (each left out of its own comparison) say how far apart runs are that are alike.

    Args:
        new, old: by fleet row, the logarithm of the device's own time; NaN where it has none.
    Returns: None where any two of the runs have fewer than DEVICES_AT_LEAST devices in common.
    """
    if not old:
        return None
    pairs = [_paired(new, other) for other in old]
    if any(pair.size < DEVICES_AT_LEAST for pair in pairs):
        return None
    value, count, runs = float(np.mean([np.median(pair) for pair in pairs])), min(pair.size for pair in pairs), len(old)
    if runs < RUNS_AT_LEAST:
        low, high = np.mean([_median_band(pair) for pair in pairs], axis=0)
        return Change(value, float(low), float(high), None, 0, count)
    apart = np.zeros((runs, runs))
    for one in range(runs):
        for other in range(one):
            pair = _paired(old[one], old[other])
            if pair.size < DEVICES_AT_LEAST:
                return None
            apart[one, other] = np.median(pair)
            apart[other, one] = -apart[one, other]
    # A run's mean difference to the n - 1 others is n / (n - 1) times its difference to the mean of all n.
    places = apart.sum(axis=1) / runs
    return _between(value, math.sqrt(float(places @ places) / (runs - 1)), runs, count=count)


def of_shares(new: tuple[int, int], old: Sequence[tuple[int, int]]) -> tuple[Change, float]:
    """The change of a share that is counted, (how many, of how many) in each run; and its p.

    Small counts have no bell: a share has to differ by more than runs do *and* by more than counting does (the two
    counts against each other given their sum, binomial), so p is the larger of the two.
    """
    shares = [bad / count for bad, count in old]
    value = new[0] / new[1] - float(np.mean(shares))
    runs = len(old)
    by_chance = counted_p(new, (sum(bad for bad, _ in old), sum(count for _, count in old)))
    if runs < RUNS_AT_LEAST:
        return Change(value, None, None, None, 0, runs), by_chance
    change = _between(value, float(np.std(shares, ddof=1)), runs, count=runs)
    assert change.p is not None
    return change, max(change.p, by_chance)


def smallest_share(count: int, old: Sequence[tuple[int, int]], alpha: float) -> float | None:
    """The smallest increase of a share among `count` that would be found at `alpha`; None where none would be."""
    usual = float(np.mean([bad / of for bad, of in old]))
    found = bisect_left(
        range(count + 1), True, lo=math.floor(usual * count), key=lambda bad: of_shares((bad, count), old)[1] <= alpha
    )
    return None if found > count else found / count - usual


def counted_p(one: tuple[int, int], other: tuple[int, int]) -> float:
    """The chance that two shares of equal truth come apart as far as these counts, either way."""
    bad = one[0] + other[0]
    if not bad:
        return 1.0
    first, chances = binomial(bad, one[1] / (one[1] + other[1]))
    at = one[0] - first
    if at < 0 or at >= chances.size:
        return 0.0
    return min(1.0, 2 * min(float(chances[: at + 1].sum()), float(chances[at:].sum())))


def holm(ps: Sequence[float]) -> list[float]:
    """The p of each, corrected for all (Holm 1979): those at most ALPHA hold together with that chance of any error."""
    adjusted = [1.0] * len(ps)
    least = 0.0
    for place, at in enumerate(sorted(range(len(ps)), key=lambda at: ps[at])):
        least = max(least, min(1.0, (len(ps) - place) * ps[at]))
        adjusted[at] = least
    return adjusted


def _between(value: float, spread: float, runs: int, *, count: int) -> Change:
    error = spread * math.sqrt(1 + 1 / runs)
    reach = quantile(1 - ALPHA / 2, runs - 1) * error
    return Change(value, value - reach, value + reach, error, runs - 1, count)


def _paired(one: NDArray[np.float64], other: NDArray[np.float64]) -> NDArray[np.float64]:
    size = min(one.size, other.size)
    apart: NDArray[np.float64] = one[:size] - other[:size]
    return apart[~np.isnan(apart)]


def _median_band(values: NDArray[np.float64]) -> tuple[float, float]:
    ranks = band_ranks(values.size, 50.0)
    assert ranks is not None
    ordered = np.sort(values)
    return float(ordered[ranks[0] - 1]), float(ordered[ranks[1] - 1])
