"""What the charts show, summed up into at most a hundred slices of the morning.

Pure: from samples and health rows to short lists of plain numbers, however many samples there are. Nothing is drawn.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from reports.lids import opened
from reports.percentiles import Ranked, rank_of
from reports.record import OUTCOMES
from reports.runfolder import RunData
from reports.steps import Steps, of_steps
from reports.trust import own_starts

SLICES_AT_MOST: Final = 100
_WIDTHS_S: Final = (1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600)
_SHORTEST_S: Final = 0.001
_PARTS: Final = 1024
"""Of a byte, in which what is under way is counted."""
_OK: Final = OUTCOMES.index("ok")
_SKIPPED: Final = OUTCOMES.index("skipped")
KINDS_SHOWN: Final = 6

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Axis:
    """The morning cut into slices: `edges` in run seconds, and how a run second reads in city time."""

    edges: NDArray[np.float64]
    lead_s: float
    day_start_s: float
    compression: float

    @property
    def width_s(self) -> float:
        """Run seconds a slice is wide."""
        return float(self.edges[1] - self.edges[0])

    def city_s(self, run_s: float) -> float:
        """The city time of a run second, in seconds after midnight."""
        return self.day_start_s + (run_s - self.lead_s) * self.compression

    def row(self, at: int, **figures: Any) -> Row:
        """One slice as a chart reads it: `t`, `from` and `to` in milliseconds of city time after midnight."""
        first, last = (round(self.city_s(float(edge)) * 1000) for edge in self.edges[at : at + 2])
        return {"t": (first + last) // 2, "from": first, "to": last, **figures}

    def slices(self, instants: NDArray[np.float64]) -> NDArray[np.int64]:
        """The slice of each run second; -1 for what lies outside the edges."""
        found = np.floor((instants - self.edges[0]) / self.width_s).astype(np.int64)
        return np.where((found < 0) | (found >= self.edges.size - 1), -1, found)

    def count(self, instants: NDArray[np.float64]) -> NDArray[np.int64]:
        """How many run seconds fall into each slice."""
        found = self.slices(instants)
        return np.bincount(found[found >= 0], minlength=self.edges.size - 1)


def axis_of(data: RunData) -> Axis:
    """From the first start of the morning to the last answer, in slices of a round number of run seconds."""
    lead_s = float(data.run["lead_s"])
    end_s = max(lead_s + 1.0, float(data.samples["done"].max()) if data.samples.size else 0.0)
    width = next((w for w in _WIDTHS_S if (end_s - lead_s) / w <= SLICES_AT_MOST), (end_s - lead_s) / SLICES_AT_MOST)
    edges = lead_s + np.arange(math.ceil((end_s - lead_s) / width) + 1, dtype=np.float64) * width
    return Axis(edges, lead_s, float(data.run["day_start_s"]), float(data.run["compression"]))


def arrivals(data: RunData, axis: Axis) -> list[Row]:
    """Lids expected per slice by the scenario's curve, and those that were really opened."""
    actual = axis.count(opened(data))
    curve = data.run.get("planned") or {"edges_s": [0.0, 1.0], "counts": [0]}
    total = np.concatenate(([0.0], np.cumsum(np.asarray(curve["counts"], np.float64))))
    expected = np.diff(np.interp(axis.edges, np.asarray(curve["edges_s"], np.float64), total))
    return [axis.row(at, planned=round(float(expected[at]), 2), actual=int(actual[at])) for at in range(actual.size)]


def latency(steps: Steps, name: str, axis: Axis) -> list[Row]:
    """Median, p95 and p99 in milliseconds per slice, by due; null where it falls among outcomes other than ok."""
    rows = steps.rows(name)
    seconds, ok, found = rows["done"] - rows["due"], rows["outcome"] == _OK, axis.slices(rows["due"])
    order = np.argsort(found.astype(np.int16), kind="stable")
    bounds = np.searchsorted(found[order], np.arange(axis.edges.size))
    listed = []
    for at in range(axis.edges.size - 1):
        chosen = order[bounds[at] : bounds[at + 1]]
        ranked = Ranked(seconds[chosen], ok[chosen])
        times = {f"p{percent}": _ms(ranked, percent) for percent in (50, 95, 99)}
        listed.append(axis.row(at, **times, count=ranked.count, not_ok=int(chosen.size - ok[chosen].sum())))
    return listed


def throughput(data: RunData, axis: Axis) -> list[Row]:
    """Exchanges sent per second."""
    samples = data.samples
    real = of_steps(data.run, samples) & (samples["outcome"] != _SKIPPED)
    counts = axis.count(samples["sent"][real])
    return [axis.row(at, per_s=round(float(count) / axis.width_s, 2)) for at, count in enumerate(counts)]


def bandwidth(data: RunData, axis: Axis) -> list[Row]:
    """Megabits per second in and out, each exchange's bytes spread evenly from sent to done."""
    samples = data.samples
    sent = samples["sent"]
    moved = {
        way: np.diff(moved_until(sent, samples["done"], samples[f"bytes_{way}"], axis.edges)) * 8e-6 / axis.width_s
        for way in ("in", "out")
    }
    return [
        axis.row(at, **{way: round(max(0.0, float(column[at])), 4) for way, column in moved.items()})
        for at in range(axis.edges.size - 1)
    ]


