"""`make truth`: measures every row and tells the table. A row's maker stands in a file beside this one."""

from __future__ import annotations

import sys

from tests.tables import Maker, tell
from tests.truth import arrivals, bands, capacity, ceiling, compare, delays, echoes, failures, freeze, gate, order

TRUTHS: dict[str, Maker] = {
    "freeze": freeze.rows,
    "delays": delays.rows,
    "failures": failures.rows,
    "arrivals": arrivals.rows,
    "bands": bands.rows,
    "echoes": echoes.rows,
    "order": order.rows,
    "gate": gate.rows,
    "ceiling": ceiling.rows,
    "capacity": capacity.rows,
    "compare": compare.rows,
}

if __name__ == "__main__":
    sys.exit(tell("truth", TRUTHS, sys.argv[1:]))
