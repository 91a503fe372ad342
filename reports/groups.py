"""Samples in groups: how people waited by site and department, latency by time and size, and errors by what they share.

Pure: from samples to short lists of plain numbers, however many samples there are. Nothing is drawn or worded.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from reports.percentiles import Ranked
from reports.record import OUTCOMES, Samples
from reports.runfolder import RunData
from reports.series import Axis, Row
from reports.steps import of_steps

CLUSTERS_SHOWN: Final = 40
EXAMPLES_SHOWN: Final = 3
STEPS_SHOWN: Final = 3
FOLLOWS: Final = "earlier_step"
"""The reason of what only followed from another step: never where to begin."""
_LONGEST_TEXT: Final = 400
_OK, _SKIPPED = OUTCOMES.index("ok"), OUTCOMES.index("skipped")
COLUMNS_AT_MOST: Final = 60
CELLS_A_DECADE: Final = 8
_SHORTEST_S, _LONGEST_S = 1e-4, 1e4


def by_group(rows: Samples, group: NDArray[Any], names: Sequence[str]) -> list[dict[str, Any]]:
    """How long each group of devices waited.

    Args:
        rows: the samples of a milestone. group: by fleet row, an index into `names`.
    Returns: for each group that has samples `name`, `count`, `not_ok`, and in milliseconds `p50`, `p95` and its
        `band`, null where not known; the slowest p95 first.
    """
    rows = rows[rows["device"] < group.size]
    of = group[rows["device"]]
    order = np.argsort(of, kind="stable")
    bounds = np.searchsorted(of[order], np.arange(len(names) + 1))
    found = []
    for at, name in enumerate(names):
        mine = rows[order[bounds[at] : bounds[at + 1]]]
        if not mine.size:
            continue
        ok = mine["outcome"] == _OK
        ranked = Ranked(mine["done"] - mine["due"], ok)
        p50, p95 = ranked.percentile(50), ranked.percentile(95)
        assert p50 is not None
        assert p95 is not None
        band = None if p95.low is None else [_ms(p95.low), _ms(p95.high)]
        row = {"name": name, "count": int(mine.size), "not_ok": int(mine.size - ok.sum())}
        found.append(
            {**row, "p50": _ms(p50.value), "p95": _ms(p95.value), "band": band, "at_least": _ms(ranked.at_least)}
        )
    return sorted(found, key=lambda row: -(row["p95"] if row["p95"] is not None else math.inf))


def heat(rows: Samples, axis: Axis) -> list[Row]:
    """How many ended ok within each slice of time and of latency, latency in equal steps of its logarithm.

    Returns: for each cell that holds any `from`, `to` (milliseconds of city time), `low`, `high` (seconds), `count`.
    """
    ok = rows[rows["outcome"] == _OK]
    wide = math.ceil((axis.edges.size - 1) / COLUMNS_AT_MOST)
    column = axis.slices(ok["due"]) // wide
    seconds = np.clip(ok["done"] - ok["due"], _SHORTEST_S, _LONGEST_S)
    level = np.floor(np.log10(seconds) * CELLS_A_DECADE).astype(np.int64)
    inside = column >= 0
    column, level = column[inside], level[inside]
    if not column.size:
        return []
    lowest = int(level.min())
    counts = np.bincount(column * 1000 + level - lowest)
    cells = []
    for cell in np.flatnonzero(counts):
        first, up = divmod(int(cell), 1000)
        last = min((first + 1) * wide, axis.edges.size - 1)
        begins, ends = (round(axis.city_s(float(axis.edges[at])) * 1000) for at in (first * wide, last))
        low, high = (round(10 ** ((lowest + up + more) / CELLS_A_DECADE), 6) for more in (0, 1))
        cells.append({"from": begins, "to": ends, "low": low, "high": high, "count": int(counts[cell])})
    return cells


@dataclass(slots=True)
class Cluster:
    """What did not end ok for one reason with one status. `steps` are the most hit with their counts; instants are
    run seconds; `examples` have different texts."""

    reason: str
    status: int
    count: int
    first_s: float
    last_s: float
    steps: list[tuple[str, int]]
    more_steps: int
    examples: list[dict[str, Any]] = field(default_factory=list)


def clusters(data: RunData) -> tuple[list[Cluster], int, int]:
    """What did not end ok, by what it shares; what only followed from an earlier step comes last.

    Returns: at most CLUSTERS_SHOWN clusters, how many more there are, and how many samples those hold.
    """
    bad = data.samples[data.samples["outcome"] != _OK]
    bad = bad[of_steps(data.run, bad)]
    names, reasons = list(data.run["steps"]), list(data.run["reasons"])
    keys, of, counts = np.unique(
        bad["reason"].astype(np.int64) << 16 | bad["status"], return_inverse=True, return_counts=True
    )
    order = np.argsort(of, kind="stable")
    bounds = np.concatenate(([0], np.cumsum(counts)))
    ranked = sorted(range(keys.size), key=lambda at: (reasons[int(keys[at]) >> 16] == FOLLOWS, -counts[at]))
    shown = []
    for at in ranked[:CLUSTERS_SHOWN]:
        mine = bad[order[bounds[at] : bounds[at + 1]]]
        hit = np.bincount(mine["step"], minlength=len(names))
        most = np.argsort(-hit, kind="stable")[: int((hit > 0).sum())]
        shown.append(
            Cluster(
                reasons[int(keys[at]) >> 16],
                int(keys[at]) & 0xFFFF,
                int(counts[at]),
                float(mine["due"].min()),
                float(mine["due"].max()),
                [(names[step], int(hit[step])) for step in most[:STEPS_SHOWN]],
                max(0, most.size - STEPS_SHOWN),
            )
        )
    _add_examples(shown, data.examples)
    rest = ranked[CLUSTERS_SHOWN:]
    return shown, len(rest), int(counts[rest].sum()) if rest else 0


def _add_examples(shown: Sequence[Cluster], examples: Sequence[Mapping[str, Any]]) -> None:
    """Give each cluster its first examples whose texts differ in more than numbers and ids."""
    by_key = {(one.reason, one.status): one for one in shown}
    seen: set[tuple[str, int, str]] = set()
    for example in examples:
        cluster = by_key.get((example["reason"], int(example.get("status") or 0)))
        texts = {key: str(example.get(key) or "")[:_LONGEST_TEXT] for key in ("detail", "url")}
        if cluster is None or len(cluster.examples) == EXAMPLES_SHOWN:
            continue
        shape = (cluster.reason, cluster.status, shape_of(texts["detail"]))
        if shape not in seen:
            seen.add(shape)
            cluster.examples.append({**example, **texts})


def shape_of(text: str) -> str:
    """A text without what differs from one occurrence to the next: numbers, hexadecimal ids."""
    return re.sub(r"\b[0-9a-f]{8,}\b|\d+", "#", text.lower())


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None or math.isinf(seconds) else round(seconds * 1000, 3)
