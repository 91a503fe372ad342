"""Which way each person gets into a session: drawn for the device, in the scenario's shares."""

from __future__ import annotations

from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from scenarios.sign_in import SignIn
from simulator.draw import draw
from simulator.kinds import kind_of, kinds_of

MIXED = SignIn(online=0.2, offline_unlock=0.5, expired_token=0.15, wrong_password=0.1, locked_account=0.05)
# Where the stretch of each kind ends, in the order in which a scenario names them.
ENDS = {"online": 0.2, "offline_unlock": 0.7, "expired_token": 0.85, "wrong_password": 0.95, "locked_account": 1.0}


def test_shares_are_met() -> None:
    """Of 100,000 people as many are of each kind as the shares say, within five standard errors."""
    counts = Counter(kinds_of(MIXED, 1, np.arange(100_000)))
    for name, share in MIXED.shares.items():
        assert abs(counts[name] - 100_000 * share) < 5 * (100_000 * share * (1 - share)) ** 0.5


@given(st.integers(0, 2**40), st.integers(0, 2**31))
def test_a_row_is_what_it_is_alone(seed: int, row: int) -> None:
    """The kind is the stretch of the shares that the device's own draw falls into, whoever else is asked about."""
    u = draw(seed, row, "kind of sign-in")
    expected = next(name for name, end in ENDS.items() if u < end - 1e-12 or end == 1.0)
    assert kind_of(MIXED, seed, row) == expected
    assert kinds_of(MIXED, seed, [0, row, row + 1])[1] == expected


def test_a_kind_without_a_share_never_comes() -> None:
    """Shares of 0 are nobody's, and a whole share is everybody's."""
    assert set(kinds_of(SignIn(offline_unlock=1.0), 3, np.arange(10_000))) == {"offline_unlock"}
    assert set(kinds_of(SignIn(online=0.5, locked_account=0.5), 3, np.arange(10_000))) == {"online", "locked_account"}
