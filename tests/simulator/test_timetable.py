"""When: exact totals, the right curves, and starts that depend on seed, wave and device alone."""

import json
from hashlib import sha256
from statistics import NormalDist
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from pydantic import TypeAdapter

from scenarios.arrivals import Arrivals
from scenarios.citytime import text
from scenarios.load import Overrides, load
from scenarios.schema import Known, Scenario
from simulator.fleet import make_fleet
from simulator.timetable import (
    BELL_HALF_SIXTH,
    START,
    city_time,
    curve,
    journeys_of,
    lead_s,
    make_timetable,
    peak_rate_per_s,
    planned_curve,
    run_second,
)

KNOWN = Known(("boot", "update"), ("ready", "applied", "identity.login"), ("publish_policy",))
PEAK = load("morning_peak", known=KNOWN)


def scenario_of(devices: int, *waves: dict[str, Any], seed: int = 1, compression: float = 1) -> Scenario:
    """The default scenario with other waves and no objectives."""
    folded = PEAK.model_dump(mode="json", by_alias=True)
    folded |= {"devices": devices, "seed": seed, "objectives": [], "operator": [], "waves": list(waves)}
    folded["day"]["compression"] = compression
    return Scenario.from_json(json.dumps(folded))


def wave(arrivals: dict[str, Any], **other: Any) -> dict[str, Any]:
    """A wave of everybody's lids."""
    return {"name": "lids", "who": "all", "journey": "boot", "arrivals": arrivals} | other


def planned(scenario: Scenario, *, enrolled: bool = True) -> NDArray[np.void]:
    """The whole timetable, by default of a fleet that is enrolled already."""
    fleet = make_fleet(scenario.organisation, scenario.devices, scenario.seed)
    return make_timetable(scenario, fleet, np.full(scenario.devices, enrolled))


BELL = {"shape": "bell", "from": "07:55", "to": "08:55"}
EVEN = {"shape": "even", "from": "08:00", "to": "08:10"}
EIGHT = 8 * 3600.0


def test_the_default_morning() -> None:
    """2,680 enroll at 250 a second, each in its own turn, then 2,600 lids open; the bytes never change for a seed."""
    fleet = make_fleet(PEAK.organisation, PEAK.devices, PEAK.seed)
    timetable = make_timetable(PEAK, fleet)
    assert START.itemsize == 14
    assert journeys_of(PEAK) == ("enroll", "boot")
    enroll, boot = (timetable[timetable["journey"] == number] for number in (0, 1))
    assert (len(enroll), len(boot)) == (2680, 2600)
    assert (np.floor(enroll["due"] * 250) == enroll["device"]).all()
    lead = lead_s(PEAK, 2680)
    assert lead == pytest.approx(2680 / 250 + 1)
    assert boot["due"].min() >= lead
    assert boot["due"].max() <= run_second(PEAK, lead, 8 * 3600 + 55 * 60)
    assert set(boot["device"]) == set(np.flatnonzero(fleet["staff"]))
    assert sha256(timetable.tobytes()).hexdigest() == "d68510c20323417e345b35907226c652d3985de6c541fa37cd01a2d9a20eba53"


def test_in_order_of_due_then_device() -> None:
    """Also among equal dues of several waves."""
    instant = {"shape": "at", "at": "08:00"}
    timetable = planned(
        scenario_of(300, wave(instant, name="b", journey="update"), wave(instant), wave(EVEN, name="c"))
    )
    assert len(timetable) == 900
    keys = list(zip(timetable["due"], timetable["device"], strict=True))
    assert keys == sorted(keys)


@pytest.mark.parametrize("enrolled", [0, 1000, 2680])
def test_only_who_is_not_enrolled_enrolls(enrolled: int) -> None:
    """The lead is as long as they take and 5 s more; nobody to enroll, no lead."""
    fleet = make_fleet(PEAK.organisation, PEAK.devices, PEAK.seed)
    timetable = make_timetable(PEAK, fleet, np.arange(2680) < enrolled)
    enroll = timetable[timetable["journey"] == 0]
    assert set(enroll["device"]) == set(range(enrolled, 2680))
    if enrolled < 2680:
        assert (2680 - enrolled - 1) / 250 <= enroll["due"].max() < (2680 - enrolled) / 250
        assert lead_s(PEAK, 2680 - enrolled) == pytest.approx((2680 - enrolled) / 250 + 1)
    assert lead_s(PEAK, 0) == 0


