"""Change points against published series, an independent implementation, the definition, and chance."""

import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports import changepoints
from reports.changepoints import change_points

# The two series that Hunter's and Otava's own tests and reports show, with their places and percents.
PUBLISHED = {
    "series1": ([1.02, 0.95, 0.99, 1.00, 1.12, 0.90, 0.50, 0.51, 0.48, 0.48, 0.55], 6, -49.4),
    "series2": ([2.02, 2.03, 2.01, 2.04, 1.82, 1.85, 1.79, 1.81, 1.80, 1.76, 1.78], 4, -11.0),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_published_series(name: str) -> None:
    """One change each, where and by how much it is published."""
    series, at, percent = PUBLISHED[name]
    (found,) = change_points(series)
    assert found.at == at
    assert found.change is not None
    assert round(100 * found.change, 1) == percent


# seed, length, {place: factor}, noise -> what apache-otava 0.8.0 answers (compute_change_points, p at most 0.001)
OTAVA = [
    ((1, 60, {}, 0.02), []),
    ((2, 60, {30: 1.1}, 0.02), [30]),
    ((3, 90, {20: 1.08, 60: 0.9}, 0.02), [20, 60]),
    ((4, 120, {70: 1.05}, 0.01), [70]),
    ((5, 200, {40: 1.1, 100: 1.1, 150: 0.8}, 0.03), [40, 100, 150]),
    ((6, 40, {36: 1.2}, 0.02), [36]),
    ((7, 15, {7: 1.3}, 0.05), [7]),
]


@pytest.mark.parametrize(("made", "places"), OTAVA)
def test_as_otava_finds_them(made: tuple[int, int, dict[int, float], float], places: list[int]) -> None:
    """Short series and long ones, which are searched window by window."""
    seed, length, steps, noise = made
    chance, level, series = random.Random(seed), 1.0, []
    for at in range(length):
        level *= steps.get(at, 1.0)
        series.append(round(level * (1 + chance.gauss(0, noise)), 4))
    found = change_points(series)
    assert [point.at for point in found] == places
    bounds = [0, *places, length]
    for point, first, at, end in zip(found, bounds, bounds[1:], bounds[2:], strict=False):
        assert point.before == pytest.approx(float(np.mean(series[first:at])))
        assert point.after == pytest.approx(float(np.mean(series[at:end])))


@given(st.lists(st.floats(-100, 100), min_size=4, max_size=14))
def test_the_candidate_by_the_definition(figures: list[float]) -> None:
    """Where the sums say, no pair of sides has a larger statistic when all distances are taken one by one."""

    def q(left: list[float], right: list[float]) -> float:
        n, m = len(left), len(right)
        across = sum(abs(x - y) for x in left for y in right) / (n * m)
        within = [sum(abs(x - y) for x in side for y in side) for side in (left, right)]
        inside = within[0] / (n * (n - 1)) + within[1] / (m * (m - 1))
        return n * m / (n + m) * (2 * across - inside)

    size = len(figures)
    best = max(q(figures[:at], figures[at:end]) for at in range(2, size - 1) for end in range(at + 2, size + 1))
    found = changepoints._candidate(np.array(figures), 0, size)
    assert found is not None
    assert found[0] == pytest.approx(best, abs=1e-6)
    ends = range(found[1] + 2, size + 1)
    assert max(q(figures[: found[1]], figures[found[1] : end]) for end in ends) == pytest.approx(best, abs=1e-6)


def test_a_lone_odd_run_is_no_change() -> None:
    """One disturbed night among quiet ones, at any place."""
    for at in range(20):
        series = [1.0 + 0.01 * (k % 3) for k in range(20)]
        series[at] = 1.6
        assert change_points(series) == []


def test_chance_seldom_looks_like_a_change() -> None:
    """In 200 series of 40 equal runs, fewer than one in twenty has any."""
    chance = np.random.default_rng(3)
    assert sum(bool(change_points(chance.normal(1, 0.05, 40).tolist())) for _ in range(200)) < 10


def test_what_is_too_short_or_does_not_move() -> None:
    """No run, one, three, and a figure that is always 0; a step without any noise is a change."""
    for few in ([], [1.0], [1.0, 1.0, 5.0], [0.0] * 30):
        assert change_points(few) == []
    (found,) = change_points([0.0] * 6 + [0.5] * 6)
    assert (found.at, found.before, found.after, found.change) == (6, 0.0, 0.5, None)
