"""How far a run stayed from its limits: its objectives', and those of our own processes. Pure; nothing is judged."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any


def nearest(objectives: Sequence[Mapping[str, Any]]) -> tuple[float, Mapping[str, Any]] | None:
    """The objective that is nearest to its limit, or furthest beyond it, and which share of the limit it takes.

    Where one is missed it is among the missed ones. A limit of 0 and a time of day have no share: missed, they are
    infinitely far beyond; kept, they tell nothing.
    """
    missed = [row for row in objectives if row["verdict"] == "fail"]
    used = [(_used(row), row) for row in missed or objectives]
    return max([(share, row) for share, row in used if share is not None], key=lambda pair: pair[0], default=None)


def _used(row: Mapping[str, Any]) -> float | None:
    if row["value"] is None:
        return math.inf if "at_least" in row else None
    if row["limit"] and row["unit"] != "clock":
        return float(row["value"] / row["limit"])
    return math.inf if row["verdict"] == "fail" else None


def of_harness(harness: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Our own measures that have a limit.

    Args:
        harness: of summary.json: each measure has `worst_window` and `limit`, in the unit that its name ends in.
    Returns: rows of `name`, `value`, `limit` and `used`, the share of the limit.
    """
    rows = [
        {"name": name, "value": measure["worst_window"], "limit": measure["limit"]}
        for name, measure in harness.items()
        if isinstance(measure, Mapping) and measure.get("limit") and measure.get("worst_window") is not None
    ]
    return [{**row, "used": row["value"] / row["limit"]} for row in rows]
