"""Whether what lies beyond a percentile came together, against every order that there is."""

from __future__ import annotations

from itertools import combinations, pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports.likeness import likeness


@pytest.mark.parametrize(("count", "many"), [(12, 2), (14, 4), (15, 6)])
def test_no_order_is_told_to_be_less_probable_than_it_is(count: int, many: int) -> None:
    """Over every order: in the mean 0, in one go 1, and no small chance is told smaller than counting has it."""
    pairs, alike, chance = [], [], []
    for at in combinations(range(count), many):
        told = likeness(np.isin(np.arange(count), at))
        assert told is not None
        pairs.append(sum(b - a == 1 for a, b in pairwise(at)))
        alike.append(told[0])
        chance.append(told[1])
    assert np.mean(alike) == pytest.approx(0, abs=1e-12)
    assert alike[0] == pytest.approx(1)
    for most, told_chance in set(zip(pairs, chance, strict=True)):
        if told_chance < 0.1:
            assert told_chance >= np.mean(np.array(pairs) >= most) - 1e-12


@given(st.lists(st.booleans(), max_size=60))
def test_any_order_is_told_or_has_nothing_to_tell(beyond: list[bool]) -> None:
    """At most 1, a probability, the same backwards; None where fewer than two or all lie beyond."""
    found = likeness(np.array(beyond, np.bool_))
    assert (found is None) == (sum(beyond) < 2 or all(beyond))
    if found is not None:
        assert found[0] <= 1 + 1e-12
        assert 0 <= found[1] <= 1
        assert found == likeness(np.array(beyond[::-1], np.bool_))
