"""Student's t against printed tables, its own density, and the two cases that have a plain formula."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports.student import quantile, two_sided

# Two-sided critical values, Fisher and Yates, Statistical Tables, table III.
TABLE = {
    (1, 0.05): 12.706,
    (1, 0.001): 636.619,
    (2, 0.01): 9.925,
    (4, 0.05): 2.776,
    (5, 0.01): 4.032,
    (9, 0.05): 2.262,
    (9, 0.001): 4.781,
    (19, 0.01): 2.861,
    (30, 0.05): 2.042,
    (120, 0.001): 3.373,
}


@pytest.mark.parametrize(("df", "p"), TABLE)
def test_the_printed_table(df: int, p: float) -> None:
    """Both directions, to the digits that are printed."""
    assert quantile(1 - p / 2, df) == pytest.approx(TABLE[df, p], rel=2e-4)
    assert two_sided(TABLE[df, p], df) == pytest.approx(p, rel=2e-3)


@given(st.floats(0, 50))
def test_one_and_two_degrees_of_freedom(t: float) -> None:
    """One is Cauchy's distribution; for two the integral is elementary."""
    assert two_sided(t, 1) == pytest.approx(1 - 2 / math.pi * math.atan(t), abs=1e-12)
    assert two_sided(-t, 2) == pytest.approx(1 - t / math.sqrt(2 + t * t), abs=1e-12)


@pytest.mark.parametrize("df", [3, 4, 7, 10, 25, 60])
def test_the_density_integrated(df: int) -> None:
    """What lies beyond t is the integral of the density."""
    t = np.linspace(-2.3, 2.3, 20_001)
    scale = math.exp(math.lgamma((df + 1) / 2) - math.lgamma(df / 2)) / math.sqrt(df * math.pi)
    density = scale * (1 + t**2 / df) ** (-(df + 1) / 2)
    assert two_sided(2.3, df) == pytest.approx(1 - float(np.trapezoid(density, t)), abs=1e-7)


def test_the_ends() -> None:
    """Nothing is further out than infinity, everything than 0; there is no t without a degree of freedom."""
    assert two_sided(math.inf, 3) == 0
    assert two_sided(0, 3) == 1
    with pytest.raises(ValueError, match="at least 1"):
        two_sided(1.0, 0)
