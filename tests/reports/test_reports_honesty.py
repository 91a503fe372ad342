"""What a run tells of its own measuring, on runs worked out by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import made_run
import numpy as np
import pytest

from reports.honesty import honesty, sentences
from reports.messages import ENGLISH, Say
from reports.objectives import read_objectives
from reports.runfolder import RunData
from reports.steps import Steps
from reports.summary import summarise

BROWSER_S = 5.0
EDGES_S = np.arange(101.0)
SIGN_IN = {"step": "identity.login", "percentile": 95.0, "latency_s_at_most": 2.0}


def of(*parts: np.ndarray, **changes: Any) -> dict[str, Any]:
    """`honesty` of a run of these samples that begins at run second 0, with 1,000 lids expected evenly in 100 s."""
    plan = {"edges_s": EDGES_S.tolist(), "counts": [10.0] * 100}
    run = made_run.run_json(**{"lead_s": 0.0, "planned": plan, **changes})
    run["scenario"]["folded"] = {**run["scenario"]["folded"], "objectives": [SIGN_IN], **changes.get("folded", {})}
    found: dict[str, Any] = summarise(RunData(Path("x"), run, np.concatenate(parts)))["honesty"]
    return found


def lids(due: np.ndarray, **columns: Any) -> np.ndarray:
    """Lids, each with the first exchange of its boot five seconds later, answered after 100 ms unless told."""
    journey = made_run.JOURNEYS.index("boot")
    given = {"due": due, "able": due, "sent": due, "done": due + 0.1, "device": np.arange(due.size), **columns}
    first = made_run.rows("management.device_policy", due.size, journey=journey, **given)
    lid = first["due"] - BROWSER_S
    owed = made_run.rows("signed_in", due.size, due=lid, able=lid, sent=lid, done=lid + 9, device=given["device"])
    return np.concatenate((first, owed))


def told(figures: dict[str, Any], lang: Any = "en") -> dict[str, str]:
    """The sentences by heading."""
    return dict(sentences(figures, Say(lang)))


def test_a_server_that_stood_is_in_both_figures() -> None:
    """100 starts a second apart by 10 ms; none is answered from second 4 to 9, and all of those at 9."""
    due = np.arange(3000) / 100
    frozen = (due >= 4) & (due < 9)
    found = of(lids(due, done=np.where(frozen, 9.0 + (due - 4) * 1e-3, due + 0.002)))["latency"]
    assert found["stood"] == {"step": "management.device_policy", "from_s": 4.0, "for_s": 5.0, "due": 500, "sent": 500}
    # 500 of 3,000 waited: the 150th longest of them is p95, by arithmetic 5 s less 149 hundredths and the drain
    assert found["latency_p95_ms"] == found["service_p95_ms"] == pytest.approx(3510 + 149 * 0.01, abs=10)
    assert found["differ"] is False
    text = told(of(lids(due, done=np.where(frozen, 9.0 + (due - 4) * 1e-3, due + 0.002))))["honesty.latency"]
    assert "not answered for 5 s from run second 4.0: 500 starts were due while it stood and 500 were sent" in text
    assert "They agree" in text


def test_a_device_that_was_busy_with_itself_is_told_apart() -> None:
    """Sent a second after it was due: 0.9 s until the device could, 0.1 s of ours; service time is the rest."""
    due = np.arange(200) / 10
    found = of(lids(due, able=due + 0.9, sent=due + 1.0, done=due + 1.05))
    assert found["latency"] == {
        "step": "management.device_policy",
        "latency_p95_ms": 1050.0,
        "service_p95_ms": 50.0,
        "differ": True,
        "busy_mean_ms": 900.0,
        "late_mean_ms": 100.0,
        "stood": None,
    }
    text = told(found)["honesty.latency"]
    assert "still busy with an earlier step of their own when it was due, for 900 ms in the mean" in text
    assert "we were late by 100 ms" in text


def test_what_we_were_late_ourselves_is_said() -> None:
    """Sent half a second late: that is the difference, and nobody else's."""
    due = np.arange(200) / 10
    found = of(lids(due, sent=due + 0.5, done=due + 0.55))
    assert "They differ by what we were late ourselves, 500 ms in the mean." in told(found)["honesty.latency"]


