"""`make bench`: measures every row and tells the table. A row's maker stands in a file beside this one."""

from __future__ import annotations

import sys

from tests.benchmarks import counting, idle, million, rehearsal, scaling, starts, steps
from tests.tables import Maker, tell

BENCHES: dict[str, Maker] = {
    "steps": steps.rows,
    "starts": starts.rows,
    "scaling": scaling.rows,
    "counting": counting.rows,
    "rehearsal": rehearsal.rows,
    "million": million.rows,
    "idle": idle.rows,
}

if __name__ == "__main__":
    sys.exit(tell("bench", BENCHES, sys.argv[1:]))
