"""2,000 journey starts a second in one engine: how late their steps are sent. Takes about a minute."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from tests.benchmarks.registered import make
from tests.benchmarks.static_server import missing, output, served, start
from tests.tables import Row

ROUNDS = 5
RATE, ROUND_S = 2000, 8.0
REGISTRATIONS = 64
MOST_P99_MS, MOST_P999_MS = 2.0, 10.0


def rows() -> Iterator[Row]:
    """One row, the median of ROUNDS."""
    what = f"{RATE:,} journey starts/s in one engine"
    must = f"lateness p99 at most {MOST_P99_MS:g} ms, p99.9 at most {MOST_P999_MS:g} ms"
    lacking = missing("nginx", "taskset")
    if lacking:
        yield Row(what, must, "not measured", False, f"not installed: {lacking}")
        return
    with TemporaryDirectory(prefix="fleetrush-bench-") as made:
        folder = Path(made)
        make(folder, REGISTRATIONS)
        with served(folder) as url:
            clients = (start("starting", folder, url, RATE, ROUND_S) for _ in range(ROUNDS))
            rounds = [json.loads(output(client)) for client in clients]
    p50, p99, p999 = (median(one[name] for one in rounds) for name in ("p50", "p99", "p99.9"))
    core, queued = (median(one[name] / ROUND_S for one in rounds) for name in ("cpu_s", "queued_s"))
    late = f"p50 {p50:.2f} ms, p99 {p99:.2f} ms, p99.9 {p999:.2f} ms"
    told = f"{late}; {core:.0%} of a core used, {queued:.0%} waited for one"
    met = p99 <= MOST_P99_MS and p999 <= MOST_P999_MS
    how = (
        f"{ROUNDS} rounds of {ROUND_S:g} s, medians; {RATE:,} devices, `sync_policy` at random instants, "
        "connects of the first second included"
    )
    yield Row(what, must, told, met, how)