def test_pushes_that_come_together_are_no_server_that_stood() -> None:
    """Two bursts of 50 a minute apart, each answered within 20 ms: nothing was asked between."""
    due = np.repeat([0.0, 60.0], 50)
    assert of(lids(due, done=due + 0.02))["latency"]["stood"] is None


def test_starts_along_the_plan_follow_it() -> None:
    """1,000 uniform starts: the total told, a likely distance, no clumps."""
    found = of(lids(BROWSER_S + np.sort(np.random.default_rng(4).random(1000) * 100)))["arrivals"]
    assert (found["planned"], found["sent"]) == (1000, 1000)
    assert found["ks_chance"] > 0.01
    assert found["clumping"] < found["clumping_limit"]


def test_starts_in_batches_and_off_the_plan_are_found_out() -> None:
    """Once in two seconds twenty at a time: clumps. All in the first half: off the curve. Both are said."""
    due = np.sort(np.random.default_rng(4).random(1000) * 100)
    batches = of(lids(BROWSER_S + np.floor(due / 2) * 2))
    assert batches["arrivals"]["clumping"] > batches["arrivals"]["clumping_limit"]
    assert "They came in clumps" in told(batches)["honesty.arrivals"]
    early = of(lids(BROWSER_S + due / 2))
    assert early["arrivals"]["ks"] == pytest.approx(0.5, abs=0.05)
    assert "They do not follow the curve" in told(early)["honesty.arrivals"]


def test_a_plan_of_one_instant_is_no_curve() -> None:
    """Where all come at once there is nothing to follow, and nothing is said of it."""
    waves = [{"arrivals": {"shape": "at", "at": "08:00"}}]
    found = of(lids(np.zeros(100)), folded={"waves": waves})
    assert found["arrivals"] is None
    assert "honesty.arrivals" not in told(found)


def test_a_run_that_was_cut_short_is_not_held_against_its_whole_plan() -> None:
    """What did not come to its end cannot have followed the curve to it."""
    due = BROWSER_S + np.sort(np.random.default_rng(4).random(500) * 50)
    assert of(lids(due), partial=True)["arrivals"] is None


def logins(latency_s: np.ndarray, **columns: Any) -> np.ndarray:
    """Logins one after the other, that took so long."""
    due = np.arange(latency_s.size) / 10
    given = {"due": due, "able": due, "sent": due, "done": due + latency_s, "trigger": 2, **columns}
    return made_run.rows("identity.login", latency_s.size, **given)


def free(count: int, seed: int = 1) -> np.ndarray:
    """Latencies that know nothing of each other."""
    return np.random.default_rng(seed).exponential(size=count)


def test_a_queue_makes_neighbours_alike() -> None:
    """Latencies that swell and fall slowly are alike, independent ones are not; the band is worded accordingly."""
    slow = of(logins(1 + np.sin(np.arange(500) / 40) * 0.5))
    assert (slow["bands"]["step"], slow["bands"]["percentile"]) == ("identity.login", 95.0)
    assert slow["bands"]["likeness"] > 0.5
    assert slow["bands"]["chance"] < 0.001
    assert "beyond p95 of identity.login came together" in told(slow)["honesty.bands"]
    assert "chance alone gives as much in < 0.01 % of runs" in told(slow)["honesty.bands"]
    assert "the band is too narrow" in told(slow)["honesty.bands"]
    apart = of(logins(free(500)))
    assert apart["bands"]["chance"] > 0.001
    assert "no sign that the band is too narrow" in told(apart)["honesty.bands"]
    assert "兆候はありません" in told(apart, "ja")["honesty.bands"]


