"""A server stands still for 5 of 30 seconds under 250 checks a second: what is reported is what its own log says.

Three servers, each in turn: one that drains at once, one that drains slowly, and one whose whole process is stopped, so
that even its log cannot see who waits. Takes about 100 s.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from reports.honesty import sentences
from reports.messages import ENGLISH
from reports.percentiles import Ranked, rank_of
from reports.summary import summarise
from tests.tables import Row
from tests.truth.real_engine import Played, play, scenario_of

RATE = 250
MOST = 0.01
STEP = "updates.check"


@dataclass(frozen=True, slots=True)
class Frozen:
    """What one freeze gave: seconds by percentile, as reported and as the log has them."""

    played: Played
    summary: dict[str, Any]
    reported_s: dict[str, float]
    service_s: dict[str, float]
    log_s: dict[str, float]

    @property
    def worst(self) -> float:
        """The largest relative difference between report and log, of p95 and p99."""
        return max(abs(self.reported_s[key] - self.log_s[key]) / self.log_s[key] for key in ("p95", "p99"))

    @property
    def told(self) -> str:
        """What the report says of the two times."""
        return dict(sentences(self.summary["honesty"], ENGLISH))["honesty.latency"]


def freeze(freeze_s: float, run_s: int, **server: Any) -> Frozen:
    """Let a server stand still a third of the way into a run.

    Args:
        server: as logging_server.Service; two milliseconds a check unless it says otherwise.
    """
    scenario = scenario_of({"shape": "even", "from": "08:00", "to": f"08:00:{run_s:02}"}, RATE * run_s, seed=1)
    began = run_s / 3
    settings = {"kind": "constant", "mean_s": 0.002, "frozen": (began, began + freeze_s), **server}
    played = play(scenario, **settings)
    summary = summarise(played.data)
    row = summary["steps"][STEP]
    log = np.sort(played.log["answered"] - played.log["asked"])
    if server.get("stops"):
        # it did not see who came: that is the timetable's to say; first come, first served
        log = np.sort(np.sort(played.log["answered"]) - np.sort(played.checks["due"]))
    ranked = Ranked(log, np.ones(log.size, np.bool_))
    keys = {"p50": 50, "p95": 95, "p99": 99}
    return Frozen(
        played,
        summary,
        {key: row["latency_ms"][key] / 1000 for key in keys},
        {key: row["service_ms"][key] / 1000 for key in keys},
        {key: ranked.at(rank_of(ranked.count, percent)) for key, percent in keys.items()},
    )


def instant_drain_s(freeze_s: float, run_s: float, percent: float) -> float:
    """The percentile where all who came meanwhile are answered at once: they waited a time uniform over the freeze."""
    return freeze_s * (1 - (1 - percent / 100) * run_s / freeze_s)


def rows() -> Iterator[Row]:
    """One row a server."""
    by_arithmetic = " and ".join(f"{instant_drain_s(5, 30, percent):.2f} s" for percent in (95, 99))
    servers: dict[str, tuple[dict[str, Any], str]] = {
        "8 places, which drain at once": ({"places": 8}, f"its log; by arithmetic {by_arithmetic}"),
        "1 place, which drains slowly": ({"places": 1}, "its log"),
        "a process that stands, log and all": (
            {"stops": True},
            f"its log and the timetable; by arithmetic {by_arithmetic}",
        ),
    }
    for name, (server, against) in servers.items():
        frozen = freeze(5, 30, **server)
        row, planned = frozen.summary["steps"][STEP], RATE * 30
        met = frozen.worst <= MOST and row["ok"] == planned == np.unique(frozen.played.checks["device"]).size
        told = "; ".join(
            f"{key} {frozen.reported_s[key]:.3f} s reported, {frozen.log_s[key]:.3f} s true" for key in ("p95", "p99")
        )
        sent = f"{row['ok']:,} of {planned:,} sent and answered"
        yield Row(
            f"freeze of 5 s within 30 s at {RATE}/s: {name}",
            f"p95 and p99 within {MOST:.0%} of {against}; every planned check sent",
            f"{told} ({frozen.worst:.2%} off); {sent}",
            met,
            f"the report: {frozen.told}",
        )
