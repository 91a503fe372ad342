"""Chance: the same on every machine, alone or in a column, and evenly spread."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from simulator.draw import bits, bits_column, draw, draws

ROWS = st.integers(0, 2**32 - 1)
SEEDS = st.integers(0, 2**63 - 1)


def _splitmix64(state: int, skip: int) -> int:
    """The published generator (Vigna's splitmix64.c), step by step: the output after `skip` earlier ones."""
    for _ in range(skip):
        state = (state + 0x9E3779B97F4A7C15) % 2**64
    z = (state + 0x9E3779B97F4A7C15) % 2**64
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) % 2**64
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) % 2**64
    return z ^ (z >> 31)


def test_the_mixer_is_the_published_one() -> None:
    """The known first outputs of splitmix64 for seed 1234567 come out of the same finalizer."""
    assert [_splitmix64(1234567, n) for n in range(3)] == [
        6457827717110365317,
        3203168211198807973,
        9817491932198370423,
    ]
    from simulator.draw import _mix

    assert _mix((1234567 + 0x9E3779B97F4A7C15) % 2**64) == 6457827717110365317


@given(SEEDS, st.lists(ROWS, min_size=1, max_size=20), st.text(max_size=20), st.integers(0, 10**6))
def test_a_column_equals_its_rows(seed: int, rows: list[int], what: str, n: int) -> None:
    """draws() and draw() agree to the bit, so a vectorised plan and a single device never differ."""
    column = np.array(rows, np.uint32)
    assert bits_column(seed, column, what, n).tolist() == [bits(seed, row, what, n) for row in rows]
    assert draws(seed, column, what, n).tolist() == [draw(seed, row, what, n) for row in rows]


def test_draws_are_even_and_unrelated() -> None:
    """100,000 rows fill 100 classes evenly (chi-square below 148.2, the 99.9 % point), n and n+1 apart."""
    rows = np.arange(100_000)
    first, second = draws(7, rows, "typing", 1), draws(7, rows, "typing", 2)
    for values in (first, second, draws(8, rows, "typing", 1), draws(7, rows, "arrival", 1)):
        counts, _ = np.histogram(values, 100, (0, 1))
        assert ((counts - 1000) ** 2 / 1000).sum() < 148.2
    # the standard error of a correlation of 100,000 pairs is 0.0032
    assert abs(np.corrcoef(first, second)[0, 1]) < 0.013
    assert abs(np.corrcoef(first[:-1], first[1:])[0, 1]) < 0.013