def test_one_burst_at_the_top_is_found_out() -> None:
    """One freeze that hits 2.3 % of 2,600 makes all of p98 to p99.9 one event, and neighbours correlate by less than a
    tenth; of what lies beyond p95 nearly half came together.

    By hand: 130 beyond, a run of 60 among them and 70 apart. About 59 pairs, where 130 * 129 / 2,600 = 6.45 are chance:
    (59 - 6.45) / (129 - 6.45) = 0.43, and a few more or fewer pairs of the 70 are a tenth at most.
    """
    latency = free(2600)
    latency[1000:1060] = 20 - np.arange(60) / 10
    ranks = np.argsort(np.argsort(latency))
    assert np.corrcoef(ranks[1:], ranks[:-1])[0, 1] < 0.1
    found = of(logins(latency))
    assert found["bands"]["likeness"] == pytest.approx(0.43, abs=0.1)
    assert "too narrow" in told(found)["honesty.bands"]
    assert "no sign" not in told(found)["honesty.bands"]


def test_the_objective_that_chance_explains_least_is_told() -> None:
    """Service time stood still once, latency (of which the device's own work is most) did not: both are judged."""
    latency, service = 5 + free(1000), 0.1 + free(1000, 2) / 100
    service[300:330] = 1.0
    due = np.arange(1000) / 10
    rows = logins(latency, sent=due + latency - service)
    objectives = [SIGN_IN, {"step": "identity.login", "percentile": 90.0, "service_s_at_most": 2.0}]
    found = of(rows, folded={"objectives": objectives})
    assert (found["bands"]["percentile"], found["bands"]["chance"]) == (90.0, 0.00001)


def test_only_what_an_objective_counts_is_looked_at() -> None:
    """A burst outside an objective's window is none of its band; nor is what an objective of errors counts."""
    latency = free(1000)
    latency[800:900] = 20.0
    # compressed 40 times from 07:55 on, second 70 is 08:41:40
    early = {**SIGN_IN, "until": "08:40"}
    assert of(logins(latency), folded={"objectives": [early]})["bands"]["chance"] > 0.001
    assert of(logins(latency), folded={"objectives": [{**early, "until": "08:50"}]})["bands"]["chance"] < 0.001
    errors = {"step": "identity.login", "error_share_at_most": 0.1}
    assert of(logins(latency), folded={"objectives": [errors]})["bands"] is None


def test_what_is_due_at_one_instant_has_no_neighbours_in_time() -> None:
    """After a push all are due at once: whom a device has beside it is no matter of time, and nothing is said."""
    assert of(logins(np.arange(500.0), due=7.0))["bands"] is None


def test_failures_count_as_the_longest() -> None:
    """A stretch of fast failures is alike too: they rank above every ok, however short they were."""
    latency = np.random.default_rng(1).exponential(size=500)
    outcome = np.where((np.arange(500) > 200) & (np.arange(500) < 300), 1, 0)
    found = of(logins(np.where(outcome, 0.001, latency), outcome=outcome))["bands"]
    # p95 falls among them: 99 in one go
    assert (found["likeness"], found["chance"]) == (1.0, 0.00001)


def test_nothing_to_tell_is_none() -> None:
    """A run without a sample says nothing of itself, in either language."""
    run = made_run.run_json()
    empty = made_run.rows("ready", 0)
    data = RunData(Path("x"), run, empty)
    found = honesty(data, Steps(run, empty), {}, read_objectives(run["scenario"]["folded"]))
    assert found == {"latency": None, "arrivals": None, "bands": None}
    assert list(told(found)) == list(told(found, "ja")) == ["honesty.bands"]


def test_both_languages_tell_of_a_whole_morning() -> None:
    """Each heading in both, with the same figures."""
    run = made_run.run_json()
    found = summarise(RunData(Path("x"), run, made_run.morning(500)))["honesty"]
    english, japanese = told(found), told(found, "ja")
    assert list(english) == list(japanese) == ["honesty.latency", "honesty.arrivals", "honesty.bands"]
    assert ENGLISH("honesty.band") in english["honesty.bands"]
    assert all(not text.isascii() for text in japanese.values())


@pytest.mark.parametrize("at", [0, 70_000, 139_000])
def test_of_very_many_samples_all_are_looked_at(at: int) -> None:
    """Of 140,000 one burst of 1,000, wherever it came, is found out: it alone is seven times the band's own reach."""
    latency = free(140_000)
    latency[at : at + 1000] = 50.0
    assert of(logins(latency))["bands"]["chance"] < 0.001
