"""Chance as an argument: draw(seed, device, what, n) is a keyed hash, so no draw depends on what was drawn before.

No generator is kept per device, and the order of events changes nothing. The same arguments give the same bits on every
machine, one at a time or for a whole column. Nothing of ours is imported here.
"""

from __future__ import annotations

from functools import lru_cache
from hashlib import blake2b

import numpy as np
from numpy.typing import ArrayLike, NDArray

_MASK = (1 << 64) - 1
_GOLDEN = 0x9E3779B97F4A7C15
_MIX_1 = 0xBF58476D1CE4E5B9
_MIX_2 = 0x94D049BB133111EB


@lru_cache(maxsize=4096)
def _key(seed: int, what: str) -> int:
    """64 bits from the seed and the name of the thing drawn."""
    return int.from_bytes(blake2b(f"{seed}/{what}".encode(), digest_size=8).digest(), "little")


def _mix(z: int) -> int:
    """The finalizer of splitmix64 (Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators, 2014)."""
    z = ((z ^ (z >> 30)) * _MIX_1) & _MASK
    z = ((z ^ (z >> 27)) * _MIX_2) & _MASK
    return z ^ (z >> 31)


def bits(seed: int, device: int, what: str, n: int = 0) -> int:
    """64 random bits for the n-th draw of `what` by one device (a fleet row; -1 for the run itself)."""
    first = _mix((_key(seed, what) + (device & _MASK) * _GOLDEN) & _MASK)
    return _mix((first + (n + 1) * _GOLDEN) & _MASK)


def draw(seed: int, device: int, what: str, n: int = 0) -> float:
    """A number in [0, 1) with 53 random bits."""
    return (bits(seed, device, what, n) >> 11) * 2.0**-53


def draws(seed: int, devices: ArrayLike, what: str, n: int = 0) -> NDArray[np.float64]:
    """draw() for a whole column of devices at once, bit for bit the same."""
    return (bits_column(seed, devices, what, n) >> np.uint64(11)).astype(np.float64) * 2.0**-53


def bits_column(seed: int, devices: ArrayLike, what: str, n: int = 0) -> NDArray[np.uint64]:
    """bits() for a whole column of devices at once."""
    with np.errstate(over="ignore"):
        z = np.asarray(devices).astype(np.uint64) * np.uint64(_GOLDEN) + np.uint64(_key(seed, what))
        first = _mix_column(z)
        return _mix_column(first + np.uint64(((n + 1) * _GOLDEN) & _MASK))


def _mix_column(z: NDArray[np.uint64]) -> NDArray[np.uint64]:
    z = (z ^ (z >> np.uint64(30))) * np.uint64(_MIX_1)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(_MIX_2)
    return z ^ (z >> np.uint64(31))
