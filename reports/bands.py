"""Bands between runs: what repeated runs of one scenario tell of a percentile that one run alone cannot.

Pure arithmetic on one percentile a run. The band within a run is percentiles'; which runs belong together is not known
here.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from reports.student import quantile

RUNS_AT_LEAST: Final = 3
SHORTEST_S: Final = 1e-6
"""What a shorter time counts as: figures are rounded to microseconds, and a logarithm needs one above 0."""


@dataclass(frozen=True, slots=True)
class Band:
    """The middle of several runs (their mean, a geometric one of times) and the band around it, in the values' unit.

    `high`, and `middle` with it, is math.inf where a run's percentile fell among the outcomes other than ok.
    """

    low: float
    middle: float
    high: float
    runs: int


def between_runs(values_s: Sequence[float], *, clock: bool = False, level: float = 0.95) -> Band:
    """Where the typical percentile of such a run lies, by Student's t on the logarithms of the runs' own.

    Runs are independent of each other, as the samples within one are not: a queue remembers. Percentiles of times are
    skewed to the right, their logarithms much less so, and a band on the logarithm never reaches below zero.

    A time of day is no such time: its zero is midnight, so that the same minute between runs would be a wider band at
    seven than at nine. It is judged as it stands, in seconds: the band of 09:00 is that of 07:00, two hours later.

    Args:
        values_s: one percentile a run, above 0; math.inf where it fell among the outcomes other than ok. Such a run
            takes the upper end to infinity, and for the lower end counts as the largest of the others, so that
            failures never make a band look better.
        clock: whether they are times of day, in seconds after midnight.
        level: of confidence, two-sided.

    Raises: ValueError for fewer than RUNS_AT_LEAST runs, or a value that is not above 0.
    """
    runs = len(values_s)
    if runs < RUNS_AT_LEAST:
        raise ValueError(f"a band between runs needs at least {RUNS_AT_LEAST} of them, there are {runs}")
    if not all(value > 0 for value in values_s):
        raise ValueError(f"a band between runs needs percentiles above 0, there are {list(values_s)}")
    known = [value for value in values_s if value < math.inf]
    if not known:
        return Band(math.inf, math.inf, math.inf, runs)
    values = np.array([min(value, max(known)) for value in values_s])
    values = values if clock else np.log(values)
    middle = float(values.mean())
    reach = student_t(runs - 1, level) * float(values.std(ddof=1)) / math.sqrt(runs)
    low, middle, high = (end if clock else math.exp(end) for end in (middle - reach, middle, middle + reach))
    return Band(low, middle, high, runs) if len(known) == runs else Band(low, math.inf, math.inf, runs)


def student_t(freedom: int, level: float) -> float:
    """The t that |T| stays within with probability `level`, T of Student's distribution with `freedom` degrees."""
    return quantile((1 + level) / 2, freedom)
