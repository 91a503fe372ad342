"""The monotone curve through all levels of a capacity search, where it passes the limit, and how sure that is.

Pure arithmetic on arrays: a burden is the logarithm of a figure over its limit, so that 0 is the limit. No name of a
step, no folder and no device is known here.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

FARTHEST: Final = math.log(8)
"""A burden counts no further than eight times below or above the limit: how far beyond it a system falls apart, or that
a figure is infinite, must not bend the curve where it matters."""
CONFIDENCE: Final = 0.95
DRAWS: Final = 2000
_SEED: Final = 20_260_401

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Fit:
    """The curve: `levels` ascending, the `fitted` burden and the number of `runs` of each.

    `crossing` is where the curve passes 0, None where it never does; `low` and `high` are its band, 0 and math.inf
    where the band is open.
    """

    levels: Floats
    fitted: Floats
    runs: NDArray[np.int64]
    crossing: float | None
    low: float
    high: float


def burden(value: float | None, limit: float) -> float:
    """log(value / limit), cut at FARTHEST; None or infinity is a figure beyond everything."""
    if value is None or math.isinf(value):
        return FARTHEST
    if value <= 0:
        return -FARTHEST
    return min(FARTHEST, max(-FARTHEST, math.log(value / limit))) if limit > 0 else FARTHEST


def isotonic(values: Floats, weights: Floats) -> Floats:
    """The non-decreasing sequence nearest to the values in weighted squares, by pooling adjacent violators.

    Ayer et al., An empirical distribution function for sampling with incomplete information, Ann. Math. Statist. 1955.
    """
    blocks: list[tuple[float, float, int]] = []
    for value, weight in zip(values.tolist(), weights.tolist(), strict=True):
        mean, total, count = value, weight, 1
        while blocks and blocks[-1][0] >= mean:
            before, heavy, many = blocks.pop()
            mean = (before * heavy + mean * total) / (heavy + total)
            total, count = total + heavy, count + many
        blocks.append((mean, total, count))
    return np.repeat([mean for mean, _, _ in blocks], [count for _, _, count in blocks])


def crossing(levels: Floats, fitted: Floats) -> float:
    """Where a non-decreasing curve passes 0: straight in the logarithm of the level between the last level at or below
    it and the next. 0 where the first level is above it already, math.inf where none is."""
    above = int(np.searchsorted(fitted, 0.0, side="right"))
    if above == 0:
        return 0.0
    if above == fitted.size:
        return math.inf
    below_at, above_at = float(fitted[above - 1]), float(fitted[above])
    share = -below_at / (above_at - below_at)
    first, last = math.log(levels[above - 1]), math.log(levels[above])
    return math.exp(first + share * (last - first))


def fit(devices: Floats, burdens: Floats) -> Fit:
    """Fit the runs of a search, one value of each array a run.

    The band is a bootstrap by run: each draw gives every run its level's mean and the residual of another run, drawn
    from all levels that were played more than once; those are the ones near the limit. A residual of a level of n runs
    is stretched by sqrt(n / (n - 1)), since the mean was made of the same runs; and since so few runs do not know their
    own spread, each draw has one of its own, as Student's t has it (a chi-square with as many degrees of freedom as
    there are residuals to spare). Without such levels there is no band but the whole line.
    """
    levels, at = np.unique(devices, return_inverse=True)
    runs = np.bincount(at)
    means = np.bincount(at, burdens) / runs
    fitted = isotonic(means, runs.astype(np.float64))
    found = crossing(levels, fitted)
    repeated = runs[at] > 1
    low, high = 0.0, math.inf
    if repeated.any():
        size = runs[at][repeated]
        residuals = (burdens - means[at])[repeated] * np.sqrt(size / (size - 1))
        chance = np.random.default_rng(_SEED)
        freedom = size.size - np.unique(at[repeated]).size
        spread = np.sqrt(freedom / chance.chisquare(freedom, (DRAWS, 1)))
        drawn = means[at] + spread * chance.choice(residuals, (DRAWS, at.size))
        places = np.sort([_crossing_of(levels, at, runs, row) for row in drawn])
        tail = (1 - CONFIDENCE) / 2
        low, high = float(places[int(tail * DRAWS)]), float(places[DRAWS - 1 - int(tail * DRAWS)])
    known = found if 0 < found < math.inf else None
    return Fit(levels, fitted, runs, known, low, high)


def _crossing_of(levels: Floats, at: NDArray[np.intp], runs: NDArray[np.int64], burdens: Floats) -> float:
    means = np.bincount(at, burdens) / runs
    return crossing(levels, isotonic(means, runs.astype(np.float64)))
