"""Minutes in which a step failed: which minute, which step, how many, and why. Pure: from samples to short rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from reports.record import OUTCOMES, Samples
from reports.steps import Steps, is_milestone

MINUTE_S: Final = 60.0
DOWN_SHARE: Final = 0.1
"""Of a minute's samples, other than ok: what a large school sign-in service calls a minute of being down."""
SAMPLES_AT_LEAST: Final = 10
SHOWN: Final = 12

_OK: Final = OUTCOMES.index("ok")
_SKIPPED: Final = OUTCOMES.index("skipped")


def outages(run: Mapping[str, Any], steps: Steps) -> list[dict[str, Any]]:
    """Stretches of whole minutes in each of which a tenth of a step did not end ok, the earliest first.

    Minutes are of run time, counted from the morning's begin, by due. What was skipped was not asked, and what the
    run's own end cut off tells nothing of a target: neither counts.

    Returns: at most SHOWN rows of `step`, `from_s`, `to_s` (run seconds), `city_s` (where it began, seconds after
        midnight), `count`, `not_ok`, and the most frequent `reason`.
    """
    found = [row for name in steps.names if not is_milestone(name) for row in _of_step(run, name, steps.rows(name))]
    found.sort(key=lambda row: (row["from_s"], -row["not_ok"]))
    return found[:SHOWN]


def _of_step(run: Mapping[str, Any], name: str, rows: Samples) -> list[dict[str, Any]]:
    reasons = list(run["reasons"])
    ours = reasons.index("run_ended") if "run_ended" in reasons else -1
    rows = rows[(rows["outcome"] != _SKIPPED) & (rows["reason"] != ours)]
    if not rows.size or (rows["outcome"] == _OK).all():
        return []
    lead_s = float(run["lead_s"])
    minutes = np.floor((rows["due"] - lead_s) / MINUTE_S).astype(np.int64)
    first = int(minutes.min())
    bad = rows["outcome"] != _OK
    counts, lost = np.bincount(minutes - first), np.bincount(minutes[bad] - first, minlength=np.ptp(minutes) + 1)
    down = (counts >= SAMPLES_AT_LEAST) & (lost >= DOWN_SHARE * counts)
    edges = np.flatnonzero(np.diff(np.concatenate(([False], down, [False])).astype(np.int8)))
    made = []
    for begin, end in edges.reshape(-1, 2):
        within = bad & (minutes >= begin + first) & (minutes < end + first)
        from_s = lead_s + (int(begin) + first) * MINUTE_S
        why = np.bincount(rows["reason"][within], minlength=len(reasons))
        made.append(
            {
                "step": name,
                "from_s": round(from_s, 3),
                "to_s": round(from_s + int(end - begin) * MINUTE_S, 3),
                "city_s": round(float(run["day_start_s"]) + (from_s - lead_s) * float(run["compression"])),
                "count": int(counts[begin:end].sum()),
                "not_ok": int(lost[begin:end].sum()),
                "reason": reasons[int(np.argmax(why))],
            }
        )
    return made
