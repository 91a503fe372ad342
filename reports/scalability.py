"""The Universal Scalability Law through the plateaus of a capacity search, or why there is none to tell.

X(N) = rate * N / (1 + contention * (N - 1) + coherency * N * (N - 1)), Gunther, Guerrilla Capacity Planning, 2007. N is
the mean number of exchanges in flight, as Little's law has it, never a number of devices. Pure arithmetic.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from reports.record import OPERATOR, OUTCOMES
from reports.runfolder import RunData
from reports.steps import basis_of, is_milestone

LEVELS_AT_LEAST: Final = 6
BEND_AT_LEAST: Final = 0.1
"""So much of its efficiency X/N the curve must lose between the lowest and the highest level, and its 95 % band must
agree that it bends at all."""
SETTLING: Final = 0.25
"""Of a plateau, in which what is in flight still builds up."""
REACH: Final = 2.0
"""The curve is not believed beyond so many times the highest N measured."""
DRAWS: Final = 500
_EVEN: Final = 0.02
_OK: Final = OUTCOMES.index("ok")
_SKIPPED: Final = OUTCOMES.index("skipped")
_SEED: Final = 20_260_402
_ITERATIONS: Final = 200

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Plateau:
    """One run at a constant rate: mean exchanges in flight, and exchanges that ended ok, per second."""

    devices: int
    in_flight: float
    per_s: float


@dataclass(frozen=True, slots=True)
class Law:
    """The three coefficients: exchanges per second at N = 1, and the two that bend the line (at least 0)."""

    rate: float
    contention: float
    coherency: float

    def at(self, in_flight: Floats) -> Floats:
        """Exchanges per second with so many in flight."""
        return self.rate * in_flight / self._below(in_flight)

    def efficiency(self, in_flight: float) -> float:
        """X/N with so many in flight, as a share of what it is with one."""
        return 1 / (1 + self.contention * (in_flight - 1) + self.coherency * in_flight * (in_flight - 1))

    @property
    def peak(self) -> float | None:
        """How many in flight give the most per second; None where more always give more."""
        return math.sqrt((1 - self.contention) / self.coherency) if self.coherency > 0 and self.contention < 1 else None

    def _below(self, n: Floats) -> Floats:
        return 1 + self.contention * (n - 1) + self.coherency * n * (n - 1)


def plateau_window(run: dict[str, Any]) -> tuple[float, float] | None:
    """From when to when (run seconds) starts were planned at one rate, its settling left out; None where they were not.

    Judged on `planned` of run.json, which has whole seconds: the first and the last are parts of seconds.
    """
    planned = run.get("planned") or {}
    edges, counts = (
        np.asarray(planned.get("edges_s", ()), np.float64),
        np.asarray(planned.get("counts", ()), np.float64),
    )
    some = np.flatnonzero(counts > 1e-9)
    if some.size < 5:
        return None
    inside = counts[some[0] + 1 : some[-1]]
    if np.ptp(inside) > _EVEN * inside.mean():
        return None
    first, last = float(edges[some[0]]), float(edges[some[-1]])
    return first + SETTLING * (last - first), last


def plateau(data: RunData) -> Plateau | None:
    """What a run at a constant rate says; None where it was none or nothing ended ok.

    Of the services that the user named, or of the stand-ins where none was. In flight is the exact mean over the window
    of exchanges sent and not done, which by Little's law is their rate times their mean service time.
    """
    window = plateau_window(data.run)
    if window is None:
        return None
    first, last = window
    targets = data.run["targets"]
    wanted = "target" if any(one["basis"] == "target" for one in targets.values()) else "stand-in"
    steps = np.array([not is_milestone(name) and basis_of(name, targets) == wanted for name in data.run["steps"]], bool)
    samples = data.samples[steps[data.samples["step"]]]
    samples = samples[(samples["outcome"] != _SKIPPED) & (samples["device"] != OPERATOR)]
    held = np.minimum(samples["done"], last) - np.maximum(samples["sent"], first)
    done = (samples["outcome"] == _OK) & (samples["done"] >= first) & (samples["done"] < last)
    in_flight, per_s = float(held[held > 0].sum()) / (last - first), float(done.sum()) / (last - first)
    return Plateau(int(data.run["devices"]), in_flight, per_s) if in_flight > 0 and per_s > 0 else None


def fit_law(in_flight: Floats, per_s: Floats) -> Law:
    """The law nearest to the points in least squares of X, with contention and coherency at least 0.

    Raises: ValueError for fewer than three points.
    """
    if in_flight.size < 3:
        raise ValueError(f"{in_flight.size} points cannot carry three coefficients")
    best = _descend(in_flight, per_s, (0, 1, 2))
    if min(best[1:]) < 0:
        faces = [(0, *free) for count in (1, 0) for free in combinations((1, 2), count)]
        fits = [_descend(in_flight, per_s, face) for face in faces]
        best = min((one for one in fits if min(one[1:]) >= 0), key=lambda one: _miss(in_flight, per_s, one))
    return Law(*(float(value) for value in best))


def scalability(points: Sequence[Plateau]) -> dict[str, Any]:
    """The section of capacity.json.

    Returns: `points` [{devices, in_flight, per_s}], and either `refused` (why, in words) or `rate`, `contention`,
        `coherency`, each {value, low, high} with the band of a bootstrap over levels, `bend` (share of efficiency
        lost), and `peak` {in_flight, per_s} or None where it lies beyond what was measured or nowhere.
    """
    told: dict[str, Any] = {
        "points": [
            {"devices": one.devices, "in_flight": round(one.in_flight, 4), "per_s": round(one.per_s, 4)}
            for one in points
        ]
    }
    levels = sorted({one.devices for one in points})
    if not points:
        return told | {"refused": "no level was played at a constant rate"}
    if len(levels) < LEVELS_AT_LEAST:
        return told | {"refused": f"{len(levels)} levels at a constant rate: it needs {LEVELS_AT_LEAST}"}
    n, x = np.array([one.in_flight for one in points]), np.array([one.per_s for one in points])
    law, drawn = fit_law(n, x), _bootstrap(points, levels)
    bends = [_bend(one, n) for one in (law, *drawn)]
    if bends[0] < BEND_AT_LEAST or np.quantile(bends[1:], 0.025) <= 0:
        return told | {"refused": "the levels show no curvature: throughput still grows with what is in flight"}
    names = ("rate", "contention", "coherency")
    bands = {name: _band(getattr(law, name), [getattr(one, name) for one in drawn]) for name in names}
    peak = law.peak if bands["coherency"]["low"] > 0 else None
    near = peak is not None and peak <= REACH * float(n.max())
    shown = (
        {"in_flight": round(peak, 2), "per_s": round(float(law.at(np.array([peak]))[0]), 3)} if near and peak else None
    )
    return told | bands | {"bend": round(bends[0], 4), "peak": shown}


def _bend(law: Law, n: Floats) -> float:
    return 1 - law.efficiency(float(n.max())) / law.efficiency(float(n.min()))


def _bootstrap(points: Sequence[Plateau], levels: Sequence[int]) -> list[Law]:
    """Laws through levels drawn with replacement, all runs of a level together."""
    chance = np.random.default_rng(_SEED)
    by_level = [[one for one in points if one.devices == level] for level in levels]
    laws: list[Law] = []
    while len(laws) < DRAWS:
        picked = chance.integers(0, len(levels), len(levels))
        if np.unique(picked).size < 4:
            continue
        chosen = [one for at in picked for one in by_level[at]]
        laws.append(fit_law(np.array([one.in_flight for one in chosen]), np.array([one.per_s for one in chosen])))
    return laws


def _band(value: float, drawn: Sequence[float]) -> dict[str, float]:
    low, high = np.quantile(drawn, (0.025, 0.975))
    return {"value": float(f"{value:.6g}"), "low": float(f"{low:.6g}"), "high": float(f"{high:.6g}")}


def _descend(n: Floats, x: Floats, free: tuple[int, ...]) -> Floats:
    """Coefficients that minimise the squares of X, those not in `free` held at 0 (Levenberg and Marquardt).

    It begins where the law is a straight line: N/X = (1 + contention * (N-1) + coherency * N(N-1)) / rate.
    """
    columns = np.stack([np.ones_like(n), n - 1, n * (n - 1)], axis=1)
    line = np.linalg.lstsq(columns[:, free] * x[:, None], n, rcond=None)[0]
    at = np.zeros(3)
    at[list(free)] = line / line[0]
    at[0] = 1 / line[0] if line[0] > 0 else float((x / n).max())
    if _miss(n, x, at) == math.inf:
        at[1:] = 0.0
    damping, miss = 1e-3, _miss(n, x, at)
    for _ in range(_ITERATIONS):
        below = columns @ np.array([1.0, at[1], at[2]])
        shape = n / below
        slopes = np.stack([shape, -at[0] * shape * columns[:, 1] / below, -at[0] * shape * columns[:, 2] / below], 1)
        slopes = slopes[:, free]
        square = slopes.T @ slopes
        step = np.zeros(3)
        pull = slopes.T @ (x - at[0] * shape)
        step[list(free)] = np.linalg.lstsq(square + damping * np.diag(np.diag(square)), pull, rcond=None)[0]
        tried = _miss(n, x, at + step)
        if tried > miss:
            damping *= 10
            if damping > 1e12:
                break
            continue
        at, better, miss, damping = at + step, miss - tried, tried, damping / 10
        if better <= 1e-14 * miss:
            break
    return at


def _miss(n: Floats, x: Floats, at: Floats) -> float:
    """The sum of squares; infinite where the law breaks down within the points."""
    below = 1 + at[1] * (n - 1) + at[2] * n * (n - 1)
    return float(((x - at[0] * n / below) ** 2).sum()) if below.min() > 0 and at[0] > 0 else math.inf
