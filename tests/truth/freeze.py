"""A server stands still for 5 of 30 seconds under 250 checks a second: what is reported is what its own log says.

Three servers, each in turn: one that drains at once, one that drains slowly, and one whose whole process is stopped, so
that even its log cannot see who waits. Takes about 100 s.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from reports.honesty import sentences
from reports.messages import ENGLISH
from reports.percentiles import Ranked, rank_of
from reports.summary import summarise
from simulator.fleet import make_fleet
from simulator.timetable import make_timetable
from tests.tables import Row
from tests.truth.real_engine import Played, play, scenario_of

RATE = 250
MOST = 0.01
STEP = "updates.check"


@dataclass(frozen=True, slots=True)
class Frozen:
    """What one freeze gave: seconds by percentile, as reported and as the log has them; how many were due in it."""

    played: Played
    summary: dict[str, Any]
    due: int
    reported_s: dict[str, float]
    service_s: dict[str, float]
    log_s: dict[str, float]

    @property
    def worst(self) -> float:
        """The largest relative difference between report and log, of p95 and p99."""
        return self.off(self.log_s)

    def off(self, true_s: Mapping[str, float]) -> float:
        """The largest relative difference between the report and what is true, of p95 and p99."""
        return max(abs(self.reported_s[key] - true_s[key]) / true_s[key] for key in ("p95", "p99"))

    @property
    def told(self) -> str:
        """What the report says of the two times."""
        return dict(sentences(self.summary["honesty"], ENGLISH))["honesty.latency"]


def freeze(freeze_s: float, run_s: int, *, stratified: bool = False, **server: Any) -> Frozen:
    """Let a server stand still a third of the way into a run.

    Args:
        stratified: whether each start has a 250th of a second of its own, so that arithmetic knows who waits how long.
        server: as logging_server.Service; two milliseconds a check unless it says otherwise.
    """
    arrivals = {"shape": "even", "from": "08:00", "to": f"08:00:{run_s:02}", "stratified": stratified}
    scenario = scenario_of(arrivals, RATE * run_s, seed=1)
    began = run_s / 3
    settings = {"kind": "constant", "mean_s": 0.002, "frozen": (began, began + freeze_s), **server}
    played = play(scenario, **settings)
    summary = summarise(played.data)
    row = summary["steps"][STEP]
    log = np.sort(played.log["answered"] - played.log["asked"])
    fleet = make_fleet(scenario.organisation, scenario.devices, scenario.seed)
    due = make_timetable(scenario, fleet)["due"]
    if server.get("stops"):
        # it did not see who came: that is the timetable's to say; first come, first served
        log = np.sort(np.sort(played.log["answered"]) - due)
    ranked = Ranked(log, np.ones(log.size, np.bool_))
    keys = {"p50": 50, "p95": 95, "p99": 99}
    return Frozen(
        played,
        summary,
        int(np.count_nonzero((due >= began) & (due < began + freeze_s))),
        {key: row["latency_ms"][key] / 1000 for key in keys},
        {key: row["service_ms"][key] / 1000 for key in keys},
        {key: ranked.at(rank_of(ranked.count, percent)) for key, percent in keys.items()},
    )


def instant_drain_s(freeze_s: float, due: int, count: int, percent: float) -> float:
    """A percentile of all, by hand, where those who came meanwhile are answered at once when the server moves again.

    Who comes at an instant x of the freeze waits for what is left of it, freeze_s - x, and the first waits longest.
    `due` of them come evenly, one each freeze_s / due; so the k-th longest wait is freeze_s * (1 - k / due), to half a
    place. Of all `count`, the share beyond the percentile is count * (1 - percent / 100) waits, and all of those are
    of the freeze: of 7,500 the 375 longest lie beyond p95. With 1,250 in a freeze of 5 s that leaves
    5 * (1 - 375 / 1,250) = 3.5 s, and 5 * (1 - 75 / 1,250) = 4.7 s at p99.
    """
    return freeze_s * (1 - count * (1 - percent / 100) / due)


SERVERS: dict[str, tuple[dict[str, Any], str, bool]] = {
    "any number of places, which drains at once": ({"stratified": True}, "its log and of arithmetic", True),
    "1 place, which drains slowly": ({"places": 1}, "its log", False),
    "a process that stands, log and all": ({"stratified": True, "stops": True}, "its log, with the timetable", False),
}
"""How each server is set up, what its report is held against, and whether that includes arithmetic: a process that
stood has to accept and read before it answers."""


def rows() -> Iterator[Row]:
    """One row a server."""
    for name, (server, against, by_arithmetic) in SERVERS.items():
        frozen = freeze(5, 30, **server)
        row, planned = frozen.summary["steps"][STEP], RATE * 30
        told = "; ".join(
            f"{key} {frozen.reported_s[key]:.3f} s reported, {frozen.log_s[key]:.3f} s true" for key in ("p95", "p99")
        )
        off, by_hand = frozen.worst, ""
        if by_arithmetic:
            hand_s = {f"p{percent}": instant_drain_s(5, frozen.due, planned, percent) for percent in (95, 99)}
            off = max(off, frozen.off(hand_s))
            by_hand = (
                f"; by hand, {frozen.due:,} due in the freeze, {hand_s['p95']:.3f} s and {hand_s['p99']:.3f} s"
                f" ({frozen.off(hand_s):.2%} off)"
            )
        yield Row(
            f"freeze of 5 s within 30 s at {RATE}/s: {name}",
            f"p95 and p99 within {MOST:.0%} of {against}; every planned check sent",
            f"{told} ({frozen.worst:.2%} off){by_hand}; {row['ok']:,} of {planned:,} sent and answered",
            off <= MOST and row["ok"] == planned == np.unique(frozen.played.checks["device"]).size,
            f"the report: {frozen.told}",
        )
