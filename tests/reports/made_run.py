"""Runs made up for tests: plausible, from a fixed seed, of any size, with nothing of the simulator in them."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reports.record import OPERATOR, SAMPLE
from reports.runfolder import RunData, RunFolder, open_run

STEPS = (
    "management.register",
    "management.device_policy",
    "push.connect",
    "identity.entry",
    "identity.login_page",
    "identity.login",
    "identity.token",
    "management.user_policy",
    "updates.check",
    "updates.payload",
    "signed_in",
    "ready",
    "updated",
    "applied",
    "operator.publish_policy",
    "management.api_authorization",
)
REASONS = (
    "none",
    "http_status",
    "timeout",
    "connect_refused",
    "earlier_step",
    "harness_descriptors",
    "run_ended",
    "harness_ports",
    "harness_memory",
    "rate_cap",
)
JOURNEYS = ("enroll", "boot", "sign_in", "check_update", "update", "apply_push")
LEAD_S = 31.8
OBJECTIVES = [
    {"step": "ready", "percentile": 95.0, "latency_s_at_most": 30.0},
    {"step": "identity.login", "percentile": 95.0, "latency_s_at_most": 2.0},
    {"step": "applied", "percentile": 95.0, "latency_s_at_most": 15.0},
    {"step": "ready", "error_share_at_most": 0.005},
    {"step": "all", "error_share_at_most": 0.005},
]


def run_json(**changes: Any) -> dict[str, Any]:
    """A run.json of the morning against stand-ins."""
    services = ("management", "identity", "updates", "push")
    run: dict[str, Any] = {
        "scenario": {
            "name": "morning_peak",
            "title": "Morning peak",
            "question": "2,600 people open their lids between 07:55 and 08:55: do sign-in, policy and updates keep up?",
            "folded": {
                "objectives": OBJECTIVES,
                "harness": {"lateness_ms_at_most": 50.0},
                "undecided": "fail",
                "organisation": ORGANISATION,
                "updates": {"payload_bytes": 4_194_304, "true_bytes": 1_200_000_000, "offered_share": 0.1},
            },
        },
        "hash": "3b7c41f0" * 8,
        "seed": 1,
        "versions": {"fleetrush": "0.1.0", "python": "3.11.7"},
        "machine": {"cores": 2, "kernel": "Linux 6.1"},
        "targets": {
            one: {"url": f"http://127.0.0.1:{8000 + i}", "basis": "stand-in"} for i, one in enumerate(services)
        },
        "compression": 40.0,
        "lead_s": LEAD_S,
        "day_start_s": 28_500.0,
        "t0_utc": "2026-01-15T00:00:00Z",
        "steps": list(STEPS),
        "reasons": list(REASONS),
        "journeys": list(JOURNEYS),
        "triggers": ["planned", "timer", "follows", "push", "retry"],
        "actions": [{"act": "publish_policy", "due": LEAD_S + 94.5}],
        "devices": 2680,
        "staff": 2600,
        "engines": 1,
        "command": "fleetrush run morning_peak --seed 1",
        "partial": False,
        "untrusted": [],
        "planned": {"edges_s": [LEAD_S + 15.0 * k for k in range(7)], "counts": [49, 363, 888, 888, 363, 49]},
        "ended": {"utc": "2026-01-15T00:02:30Z", "reason": "the scenario's end"},
    }
    return {**run, **changes}


def rows(step: str, count: int, **columns: Any) -> NDArray[Any]:
    """Samples of one step: all zero and ok but for the columns given."""
    made = np.zeros(count, SAMPLE)
    made["step"] = STEPS.index(step)
    made["attempt"] = 1
    for name, column in columns.items():
        made[name] = column
    return made


def morning(devices: int, *, seed: int = 7, broken: float = 0.0, length_s: float = 90.0) -> NDArray[Any]:
    """A morning's samples: `devices` enroll, 97 % open their lids along a bell, a share of the logins breaks."""
    chance = np.random.default_rng(seed)
    lids = devices * 2600 // 2680
    enrolled = np.arange(devices) / max(devices / 26.8, 1)
    parts = [_step("management.register", enrolled, np.arange(devices), chance, 0.020, trigger=0, journey=0)]
    robot = parts[0]["done"]
    parts.append(_step("management.api_authorization", robot, np.arange(devices), chance, 0.010, trigger=2, journey=0))
    due = LEAD_S + length_s * np.clip(chance.normal(0.5, 0.16, lids), 0, 1)
    device = chance.permutation(devices)[:lids].astype(np.uint32)
    at, ok = due, np.ones(lids, np.bool_)
    for number, name in enumerate(STEPS[1:8]):
        trigger = 0 if not number else 2
        late = 0.6 if name == "identity.login" else 0.012
        part = _step(name, at, device, chance, late, trigger=trigger, journey=1)
        if name == "identity.login":
            lost = chance.random(lids) < broken
            part["outcome"][lost], part["reason"][lost], part["done"][lost] = 3, 2, part["sent"][lost] + 30
            part["status"][lost] = 0
            ok &= ~lost
        part["outcome"][~ok & (part["outcome"] == 0)] = 4
        part["reason"][part["outcome"] == 4] = 4
        parts.append(part)
        at = part["done"] + (8 * chance.lognormal(0, 0.4, lids) if name == "identity.login_page" else 0)
    reached = {"signed_in": at - 0.1, "ready": at}
    for name, when in reached.items():
        parts.append(
            rows(name, lids, due=due, able=due, sent=due, done=when, device=device, outcome=np.where(ok, 0, 4))
        )
        parts[-1]["reason"] = np.where(ok, 0, 4)
    parts.append(_step("updates.check", due + 12, device, chance, 0.008, trigger=1, journey=3))
    loaded = device[: lids // 10]
    payload = _step("updates.payload", due[: lids // 10] + 12.1, loaded, chance, 0.8, trigger=2, journey=4)
    payload["bytes_in"] = 4_194_800
    parts.append(payload)
    parts.append(rows("updated", loaded.size, due=payload["due"], done=payload["done"], device=loaded))
    published = LEAD_S + length_s * 1.05
    applied = _step("applied", np.full(lids, published), device, chance, 4.0, trigger=3, journey=5)
    applied["trigger"][: lids // 50] = 2
    applied["action"] = 1
    parts.append(applied)
    parts.append(
        rows("operator.publish_policy", 1, due=published, able=published, sent=published, done=published + 0.02)
    )
    parts[-1]["device"] = OPERATOR
    every = np.concatenate(parts)
    return every[np.argsort(every["done"], kind="stable")]


def _step(
    name: str, due: NDArray[Any], device: NDArray[Any], chance: Any, median_s: float, *, trigger: int, journey: int
) -> NDArray[Any]:
    late = chance.exponential(0.0008, due.size)
    done = due + late + median_s * chance.lognormal(0, 0.5, due.size)
    sizes = {"bytes_in": 900, "bytes_out": 700, "status": 200}
    return rows(
        name,
        due.size,
        due=due,
        able=due,
        sent=due + late,
        done=done,
        device=device,
        trigger=trigger,
        journey=journey,
        **sizes,
    )


def health(length_s: int, *, lag_ms: float = 4.0) -> list[dict[str, Any]]:
    """A row a second of one engine and the backend."""
    return [
        {
            "t": second + 1.0,
            "who": who,
            "loop_lag_ms": lag_ms + second % 5,
            "runqueue_ms": 30.0 + second % 7,
            "cpu_ms": cpu_ms,
            "rss_mib": 150.0,
            "online": min(2600, second * 25) if who == "engine-0" else 0,
            "fds": 2900,
        }
        for second in range(length_s)
        for who, cpu_ms in (("engine-0", 420.0), ("backend", 610.0))
    ]


ORGANISATION = {
    "domain": "city.example",
    "sites": [{"name": "本庁舎", "english": "City hall"}, {"name": "大胡支所", "english": "Ogo branch"}],
    "departments": [{"name": "市民部", "english": "Citizens' Services"}, {"name": "福祉部", "english": "Welfare"}],
}


def fleet(devices: int) -> NDArray[Any]:
    """Rows of a fleet: every second device at the branch, every third in the second department."""
    made = np.zeros(devices, [("department", "u1"), ("site", "u1")])
    made["site"], made["department"] = np.arange(devices) % 2, np.arange(devices) % 3 == 0
    return made


def write(
    base: Path, samples: NDArray[Any], run: dict[str, Any], healths: list[dict[str, Any]] = (), examples: Any = ()
) -> RunData:
    """Write a run through the one writer and read it again."""
    folder = RunFolder.create(base, "morning_peak", datetime(2026, 1, 15, tzinfo=UTC))
    folder.write_run(run)
    folder.write_fleet(fleet(run["devices"]))
    for first in range(0, samples.size, 100_000):
        folder.add_samples(samples[first : first + 100_000].tobytes())
    for row in healths:
        folder.add_health(row)
    for row in examples:
        folder.add_example(row)
    folder.close()
    return open_run(folder.path)
