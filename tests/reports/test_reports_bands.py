"""Bands between runs, against published tables and arithmetic by hand."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports.bands import between_runs, student_t

# NIST/SEMATECH e-Handbook 1.3.6.7.2, two-sided: degrees of freedom -> t at 0.90, 0.95, 0.99
TABLE = {
    1: (6.314, 12.706, 63.657),
    2: (2.920, 4.303, 9.925),
    3: (2.353, 3.182, 5.841),
    4: (2.132, 2.776, 4.604),
    5: (2.015, 2.571, 4.032),
    9: (1.833, 2.262, 3.250),
    10: (1.812, 2.228, 3.169),
    29: (1.699, 2.045, 2.756),
    100: (1.660, 1.984, 2.626),
}


@pytest.mark.parametrize("freedom", TABLE)
def test_quantiles_are_those_of_the_published_table(freedom: int) -> None:
    """To the three decimals that are printed."""
    for level, told in zip((0.90, 0.95, 0.99), TABLE[freedom], strict=True):
        assert student_t(freedom, level) == pytest.approx(told, abs=5.1e-4)


def test_three_runs_by_hand() -> None:
    """1, 2 and 4 s: the logarithms are 0, 1, 2 doublings, so mean 1, deviation 1, t 4.3027 over the root of 3."""
    band = between_runs([2.0, 1.0, 4.0])
    doublings = 4.302653 / math.sqrt(3)
    assert (band.middle, band.runs) == (pytest.approx(2.0), 3)
    assert band.low == pytest.approx(2.0 * 2**-doublings, rel=1e-6)
    assert band.high == pytest.approx(2.0 * 2**doublings, rel=1e-6)


def test_runs_that_agree_leave_no_band() -> None:
    """Equal percentiles: both ends are the value."""
    band = between_runs([0.5] * 4)
    assert (band.low, band.middle, band.high) == pytest.approx((0.5, 0.5, 0.5))


def test_times_of_day_by_hand() -> None:
    """08:40, 08:41 and 08:42: mean 08:41, deviation 60 s, t 4.3027 over the root of 3; and the same two hours later."""
    reach = 4.302653 * 60 / math.sqrt(3)
    for hour in (8, 10):
        at = hour * 3600 + 41 * 60.0
        band = between_runs([at, at + 60, at - 60], clock=True)
        assert (band.low, band.middle, band.high) == pytest.approx((at - reach, at, at + reach), abs=1e-4)
    never = between_runs([31_000.0, math.inf, 31_060.0], clock=True)
    assert (never.low, never.high) == (between_runs([31_000.0, 31_060.0, 31_060.0], clock=True).low, math.inf)


def test_a_run_among_the_failures() -> None:
    """Its percentile is unbounded: so is the band above; below it counts as the worst of the others."""
    band = between_runs([1.0, math.inf, 4.0, 2.0])
    assert band.middle == band.high == math.inf
    assert band.low == between_runs([1.0, 4.0, 4.0, 2.0]).low
    none = between_runs([math.inf] * 3)
    assert (none.low, none.middle, none.high) == (math.inf,) * 3


@pytest.mark.parametrize("values", [[], [1.0, 2.0], [1.0, 2.0, 0.0], [1.0, 2.0, -1.0], [1.0, 2.0, math.nan]])
def test_what_has_no_band_is_refused(values: list[float]) -> None:
    """Too few runs, and values that have no logarithm, stop loudly."""
    with pytest.raises(ValueError, match="a band between runs needs"):
        between_runs(values)


@given(
    values=st.lists(st.floats(1e-4, 1e4), min_size=3, max_size=12),
    factor=st.floats(0.01, 100.0),
    level=st.sampled_from([0.8, 0.95, 0.99]),
)
def test_order_and_unit_do_not_matter(values: list[float], factor: float, level: float) -> None:
    """The middle lies within the band; another order gives the same; another unit scales all three."""
    band = between_runs(values, level=level)
    assert band.low <= band.middle * (1 + 1e-12)
    assert band.middle <= band.high * (1 + 1e-12)
    again = between_runs([value * factor for value in reversed(values)], level=level)
    assert (again.low, again.middle, again.high) == pytest.approx(
        (band.low * factor, band.middle * factor, band.high * factor), rel=1e-6
    )
