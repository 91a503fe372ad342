"""Whether starts came along their planned curve, and one by one as people do. Pure arithmetic on instants and shares.

A start's share is how much of the plan comes before it. Along their curve the shares of independent starts are uniform
over [0, 1), whatever the curve: so one test of uniformity serves every shape.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

Shares = NDArray[np.float64]

PER_BIN: Final = 2.0
BIN_S_AT_LEAST: Final = 0.010
"""A clump that is shorter than this is none: the loop's own timers step by a tenth of it."""
DEVIATIONS: Final = 5.0
"""Of the index of dispersion above 1, from which on it tells of clumps."""


def shares_of(instants: NDArray[np.float64], edges_s: NDArray[np.float64], counts: NDArray[np.float64]) -> Shares:
    """The share of the plan before each instant, sorted.

    Args:
        edges_s: of the plan's stretches; counts: how many starts it expects in each.
    """
    below = np.concatenate(([0.0], np.cumsum(counts)))
    shares: Shares = np.sort(np.interp(instants, edges_s, below / below[-1]))
    return shares


def kolmogorov(shares: Shares) -> tuple[float, float]:
    """The largest distance between sorted shares and the uniform, and how probable one as large is by chance alone.

    The probability is Kolmogorov's series with Stephens' correction (Stephens, J. R. Stat. Soc. B 32, 1970), good from
    about 5 shares on.
    """
    count = shares.size
    steps = np.arange(count + 1) / count
    distance = float(max((steps[1:] - shares).max(), (shares - steps[:-1]).max()))
    reach = distance * (math.sqrt(count) + 0.12 + 0.11 / math.sqrt(count))
    if reach < 0.3:
        return distance, 1.0  # the series converges too slowly there, and is 1 to six digits
    terms = (2 * (-1) ** (k - 1) * math.exp(-2 * (k * reach) ** 2) for k in range(1, 101))
    return distance, min(1.0, max(0.0, math.fsum(terms)))


def clumping(shares: Shares, *, per_bin: float = PER_BIN) -> tuple[float, float]:
    """How the counts of starts scatter over bins that expect the same: their variance over their mean.

    1 where starts know nothing of each other, below where they are spread evenly, above where they come in clumps.
    Given the total, bins - 1 times this is chi-squared (the index of dispersion; Cox and Lewis, 1966).

    Args:
        per_bin: how many starts a bin expects.

    Returns: the index, and the figure above which it tells of clumps.
    """
    bins = max(2, int(shares.size / per_bin))
    counts = np.bincount(np.minimum((shares * bins).astype(np.int64), bins - 1), minlength=bins)
    mean = shares.size / bins
    index = float(((counts - mean) ** 2).sum() / mean / (bins - 1))
    return index, 1 + DEVIATIONS * math.sqrt(2 / (bins - 1))


def per_bin_of(edges_s: NDArray[np.float64], counts: NDArray[np.float64]) -> float:
    """How many starts a bin of `clumping` has to expect so that at the plan's peak none is shorter than it may be."""
    return max(PER_BIN, BIN_S_AT_LEAST * float((counts / np.diff(edges_s)).max()))
