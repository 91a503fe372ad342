"""The counts of the moment, worked out by hand from a few samples, and what a screen and Prometheus show of them."""

from __future__ import annotations

import io
import json
import math
import re
import socket
from typing import Any

import numpy as np
import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families
from rich.console import Console

from reports.record import OPERATOR, OUTCOMES, SAMPLE, TRIGGERS
from simulator.errors import UserError
from simulator.metrics import Metrics, MetricsServer, dashboard, parse
from simulator.progress import Progress
from simulator.tally import LATENESS_S, TIMES_S, Planned, Tally

STEPS = ("identity.login", "management.api_authorization", "signed_in", "ready")
REASONS = ("", "timeout", "http_status")
PLANNED = Planned("morning", 200, 20, 100, 30.0, lead_s=60.0, day_start_s=8 * 3600, end_s=180.0)


def _samples(*rows: tuple[str, float, float, float, str, str, str, int]) -> Any:
    """(step, due, sent, done, outcome, reason, trigger, device); able is due."""
    made = np.zeros(len(rows), SAMPLE)
    for at, (step, due, sent, done, outcome, reason, trigger, device) in enumerate(rows):
        made[at]["due"], made[at]["able"], made[at]["sent"], made[at]["done"] = due, due, sent, done
        made[at]["step"], made[at]["outcome"] = STEPS.index(step), OUTCOMES.index(outcome)
        made[at]["reason"], made[at]["trigger"] = REASONS.index(reason), TRIGGERS.index(trigger)
        made[at]["device"] = device
    return made


MORNING = _samples(
    ("identity.login", 100.0, 100.0, 100.02, "ok", "", "follows", 1),
    ("identity.login", 100.0, 103.0, 103.004, "ok", "", "planned", 2),
    ("identity.login", 101.0, 101.0, 101.001, "refused", "http_status", "planned", 3),
    ("identity.login", 101.0, 101.0, 131.0, "unknown", "timeout", "timer", OPERATOR),
    ("identity.login", 102.0, 102.0, 102.0, "skipped", "", "planned", 4),
    ("management.api_authorization", 90.0, 90.0, 90.1, "ok", "", "follows", 5),
    ("ready", 90.0, 90.0, 106.0, "ok", "", "planned", 1),
)


def _tally() -> Tally:
    tally = Tally(STEPS, REASONS)
    # in two batches, as an engine's come
    tally.take(MORNING[:3])
    tally.take(MORNING[3:])
    return tally


def _below(counts: Any, ends: tuple[float, ...], end: float) -> int:
    return int(counts[: ends.index(end) + 1].sum())


def test_counts_by_step_and_outcome() -> None:
    """Every sample is one of its step and outcome, and every trouble one of its step and reason."""
    tally = _tally()
    assert tally.outcomes[0].tolist() == [2, 1, 0, 1, 1]
    assert (tally.done("identity.login"), tally.done("ready"), tally.done("signed_in")) == (2, 1, 0)
    assert tally.not_ok == 3
    assert tally.troubles["identity.login", "http_status"] == 1
    assert tally.troubles["identity.login", "timeout"] == 1


def test_no_failure_makes_a_bucket_better() -> None:
    """A refusal after a millisecond stands above every bucket, as a timeout does: only what ended ok is within them."""
    tally = _tally()
    latency, service = tally.latency.counts[0], tally.service.counts[0]
    assert _below(latency, TIMES_S, 0.01) == 0  # the refusal took 1 ms
    assert _below(latency, TIMES_S, 0.025) == 1  # 20 ms
    assert _below(latency, TIMES_S, 5.0) == 2  # 3.004 s from when it was due
    assert latency[-1] == 3
    # service time: 4 ms and 20 ms ended ok; what was skipped was never sent
    assert _below(service, TIMES_S, 0.005) == 1
    assert _below(service, TIMES_S, 0.025) == 2
    assert service[-1] == 2
    assert tally.latency.sums[0] == pytest.approx(3.024)
    # a milestone has a latency and no service time
    assert _below(tally.latency.counts[3], TIMES_S, 30.0) == 1
    assert not tally.service.counts[3].any()


def test_lateness_is_that_of_our_own_starts() -> None:
    """Planned and timer starts of devices that were sent: 3 s late, and on time; not what follows, nor the operator."""
    counts = _tally().lateness.counts[0]
    assert counts.sum() == 2
    assert _below(counts, LATENESS_S, 0.0005) == 1
    assert counts[-1] == 1