def moved_until(
    starts: NDArray[np.float64], ends: NDArray[np.float64], amounts: NDArray[Any], edges: NDArray[np.float64]
) -> NDArray[np.float64]:
    """How much had moved by each edge when every amount moves evenly from its start to its end.

    What ended before an edge counts whole, and only what is under way across one needs a division: few are. Each part
    is a whole number of 1/1024, whose sum is exact: the same to the bit in whatever order the samples were recorded.
    """
    busy = amounts > 0
    starts, amounts = starts[busy], amounts[busy]
    ends = np.maximum(ends[busy], starts + _SHORTEST_S)
    ended = np.searchsorted(edges, ends, side="left")
    # floats hold whole numbers exactly
    total = np.cumsum(np.bincount(ended, amounts, edges.size + 1))[: edges.size].astype(np.float64)
    across = np.flatnonzero(np.searchsorted(edges, starts, side="right") < ended)
    starts, ends, amounts = starts[across], ends[across], amounts[across]
    for at, edge in enumerate(edges):
        way = (starts < edge) & (ends > edge)
        moved = amounts[way] * (edge - starts[way]) / (ends[way] - starts[way])
        total[at] += np.rint(moved * _PARTS).sum() / _PARTS
    return total


def troubles(data: RunData, axis: Axis, other: str = "other") -> tuple[list[str], list[Row]]:
    """What did not end ok per slice by due: the most frequent (step, reason) by name, the rest as `other`."""
    bad = data.samples[data.samples["outcome"] != _OK]
    bad = bad[of_steps(data.run, bad)]
    kind = bad["step"].astype(np.int64) << 16 | bad["reason"]
    kinds, counts = np.unique(kind, return_counts=True)
    frequent = kinds[np.argsort(-counts, kind="stable")][:KINDS_SHOWN]
    names, rows = [], []
    for one in [*frequent.tolist(), None]:
        chosen = bad[~np.isin(kind, frequent)] if one is None else bad[kind == one]
        per_slice = axis.count(chosen["due"])
        if not per_slice.any():
            continue
        names.append(other if one is None else f"{data.run['steps'][one >> 16]} · {data.run['reasons'][one & 0xFFFF]}")
        rows += [axis.row(at, kind=names[-1], count=int(count)) for at, count in enumerate(per_slice) if count]
    return names, rows


def online(data: RunData, axis: Axis) -> list[Row]:
    """Devices whose push line is held, summed over the engines: what each said last in a slice."""
    total = np.zeros(axis.edges.size - 1)
    engines: dict[str, list[Mapping[str, Any]]] = {}
    for row in data.health:
        if "online" in row:
            engines.setdefault(row["who"], []).append(row)
    for rows in engines.values():
        ended = np.searchsorted([row["t"] for row in rows], axis.edges[1:], side="left")
        total += [rows[at - 1]["online"] if at else 0 for at in ended]
    return [axis.row(at, online=int(count)) for at, count in enumerate(total)] if engines else []


def harness(data: RunData, axis: Axis) -> list[Row]:
    """Per slice: the p99 of how late starts were sent, and the longest loop lag of any engine, in milliseconds."""
    starts = data.samples[own_starts(data)]
    late, found = starts["sent"] - starts["able"], axis.slices(starts["able"])
    order = np.argsort(found.astype(np.int16), kind="stable")
    bounds = np.searchsorted(found[order], np.arange(axis.edges.size))
    lag = np.full(axis.edges.size - 1, np.nan)
    rows = [row for row in data.health if str(row["who"]).startswith("engine") and "loop_lag_ms" in row]
    for at, row in zip(axis.slices(np.array([row["t"] for row in rows], np.float64)), rows, strict=True):
        if at >= 0:
            lag[at] = np.fmax(lag[at], row["loop_lag_ms"])
    listed = []
    for at in range(lag.size):
        chosen = late[order[bounds[at] : bounds[at + 1]]]
        ranked = Ranked(chosen, np.ones(chosen.size, np.bool_))
        lag_ms = None if math.isnan(lag[at]) else round(float(lag[at]), 3)
        listed.append(axis.row(at, late=_ms(ranked, 99), lag=lag_ms))
    return listed


def processes(data: RunData) -> list[Row]:
    """How each of our processes fared over the run: processor share, memory, descriptors, loop lag, run-queue wait."""
    by_who: dict[str, list[Mapping[str, Any]]] = {}
    for row in data.health:
        by_who.setdefault(row["who"], []).append(row)
    return [
        {
            "who": who,
            "cpu_share": sum(row.get("cpu_ms", 0) for row in rows) / 1000 / len(rows),
            "cpu_s": sum(row.get("cpu_ms", 0) for row in rows) / 1000,
            "runqueue_share": sum(row.get("runqueue_ms", 0) for row in rows) / 1000 / len(rows),
            **{key: max(row.get(key, 0) for row in rows) for key in ("rss_mib", "fds", "loop_lag_ms", "online")},
        }
        for who, rows in sorted(by_who.items())
    ]


def _ms(ranked: Ranked, percent: int) -> float | None:
    value = ranked.at(rank_of(ranked.count, percent)) if ranked.count else math.inf
    return None if math.isinf(value) else round(value * 1000, 3)
