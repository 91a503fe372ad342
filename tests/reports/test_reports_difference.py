"""How a run is held against earlier ones: by hand, and by what it does in hundreds of made sets of runs."""

import math
from fractions import Fraction
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from reports.difference import ALPHA, counted_p, holm, of_devices, of_figures, of_shares, smallest_share

DEVICES = 120


class City:
    """Runs of equal timetables: devices that differ much, a state that a run's devices share, and everybody's luck."""

    def __init__(self, seed: int, *, state: float = 0.02, luck: float = 0.1) -> None:
        self._chance = np.random.default_rng(seed)
        self._own = self._chance.normal(0, 0.5, DEVICES)
        self._state, self._luck = state, luck

    def run(self, slower: float = 0.0) -> NDArray[np.float64]:
        """The logarithm of each device's time in one more run."""
        luck = self._luck * self._chance.standard_t(4, DEVICES)
        return self._own + self._chance.normal(0, self._state) + luck + slower


def test_a_figure_by_hand() -> None:
    """Five runs 1 to 5 have mean 3 and variance 2.5; one more lies within 2.776 * sqrt(2.5 * 6 / 5) of it."""
    found = of_figures(8.0, [1.0, 2.0, 3.0, 4.0, 5.0])
    assert found is not None
    assert found.value == 5
    assert found.error == pytest.approx(math.sqrt(3))
    assert found.low == pytest.approx(5 - 2.776 * math.sqrt(3), abs=1e-3)
    assert found.high == pytest.approx(5 + 2.776 * math.sqrt(3), abs=1e-3)
    # t = 2.887 with 4 degrees of freedom: between the table's 2.776 (5 %) and 3.747 (2 %)
    assert 0.02 < (found.p or 0) < 0.05


def test_a_figure_among_the_outcomes_other_than_ok() -> None:
    """Such a run is worse than any with a figure; earlier runs without one compare with nothing."""
    found = of_figures(math.inf, [1.0, 2.0, 3.0, 4.0, 5.0])
    assert found is not None
    assert found.p == 0
    assert of_figures(1.0, [1.0, math.inf, 3.0, 4.0, 5.0]) is None
    assert of_figures(1.0, []) is None


def test_few_runs_have_the_bands_within_them() -> None:
    """Two runs say nothing of how runs differ: there is no p, and the ends are those of bands furthest apart."""
    found = of_figures(2.0, [1.0, 1.2], [(1.8, 2.3), (0.9, 1.1), (1.0, 1.3)])
    assert found is not None
    assert (found.p, found.smallest(0.05)) == (None, None)
    assert found.value == pytest.approx(0.9)
    assert (found.low, found.high) == (pytest.approx(1.8 - 1.2), pytest.approx(2.3 - 0.95))


@given(st.integers(0, 10_000), st.floats(-1, 1))
def test_what_makes_devices_differ_falls_out(seed: int, slower: float) -> None:
    """With states and luck of 0 the change is exactly what was made, however much the devices differ."""
    city = City(seed, state=0, luck=0)
    found = of_devices(city.run(slower), [city.run() for _ in range(5)])
    assert found is not None
    assert found.value == pytest.approx(slower, abs=1e-9)
    assert found.count == DEVICES


def test_devices_by_hand() -> None:
    """States of 1 to 5 hundredths and no luck: the median device shows each run's state, so that the spread is that of
    the states, however the devices differ."""
    own = np.linspace(-1, 1, 11)
    found = of_devices(own + 0.08, [own + 0.01 * state for state in (1, 2, 3, 4, 5)])
    assert found is not None
    assert found.value == pytest.approx(0.05)
    assert found.error == pytest.approx(0.01 * math.sqrt(3))
    assert (found.df, found.count) == (4, 11)


@pytest.mark.parametrize("runs", [5, 10])
def test_alike_runs_are_told_apart_as_seldom_as_promised_and_others_as_often(runs: int) -> None:
    """In 400 sets of runs: 5 % of the equal ones differ (4 standard errors: at most 9.4 %), and of those that are
    slower by the smallest difference, 80 % are found (4 standard errors: 72 to 88 %)."""
    false = found = 0
    for seed in range(400):
        city = City(seed)
        earlier = [city.run() for _ in range(runs)]
        equal = of_devices(city.run(), earlier)
        assert equal is not None
        false += (equal.p or 0) <= ALPHA
        smallest = equal.smallest(ALPHA)
        assert smallest is not None
        slower = of_devices(city.run(smallest), earlier)
        assert slower is not None
        found += (slower.p or 0) <= ALPHA and slower.value > 0
    assert false <= 400 * 0.094
    assert 400 * 0.72 <= found <= 400 * 0.88


