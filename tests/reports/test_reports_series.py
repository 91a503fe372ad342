"""What the charts show, by hand and against slow ways to the same figures."""

from pathlib import Path
from typing import Any

import made_run
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports import series
from reports.runfolder import RunData
from reports.steps import Steps

LEAD = 100.0


def data(*parts: np.ndarray, health: Any = (), **changes: Any) -> RunData:
    """A run whose morning begins at run second 100 and 08:00, ten city seconds a second."""
    run = {"format": 1, **made_run.run_json(lead_s=LEAD, day_start_s=28_800.0, compression=10.0, **changes)}
    return RunData(Path("x"), run, np.concatenate(parts), [], list(health))


def at(seconds: Any, **columns: Any) -> np.ndarray:
    """Logins due and sent at those seconds of the morning, a tenth of a second each."""
    when = LEAD + np.asarray(seconds, np.float64)
    return made_run.rows(
        "identity.login", when.size, **{"due": when, "able": when, "sent": when, "done": when + 0.1, **columns}
    )


def test_the_axis_is_cut_in_round_seconds_of_the_morning() -> None:
    """From its first second to the last answer; at most a hundred slices; read in city time."""
    axis = series.axis_of(data(at([0, 150.5])))
    assert (axis.edges[0], axis.width_s, axis.edges.size) == (LEAD, 2.0, 77)
    assert axis.city_s(LEAD + 60) == 28_800 + 600
    assert axis.row(1) == {"t": 28_830_000, "from": 28_820_000, "to": 28_840_000}


@pytest.mark.parametrize("length_s", [0.5, 1, 99.9, 100.1, 4500, 86_400, 10_000_000])
def test_any_length_gives_at_most_a_hundred_slices_that_hold_it(length_s: float) -> None:
    """A tenth of a second or four months."""
    axis = series.axis_of(data(at([length_s - 0.1])))
    assert axis.edges.size - 1 <= series.SLICES_AT_MOST + 1
    assert axis.edges[-1] >= LEAD + length_s


def test_arrivals_are_planned_lids_by_when_they_were_opened() -> None:
    """Neither enrollment, nor what follows, nor timers; not when the browser, 5 s later, sent its first exchange, but
    later by as much as that was late; the plan's curve is cut at the same edges."""
    planned = {"edges_s": [LEAD, LEAD + 4.0], "counts": [8]}
    opened_s, boot = np.array([0.5, 1.5, 1.6, 2.9]), made_run.JOURNEYS.index("boot")
    owed = at(opened_s, device=np.arange(4))
    owed["step"] = made_run.STEPS.index("signed_in")
    first = at(opened_s + 5, journey=boot, device=np.arange(4))
    first["sent"][3] += 0.2
    others = [at([0.2], trigger=2), at([0.2], trigger=1, journey=boot), at([-50.0], device=2)]
    run = data(owed, first, *others, planned=planned)
    rows = series.arrivals(run, series.axis_of(run))
    assert [(row["planned"], row["actual"]) for row in rows[:4]] == [(2.0, 1), (2.0, 2), (2.0, 0), (2.0, 1)]


def test_latency_by_slice() -> None:
    """Of four samples in a slice p50 is the second; where p95 falls among what is not ok it is null."""
    samples = at([0.1, 0.2, 0.3, 0.4, 2.5, 2.6])
    samples["done"] = samples["due"] + [0.4, 0.1, 0.3, 0.2, 5.0, 0.001]
    samples["outcome"][5] = 2
    run = data(samples)
    rows = series.latency(Steps(run.run, run.samples), "identity.login", series.axis_of(run))
    shown = [{key: row[key] for key in ("p50", "p95", "p99", "count", "not_ok")} for row in rows[:3]]
    assert shown == [
        {"p50": 200.0, "p95": 400.0, "p99": 400.0, "count": 4, "not_ok": 0},
        {"p50": None, "p95": None, "p99": None, "count": 0, "not_ok": 0},
        {"p50": 5000.0, "p95": None, "p99": None, "count": 2, "not_ok": 1},
    ]


def test_throughput_counts_what_was_sent() -> None:
    """Per second; neither milestones nor what was skipped."""
    run = data(at([0.1, 0.2, 1.5]), at([0.1], outcome=4), made_run.rows("ready", 1, sent=LEAD, done=LEAD + 2))
    assert [row["per_s"] for row in series.throughput(run, series.axis_of(run))] == [2.0, 1.0]