def test_the_last_ten_seconds() -> None:
    """Rates and p95 of what ended lately: half of four logins did not end ok, so no time is the 95th of 100."""
    every, login = _tally().recent(104.0)[:2]
    assert (every.step, login.step) == ("", "identity.login")
    assert login.per_s == pytest.approx(0.4)
    assert math.isinf(login.p95_s)
    assert login.not_ok == 2
    assert math.isnan(_tally().recent(500.0)[0].p95_s)


def test_a_screen_and_a_line() -> None:
    """On a terminal of 80 columns a screen says where the morning is and how far everybody got; elsewhere a line."""
    tally, screen, plain = _tally(), io.StringIO(), io.StringIO()
    tally.online = 7
    tally.hear({"who": "engine-0", "t": 104.0, "cpu_ms": 250.0, "loop_lag_ms": 3.0})
    console = Console(file=screen, width=80)
    console.print(Progress(io.StringIO(), tally, PLANNED).screen(104.0))
    shown = screen.getvalue()
    assert max(len(line) for line in shown.splitlines()) <= 80
    # 44 s after the morning began, 30 times as fast: 22 minutes
    for told in (
        "08:22 in the city",
        "21 of 200",
        "1 of 100",
        "identity.login",
        "not ok",
        "1 x identity.login: timeout",
    ):
        assert told in shown, told
    assert "engine-0 25 % of a core, lag 3 ms" in shown
    Progress(plain, tally, PLANNED).show(104.0)
    assert plain.getvalue().count("\n") == 1
    assert "enrolled 21/200  signed in 0/100  ready 1/100  online 7/100" in plain.getvalue()
    assert "errors 3  1:16 left" in plain.getvalue()


def _exposed(tally: Tally) -> dict[tuple[str, str], dict[str, float]]:
    """By (name of the series, its step): values by what else tells them apart, as Prometheus' own parser reads them."""
    registry = CollectorRegistry()
    registry.register(Metrics(tally, PLANNED, {"identity": "target", "push": "stand-in"}))
    found: dict[tuple[str, str], dict[str, float]] = {}
    for family in text_string_to_metric_families(generate_latest(registry).decode()):
        for sample in family.samples:
            labels = dict(sample.labels)
            step = labels.pop("step", "")
            found.setdefault((sample.name, step), {})[",".join(labels.values())] = sample.value
    return found


def test_prometheus_reads_the_tally() -> None:
    """Counters by step and outcome; histograms whose buckets rise and whose count holds every sample."""
    tally = _tally()
    tally.online = 7
    tally.hear({"who": "engine-0", "cpu_ms": 250.0, "loop_lag_ms": 3.0})
    told = _exposed(tally)
    assert told["fleetrush_steps_total", "identity.login"]["refused"] == 1
    assert ("fleetrush_steps_total", "signed_in") not in told
    buckets = told["fleetrush_latency_seconds_bucket", "identity.login"]
    assert (buckets["0.01"], buckets["0.025"], buckets["5.0"], buckets["+Inf"]) == (0, 1, 2, 5)
    assert list(buckets.values()) == sorted(buckets.values())
    assert told["fleetrush_latency_seconds_count", "identity.login"][""] == 5
    assert told["fleetrush_lateness_seconds_bucket", ""]["+Inf"] == 2
    assert told["fleetrush_devices_online", ""][""] == 7
    assert told["fleetrush_process_cpu_ratio", ""]["engine-0"] == 0.25
    assert told["fleetrush_loop_lag_seconds", ""]["engine-0"] == 0.003
    assert told["fleetrush_run_info", ""] == {"30,target,stand-in,morning": 1}


def test_the_dashboard_asks_for_what_there_is() -> None:
    """Each series that the Grafana dashboard names is one that is served."""
    names = {name for name, _ in _exposed(_tally())}
    told = json.loads(dashboard())
    asked = {found for panel in told["panels"] for one in panel["targets"] for found in _series(one["expr"])}
    assert len(told["panels"]) == len({panel["id"] for panel in told["panels"]}) == 15
    assert asked - names <= {"fleetrush_process_cpu_ratio", "fleetrush_loop_lag_seconds", "fleetrush_connections"}


def _series(expression: str) -> list[str]:
    return re.findall(r"fleetrush_\w+", expression)


@pytest.mark.parametrize("address", ["", "http", "localhost", "80000", "127.0.0.1:", ":-1"])
def test_what_is_no_address(address: str) -> None:
    """A wrong address is told in one line."""
    with pytest.raises(UserError) as told:
        parse(address)
    assert told.value.lines == (f"--metrics {address}: expected a port, or HOST:PORT",)


def test_where_nothing_can_listen() -> None:
    """A port that is taken is the user's to change."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(UserError, match="Address already in use: say another address or port"):
            MetricsServer(address, Metrics(_tally(), PLANNED, {}))
