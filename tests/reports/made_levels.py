"""Runs of levels made up for tests: every login takes the same time, along a plateau of twenty seconds."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from tests.reports import made_run

LIMIT_S = 2.0
OBJECTIVES = [
    {"step": "identity.login", "percentile": 95.0, "latency_s_at_most": LIMIT_S},
    {"step": "all", "error_share_at_most": 0.05},
]


def play(folder: Path, devices: int, latency_s: float, *, turn: int = 1, **changes: Any) -> None:
    """One run of a level: every login takes that long, along a plateau of 20 s; the stand-in's core with it."""
    minute = len(list(folder.glob("level-*")))
    began = datetime(2026, 1, 15, tzinfo=UTC) + timedelta(minutes=minute)
    count = max(80, devices // 10)
    due = np.linspace(0.0, 20.0, count, endpoint=False)
    rows = made_run.rows("identity.login", count, due=due, able=due, sent=due, done=due + latency_s)
    said = {
        "devices": devices,
        "lead_s": 0.0,
        "t0_utc": began.isoformat(timespec="milliseconds"),
        "planned": {"edges_s": [float(at) for at in range(21)], "counts": [count / 20] * 20},
        "ended": {"utc": (began + timedelta(seconds=25)).isoformat(), "reason": "complete", "detail": ""},
    }
    run = made_run.run_json(**(said | changes))
    run["scenario"]["folded"]["objectives"] = OBJECTIVES
    health = [
        {"t": at + 1.0, "who": "backend", "cpu_ms": min(1000.0, 0.4 * devices), "runqueue_ms": 1.0} for at in range(20)
    ]
    made_run.write(folder / "made", rows, run, health).path.rename(folder / f"level-{devices:05d}-{turn}")
