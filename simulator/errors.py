"""What a user did wrong, as an exception: nothing was sent, nothing is lost, and the command line ends with 2."""

from __future__ import annotations


class UserError(Exception):
    """One clear line a fault: what, where, what was expected, what to do."""

    def __init__(self, *lines: str) -> None:
        super().__init__("\n".join(lines))
        self.lines = lines
