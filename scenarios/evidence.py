"""How many samples a percentile needs before anything can be said about it. Arithmetic only; no file is read."""

from __future__ import annotations

import math


def samples_needed(percentile: float, confidence: float = 0.95) -> int:
    """The fewest samples whose order statistics can enclose a percentile from both sides.

    The number of samples below the true percentile is binomial(n, p). A band needs a sample above it and one below,
    each missing with at most half the doubt: p**n and (1-p)**n may not exceed (1 - confidence) / 2.

    Args:
        percentile: between 0 and 100, both excluded.
    """
    p = percentile / 100
    return math.ceil(math.log((1 - confidence) / 2) / math.log(max(p, 1 - p)))


def part(share: float, count: int) -> int:
    """That share of so many, rounded to whole ones (a half goes up)."""
    return math.floor(share * count + 0.5)