def test_a_wave_of_enrollment_is_for_who_is_not_enrolled() -> None:
    """A rollout starts those that have to enroll, once each, at the instants at which it would among all others."""
    rollout = scenario_of(100, wave(EVEN, journey="enroll"))
    fleet = make_fleet(rollout.organisation, 100, rollout.seed)
    everybody = make_timetable(rollout, fleet, np.zeros(100, np.bool_))
    some = make_timetable(rollout, fleet, np.arange(100) % 3 > 0)
    assert (len(everybody), len(some)) == (100, 34)
    lead, shorter = lead_s(rollout, 100), lead_s(rollout, 34)
    waves = [starts[starts["due"] >= first] for starts, first in ((everybody, lead), (some, shorter))]
    dues = [dict(zip(starts["device"].tolist(), starts["due"].tolist(), strict=True)) for starts in waves]
    assert set(dues[1]) == set(range(0, 100, 3))
    assert all(dues[0][row] - lead == pytest.approx(due - shorter) for row, due in dues[1].items())
    assert not len(make_timetable(rollout, fleet, np.ones(100, np.bool_)))


def test_bell_by_arithmetic() -> None:
    """40 % within the middle sixth: 2.4 times the mean over it, 2.51 at its top; checked with another normal."""
    normal = NormalDist()
    whole = normal.cdf(6 * BELL_HALF_SIXTH) - normal.cdf(-6 * BELL_HALF_SIXTH)
    sixth = normal.cdf(BELL_HALF_SIXTH) - normal.cdf(-BELL_HALF_SIXTH)
    assert sixth / whole == pytest.approx(0.4, abs=1e-12)
    bell = curve(TypeAdapter(Arrivals).validate_python(BELL))
    ends = np.array([bell.edges_s[0], EIGHT + 20 * 60, EIGHT + 30 * 60, bell.edges_s[-1]])
    assert bell.shares(ends) == pytest.approx([0, 0.3, 0.7, 1], abs=1e-12)
    rates = np.diff(bell.below) / np.diff(bell.edges_s) * 3600
    assert rates.max() == pytest.approx(normal.pdf(0) * 12 * BELL_HALF_SIXTH / whole, rel=1e-5)
    assert rates.max() == pytest.approx(2.51, abs=0.001)


def test_bell_draws_follow_the_analytic_curve() -> None:
    """Kolmogorov-Smirnov, 100,000 draws against the truncated normal: below the 1 % limit 1.63 / sqrt(n)."""
    dues = np.sort(planned(scenario_of(100_000, wave(BELL)))["due"])
    assert len(dues) == 100_000
    normal = NormalDist(1800, 3600 / (12 * BELL_HALF_SIXTH))
    low, high = normal.cdf(0), normal.cdf(3600)
    expected = np.array([(normal.cdf(due) - low) / (high - low) for due in dues])
    steps = np.arange(100_001) / 100_000
    distance = max(np.max(steps[1:] - expected), np.max(expected - steps[:-1]))
    assert distance < 1.63 / 100_000**0.5


