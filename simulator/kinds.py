"""How each person gets into a session: one of the kinds of sign-in, drawn for the device by the shares. Pure.

Row i depends on the seed and i alone. What a kind does is its journey's.
"""

from __future__ import annotations

from bisect import bisect_right
from itertools import accumulate

import numpy as np
from numpy.typing import ArrayLike

from scenarios.sign_in import SignIn
from simulator.draw import draw, draws

# Kinds whose person types a wrong password: nobody's real account may be locked by it.
WRONG = frozenset({"wrong_password", "locked_account"})
_LOT = "kind of sign-in"


def kinds_of(sign_in: SignIn, seed: int, rows: ArrayLike) -> list[str]:
    """The kind of the person of each fleet row."""
    names, ends = _ends(sign_in)
    lots = np.searchsorted(ends, draws(seed, rows, _LOT), side="right")
    return [names[lot] for lot in lots.tolist()]


def kind_of(sign_in: SignIn, seed: int, row: int) -> str:
    """The kind of one row's person, as kinds_of: a column of one row would take six times as long."""
    names, ends = _ends(sign_in)
    return names[bisect_right(ends, draw(seed, row, _LOT))]


def _ends(sign_in: SignIn) -> tuple[list[str], list[float]]:
    """The kinds that there are, and where the share of each but the last ends in [0, 1)."""
    names = [name for name, share in sign_in.shares.items() if share]
    # shares may fall short of 1 by a rounding: the last kind has the rest
    return names, list(accumulate(sign_in.shares[name] for name in names))[:-1]
