"""The way to ready: journeys laid out by hand, so that every stage's seconds are known."""

from pathlib import Path

import made_run
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports.runfolder import RunData
from reports.steps import Steps
from reports.way import STAGES, milestone_of, table_of, way_to


def journey(
    device: int, due: float, spans: dict[str, tuple[float, float]], done: float, **columns: object
) -> list[np.ndarray]:
    """One device's exchanges, each from and to seconds after `due`, and its ready."""
    made = [
        made_run.rows(step, 1, due=due + begin, able=due + begin, sent=due + begin, done=due + end, device=device)
        for step, (begin, end) in spans.items()
    ]
    return [*made, made_run.rows("ready", 1, due=due, sent=due, done=due + done, device=device, **columns)]


def ways_of(parts: list[np.ndarray]) -> list:
    """The way to ready of these samples, in an order that is nobody's."""
    samples = np.random.default_rng(1).permutation(np.concatenate(parts))
    data = RunData(Path("x"), {"format": 1, **made_run.run_json()}, samples)
    return way_to(data, Steps(data.run, samples), "ready")


def test_each_stage_has_its_seconds() -> None:
    """Management before the sign-in is boot, after it policy; between exchanges the device and its person act."""
    spans = {
        "management.device_policy": (1.0, 1.5),
        "push.connect": (1.5, 1.75),
        "identity.login_page": (2.0, 3.0),
        "identity.login": (8.0, 10.0),
        "management.user_policy": (10.0, 10.5),
    }
    ways = ways_of(journey(3, 40.0, spans, 11.0))
    assert [way.percent for way in ways] == [50, 95, 99]
    for way in ways:
        assert way.devices == 1
        assert way.total_s == pytest.approx(11.0)
        assert way.stages_s == pytest.approx({"own": 6.75, "boot": 0.5, "push": 0.25, "identity": 3.0, "policy": 0.5})
        assert way.slowest_step == "identity.login"


def test_two_at_once_count_once() -> None:
    """Exchanges side by side, one within another, one that goes on after ready: their union is what they take."""
    spans = {
        "identity.entry": (1.0, 5.0),
        "identity.login_page": (2.0, 3.0),
        "identity.login": (4.0, 6.0),
        "management.user_policy": (7.0, 99.0),
    }
    (way, *_) = ways_of(journey(3, 40.0, spans, 10.0))
    assert way.stages_s == pytest.approx({"own": 2.0, "boot": 0.0, "push": 0.0, "identity": 5.0, "policy": 3.0})


def test_only_the_devices_next_to_a_percentile_are_asked() -> None:
    """Of 1,000 devices those around the median and the p95: ten each to either side, and their own exchanges alone."""
    parts = []
    for at in range(1000):
        parts += journey(at, 40.0 + at / 100, {"identity.login": (0.0, at / 100)}, 1.0 + at / 100)
    middle, late, _ = ways_of(parts)
    assert middle.devices == late.devices == 21
    assert middle.total_s == pytest.approx(1.0 + 4.99)
    assert late.stages_s["identity"] == pytest.approx(9.49)
    assert late.stages_s["own"] == pytest.approx(1.0)


def test_a_percentile_among_the_lost_has_no_way() -> None:
    """One in ten never got ready: the median has a way, p95 and p99 have none."""
    parts = [part for at in range(90) for part in journey(at, 40.0, {}, 5.0)]
    parts += [part for at in range(90, 100) for part in journey(at, 40.0, {}, 5.0, outcome=4)]
    assert [way.percent for way in ways_of(parts)] == [50]


@given(st.lists(st.tuples(st.floats(0, 50), st.floats(0, 50), st.integers(1, 7)), max_size=12))
def test_the_stages_always_sum_up(spans: list[tuple[float, float, int]]) -> None:
    """However exchanges overlap, no stage is negative and all make the whole wait."""
    parts = [made_run.rows("ready", 1, due=40.0, sent=40.0, done=70.0, device=3)]
    for begin, took, step in spans:
        parts.append(made_run.rows(made_run.STEPS[step], 1, sent=40 + begin, done=40 + begin + took, device=3))
    (way, *_) = ways_of(parts)
    assert min(way.stages_s.values()) >= -1e-9
    assert sum(way.stages_s.values()) == pytest.approx(30.0)
    assert len(table_of([way])) == len(STAGES)


def test_without_a_milestone_there_is_none() -> None:
    """A run that never gets to a milestone leads nowhere."""
    samples = made_run.rows("push.connect", 3)
    assert milestone_of(Steps(made_run.run_json(), samples)) == ""
