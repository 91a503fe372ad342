"""`make truth`: measures every row and tells the table. A row's maker stands in a file beside this one."""

from __future__ import annotations

import sys

from tests.tables import Maker, tell

TRUTHS: dict[str, Maker] = {}

if __name__ == "__main__":
    sys.exit(tell("truth", TRUTHS, sys.argv[1:]))
