"""Short forms of what `make truth` measures without a network: failures, bands, echoes, order."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reports.runfolder import RunData
from reports.summary import summarise
from tests.reports.made_run import morning, run_json
from tests.reports.made_run import rows as made_rows
from tests.truth import bands, echoes, failures, order


@pytest.mark.parametrize("kind", failures.KINDS)
def test_failures_make_no_percentile_better(kind: str) -> None:
    """Each percentile is that of plain arithmetic, and none is smaller than without them."""
    samples, without = failures.logins(kind), failures.reported(failures.logins())
    found = failures.reported(samples)
    latencies = (samples["done"] - samples["due"]).tolist()
    assert found == failures.by_arithmetic(latencies, (samples["outcome"] == 0).tolist())
    assert failures.better(found, without) == []
    assert failures.better(without, found)


@settings(max_examples=40)
@given(
    st.lists(st.tuples(st.floats(0.001, 60), st.integers(0, 4)), min_size=1, max_size=200),
    st.integers(0, 199),
    st.integers(1, 4),
)
def test_no_failure_more_makes_any_percentile_better(logins: list[tuple[float, int]], lost: int, outcome: int) -> None:
    """Whatever the samples, when one of them ends other than ok instead, every percentile stays or grows."""
    took, outcomes = (np.array(column) for column in zip(*logins, strict=True))
    samples = made_rows(
        "identity.login", len(logins), due=40.0, able=40.0, sent=40.0, done=40.0 + took, outcome=outcomes
    )
    worse = samples.copy()
    worse["outcome"][lost % len(logins)], worse["done"][lost % len(logins)] = outcome, 40.0
    assert failures.better(failures.reported(worse), failures.reported(samples)) == []


def test_devices_that_never_get_ready_are_counted() -> None:
    """One `ready` a lid, and no p95 where more than a twentieth has none."""
    ready, lids = failures.stuck()
    assert ready["count"] == lids
    assert 0 < ready["ok"] < 0.9 * lids
    assert ready["latency_ms"]["p95"] is None


def test_bands_hold_what_they_say_and_no_more() -> None:
    """Seeded: independent samples as said; a queue's within a run far less, between runs as said."""
    chance = np.random.default_rng(5)
    assert bands.within(chance.exponential(size=(500, 1000)), bands.true_p95(0.0)).agrees(bands.SAID)
    times = bands.queue(500, bands.SAMPLES, bands.LOAD, chance)
    truth = bands.true_p95(bands.LOAD)
    assert bands.within(times, truth).share < 0.5
    assert bands.between(times, truth).agrees(bands.SAID)


def test_one_burst_among_independent_samples_is_found_out() -> None:
    """The report says of a run with a burst of 2 %, and of a queue's, that its band is too narrow; else of none."""
    times = np.random.default_rng(5).exponential(size=(20, bands.SAMPLES))
    assert bands.accused(bands.burst(times, bands.BURST)) == 20
    assert bands.accused(bands.queue(20, bands.SAMPLES, bands.LOAD, np.random.default_rng(5))) == 20
    assert bands.accused(times) == 0


def test_the_queue_is_the_one_whose_truth_is_known() -> None:
    """Mean and p95 of the time in the system of M/M/1: 1 / (1 - load) and log(20) times that, within 2 %."""
    times = bands.queue(500, bands.SAMPLES, bands.LOAD, np.random.default_rng(6))
    assert times.mean() == pytest.approx(1 / (1 - bands.LOAD), rel=0.02)
    assert np.quantile(times, 0.95) == pytest.approx(bands.true_p95(bands.LOAD), rel=0.02)
    by_hand, waited = [], 0.0
    chance = np.random.default_rng(9)
    served, between = chance.exponential(size=(1, 50))[0], chance.exponential(1 / bands.LOAD, (1, 50))[0]
    first = np.where(chance.random(1) < bands.LOAD, chance.exponential(1 / (1 - bands.LOAD), 1), 0.0)[0]
    waited = first
    for number in range(50):
        by_hand.append(waited + served[number])
        waited = max(0.0, waited + served[number] - between[number])
    assert bands.queue(1, 50, bands.LOAD, np.random.default_rng(9))[0] == pytest.approx(by_hand)


def test_echoes_come_where_convolution_says() -> None:
    """Update checks, status and policy of a morning in virtual time; a timer that is two minutes wrong is found."""
    scenario = echoes.scenario_of(240)
    samples = echoes.recorded(scenario)
    for name, echo in echoes.ECHOES.items():
        starts_s, expected = echoes.starts_of(scenario, samples, echo), echoes.Density.of(scenario, echo)
        assert starts_s.size == scenario.staff, name
        assert not expected.refuses(starts_s), name
        assert expected.refuses(starts_s + 120), name


def test_a_density_by_hand() -> None:
    """A bell put off by 2 minutes and spread over 10: symmetric about its middle plus 7 minutes, as wide as both."""
    scenario = echoes.scenario_of(100)
    expected = echoes.Density.of(scenario, echoes.ECHOES["first update check, 7 min"])
    quarter = (8 * 60 + 2.5) * 60 + 7 * 60
    assert np.interp(quarter, expected.at_s, expected.below) == pytest.approx(0.5, abs=1e-6)
    assert expected.at_s[0] == pytest.approx((7 * 60 + 57) * 60, abs=0.5)
    assert expected.at_s[-1] == pytest.approx((8 * 60 + 22) * 60, abs=0.5)


def test_one_engine_and_several_give_the_same_bytes() -> None:
    """The same samples, cut and interleaved at random as seven engines would send them; and a day played by two."""
    assert order.different(morning(600), run_json(), [(7, 3)]) == 0
    assert order.rehearsed(40, 1) == order.rehearsed(40, 2)


def test_another_sample_gives_another_summary() -> None:
    """The comparison can fail: one latency that is a millisecond longer shows."""
    samples = morning(50)
    longer = samples.copy()
    longer["done"][np.argmax(longer["done"] - longer["due"])] += 0.001
    one, other = (summarise(RunData(Path("x"), run_json(), rows)) for rows in (samples, longer))
    assert one != other
