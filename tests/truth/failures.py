"""Failures make no percentile better: fast refusals, timeouts, and devices that never get ready. Takes about 20 s.

What is reported is held against arithmetic on a plain sorted list, in which whatever did not end ok is infinite.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from reports.record import OUTCOMES, SAMPLE, Samples
from reports.runfolder import RunData
from reports.summary import PERCENTS, summarise
from scenarios.load import load
from simulator.composition import KNOWN, What, compose
from simulator.rehearsal import rehearse
from simulator.runrecord import run_record
from tests.reports.made_run import rows as made_rows
from tests.reports.made_run import run_json
from tests.tables import Row
from tests.truth.real_engine import play, scenario_of

RATE, RUN_S = 250, 8
LOGINS = 4000
KINDS = {"fast 503s": ("refused", 0.001), "timeouts": ("unknown", 30.0), "steps never begun": ("skipped", 0.0)}
STUCK = """
title = "Half of them get stuck"
question = "Who gets ready?"
organisation = "maebashi"
devices = 200
[day]
start = "08:00"
end = "08:40"
[[waves]]
name = "lids"
who = "staff"
journey = "boot"
arrivals = { shape = "even", from = "08:01", to = "08:30" }
[[operator]]
at = "08:00:30"
act = "inject_fault"
with = { where = "/samlredirect", kind = "error", status = 503, rate = 0.4 }
"""


def by_arithmetic(latencies_s: Sequence[float], ok: Sequence[bool]) -> dict[str, float | None]:
    """Percentiles in milliseconds: the ceil(p n)-th smallest, what did not end ok being infinite; None for infinite."""
    ordered = sorted(latency if good else math.inf for latency, good in zip(latencies_s, ok, strict=True))
    found = {}
    for percent in PERCENTS:
        value = ordered[math.ceil(round(percent * 10) * len(ordered) / 1000) - 1]
        found[f"p{percent:g}"] = None if math.isinf(value) else round(value * 1000, 3)
    return found


def logins(kind: str | None = None, each: int = 25) -> Samples:
    """Logins of known latencies; one of each few ends as that kind does instead."""
    latency_s = np.random.default_rng(2).lognormal(-1.0, 0.8, LOGINS)
    due = 40.0 + np.arange(LOGINS) / 100
    lost = np.zeros(LOGINS, np.bool_) if kind is None else np.arange(LOGINS) % each == 0
    outcome, took = (0, latency_s) if kind is None else (OUTCOMES.index(KINDS[kind][0]), KINDS[kind][1])
    done = due + np.where(lost, took, latency_s)
    return made_rows(
        "identity.login", LOGINS, due=due, able=due, sent=due, done=done, outcome=np.where(lost, outcome, 0)
    )


def reported(samples: Samples) -> dict[str, float | None]:
    """The percentiles that a run of these logins reports."""
    row = summarise(RunData(Path("made up"), run_json(), samples))["steps"]["identity.login"]
    return {key: value for key, value in row["latency_ms"].items() if key != "max"}


def better(with_failures: dict[str, float | None], without: dict[str, float | None]) -> list[str]:
    """Which percentiles failures made smaller."""
    known = {key: math.inf if value is None else value for key, value in with_failures.items()}
    return [key for key, value in without.items() if value is not None and known[key] < value]


def refused(run_s: int = RUN_S) -> tuple[Any, Any]:
    """A real run whose server refuses each tenth check. Returns: the summary's row, and percentiles by its log."""
    scenario = scenario_of({"shape": "even", "from": "08:00", "to": f"08:00:{run_s:02}"}, RATE * run_s, seed=3)
    played = play(scenario, kind="exponential", mean_s=0.02, refuse_each=10)
    delays_s, ok = played.log["answered"] - played.log["asked"], played.log["status"] == 200
    row = summarise(played.data)["steps"]["updates.check"]
    return row, by_arithmetic(delays_s.tolist(), ok.tolist())


def stuck() -> tuple[Any, int]:
    """A morning in virtual time on which many never get ready. Returns: the summary's `ready`, and how many lids."""
    with TemporaryDirectory() as base:
        path = Path(base) / "stuck.toml"
        path.write_text(STUCK)
        scenario = load(str(path), known=KNOWN)
        samples = np.frombuffer(rehearse(scenario).samples, SAMPLE)
        run = run_record(compose(What(str(path))), 1, "embedded", {}, [])
    return summarise(RunData(Path("rehearsed"), run, samples))["steps"]["ready"], scenario.staff


def rows() -> Iterator[Row]:
    """Made up, refused by a real server, and stuck."""
    without = reported(logins())
    for kind in KINDS:
        samples = logins(kind)
        found, ok = reported(samples), samples["outcome"] == 0
        right = found == by_arithmetic((samples["done"] - samples["due"]).tolist(), ok.tolist())
        worse = better(found, without)
        told = ", ".join(f"{key} {_told(without[key])} to {_told(value)}" for key, value in found.items())
        yield Row(
            f"{kind}: 4 % of {LOGINS:,} logins",
            "each percentile as arithmetic has it, none better than without them",
            f"{told} ms; {len(worse)} better",
            right and not worse,
            "made up; none: it falls among what did not end ok",
        )
    row, log = refused()
    within = row["latency_ms"]["p50"] >= log["p50"] and row["latency_ms"]["p90"] >= log["p90"]
    yield Row(
        "a real server that refuses each tenth check at once",
        f"of {RATE * RUN_S:,}, a tenth refused; p50 and p90 not below its log's, p95 and p99 none",
        f"{row['refused']:,} refused; p50 {row['latency_ms']['p50']:.1f} ms (log {log['p50']:.1f}),"
        f" p90 {row['latency_ms']['p90']:.1f} ms ({log['p90']:.1f}), p95 {_told(row['latency_ms']['p95'])}",
        row["refused"] == RATE * RUN_S // 10 and within and row["latency_ms"]["p95"] is log["p95"] is None,
        "503 in under a millisecond",
    )
    ready, lids = stuck()
    p50, p95 = (_told(ready["latency_ms"][key]) for key in ("p50", "p95"))
    yield Row(
        "devices that never get ready: 40 % of sign-ins refused",
        f"one `ready` for each of {lids} lids; p95 none",
        f"{ready['count']} counted, {ready['ok']} ok; p50 {p50} ms, p95 {p95}",
        ready["count"] == lids and 0 < ready["ok"] < lids and ready["latency_ms"]["p95"] is None,
        "in virtual time",
    )


def _told(value_ms: float | None) -> str:
    return "none" if value_ms is None else f"{value_ms:,.0f}"
