"""The monotone curve and where it passes the limit: by hand, by another formula, and on made searches."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports.capacity_fit import FARTHEST, burden, crossing, fit, isotonic


@pytest.mark.parametrize(
    ("values", "weights", "expected"),
    [
        ([1, 2, 3], [1, 1, 1], [1, 2, 3]),
        ([1, 3, 2, 4], [1, 1, 1, 1], [1, 2.5, 2.5, 4]),
        ([5, 4, 3, 2, 1], [1, 1, 1, 1, 1], [3, 3, 3, 3, 3]),
        # (3 * 3 + 1 * 1) / 4
        ([0, 3, 1], [1, 3, 1], [0, 2.5, 2.5]),
    ],
)
def test_isotonic_by_hand(values: list[float], weights: list[float], expected: list[float]) -> None:
    """Violators are pooled to their weighted mean, and no further."""
    assert isotonic(np.array(values, float), np.array(weights, float)).tolist() == expected


@given(
    st.lists(st.tuples(st.floats(-3, 3), st.integers(1, 5)), min_size=1, max_size=12),
)
def test_isotonic_is_the_max_min_of_means(rows: list[tuple[float, int]]) -> None:
    """The same as the max-min formula (Barlow et al. 1972): max over starts of min over ends of the mean between."""
    values, weights = np.array([row[0] for row in rows]), np.array([row[1] for row in rows], float)

    def mean(first: int, last: int) -> float:
        part = slice(first, last + 1)
        return float(values[part] @ weights[part] / weights[part].sum())

    count = len(rows)
    expected = [max(min(mean(a, b) for b in range(i, count)) for a in range(i + 1)) for i in range(count)]
    assert isotonic(values, weights) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize(
    ("value", "limit", "expected"),
    [
        (30, 30, 0),
        (15, 30, -math.log(2)),
        (60, 30, math.log(2)),
        (1000, 30, FARTHEST),
        (0.001, 30, -FARTHEST),
        (None, 30, FARTHEST),
        (math.inf, 30, FARTHEST),
        (0, 0, -FARTHEST),
        (0.1, 0, FARTHEST),
    ],
)
def test_burden(value: float | None, limit: float, expected: float) -> None:
    """The logarithm of the multiple, cut at eight times; no error where none is allowed is fine, one is not."""
    assert burden(value, limit) == pytest.approx(expected)


def test_crossing_by_hand() -> None:
    """Half the limit at 1,000 and twice at 2,000: it passes at their geometric mean; open at both ends otherwise."""
    levels = np.array([1000.0, 2000.0, 4000.0])
    half, twice = -math.log(2), math.log(2)
    assert crossing(levels, np.array([half, twice, FARTHEST])) == pytest.approx(math.sqrt(1000 * 2000))
    assert crossing(levels, np.array([half, 0.0, twice])) == pytest.approx(2000)
    assert crossing(levels, np.array([half, half, half])) == math.inf
    assert crossing(levels, np.array([twice, twice, twice])) == 0


def test_without_noise_the_band_is_the_crossing() -> None:
    """Runs of a level that agree exactly leave nothing to doubt."""
    devices = np.array([1000.0, 2000, 2000, 2000, 2100, 2100, 2100, 3000])
    found = fit(devices, np.log(devices / 2050))
    assert found.crossing == pytest.approx(2050, rel=1e-3)
    assert found.low == found.high == pytest.approx(2050, rel=1e-3)
    assert found.levels.tolist() == [1000, 2000, 2100, 3000]
    assert found.runs.tolist() == [1, 3, 3, 1]


def test_with_one_run_a_level_the_band_is_open() -> None:
    """How far runs of a level differ is not known from one each."""
    found = fit(np.array([1000.0, 2000.0]), np.array([-1.0, 1.0]))
    assert found.crossing == pytest.approx(math.sqrt(2e6))
    assert (found.low, found.high) == (0.0, math.inf)


def test_noise_widens_the_band() -> None:
    """Between runs of a level that differ by a factor of 1.2, the limit is not known better than that.

    Burdens grow as the square of the devices, so a spread of log 1.2 in them is one of log(1.2)/2, 9.5 %, in devices.
    """
    devices = np.repeat([1400.0, 2000.0, 2200.0, 3000.0], [1, 3, 3, 1])
    spread = math.log(1.2) * np.array([0, -1, 0, 1, -1, 0, 1, 0])
    found = fit(devices, 2 * np.log(devices / 2100) + spread)
    assert found.crossing == pytest.approx(2100, rel=0.01)
    assert 0.05 < found.high / found.low - 1 < 0.3
    assert found.low < 2100 < found.high
