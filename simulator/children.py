"""Processes that the run owns besides its engines: the embedded backend and the broker.

A child prints one JSON line when it is ready and ends when its standard input closes; none outlives its parent, not
even one that was killed (simulator.orphans). Nothing here knows what a child does.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

READY_TIMEOUT_S = 60.0
END_TIMEOUT_S = 10.0
LAST_WORDS = 20
NICENESS = 10


class ChildFailed(RuntimeError):  # noqa: N818 - it says what happened
    """A child did not get ready; the message says which and its last words."""


class Child:
    """One started child.

    Attributes:
        ready: what its first line said.

    Args:
        name: for messages.
        argv: arguments of `python -P -m`.
        first: a line for its standard input: what must not be seen in a process list.
        hear: takes every later JSON line.
        yields: whether the engines go first where cores are scarce.
    Raises:
        ChildFailed: it ended or kept silent instead of getting ready.
    """

    def __init__(
        self,
        name: str,
        argv: Sequence[str],
        *,
        first: dict[str, Any] | None = None,
        hear: Callable[[dict[str, Any]], None] = lambda line: None,
        yields: bool = False,
    ) -> None:
        self.name = name
        self.ready: dict[str, Any] = {}
        self._hear = hear
        self._words: deque[str] = deque(maxlen=LAST_WORDS)
        self._is_ready = threading.Event()
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", *argv],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
            text=True,
        )
        if yields:
            _yield_cores(self._process.pid)
        self._readers = [
            threading.Thread(target=self._read_out, daemon=True),
            threading.Thread(target=self._read_err, daemon=True),
        ]
        for reader in self._readers:
            reader.start()
        if first is not None:
            self._tell(first)
        self._is_ready.wait(READY_TIMEOUT_S)
        if not self.ready:
            self.end()
            raise ChildFailed(
                f"{name} did not start: {self.last_words}; see that this machine has memory and files to spare"
                " (fleetrush doctor), and run again"
            )

    @property
    def alive(self) -> bool:
        """Whether it still runs."""
        return self._process.poll() is None

    @property
    def last_words(self) -> str:
        """What it said last on its standard error, in one line."""
        return " | ".join(self._words) or "it said nothing"

    def end(self) -> None:
        """Close its standard input and wait; insist if it does not go. Idempotent."""
        try:
            if self._process.stdin is not None:
                self._process.stdin.close()
        except BrokenPipeError:
            pass
        try:
            self._process.wait(END_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        for reader in self._readers:
            reader.join(END_TIMEOUT_S)
        for stream in (self._process.stdout, self._process.stderr):
            if stream is not None:
                stream.close()

    def _tell(self, value: dict[str, Any]) -> None:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(value) + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            return  # it is gone already; that it never got ready says so

    def _read_out(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if not self.ready:
                self.ready = json.loads(line)
                self._is_ready.set()
            else:
                self._hear(json.loads(line))
        self._is_ready.set()

    def _read_err(self) -> None:
        assert self._process.stderr is not None
        for line in self._process.stderr:
            self._words.append(line.rstrip())


def _yield_cores(pid: int) -> None:
    """Let every process of normal priority go before this one.

    A session of its own may have a share of the cores of its own (sched(7), autogroup), which has its own niceness.
    """
    with suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, pid, NICENESS)
        Path(f"/proc/{pid}/autogroup").write_text(str(NICENESS))