def test_minutes_vary_as_peoples_do() -> None:
    """With random arrivals the count of a minute is binomial: its variance over 60 even minutes is near the mean."""
    hour = {"shape": "even", "from": "08:00", "to": "09:00"}
    counts = np.bincount((planned(scenario_of(6000, wave(hour)))["due"] // 60).astype(int) - 5, minlength=60)
    assert counts.sum() == 6000
    # chi-square of 59 degrees of freedom: 0.1 % on either side lie below 30 and above 98
    assert 30 < np.sum((counts - 100.0) ** 2) / 100 < 98


def test_stratified_is_even_along_the_curve() -> None:
    """One device in each of n equal stretches, in an order that is drawn."""
    timetable = planned(scenario_of(600, wave(EVEN | {"stratified": True})))
    assert (np.floor(timetable["due"] - 300) == np.arange(600)).all()
    assert (np.diff(timetable["device"].astype(int)) < 0).any()


def test_at_is_one_instant() -> None:
    """Everybody at once."""
    timetable = planned(scenario_of(50, wave({"shape": "at", "at": "08:05"}), compression=10))
    assert (timetable["due"] == 60).all()


def test_minutes_follow_a_citys_own_log() -> None:
    """Counts are proportions: 1,000 devices over 1, 0, 3 leave the middle minute empty, and nobody is lost."""
    timetable = planned(scenario_of(1000, wave({"shape": "minutes", "from": "07:55", "counts": [0, 1, 0, 3, 0]})))
    counts = np.bincount((timetable["due"] // 60).astype(int), minlength=5)
    assert counts.sum() == 1000
    assert (counts[0], counts[2], counts[4]) == (0, 0, 0)
    assert abs(counts[1] - 250) < 4 * (1000 * 0.25 * 0.75) ** 0.5


def test_a_start_does_not_depend_on_the_fleets_size() -> None:
    """Device 7 opens its lid at the same instant in a fleet of 10, 1,000 and 100,000; the seed moves it."""
    dues = {}
    for size in (10, 1_000, 100_000):
        timetable = planned(scenario_of(size, wave(BELL)))
        dues[size] = timetable[np.argsort(timetable["device"])]["due"]
    assert (dues[10] == dues[100_000][:10]).all()
    assert (dues[1_000] == dues[100_000][:1_000]).all()
    assert (np.sort(planned(scenario_of(10, wave(BELL), seed=2))["due"]) != np.sort(dues[10])).all()


@pytest.mark.parametrize("shards", [1, 2, 7])
def test_shards_are_the_whole(shards: int) -> None:
    """Every start is in exactly one shard, its row's index modulo the count, at the same instant."""
    fleet = make_fleet(PEAK.organisation, PEAK.devices, PEAK.seed)
    whole = make_timetable(PEAK, fleet)
    parts = [make_timetable(PEAK, fleet, shard=(shard, shards)) for shard in range(shards)]
    assert all((part["device"] % shards == shard).all() for shard, part in enumerate(parts))
    together = np.concatenate(parts)
    assert together[np.lexsort((together["device"], together["due"]))].tobytes() == whole.tobytes()


def test_who() -> None:
    """Groups, departments and sites; a share of them is exact and drawn."""
    scenario = scenario_of(
        2680,
        wave(EVEN, who="spares", name="a"),
        wave(EVEN, who={"department": "総務部"}, name="b", journey="update"),
        wave(EVEN, who={"department": "総務部", "site": "在宅"}, name="c", journey="obey"),
        wave(EVEN, who="staff", share=0.1, name="d", journey="sync_policy"),
    )
    fleet = make_fleet(scenario.organisation, 2680, 1)
    timetable = planned(scenario)
    names = journeys_of(scenario)
    started = {name: set(timetable["device"][timetable["journey"] == n].tolist()) for n, name in enumerate(names)}
    department = scenario.organisation.departments[1]
    assert department.name == "総務部"
    at_home = fleet["site"] == [site.name for site in scenario.organisation.sites].index("在宅")
    theirs = fleet["staff"] & (fleet["department"] == 1)
    assert started["boot"] == set(np.flatnonzero(~fleet["staff"]).tolist())
    assert started["update"] == set(np.flatnonzero(theirs).tolist())
    assert started["obey"] == set(np.flatnonzero(theirs & at_home).tolist())
    assert len(started["sync_policy"]) == 260
    assert started["sync_policy"] < set(np.flatnonzero(fleet["staff"]).tolist())
    assert scenario.starts("sync_policy") == 260
    # expected, not exact, where the draw of departments decides: 5 % of 2,600 within four standard deviations
    assert scenario.starts("update") == 130
    assert abs(len(started["update"]) - 130) < 4 * (2600 * 0.05 * 0.95) ** 0.5


MINUTES = st.integers(0, 70)
WINDOWS = st.builds(
    lambda shape, start, length: {"shape": shape, "from": at(start), "to": at(start + 1 + length)},
    st.sampled_from(["bell", "even"]),
    MINUTES,
    st.integers(0, 3),
)
SHAPES = (
    WINDOWS
    | st.builds(lambda start: {"shape": "at", "at": at(start)}, MINUTES)
    | st.builds(
        lambda start, counts: {"shape": "minutes", "from": at(start), "counts": counts},
        MINUTES,
        st.lists(st.floats(0, 1e6) | st.integers(0, 5), min_size=1, max_size=5).filter(sum),
    )
)


def at(minute: int) -> str:
    """City time, minutes after 07:55."""
    return text(7 * 3600 + 55 * 60 + 60 * minute)


@settings(deadline=None)
@given(SHAPES, st.lists(st.floats(0, 1, exclude_max=True), min_size=2))
def test_every_shape_is_monotone_and_inside_its_window(shape: dict[str, Any], shares: list[float]) -> None:
    """More have come later, nobody comes outside, and the two directions of the curve agree."""
    arrivals = TypeAdapter(Arrivals).validate_python(shape)
    line = curve(arrivals)
    assert (line.below[0], line.below[-1]) == (0, 1)
    assert (np.diff(line.below) >= 0).all()
    ordered = np.sort(np.array(shares))
    instants = line.instants(ordered)
    assert (np.diff(instants) >= 0).all()
    assert (instants >= arrivals.from_s).all()
    assert (instants <= arrivals.to_s).all()
    if arrivals.from_s < arrivals.to_s and (np.diff(line.below) > 1e-6).all():
        assert line.shares(instants) == pytest.approx(ordered, abs=1e-6)


@settings(deadline=None)
@given(SHAPES, st.integers(1, 80), st.sampled_from([1, 40, 7.5]), st.booleans())
def test_totals_are_exact(shape: dict[str, Any], devices: int, compression: float, stratified: bool) -> None:
    """Whatever the shape, every device starts once, within the window as the run sees it."""
    if stratified and shape["shape"] != "at":
        shape = shape | {"stratified": True}
    scenario = scenario_of(devices, wave(shape), compression=compression)
    timetable = planned(scenario, enrolled=False)
    boot = timetable[timetable["journey"] == 1]
    assert sorted(boot["device"]) == list(range(devices))
    lead = lead_s(scenario, devices)
    arrivals = scenario.waves[0].arrivals
    assert boot["due"].min() >= run_second(scenario, lead, arrivals.from_s)
    assert boot["due"].max() <= run_second(scenario, lead, arrivals.to_s)


@settings(deadline=None)
@given(st.floats(0, 86_400), st.floats(0, 1000), st.sampled_from([1, 40, 7.5]))
def test_the_two_clocks_are_inverse(city_s: float, lead: float, compression: float) -> None:
    """To the run second of a city instant belongs that city instant; the day starts at the lead."""
    scenario = scenario_of(1, wave(BELL), compression=compression)
    assert city_time(scenario, lead, run_second(scenario, lead, city_s)) == pytest.approx(city_s, abs=1e-6)
    assert run_second(scenario, lead, scenario.day.start_s) == lead
    assert run_second(scenario, lead, scenario.day.start_s + compression) == pytest.approx(lead + 1)


def test_planned_curve_by_arithmetic() -> None:
    """600 even over ten minutes, and 60 at 08:05, at compression 10: 10 a second from run second 30 for a minute."""
    scenario = scenario_of(600, wave(EVEN), wave({"shape": "at", "at": "08:05"}, share=0.1, name="bus"), compression=10)
    edges, counts = planned_curve(scenario, 0.0)
    assert edges[-1] > run_second(scenario, 0.0, scenario.day.end_s)
    assert (np.diff(edges) == 10).all()
    assert counts[:10] == pytest.approx([0, 0, 0, 100, 100, 100, 160, 100, 100, 0])
    assert counts.sum() == pytest.approx(660)
    assert peak_rate_per_s(scenario) == pytest.approx(70)


def test_planned_curve_is_what_happens() -> None:
    """Counts of the real timetable lie within the binomial spread of the plan."""
    lead = lead_s(PEAK, 2680)
    edges, expected = planned_curve(PEAK, lead)
    timetable = make_timetable(PEAK, make_fleet(PEAK.organisation, PEAK.devices, PEAK.seed))
    actual, _ = np.histogram(timetable["due"][timetable["journey"] == 1], edges)
    assert expected.sum() == pytest.approx(2600)
    assert actual.sum() == 2600
    assert (np.abs(actual - expected) <= 4 * np.sqrt(expected) + 1).all()


def test_peak_rates() -> None:
    """The default morning peaks at 2.51 times 2,600 lids an hour, 30 times faster; all at once is everybody."""
    assert peak_rate_per_s(PEAK) == pytest.approx(2.51 * 2600 / 120, rel=0.002)
    assert peak_rate_per_s(scenario_of(500, wave({"shape": "at", "at": "08:00"}))) == 500
    assert peak_rate_per_s(scenario_of(600, wave(EVEN))) == pytest.approx(1)
    assert peak_rate_per_s(PEAK, ("update",)) == 0


def test_other_arrivals_of_the_same_fleet() -> None:
    """A seed of their own moves the waves' starts alone, to where that seed would have them; who enrolls when stays."""
    one = scenario_of(500, wave(EVEN))
    other, whole = (one.model_copy(update={name: 7}) for name in ("arrivals_seed", "seed"))
    fleet = make_fleet(one.organisation, one.devices, one.seed)
    first, second, third = (make_timetable(scenario, fleet) for scenario in (one, other, whole))
    lids, enrolls = ([made[(made["journey"] > 0) == kind] for made in (first, second, third)] for kind in (True, False))
    assert (enrolls[0] == enrolls[1]).all()
    assert (lids[1] == lids[2]).all()
    assert np.count_nonzero(np.sort(lids[0]["due"]) == np.sort(lids[1]["due"])) == 0
    assert sorted(lids[1]["device"]) == sorted(lids[0]["device"])


def test_spread_is_the_same_at_any_size() -> None:
    """Overrides move counts only: the curve of a tenth of the city is a tenth of the curve."""
    small = load("morning_peak", known=KNOWN, overrides=Overrides(devices=268))
    assert planned_curve(small, 0.0)[1] * 10 == pytest.approx(planned_curve(PEAK, 0.0)[1])
