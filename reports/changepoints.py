"""Where a series of figures changed for good: E-divisive means with Student's t in place of permutations.

Candidates are where the energy statistic is largest (Matteson and James 2014, arXiv 1306.4933); a t-test between the
two sides accepts them, in windows and at ten times the wanted p first, and what does not hold at the wanted p against
its neighbours is taken back, weakest first (Fleming et al. 2023, arXiv 2301.03034). Deterministic and pure; what the
figures are is not known here.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from reports.student import two_sided

P_AT_MOST: Final = 0.001
_WEAK: Final = 10
WINDOW: Final = 50
SIDE_AT_LEAST: Final = 2
"""One odd figure is no change: there have to be as many on either side."""


@dataclass(frozen=True, slots=True)
class ChangePoint:
    """From `at` on the figures are others: the mean of those since the change before, and until the one after."""

    at: int
    before: float
    after: float
    p: float

    @property
    def change(self) -> float | None:
        """Relative to before; None where that was 0."""
        return self.after / self.before - 1 if self.before else None


def change_points(figures: Sequence[float], *, p_at_most: float = P_AT_MOST, window: int = WINDOW) -> list[ChangePoint]:
    """The changes of a series, in order.

    Args:
        figures: one a run, in the order they were played.
        p_at_most: of the t-test between the runs before and those after, each up to its neighbouring change.
        window: longest stretch searched at once; stretches overlap by half.
    """
    series = np.asarray(figures, np.float64)
    weak: set[int] = set()
    first = 0
    while first < series.size:
        found = _divide(series[first : first + window], p_at_most * _WEAK)
        weak |= {first + at for at in found}
        first = max([first + window // 2, *(first + at for at in found)])
    points = sorted(weak)
    while points:
        tested = _tested(series, points)
        weakest = max(tested, key=lambda point: point.p)
        if weakest.p <= p_at_most:
            return tested
        points.remove(weakest.at)
    return []


def _divide(series: NDArray[np.float64], p_at_most: float) -> list[int]:
    """Split where the statistic is largest over all stretches, again and again while the t-test accepts it."""
    points: list[int] = []
    while True:
        bounds = [0, *points, series.size]
        found = [_candidate(series, first, end) for first, end in pairwise(bounds)]
        best = max((one for one in found if one is not None), default=None)
        if best is None:
            return points
        at = best[1]
        points = sorted({*points, at})
        tested = next(point for point in _tested(series, points) if point.at == at)
        if tested.p > p_at_most:
            points.remove(at)
            return points


def _candidate(series: NDArray[np.float64], first: int, end: int) -> tuple[float, int] | None:
    """The largest statistic of a stretch, and where its right side begins; the right side may end early.

    Q of the n figures before and the m from there on (Matteson and James, eq. 6, with alpha = 1): n m / (n + m) times
    twice their mean distance to each other, less the mean distances within either.
    """
    size = end - first
    if size < 2 * SIDE_AT_LEAST:
        return None
    stretch = series[first:end]
    # sums[i, j] is the sum of all distances between the first i figures and the first j.
    sums = np.zeros((size + 1, size + 1))
    sums[1:, 1:] = np.abs(stretch[:, None] - stretch[None, :]).cumsum(axis=0).cumsum(axis=1)
    at, until = np.triu_indices(size + 1, SIDE_AT_LEAST)
    at, until = at[at >= SIDE_AT_LEAST], until[at >= SIDE_AT_LEAST]
    n, m = at, until - at
    left, across = sums[at, at], sums[at, until] - sums[at, at]
    right = sums[until, until] - 2 * sums[at, until] + left
    q = n * m / (n + m) * (2 * across / (n * m) - left / (n * (n - 1)) - right / (m * (m - 1)))
    best = int(np.argmax(q))
    return float(q[best]), first + int(at[best])


def _tested(series: NDArray[np.float64], points: Sequence[int]) -> list[ChangePoint]:
    bounds = [0, *points, series.size]
    return [
        _t_test(at, series[before:at], series[at:after])
        for before, at, after in zip(bounds, bounds[1:], bounds[2:], strict=False)
    ]


def _t_test(at: int, left: NDArray[np.float64], right: NDArray[np.float64]) -> ChangePoint:
    """Two samples of one variance (Student 1908)."""
    before, after = float(left.mean()), float(right.mean())
    df = left.size + right.size - 2
    squares = float(((left - before) ** 2).sum() + ((right - after) ** 2).sum())
    if df < 1:
        return ChangePoint(at, before, after, 1.0)
    error = math.sqrt(squares / df * (1 / left.size + 1 / right.size))
    if not error:
        return ChangePoint(at, before, after, float(before == after))
    return ChangePoint(at, before, after, two_sided((after - before) / error, df))