@given(
    st.lists(
        st.tuples(st.floats(-5, 25), st.floats(0, 20), st.integers(0, 10**6)),
        max_size=40,
    )
)
def test_bytes_move_evenly_between_sent_and_done(moved: list[tuple[float, float, int]]) -> None:
    """Against a loop over every transfer and edge, to half of 1/1024 each; what takes no time takes a millisecond.

    In another order the same to the bit.
    """
    starts = np.array([one[0] for one in moved])
    ends = np.array([one[0] + one[1] for one in moved])
    amounts = np.array([one[2] for one in moved], np.uint32)
    edges = np.arange(0.0, 21.0)
    slow = [
        sum(
            n * min(1.0, max(0.0, (edge - a) / max(b - a, 0.001)))
            for a, b, n in zip(starts, ends, amounts, strict=True)
        )
        for edge in edges
    ]
    found = series.moved_until(starts, ends, amounts, edges)
    np.testing.assert_allclose(found, slow, atol=0.02)
    assert found.tolist() == series.moved_until(starts[::-1], ends[::-1], amounts[::-1], edges).tolist()


def test_bandwidth_in_megabits() -> None:
    """A million bytes in the four seconds from 1 to 5 are 2 Mbit/s in each of them."""
    run = data(at([1.0], done=LEAD + 5.0, bytes_in=1_000_000, bytes_out=500_000))
    rows = series.bandwidth(run, series.axis_of(run))
    assert [(row["in"], row["out"]) for row in rows] == [(0.0, 0.0), *[(2.0, 1.0)] * 4]


def test_troubles_name_the_most_frequent_and_gather_the_rest() -> None:
    """Six kinds by name, most frequent first, the others as one; together they are all that did not end ok."""
    parts = [
        made_run.rows(step, count, due=LEAD + 0.5, done=LEAD + 1, outcome=2, reason=2)
        for count, step in enumerate(made_run.STEPS[:8], start=1)
    ]
    run = data(*parts, at([0.1]))
    names, rows = series.troubles(run, series.axis_of(run))
    assert names[0] == "management.user_policy · timeout"
    assert (len(names), names[-1]) == (7, "other")
    assert {row["kind"]: row["count"] for row in rows}["other"] == 1 + 2
    assert sum(row["count"] for row in rows) == sum(range(1, 9))


def test_online_is_summed_over_the_engines() -> None:
    """Each engine's last word in or before a slice counts."""
    said = [("engine-0", 100.5, 10), ("engine-1", 100.6, 5), ("engine-0", 100.9, 12), ("engine-0", 102.5, 20)]
    health = [{"who": who, "t": t, "online": count} for who, t, count in said]
    run = data(at([0, 3.5]), health=health)
    assert [row["online"] for row in series.online(run, series.axis_of(run))] == [17, 17, 25, 25]
    assert series.online(data(at([0])), series.axis_of(data(at([0])))) == []


def test_harness_shows_p99_lateness_and_the_longest_lag() -> None:
    """Of two starts the later one; of the engines the slower one; nothing where nothing is known."""
    starts = at([0.1, 0.2, 2.5])
    starts["sent"] += [0.001, 0.003, 0.002]
    health = [{"who": who, "t": LEAD + 0.9, "loop_lag_ms": lag} for who, lag in (("engine-0", 2.0), ("engine-1", 7.0))]
    health.append({"who": "backend", "t": LEAD + 0.9, "loop_lag_ms": 99.0})
    run = data(starts, health=health)
    shown = [(row["late"], row["lag"]) for row in series.harness(run, series.axis_of(run))]
    assert shown == [(3.0, 7.0), (None, None), (2.0, None)]


def test_processes_by_hand() -> None:
    """Shares are of the seconds told, memory and lag the highest."""
    told = {"loop_lag_ms": 3.0, "rss_mib": 10.0, "fds": 5}
    health = [
        {"t": 1.0, "who": "engine-0", "cpu_ms": 400.0, "runqueue_ms": 100.0, **told},
        {"t": 2.0, "who": "engine-0", "cpu_ms": 600.0, "runqueue_ms": 0.0, **told, "rss_mib": 30.0},
    ]
    (row,) = series.processes(data(at([0]), health=health))
    assert row["cpu_share"] == 0.5
    assert row["cpu_s"] == 1.0
    assert row["runqueue_share"] == 0.05
    assert (row["rss_mib"], row["loop_lag_ms"], row["fds"]) == (30.0, 3.0, 5)
