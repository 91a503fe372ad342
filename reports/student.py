"""Student's t for whole degrees of freedom, in closed form. Pure; what is tested with it is not known here.

Facts: Abramowitz and Stegun, Handbook of Mathematical Functions, 26.7.3 and 26.7.4.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Final

_MOST: Final = 1e9


def two_sided(t: float, df: int) -> float:
    """The chance that |T| is at least |t|. Raises: ValueError for less than one degree of freedom."""
    if df < 1:
        raise ValueError(f"{df} degrees of freedom; expected at least 1")
    if math.isinf(t):
        return 0.0
    angle = math.atan(abs(t) / math.sqrt(df))
    sine, square = math.sin(angle), math.cos(angle) ** 2
    odd = df % 2
    term = math.cos(angle) if odd else 1.0
    total = term if df > 1 else 0.0
    for k in range(2 + odd, df - 1, 2):
        term *= square * (k - 1) / k
        total += term
    inside = 2 / math.pi * (angle + sine * total) if odd else sine * total
    return min(1.0, max(0.0, 1.0 - inside))


@lru_cache(maxsize=256)
def quantile(share: float, df: int) -> float:
    """The t that a share of T lies below, by bisection; `share` from 0.5 to below 1."""
    low, high = 0.0, 1.0
    while high < _MOST and 1 - two_sided(high, df) / 2 < share:
        high *= 2
    while (middle := (low + high) / 2) not in (low, high):
        low, high = (middle, high) if 1 - two_sided(middle, df) / 2 < share else (low, middle)
    return high
