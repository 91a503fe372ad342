"""Writes a file of enrollments while a run plays: what engines tell is gathered here and written seldom enough.

The writing waits for the disk in a thread of its own, so that the run's loop does not. It decides nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gevent

from simulator.enrollments_file import EnrollmentsFile, replace_file

EVERY_S = 1.0
# A big fleet's file takes longer to write: then this much of the time at most goes into it.
SHARE = 0.05


class Keeper:
    """The one writer of the file while a run plays.

    Args:
        failed: called with what the system says when the file cannot be written; it is as it was then.
    """

    def __init__(self, file: EnrollmentsFile, failed: Callable[[str], None]) -> None:
        self._file = file
        self._failed = failed
        self._changed = False
        self._writing: Any = None
        self._took_s = self._next = 0.0

    def take(self, lines: bytes) -> None:
        """What changed, as an engine tells it."""
        self._file.take(lines)
        self._changed = True

    def tick(self) -> None:
        """Write if there is something to write and it is time to."""
        now = time.monotonic()
        if self._writing is not None:
            if not self._writing.ready():
                return
            self._ended()
            self._next = now + max(EVERY_S, self._took_s / SHARE)
        if self._changed and now >= self._next:
            self._begin()

    def close(self) -> None:
        """Write what is left."""
        if self._writing is not None:
            self._ended()
        if self._changed:
            self._begin()
            self._ended()

    def _begin(self) -> None:
        self._changed = False
        self._writing = gevent.get_hub().threadpool.spawn(_write, self._file.path, self._file.image())

    def _ended(self) -> None:
        writing, self._writing = self._writing, None
        try:
            self._took_s = writing.get()
        except OSError as error:
            self._changed = True
            self._failed(error.strerror or str(error))


def _write(path: Path, image: bytes) -> float:
    """Returns: how long it took, seconds."""
    began = time.monotonic()
    replace_file(path, image)
    return time.monotonic() - began
