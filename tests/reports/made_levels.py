"""Searches for the capacity made up for tests: every login of a run takes the same time, along a plateau of 20 s."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from reports import capacity
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


WHAT_IF_ROWS = [
    {
        "name": name,
        "changed": bool(name),
        "devices": 1000,
        "way": "measured",
        "why": "",
        "of": 1020,
        "folder": f"what-if-{name}",
        "peak_per_s": 200.0,
        "requests": None,
        "bytes_in": 10**9,
        "delta_bytes_in": 10**8,
        "payload_bytes": 4_194_304,
        "worst": {"name": "identity.login p95 latency", "value": 1.9, "limit": 2.0, "unit": "s", "burden": -0.05},
        "verdict": "within",
    }
    for name in ("", "full_update")
] + [
    {
        "name": "twice_devices",
        "changed": True,
        "devices": 2000,
        "way": "rehearsed",
        "why": "--time 9 was over",
        "of": 1000,
        "folder": None,
        "peak_per_s": 400.0,
        "requests": 52_000,
        "bytes_in": 9 * 10**9,
        "delta_bytes_in": 10**9,
        "payload_bytes": 4_194_304,
        "worst": None,
        "verdict": None,
    }
]
BOUNDS = {"start": 1000, "most": 10_000, "least": 100, "precision": 0.1, "repeats": 3}


def told(**changes: Any) -> dict[str, Any]:
    """What the command knows of a search."""
    search = {
        "scenario": "sign_in_peak",
        "title": "Sign-in peak",
        "question": "Does it hold?",
        "devices": 1000,
        "seed": 1,
        "compression": 1.0,
        "targets": {name: {"basis": "stand-in", "url": ""} for name in ("management", "identity")},
        "same_fleet": False,
        "peak_starts_per_s": 8.0,
        "bounds": BOUNDS,
        "unplayable": {},
        "minutes": 60,
        "command": "capacity sign_in_peak",
        "ended": {"reason": "complete", "detail": ""},
        "what_ifs": [],
    }
    return search | changes


def whole_search(folder: Path, **changes: Any) -> None:
    """A search whose limit lies at 2,500: login time grows as the square of the devices, runs differ by 3 %."""
    for devices, turns in ((1000, 1), (1500, 1), (2250, 3), (2450, 3), (2600, 3), (3375, 1)):
        for turn in range(1, turns + 1):
            off = 1 + 0.03 * (turn - 2) * (turns > 1)
            play(folder, devices, LIMIT_S * (devices / 2500) ** 2 * off, turn=turn, **changes)


def conclude(folder: Path, **changes: Any) -> dict[str, Any]:
    """Judge it. Returns: its capacity.json."""
    return capacity.concluded(folder, told(**changes), capacity.levels_in(folder))
