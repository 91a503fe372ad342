"""Which metrics gave in at the limit, how sure that is, and what is named in no case."""

from __future__ import annotations

import math

import numpy as np
import pytest

from reports.gave_in import gave_in

# Devices of a search as it is played: up, between, both ends again, and a level on either side.
PLAYED = (1000, 1500, 2250, 3375, 2756, 2490, 2620, 2490, 2490, 2620, 2620, 3930)
HOLDS, BREAKS = 2490, 2620


def test_what_gave_in() -> None:
    """Of levels at 1,000, 2,000 and 3,000, of which the last does not hold: by hand, one metric of each kind.

    Slopes: threads log(40/20)/log 2 = 1 before and 0 after; queue 1 before and log(90/10)/log 1.5 = 5.4 after;
    requests 1 and 1, which is the load itself; temperature 0 and 0.
    """
    metrics = {
        "cpu_share": (0.5, 0.93, 0.99),
        "pool_threads": (20, 40, 40),
        "queue_length": (5, 10, 90),
        "requests": (100, 200, 300),
        "temperature": (40, 41, 42),
        "now_and_then": (None, 1, 1),
    }
    levels = [
        (devices, {name: values[at] for name, values in metrics.items() if values[at] is not None})
        for at, devices in enumerate((1000, 2000, 3000))
    ]
    told = gave_in(levels, 2000, 3000)
    assert told["levels"] == [1000, 2000, 3000]
    assert [(one["metric"], one["kind"]) for one in told["found"]] == [
        ("cpu_share", "full"),
        ("pool_threads", "ceiling"),
        ("queue_length", "ran_away"),
    ]
    assert told["found"][2] == {
        "metric": "queue_length",
        "kind": "ran_away",
        "low": 5,
        "at": 10,
        "beyond": 90,
        "sure": None,
    }


def test_nothing_is_named_where_nothing_can_be() -> None:
    """Without metrics, without a limit, and with levels too near to tell a slope."""
    half, full = {"cpu_share": 0.5}, {"cpu_share": 1.0}
    assert "no metrics" in gave_in([], 1, 2)["refused"]
    assert "not passed" in gave_in([(100, full)], 100, None)["refused"]
    assert "far enough" in gave_in([(100, half), (110, full)], 100, 110)["refused"]
    assert gave_in([(100, half), (200, full)], 100, 200)["found"][0]["beyond"] == 1


def noisy(seed: int, spread: float) -> list[tuple[int, dict[str, float]]]:
    """A search against a server whose processor is full at the limit, beside what has nothing to do with it."""
    chance = np.random.default_rng(seed)
    levels = []
    for at, devices in enumerate(PLAYED):
        metrics = {
            "cpu_ratio": min(1.0, devices / HOLDS),
            "workers": min(40.0, 40 * devices / HOLDS),
            "requests_per_s": devices / 10,
            # these run by themselves, one faster and faster; the disk is as full as it was
            "bytes_ever": 1e6 * (at + 1),
            "log_lines_ever": 10 * 1.4**at,
            "disk_ratio": 0.93,
            "fan_rpm": 3000.0,
        }
        levels.append((devices, {name: value * math.exp(chance.normal(0, spread)) for name, value in metrics.items()}))
    return levels


@pytest.mark.parametrize("seed", range(20))
def test_the_right_one_is_named_and_surely(seed: int) -> None:
    """With runs that differ by 1 %: the processor, first and surely; the workers beside it; never a counter that merely
    runs on, though its value at the limit is many times that at the first level."""
    told = gave_in(noisy(seed, 0.01), HOLDS, BREAKS)
    first, *others = told["found"]
    assert (first["metric"], first["kind"]) == ("cpu_ratio", "full")
    assert first["sure"] >= 0.95
    assert {one["metric"] for one in others} <= {"workers"}


def test_without_the_check_of_the_clock_the_counters_would_be_named() -> None:
    """The slopes alone are those of a ceiling: 10 times as many at the limit as at first, fewer far beyond it."""
    by_itself = {at: 1e6 * (number + 1) for number, at in enumerate(PLAYED)}
    assert by_itself[HOLDS] / by_itself[1000] > (HOLDS / 1000) ** 0.5
    runs = [(devices, {"jobs": 1e6 * (at + 1)}) for at, devices in enumerate(PLAYED[:-1])]
    assert gave_in(runs, HOLDS, BREAKS)["found"] == []
    # the same values, each level played when its place in the order of the devices comes
    in_order = [(devices, {"jobs": 1e6 * (at + 1)}) for at, devices in enumerate((1000, 2490, 3375))]
    in_order[2] = (3375, {"jobs": 2.1e6})
    assert gave_in(in_order, HOLDS, 3375)["found"][0]["kind"] == "ceiling"


def test_the_more_runs_differ_the_less_sure_it_is() -> None:
    """A metric whose runs of one level differ by a third may have been named by chance, and is told so."""
    quiet = gave_in(noisy(1, 0.01), HOLDS, BREAKS)["found"]
    sure = {one["metric"]: one["sure"] for one in quiet}
    assert sure["workers"] >= 0.95
    queue = [(devices, {"queue": (devices / 1000) ** (1 if devices <= HOLDS else 2.2)}) for devices in PLAYED]
    chance = np.random.default_rng(5)
    shaken = [(devices, {"queue": told["queue"] * math.exp(chance.normal(0, 0.35))}) for devices, told in queue]
    named = [one["sure"] for one in gave_in(shaken, HOLDS, BREAKS)["found"]]
    assert all(one < 0.95 for one in named)


@pytest.mark.parametrize(
    ("waiting", "named"),
    [
        ((0, 0, 0, 200), True),
        # one run at the holding level, or none beyond, is enough to be no such thing
        ((0, 0, 3, 200), False),
        ((0, 0, 0, 0), False),
    ],
)
def test_what_was_not_there_before_the_limit_is_named(waiting: tuple[float, ...], named: bool) -> None:
    """A queue that is empty in each run up to the limit and is not beyond: named, though it has no slope."""
    runs = [(devices, {"waiting": value}) for devices, value in zip((1000, 2000, 2000, 3000), waiting, strict=True)]
    found = gave_in(runs, 2000, 3000)["found"]
    assert [(one["metric"], one["kind"], one["sure"]) for one in found] == [("waiting", "appeared", None)] * named


def test_how_sure_is_not_known_without_repeats() -> None:
    """One run a level says nothing of how much runs differ."""
    told = gave_in([(1000, {"cpu_share": 0.5}), (2000, {"cpu_share": 0.9}), (3000, {"cpu_share": 1.0})], 2000, 3000)
    assert told["found"][0]["sure"] is None
