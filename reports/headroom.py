"""How far a run stayed from its limits: its objectives', and those of our own processes. Pure; nothing is judged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def nearest(objectives: Sequence[Mapping[str, Any]]) -> tuple[float, Mapping[str, Any]] | None:
    """The objective that is nearest to its limit, or furthest beyond it, and which share of the limit it takes."""
    shares = [
        (float("inf") if row["value"] is None else row["value"] / row["limit"], row)
        for row in objectives
        if row["limit"] and row["unit"] != "clock" and (row["value"] is not None or "at_least" in row)
    ]
    return max(shares, key=lambda pair: pair[0], default=None)


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
