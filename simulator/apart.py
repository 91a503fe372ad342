"""Plays one whole run, or takes one device through, in a process of its own: what plays a run patches the interpreter
it is imported into, so who plays several gives each a fresh one. Nothing is composed, judged or reported here.
"""

from __future__ import annotations

import fcntl
import math
import os
import pickle
import re
import select
import signal
import subprocess
import sys
from pathlib import Path
from types import FrameType
from typing import IO

from reports.runfolder import RUN
from simulator.arguments import RunOptions, run_arguments
from simulator.composition import What

# Nobody imports the command line: the child's first line does.
_ENTRY = (
    "import sys; from simulator.apart import end_with_parent; from simulator.cli import main;"
    " end_with_parent(); sys.exit(main())"
)
_CHECK = [sys.executable, "-P", "-m", "simulator.check"]
_EXCHANGED = re.compile(r"^\d+ exchanges in ([0-9.]+) s,", re.MULTILINE)
_STOPS = (signal.SIGINT, signal.SIGTERM)
_BY_SIGNAL = 128


def play_apart(what: What, options: RunOptions, *, out: int | IO[str] | None = None) -> tuple[Path | None, int]:
    """Play one run to its end, as if somebody had typed it.

    SIGINT and SIGTERM are passed on to it while it plays, and waited for: it ends with 130 then. It ends in the same
    way, by itself, when this process is killed.

    Args:
        options: with `folder`, where the run is recorded.
        out: where its standard output goes, as subprocess takes it; None: where ours goes.
    Returns: its folder, None where it recorded nothing; its exit code (128 + the number of a signal that killed it).
    Raises: ValueError without a folder, or outside the main thread.
    """
    if options.folder is None:
        raise ValueError("a run that is played apart needs the name of its folder")
    stopped: list[int] = []
    child: subprocess.Popen[bytes] | None = None

    def stop(number: int, frame: FrameType | None) -> None:
        stopped.append(number)
        if child is not None:
            child.send_signal(number)

    before = {number: signal.signal(number, stop) for number in _STOPS}
    try:
        # In a session of its own a terminal's Ctrl-C reaches it once, through us.
        argv = [sys.executable, "-P", "-c", _ENTRY, *run_arguments(what, options)]
        sys.stdout.flush()
        child = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=out, start_new_session=True)
        if stopped:
            child.send_signal(stopped[0])
        code = child.wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        if child is not None and child.stdin is not None:
            child.stdin.close()
    return options.folder if (options.folder / RUN).exists() else None, _BY_SIGNAL - code if code < 0 else code


def check_apart(what: What, broker: str) -> tuple[int, str]:
    """Take one device through, as `fleetrush check` does. Returns: the exit code of that, and what it said."""
    told = pickle.dumps((what, broker))
    done = subprocess.run(_CHECK, input=told, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    return done.returncode, done.stdout.decode(errors="replace")


def exchanged_s(said: str) -> float:
    """The seconds that all exchanges of such a check took together, by its last line; infinite where it has none."""
    found = _EXCHANGED.findall(said)
    return float(found[-1]) if found else math.inf


def end_with_parent() -> None:
    """In the child: from now on a signal to stop, or the end of standard input, interrupts it as Ctrl-C would."""
    for number in _STOPS:
        signal.signal(number, signal.default_int_handler)
    # The kernel tells of the end (fcntl(2), F_SETSIG): a thread that waits for it would be there while Locust patches
    # the interpreter, which then stands still.
    stdin = sys.stdin.fileno()
    fcntl.fcntl(stdin, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(stdin, fcntl.F_SETSIG, signal.SIGINT)
    fcntl.fcntl(stdin, fcntl.F_SETFL, fcntl.fcntl(stdin, fcntl.F_GETFL) | os.O_ASYNC)
    if select.select([stdin], [], [], 0)[0]:
        raise KeyboardInterrupt
