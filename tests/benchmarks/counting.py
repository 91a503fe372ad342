"""Ten million samples summed up and reported, each in a process of its own. Takes about a minute and 600 MB of disk."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.reports import made_run
from tests.tables import Row

SAMPLES = 10_000_000
DEVICES = 778_000
SUMMARY_S, PAGE_S, MOST_GIB = 5.0, 20.0, 1.5

# The peak is the address space's own: what getrusage tells was begun by whoever started the process. It counts the
# mapped samples too, 0.52 GiB that the kernel may take back.
_CHILD = """
import json, sys, time
from pathlib import Path
from reports.page import page
from reports.runfolder import open_run
from reports.steps import Steps
from reports.summary import summarise
from tests.processes import peak_mib
began = time.perf_counter()
data = open_run(Path(sys.argv[1]))
steps = Steps(data.run, data.samples)
summary = summarise(data, steps)
summed_up = time.perf_counter()
if sys.argv[2] == "page":
    size = len(page(data, summary, steps).encode())
else:
    size = 0
print(json.dumps([summed_up - began, time.perf_counter() - began, data.samples.size, size,
                  peak_mib() / 1024]))
"""


def _measured(folder: Path, what: str) -> list[float]:
    done = subprocess.run([sys.executable, "-c", _CHILD, folder, what], capture_output=True, text=True, check=True)
    figures: list[float] = json.loads(done.stdout)
    return figures


def rows() -> Iterator[Row]:
    """One run, its summary alone and with its page."""
    with TemporaryDirectory() as base:
        # of a made morning a device leaves 12.9 samples
        samples = made_run.morning(DEVICES, broken=0.001, length_s=3600.0)[:SAMPLES]
        run = made_run.run_json(devices=DEVICES, staff=DEVICES * 2600 // 2680)
        folder = made_run.write(Path(base), samples, run, made_run.health(3600)).path
        del samples
        for what, must_s in (("summary", SUMMARY_S), ("page", PAGE_S)):
            summed_up_s, whole_s, count, size, peak_gib = _measured(folder, what)
            spent_s = summed_up_s if what == "summary" else whole_s
            told = f"{spent_s:.1f} s, {peak_gib:.2f} GiB" + (f", a page of {size / 2**20:.1f} MiB" if size else "")
            met = spent_s <= must_s and peak_gib <= MOST_GIB and count == SAMPLES
            name = "summary" if what == "summary" else "summary and page"
            must = f"{must_s:g} s, {MOST_GIB} GiB"
            yield Row(f"{name} of {int(count):,} samples", must, told, met, "a fresh process")
