"""How many samples a percentile needs, and city time: against exact arithmetic."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic_core import PydanticCustomError

from scenarios.citytime import seconds, text
from scenarios.evidence import part, samples_needed


@pytest.mark.parametrize(("percentile", "needed"), [(50, 6), (95, 72), (99, 368), (99.9, 3688)])
def test_constants(percentile: float, needed: int) -> None:
    """The counts that the contract names."""
    assert samples_needed(percentile) == needed


@pytest.mark.parametrize("percentile", [1, 5, 10, 25, 50, 75, 90, 95, 97, 99])
def test_needed_is_the_first_count_with_a_two_sided_band(percentile: int) -> None:
    """By exact fractions: with the least and the greatest sample as the band, at most 2.5 % lie beyond either end."""
    p, half = Fraction(percentile, 100), Fraction(25, 1000)

    def carries(n: int) -> bool:
        return p**n <= half and (1 - p) ** n <= half

    needed = samples_needed(percentile)
    assert carries(needed)
    assert not carries(needed - 1)


def test_part_rounds_to_whole_ones() -> None:
    """A tenth of 2,600 is 260 although 0.1 is not exact; halves go up."""
    assert [part(0.1, 2600), part(0.5, 3), part(1.0, 7), part(0.001, 100)] == [260, 2, 7, 0]


@given(st.integers(0, 86_400))
def test_city_time_round_trip(city_s: int) -> None:
    """Every second of the day reads back as itself."""
    assert seconds(text(city_s)) == city_s


@pytest.mark.parametrize(
    "wrong",
    ["7:55", "07:5", "24:01", "07:60", "07:55:60", "0755", "07:55 ", "07:55\n", "٠٧:٥٥", "-1:00", "", 755, None],
)
def test_not_a_city_time(wrong: object) -> None:
    """Nothing is guessed."""
    with pytest.raises(PydanticCustomError, match="a city time in quotes"):
        seconds(wrong)
