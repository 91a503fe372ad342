"""The sample, and its file in both directions.

Only the layout of the record lives here: what the numbers mean together is the summary's, the folder around it the run
folder's. No clock is read.
"""

from __future__ import annotations

import os
import struct
from pathlib import Path
from types import TracebackType
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

SAMPLE: Final = np.dtype(
    [
        ("due", "<f8"),
        ("able", "<f8"),
        ("sent", "<f8"),
        ("done", "<f8"),
        ("device", "<u4"),
        ("bytes_in", "<u4"),
        ("bytes_out", "<u4"),
        ("step", "<u2"),
        ("status", "<u2"),
        ("reason", "<u2"),
        ("action", "<u2"),
        ("outcome", "u1"),
        ("trigger", "u1"),
        ("journey", "u1"),
        ("attempt", "u1"),
    ]
)
"""One record of one step or milestone; instants are run seconds. `action` 0 means that no operator act caused it."""

PACK: Final = struct.Struct("<4d3I4H4B")
"""Packs one SAMPLE, in the order of its fields."""

OUTCOMES: Final = ("ok", "refused", "failed", "unknown", "skipped")
TRIGGERS: Final = ("planned", "timer", "follows", "push", "retry")
OPERATOR: Final = 2**32 - 1
"""The `device` of a sample of the operator's own."""

Samples = NDArray[Any]

HEADER_BYTES: Final = 512
_MAGIC: Final = b"\x93NUMPY\x01\x00"


class SampleFileError(ValueError):
    """The file is not one of ours; the message names it and says what was expected."""


def header(count: int) -> bytes:
    """The .npy header (format 1.0, numpy.lib.format) of `count` samples, always HEADER_BYTES long."""
    fields = {"descr": SAMPLE.descr, "fortran_order": False, "shape": (count,)}
    text = repr(fields).encode().ljust(HEADER_BYTES - len(_MAGIC) - 3) + b"\n"
    return _MAGIC + struct.pack("<H", len(text)) + text


class SampleFile:
    """A .npy file that grows by the batch and is readable after each.

    The samples go in before the header that counts them is rewritten in place, so a process killed at any moment
    leaves a file that numpy.load reads up to the last whole batch.

    Args:
        path: the file to make. Raises FileExistsError if it is there.
    """

    def __init__(self, path: Path) -> None:
        self._file = open(path, "xb", buffering=0)  # noqa: SIM115 - closed by close()
        self._file.write(header(0))
        self.count = 0

    def append(self, batch: bytes) -> None:
        """Add whole packed samples. Raises ValueError if a part of one is left over."""
        added, rest = divmod(len(batch), SAMPLE.itemsize)
        if rest:
            raise ValueError(f"a batch of {len(batch)} bytes is not whole samples of {SAMPLE.itemsize}")
        if not added:
            return
        left = memoryview(batch)
        while left:
            left = left[self._file.write(left) :]
        self.count += added
        os.pwrite(self._file.fileno(), header(self.count), 0)

    def close(self) -> None:
        """Close the file. Idempotent."""
        self._file.close()

    def __enter__(self) -> SampleFile:
        return self

    def __exit__(self, kind: type[BaseException] | None, fault: BaseException | None, at: TracebackType | None) -> None:
        self.close()


def load(path: Path) -> Samples:
    """The samples of a file, mapped read-only, up to its last whole batch; as many whole ones as a torn file holds.

    Returns: an array of SAMPLE; empty where the file is missing or ends within its header.
    Raises: SampleFileError where the header is another's.
    """
    size = path.stat().st_size if path.exists() else 0
    if size < HEADER_BYTES:
        return np.empty(0, SAMPLE)
    with open(path, "rb") as file:
        try:
            if np.lib.format.read_magic(file) != (1, 0):
                raise ValueError("another version of the .npy format")
            shape, _, dtype = np.lib.format.read_array_header_1_0(file)
            if dtype != SAMPLE or len(shape) != 1 or file.tell() != HEADER_BYTES:
                raise ValueError("other fields")
        except ValueError as fault:
            raise SampleFileError(f"{path}: not the samples of a run ({fault})") from None
    whole = min(shape[0], (size - HEADER_BYTES) // SAMPLE.itemsize)
    if not whole:
        return np.empty(0, SAMPLE)
    return np.memmap(path, SAMPLE, mode="r", offset=HEADER_BYTES, shape=(whole,)).view(np.ndarray)
