"""Ten million samples summed up and reported, each in a process of its own. Takes about a minute and 600 MB of disk."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from reports.runfolder import COUNCIL, JUNIT, PAGE
from reports.tables import SUMMARY_CSV
from tests.reports import made_run
from tests.tables import Row

SAMPLES = 10_000_000
DEVICES = 778_000
SUMMARY_S, REPORT_S, MOST_GIB = 5.0, 20.0, 1.5
FILES = (PAGE, COUNCIL, JUNIT, SUMMARY_CSV)

# The peak is the address space's own: what getrusage tells was begun by whoever started the process. It counts the
# mapped samples too, 0.52 GiB that the kernel may take back. What is printed last are seconds and GiB.
_SUMMARY = """
import json, sys, time
from pathlib import Path
from reports.runfolder import open_run
from reports.summary import summarise
from tests.processes import peak_mib
began = time.perf_counter()
summary = summarise(open_run(Path(sys.argv[1])))
print(json.dumps([time.perf_counter() - began, peak_mib() / 1024]))
"""
# the command as a user types it, from its first import on
_REPORT = """
import json, sys, time
began = time.perf_counter()
from simulator.cli import main
code = main(["report", sys.argv[1]])
from tests.processes import peak_mib
print(json.dumps([time.perf_counter() - began, peak_mib() / 1024]))
sys.exit(0 if code in (0, 1, 4) else code)
"""


def _measured(child: str, folder: Path) -> tuple[float, float]:
    done = subprocess.run([sys.executable, "-c", child, folder], capture_output=True, text=True, check=True)
    spent_s, peak_gib = json.loads(done.stdout.splitlines()[-1])
    return spent_s, peak_gib


def rows() -> Iterator[Row]:
    """One run: its summary alone, and all that `fleetrush report` makes of it."""
    with TemporaryDirectory() as base:
        # of a made morning a device leaves 12.9 samples
        samples = made_run.morning(DEVICES, broken=0.001, length_s=3600.0)[:SAMPLES]
        assert samples.size == SAMPLES
        run = made_run.run_json(devices=DEVICES, staff=DEVICES * 2600 // 2680)
        folder = made_run.write(Path(base), samples, run, made_run.health(3600)).path
        del samples
        spent_s, peak_gib = _measured(_SUMMARY, folder)
        yield _row("summary", spent_s, SUMMARY_S, peak_gib, "a fresh process")
        spent_s, peak_gib = _measured(_REPORT, folder)
        made = ", ".join(f"{name} {(folder / name).stat().st_size / 1024:,.0f} KiB" for name in FILES)
        yield _row("`fleetrush report`", spent_s, REPORT_S, peak_gib, f"a fresh process, imports included: {made}")


def _row(what: str, spent_s: float, most_s: float, peak_gib: float, note: str) -> Row:
    met = spent_s <= most_s and peak_gib <= MOST_GIB
    told = f"{spent_s:.1f} s, {peak_gib:.2f} GiB"
    return Row(f"{what} of {SAMPLES:,} samples", f"{most_s:g} s, {MOST_GIB} GiB", told, met, note)
