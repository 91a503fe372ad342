"""Two engines on two cores against one, with answers from memory: whether engines share anything. Takes 40 seconds.

What two cores can do at most is told beside it: a loop of plain Python, which shares nothing, in the same rounds.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from tests.benchmarks.registered import make
from tests.benchmarks.static_server import CLIENT_CORE, SERVER_CORE, ended, missing, start
from tests.tables import Row

ROUNDS = 5
ROUND_S = 2.0
DEVICES = 64
LEAST = 1.85
# Nobody is asked: the transport below the wire answers.
NOWHERE = "http://127.0.0.1:9/devicemanagement/data/api"


def rows() -> Iterator[Row]:
    """One row, the median of ROUNDS."""
    what, must = "two engines on two cores, answers from memory", f"at least {LEAST:g} times one"
    if lacking := missing("taskset"):
        yield Row(what, must, "not measured", False, f"not installed: {lacking}")
        return
    ratios, alone, loops = [], [], []
    with TemporaryDirectory(prefix="fleetrush-bench-") as made:
        folder = Path(made)
        make(folder, DEVICES)
        for _ in range(ROUNDS):
            engine = ("one_engine", folder, NOWHERE, ROUND_S, "memory")
            one, two = _rate(1, *engine), _rate(2, *engine)
            alone.append(one)
            ratios.append(two / one)
            loops.append(_rate(2, "plain_loop", ROUND_S) / _rate(1, "plain_loop", ROUND_S))
    told = (
        f"{median(ratios):.2f} times ({min(ratios):.2f} to {max(ratios):.2f}), one alone {median(alone):,.0f} steps/s; "
        f"a loop of plain Python {median(loops):.2f} times"
    )
    how = f"{ROUNDS} rounds of {ROUND_S:g} s; recorded answers come from a transport below the wire"
    yield Row(what, must, told, median(ratios) >= LEAST, how)


def _rate(count: int, module: str, *arguments: object) -> float:
    """What that many processes do together in a second, each on a core of its own."""
    cores = (CLIENT_CORE, SERVER_CORE)[:count]
    clients = [start(module, *arguments, core=core) for core in cores]
    return sum(ended(client).rate for client in clients)
