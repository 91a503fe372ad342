"""The rule of the search, played against systems whose capacity is known."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reports.capacity_search import GROWTH, Bounds, Play, Played, Stop, bracket, next_play

System = Callable[[int], float | None]


def search(system: System, bounds: Bounds, most: int = 200) -> tuple[list[Played], Stop]:
    """Let the rule search a system: burden by devices, None for a run that cannot be trusted."""
    played: list[Played] = []
    for _ in range(most):
        said = next_play(played, bounds)
        if isinstance(said, Stop):
            return played, said
        assert isinstance(said, Play)
        assert bounds.least <= said.devices <= bounds.most
        played.append(Played(said.devices, system(said.devices)))
    raise AssertionError("the search does not end")


@settings(deadline=None)
@given(
    capacity=st.integers(20, 200_000),
    start=st.integers(20, 100_000),
    precision=st.floats(0.02, 0.5),
    steep=st.floats(1, 9),
)
def test_it_closes_in_on_any_capacity(capacity: int, start: int, precision: float, steep: float) -> None:
    """The limit lies between two levels within the precision, each played three times, with a level on either side."""
    bounds = Bounds(start, most=10**7, precision=precision)
    played, said = search(lambda devices: steep * math.log(devices / (capacity + 0.5)), bounds)
    assert said == Stop("found")
    where, counts = bracket(played), Counter(one.devices for one in played)
    assert where.holds is not None
    assert where.breaks is not None
    assert where.holds <= capacity < where.breaks
    assert where.breaks <= max(where.holds * (1 + precision), where.holds + 1)
    assert counts[where.holds] == counts[where.breaks] == 3
    assert min(counts) < where.holds < where.breaks < max(counts)
    # up or down by halves, then halving what lies between; four repeats; a level on either side
    growing = abs(math.log(capacity / start)) / math.log(GROWTH) + 2
    halving = max(0.0, math.log2(math.log(GROWTH) / math.log1p(precision))) + 2
    assert len(played) <= growing + halving + 4 + 2


@settings(deadline=None)
@given(ours=st.integers(50, 9000), theirs=st.integers(50, 9000), start=st.integers(50, 5000))
def test_our_own_limit_is_never_called_theirs(ours: int, theirs: int, start: int) -> None:
    """Where we are saturated first the search says so; a limit is found only below our own."""
    bounds = Bounds(start, most=10**6, precision=0.05)
    played, said = search(lambda devices: None if devices >= ours else math.log(devices / (theirs + 0.5)), bounds)
    where = bracket(played)
    if said.end == "found":
        assert where.holds is not None
        assert where.breaks is not None
        assert where.holds <= theirs < where.breaks < ours
    else:
        assert said.end == "harness"
        assert where.saturated is not None
        assert where.saturated >= ours
        assert where.holds is None or where.holds < ours
        # found out by two runs, never by one
        assert sum(one.devices == where.saturated for one in played) >= 2


def test_one_untrusted_run_is_played_again() -> None:
    """A stray untrusted run changes nothing but that its level is played once more."""
    stray = iter([True])

    def system(devices: int) -> float | None:
        return None if devices == 150 and next(stray, False) else math.log(devices / 130.5)

    played, said = search(system, Bounds(100, most=1000))
    assert said == Stop("found")
    assert [one.devices for one in played[:3]] == [100, 150, 150]
    assert bracket(played).saturated is None


def test_bounds_are_kept_and_told() -> None:
    """The most allowed holds, and the fewest that can be judged breaks: both are an end of their own."""
    played, said = search(lambda devices: -1.0, Bounds(100, most=1000))
    assert said == Stop("not_reached")
    assert max(one.devices for one in played) == 1000
    played, said = search(lambda devices: 1.0, Bounds(100, most=1000, least=40))
    assert said == Stop("below")
    assert min(one.devices for one in played) == 40


def test_the_rule_by_hand() -> None:
    """100 holds and 150 does not: their geometric mean, 122, comes next; then, precise enough, the repeats."""
    bounds = Bounds(100, most=1000, precision=0.25)
    assert next_play([], bounds) == Play(100)
    played = [Played(100, -0.5)]
    assert next_play(played, bounds) == Play(150)
    played.append(Played(150, 0.5))
    assert next_play(played, bounds) == Play(122)
    played.append(Played(122, -0.1))
    assert next_play(played, bounds) == Play(122)
    played += [Played(122, -0.1)] * 2
    assert next_play(played, bounds) == Play(150)


@pytest.mark.parametrize("seed", range(20))
def test_noise_does_not_keep_it_from_ending(seed: int) -> None:
    """With runs that differ by a quarter the search still ends, and near the capacity."""
    chance = np.random.default_rng(seed)
    played, said = search(
        lambda devices: 4 * math.log(devices / 4300) + chance.normal(0, 0.25), Bounds(2680, most=30_000, precision=0.1)
    )
    assert said == Stop("found")
    where = bracket(played)
    assert where.holds is not None
    assert where.breaks is not None
    assert 4300 / 1.25 < where.holds < where.breaks < 4300 * 1.25
