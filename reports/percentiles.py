"""Exact percentiles with their bands, in which any outcome but ok ranks above every ok.

Pure arithmetic on arrays. Nothing is averaged, bucketed or interpolated, and no name of a step is known here.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

CONFIDENCE: Final = 0.95
_SPREAD: Final = 12
"""Binomial probabilities further than this many standard deviations from the mean are below 1e-30."""


@dataclass(frozen=True, slots=True)
class Percentile:
    """One percentile of one step, in the unit of the values.

    `value`, `low` and `high` are math.inf where they fall among the outcomes other than ok; all that is known of them
    then is that they are above every ok. `low` and `high` are None where the samples are too few for a band.
    """

    value: float
    low: float | None
    high: float | None


class Ranked:
    """The values of one step in rank order: the ok ones sorted, the others above them.

    Args:
        values: one value per sample.
        ok: which of them ended ok.
    """

    def __init__(self, values: NDArray[np.float64], ok: NDArray[np.bool_]) -> None:
        self.count = int(values.size)
        self._ok = np.sort(values[ok])

    def at(self, rank: int) -> float:
        """The value of that rank, 1 for the smallest; math.inf among those that did not end ok."""
        return float(self._ok[rank - 1]) if rank <= self._ok.size else math.inf

    @property
    def at_least(self) -> float | None:
        """What a value among those that did not end ok is at least: the largest ok one. None without any ok."""
        return float(self._ok[-1]) if self._ok.size else None

    def percentile(self, percent: float) -> Percentile | None:
        """The smallest value that at least `percent` % of all samples do not exceed; None without samples."""
        if not self.count:
            return None
        ranks = band_ranks(self.count, percent)
        low, high = (None, None) if ranks is None else (self.at(ranks[0]), self.at(ranks[1]))
        return Percentile(self.at(rank_of(self.count, percent)), low, high)


def rank_of(count: int, percent: float) -> int:
    """The rank of a percentile among `count` samples: the ceiling of count * percent / 100, at least 1."""
    exact = count * _thousandths(percent)
    return max(1, -(-exact // 100_000))


@lru_cache(maxsize=4096)
def band_ranks(count: int, percent: float) -> tuple[int, int] | None:
    """The ranks of the two order statistics that enclose a percentile with at least 95 % confidence.

    How many of `count` samples fall at or below the true percentile is binomial. The lower rank is the largest l with
    P(B < l) <= 2.5 %, the upper the smallest u with P(B >= u) <= 2.5 % (David and Nagaraja, Order Statistics, 7.1).

    Returns: (lower, upper), or None where one of them would lie outside the samples.
    """
    first, chances = binomial(count, percent / 100)
    tail = (1 - CONFIDENCE) / 2
    below = np.cumsum(chances)
    above = np.cumsum(chances[::-1])
    lower = first + int(np.searchsorted(below, tail, side="right"))
    upper = first + chances.size - int(np.searchsorted(above, tail, side="right"))
    return (lower, upper) if lower >= 1 and upper <= count else None


def binomial(count: int, share: float) -> tuple[int, NDArray[np.float64]]:
    """The probabilities of all outcomes that have any: the first outcome, and one probability each.

    From the ratio of neighbours, normalised by their sum, so that no large factorial loses digits.
    """
    mean = count * share
    reach = _SPREAD * math.sqrt(mean * (1 - share)) + 50
    first, last = max(0, math.floor(mean - reach)), min(count, math.ceil(mean + reach))
    outcomes = np.arange(first, last, dtype=np.float64)
    steps = np.log((count - outcomes) / (outcomes + 1)) + math.log(share / (1 - share))
    logs = np.concatenate(([0.0], np.cumsum(steps)))
    chances = np.exp(logs - logs.max())
    return first, chances / chances.sum()


def _thousandths(percent: float) -> int:
    """A percentile in thousandths of a percent, so that ranks are worked out in whole numbers."""
    return round(percent * 1000)