def test_a_runs_shared_state_is_no_difference() -> None:
    """A test that takes each device for an observation of its own calls most equal runs different; ours does not."""
    naive = ours = 0
    for seed in range(100):
        city = City(seed, state=0.05)
        earlier, new = [city.run() for _ in range(5)], city.run()
        apart = new - np.mean(earlier, axis=0)
        naive += abs(apart.mean()) > 2 * apart.std(ddof=1) / math.sqrt(DEVICES)
        found = of_devices(new, earlier)
        assert found is not None
        ours += (found.p or 0) <= ALPHA
    assert naive > 50
    assert ours <= 13


def test_pairing_matters() -> None:
    """Devices that differ by a factor of two hide a step that is 3 % slower, unless each is held against itself."""
    paired = shuffled = 0
    for seed in range(60):
        city = City(seed, state=0.003, luck=0.03)
        earlier, new = [city.run() for _ in range(6)], city.run(math.log(1.03))
        chance = np.random.default_rng(seed)
        for count, runs in ((0, [new, *earlier]), (1, [chance.permutation(run) for run in (new, *earlier)])):
            found = of_devices(runs[0], runs[1:])
            assert found is not None
            if count:
                shuffled += (found.p or 0) <= ALPHA
            else:
                paired += (found.p or 0) <= ALPHA
    assert paired >= 55
    assert shuffled <= 10


def test_devices_in_one_run_alone_do_not_count() -> None:
    """A device without a time in a run is left out of that pair; with too few in common nothing is compared."""
    city = City(1, state=0, luck=0)
    earlier, new = [city.run() for _ in range(5)], city.run(0.1)
    new[10:] = math.nan
    found = of_devices(new, earlier)
    assert found is not None
    assert found.count == 10
    assert found.value == pytest.approx(0.1)
    new[5:] = math.nan
    assert of_devices(new, earlier) is None


def test_holm_by_hand() -> None:
    """Smallest times 4, next times 3, ..., never falling, never above 1."""
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.5, 0.9]) == pytest.approx([1.0, 1.0])
    assert holm([]) == []


@given(st.lists(st.floats(0, 1), min_size=1, max_size=6))
def test_holm_is_the_closed_test(ps: list[float]) -> None:
    """It is the largest Bonferroni p of any set of hypotheses that contains this one (Marcus, Peritz, Gabriel 1976)."""
    every = [set(some) for size in range(1, len(ps) + 1) for some in combinations(range(len(ps)), size)]
    sizes = [(some, min(1, len(some) * min(ps[at] for at in some))) for some in every]
    closed = [max(p for some, p in sizes if one in some) for one in range(len(ps))]
    assert holm(ps) == pytest.approx(closed)


def test_counts_by_hand() -> None:
    """3 bad of 100 against 0 of 100: all three on one side has the chance 1/8, either way 1/4."""
    assert counted_p((3, 100), (0, 100)) == pytest.approx(float(Fraction(1, 4)))
    assert counted_p((0, 100), (0, 1000)) == 1
    # 8 bad of 200 against 2 of 1,800: P(B >= 8) for B ~ Bin(10, 0.1)
    tail = sum(math.comb(10, k) * 0.1**k * 0.9 ** (10 - k) for k in (8, 9, 10))
    assert counted_p((8, 200), (2, 1800)) == pytest.approx(2 * tail)


def test_shares_have_to_beat_both_runs_and_chance() -> None:
    """Runs without any error say nothing of a single one; runs that differ much among each other hide a small rise."""
    calm, wild = [(0, 500)] * 6, [(2, 500), (30, 500), (5, 500), (41, 500), (0, 500), (22, 500)]
    assert of_shares((1, 500), calm)[1] > ALPHA
    assert of_shares((6, 500), calm)[1] < 0.01
    assert counted_p((45, 500), (100, 3000)) < 0.001
    assert of_shares((45, 500), wild)[1] > ALPHA


@pytest.mark.parametrize("old", [[(0, 500)] * 6, [(5, 500), (7, 500), (4, 500), (6, 500), (5, 500)]])
def test_the_smallest_share_is_the_first_that_is_found(old: list[tuple[int, int]]) -> None:
    """One sample fewer would not have been."""
    usual = float(np.mean([bad / count for bad, count in old]))
    least = smallest_share(500, old, ALPHA)
    assert least is not None
    bad = round((usual + least) * 500)
    assert of_shares((bad, 500), old)[1] <= ALPHA < of_shares((bad - 1, 500), old)[1]
