"""No process of a run outlives the one that started it, whatever it is doing meanwhile: Linux itself ends it.

A standard input that closes tells a child to end in good order. This is for whoever cannot hear that: one that was
stopped, computes, or waits for a peer. What it knew is lost with whoever wanted it; nobody here tells anybody.
"""

from __future__ import annotations

import ctypes
import signal

_PR_SET_PDEATHSIG = 1


def end_at_once_with_parent() -> None:
    """From now on the end of the thread that started this process, by kill -9 too, ends it at once (prctl(2)).

    A parent that was gone before has closed this process's standard input, which each of ours reads first.
    """
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
