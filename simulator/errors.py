"""Why nothing could start, as exceptions: a user's mistake ends the command line with 2, a dead target with 3."""

from __future__ import annotations


class UserError(Exception):
    """One clear line a fault: what, where, what was expected, what to do."""

    def __init__(self, *lines: str) -> None:
        super().__init__("\n".join(lines))
        self.lines = lines


class Unreachable(Exception):  # noqa: N818 - it says what happened
    """A target could not be reached before the first start: in one line, which, where and why."""
