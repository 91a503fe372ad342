"""Which metrics of the servers gave in at the limit: a plain rule over the runs of a search, and how sure it is.

Pure arithmetic. What a metric means is not known: only how it moves with the devices, and that it does not with the
clock alone.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

APART: Final = 1.15
"""Levels nearer to each other than this tell nothing about a slope."""
FULL: Final = 0.9
RISES: Final = 0.5
STANDS_STILL: Final = 0.25
RUNS_AWAY: Final = 2.0
BY_ITSELF: Final = 0.8
KINDS: Final = ("full", "appeared", "ceiling", "ran_away")
DRAWS: Final = 500
_SEED: Final = 20_260_403
_SHARES: Final = re.compile(r"(_ratio|_share|_utili[sz]ation)(\{|$)")

Three = tuple[int, int, int]
Runs = Sequence[tuple[int, float]]


def gave_in(levels: Sequence[tuple[int, Mapping[str, float]]], holds: int | None, breaks: int | None) -> dict[str, Any]:
    """Which metrics gave in at the limit: what moved with it, not why.

    Three levels are compared: the lowest, the highest that holds, and the highest played that breaks. A metric is
    `full` when it is a share (its name ends so), 90 % or more where the limit breaks, and a tenth less of that at the
    lowest; it met a `ceiling` when it grew with the load up to the limit (slope of the logarithms 0.5 or more) and at
    most a quarter as fast beyond it; it `ran_away` when beyond the limit it grew at least twice as fast as before and
    as the square of the load; it `appeared` when it was 0 in every run of both levels up to the limit and in none
    beyond. A search goes up and down: what rises with the clock all the while is never named.

    Args:
        levels: devices and the metrics of that level, one entry a run, in the order they were played.
    Returns: `found` [{metric, kind, low, at, beyond, sure}], full ones first, the surest first among them, `levels`
        (the three), or `refused`. `sure` is the share of searches drawn anew that name it alike (see _sure); None for
        one that appeared, as its rule asks every run.
    """
    if not any(metrics for _, metrics in levels):
        return {"refused": "no metrics of the servers were given"}
    with_metrics = [devices for devices, metrics in levels if metrics]
    if holds is None or breaks is None or holds not in with_metrics:
        return {"refused": "the limit was not passed, so nothing gave in"}
    three = (min(with_metrics), holds, max((devices for devices in with_metrics if devices >= breaks), default=0))
    if three[2] < holds * APART:
        return {"refused": "no level far enough beyond the limit has metrics"}
    found = []
    for name in sorted({name for _, metrics in levels for name in metrics}):
        runs = [(devices, metrics[name]) for devices, metrics in levels if name in metrics]
        means = _means(runs)
        kind = _kind(name, three, means) or _appeared(three, runs)
        if kind and not _runs_by_itself(runs):
            low, at, beyond = (_short(means.get(devices)) for devices in three)
            sure = None if kind == "appeared" else _sure(name, three, runs, kind)
            found.append({"metric": name, "kind": kind, "low": low, "at": at, "beyond": beyond, "sure": sure})
    found.sort(key=lambda one: (KINDS.index(str(one["kind"])), -float(one["sure"] or 0)))
    return {"levels": list(three), "found": found}


def _means(runs: Runs) -> dict[int, float]:
    by_level: dict[int, list[float]] = {}
    for devices, value in runs:
        by_level.setdefault(devices, []).append(value)
    return {devices: float(np.mean(values)) for devices, values in by_level.items()}


def _short(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.4g}")


def _kind(name: str, devices: Three, means: Mapping[int, float]) -> str:
    low, at, beyond = (means.get(one) for one in devices)
    if at is None or beyond is None:
        return ""
    if _SHARES.search(name) and beyond >= FULL:
        return "full" if beyond <= 1.5 and low is not None and low <= FULL * beyond else ""
    if low is None or min(low, at, beyond) <= 0 or devices[1] < devices[0] * APART:
        return ""
    before = math.log(at / low) / math.log(devices[1] / devices[0])
    after = math.log(beyond / at) / math.log(devices[2] / devices[1])
    if before >= RISES and after <= STANDS_STILL * before:
        return "ceiling"
    return "ran_away" if after >= RUNS_AWAY and after >= 2 * max(before, RISES) else ""


def _appeared(devices: Three, runs: Runs) -> str:
    low, at, beyond = ([value for level, value in runs if level == one] for one in devices)
    up_to = low + at
    return "appeared" if low and at and not any(up_to) and beyond and min(beyond) > 0 else ""


def _runs_by_itself(runs: Runs) -> bool:
    """Whether, over pairs of runs of which the later had fewer devices, the value went on rising with the clock.

    A counter that runs by itself does so in every pair; what stands still at its ceiling in about half of them.
    """
    later_is_more = [
        (after > before) - (after < before)
        for (first, before), (second, after) in combinations(runs, 2)
        if second < first
    ]
    return bool(later_is_more) and sum(later_is_more) >= BY_ITSELF * len(later_is_more)


def _sure(name: str, devices: Three, runs: Runs, kind: str) -> float | None:
    """The share of searches drawn anew in which the metric is named alike; None where no level was played twice.

    As the capacity's own band (capacity_fit.fit): each run is given its level's mean and the residual, as a share, of
    another run of the levels that were played more than once, widened as Student's t has it.
    """
    means = _means(runs)
    at = np.array([one for one, _ in runs])
    centre = np.array([means[one] for one, _ in runs])
    count = np.array([np.count_nonzero(at == one) for one in at])
    repeated = (count > 1) & (centre != 0)
    freedom = int(np.count_nonzero(repeated)) - np.unique(at[repeated]).size
    if freedom < 1:
        return None
    size = count[repeated]
    values = np.array([value for _, value in runs])
    residuals = (values - centre)[repeated] / centre[repeated] * np.sqrt(size / (size - 1))
    chance = np.random.default_rng(_SEED)
    spread = np.sqrt(freedom / chance.chisquare(freedom, (DRAWS, 1)))
    drawn = centre * (1 + spread * chance.choice(residuals, (DRAWS, at.size)))
    columns = {one: drawn[:, at == one].mean(axis=1) for one in set(devices) & set(at.tolist())}
    alike = sum(_kind(name, devices, _row(columns, draw)) == kind for draw in range(DRAWS))
    return round(alike / DRAWS, 3)


def _row(columns: Mapping[int, NDArray[np.float64]], draw: int) -> dict[int, float]:
    return {devices: float(values[draw]) for devices, values in columns.items()}
