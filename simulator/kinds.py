"""How each person gets into a session: one of the kinds of sign-in, drawn for the device by the shares. Pure.

Row i depends on the seed and i alone. What a kind does is its journey's.
"""

from __future__ import annotations

from itertools import accumulate

import numpy as np
from numpy.typing import ArrayLike

from scenarios.sign_in import SignIn
from simulator.draw import draws

# Kinds whose person types a wrong password: nobody's real account may be locked by it.
WRONG = frozenset({"wrong_password", "locked_account"})


def kinds_of(sign_in: SignIn, seed: int, rows: ArrayLike) -> list[str]:
    """The kind of the person of each fleet row."""
    names = [name for name, share in sign_in.shares.items() if share]
    ends = np.array(list(accumulate(sign_in.shares[name] for name in names)))
    # shares may fall short of 1 by a rounding: the last kind has the rest
    lots = np.searchsorted(ends[:-1], draws(seed, rows, "kind of sign-in"), side="right")
    return [names[lot] for lot in lots.tolist()]


def kind_of(sign_in: SignIn, seed: int, row: int) -> str:
    """The kind of one row's person."""
    return kinds_of(sign_in, seed, [row])[0]
