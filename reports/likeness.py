"""Whether what lies beyond a percentile came together in time, as it does in a queue or a standstill.

Pure arithmetic on one truth value a sample, in the order of time. What lies beyond, and of what, is decided by others.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from reports.percentiles import binomial


def likeness(beyond: NDArray[np.bool_]) -> tuple[float, float] | None:
    """How alike neighbours are, and how probable it is that chance alone makes them as alike.

    All samples' latencies hardly correlate when one event makes a few of them long: it is those beyond the percentile
    that its band counts as independent, so only they are looked at. How many pairs of neighbours lie beyond says the
    same as the count of their runs (Wald and Wolfowitz, Ann. Math. Stat. 11, 1940): of a among n in random order,
    a (a - 1) / n in the mean. Their number is hypergeometric; the binomial of that mean, used here, has a somewhat
    longer tail, so that chance is told to be rather too probable than too improbable.

    Args:
        beyond: of each sample, in the order of time, whether it lies beyond.

    Returns: 0 in the mean where the order is random and 1 where all came in one go; the probability. None where fewer
        than two lie beyond, or all.
    """
    count, many = beyond.size, int(beyond.sum())
    if many < 2 or many == count:
        return None
    pairs, mean = int((beyond[1:] & beyond[:-1]).sum()), many * (many - 1) / count
    first, chances = binomial(many, (many - 1) / count)
    return (pairs - mean) / (many - 1 - mean), min(1.0, float(chances[max(0, pairs - first) :].sum()))
