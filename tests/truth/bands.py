"""How often bands hold what they say, where the truth is known: a seeded queue whose waits have a closed form.

One server, Poisson arrivals, exponential service (M/M/1), begun in its steady state: the time in the system is
exponential with rate mu - lambda, so its p95 is known exactly. Neighbours wait in the same queue, so they are alike.
One event that makes a few of many independent samples long spoils a band as well, and has to be found out.
Takes about 15 s.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from reports.bands import between_runs
from reports.honesty import honesty, sentences
from reports.messages import ENGLISH
from reports.objectives import read_objectives
from reports.percentiles import Ranked
from reports.runfolder import RunData
from reports.steps import Steps
from tests.reports.made_run import rows as made_rows
from tests.reports.made_run import run_json
from tests.tables import Row

SAMPLES = 2600
LOAD = 0.7
PERCENT = 95.0
SAID = 0.95
RUNS = 5
GROUPS = 1000
BUSY = 0.9
BURST = 0.02
BURST_RUNS = 500
STEP = "identity.login"
TOO_NARROW = ": the band is too narrow"


@dataclass(frozen=True, slots=True)
class Coverage:
    """How often a band held the truth, of how many."""

    held: int
    of: int

    @property
    def share(self) -> float:
        """Of 1."""
        return self.held / self.of

    def agrees(self, share: float) -> bool:
        """Whether that share is within four standard errors, and half a percent for what is not normal about runs."""
        return abs(self.share - share) <= 4 * math.sqrt(share * (1 - share) / self.of) + 0.005


def queue(runs: int, samples: int, load: float, chance: np.random.Generator) -> NDArray[np.float64]:
    """Times in the system of `samples` arrivals in a row, one row a run, in mean service times.

    Lindley's recursion, W' = max(0, W + S - T), solved by the running minimum of the walk.
    """
    served, between = chance.exponential(size=(runs, samples)), chance.exponential(1 / load, (runs, samples))
    first = np.where(chance.random(runs) < load, chance.exponential(1 / (1 - load), runs), 0.0)
    walk = np.cumsum(served[:, :-1] - between[:, :-1], axis=1)
    walk = np.concatenate((np.zeros((runs, 1)), walk), axis=1)
    lowest = np.minimum.accumulate(walk, axis=1)
    waited: NDArray[np.float64] = np.maximum(walk - lowest, first[:, None] + walk)
    return waited + served


def true_p95(load: float) -> float:
    """Of the time in the system of M/M/1, in mean service times."""
    return math.log(1 / (1 - PERCENT / 100)) / (1 - load)


def within(times: NDArray[np.float64], truth: float) -> Coverage:
    """Of each run its own band."""
    held = 0
    for run in times:
        found = Ranked(run, np.ones(run.size, np.bool_)).percentile(PERCENT)
        assert found is not None
        assert found.low is not None
        assert found.high is not None
        held += found.low <= truth <= found.high
    return Coverage(held, len(times))


def between(times: NDArray[np.float64], truth: float, runs: int = RUNS) -> Coverage:
    """Of each few runs the band between them."""
    found = np.partition(times, math.ceil(PERCENT / 100 * times.shape[1]) - 1, axis=1)
    p95 = found[:, math.ceil(PERCENT / 100 * times.shape[1]) - 1].reshape(-1, runs)
    bands = [between_runs(few.tolist(), level=SAID) for few in p95]
    return Coverage(sum(band.low <= truth <= band.high for band in bands), len(bands))


def burst(times: NDArray[np.float64], share: float) -> NDArray[np.float64]:
    """The same runs, but that a server stood in the middle of each: a share of all in a row waited longest."""
    first, many = times.shape[1] // 2, round(share * times.shape[1])
    changed = times.copy()
    changed[:, first : first + many] = times.max() + np.arange(many, 0, -1)
    return changed


def accused(times: NDArray[np.float64]) -> int:
    """Of how many runs the report says that the band is too narrow."""
    return sum(TOO_NARROW in _told(run) for run in times)


def _told(times: NDArray[np.float64]) -> str:
    """What the report says of the band of the p95 of one run, whose logins come one a tenth of a second."""
    due = np.arange(times.size) / 10
    rows = made_rows(STEP, times.size, due=due, able=due, sent=due, done=due + times)
    data = RunData(Path("made up"), run_json(), rows)
    judged = {"objectives": [{"step": STEP, "percentile": PERCENT, "latency_s_at_most": 1.0}]}
    figures = honesty(data, Steps(data.run, rows), {}, read_objectives(judged))
    return dict(sentences(figures, ENGLISH))["honesty.bands"]


def likeness(times: NDArray[np.float64]) -> float:
    """The mean correlation of neighbours."""
    return float(np.mean([np.corrcoef(run[1:], run[:-1])[0, 1] for run in times[:100]]))


def rank_likeness(times: NDArray[np.float64]) -> float:
    """The mean correlation of neighbours' ranks."""
    return likeness(np.argsort(np.argsort(times[:100], axis=1), axis=1))


def rows() -> Iterator[Row]:
    """Independent samples, with a burst among them, a queue's, and repeated runs of it; and of one that a run is too
    short for."""
    chance = np.random.default_rng(1)
    free = within(chance.exponential(size=(GROUPS * RUNS, SAMPLES)), true_p95(0.0))
    times = queue(GROUPS * RUNS, SAMPLES, LOAD, chance)
    alone, repeated = within(times, true_p95(LOAD)), between(times, true_p95(LOAD))
    yield Row(
        "band within a run, independent samples",
        f"holds the true p95 in {SAID:.0%} of runs",
        f"{free.share:.1%} of {free.of:,}",
        free.agrees(SAID),
        "exponential, no queue",
    )
    yield from _found_out()
    yield Row(
        "band within a run, samples of a queue",
        f"shown to hold it in far fewer than {SAID:.0%}; the report says so",
        f"{alone.share:.1%} of {alone.of:,}; neighbours correlate by {likeness(times):.2f}",
        alone.share < SAID - 0.2,
        f"M/M/1 at {LOAD:.0%} load, p95 known exactly; {SAMPLES:,} samples a run",
    )
    yield Row(
        f"band between {RUNS} runs of that queue",
        f"holds it in {SAID:.0%}",
        f"{repeated.share:.1%} of {repeated.of:,}",
        repeated.agrees(SAID),
        "Student's t on the logarithm of each run's p95",
    )
    times = queue(GROUPS * RUNS, SAMPLES, BUSY, chance)
    alone, repeated = within(times, true_p95(BUSY)), between(times, true_p95(BUSY))
    yield Row(
        f"the same at {BUSY:.0%} load, where a queue outlives a run",
        "between runs still at least ten times as often as within one",
        f"within {alone.share:.1%}, between {repeated.share:.1%}",
        repeated.share >= 10 * alone.share,
        f"{SAMPLES:,} samples see too little of it: each run's p95 is low, and no repetition of short runs cures that",
    )


def _found_out() -> Iterator[Row]:
    chance = np.random.default_rng(2)
    times = chance.exponential(size=(BURST_RUNS, SAMPLES))
    spoilt, alone = accused(burst(times, BURST)), accused(times)
    yield Row(
        f"independent samples, and one burst of {BURST:.0%} at the top",
        "the report says of each that the band is too narrow, of at most 1 % without the burst",
        f"{spoilt:,} of {BURST_RUNS:,}, {alone:,} without; all latencies correlate by"
        f" {rank_likeness(burst(times, BURST)):.2f} only",
        spoilt == BURST_RUNS and alone <= 0.01 * BURST_RUNS,
        f"{SAMPLES:,} samples a run; neighbours beyond the judged p95 are looked at",
    )
    queued = queue(BURST_RUNS, SAMPLES, LOAD, chance)
    found = accused(queued)
    yield Row(
        "what the report says of a queue's band",
        "that it is too narrow, of each",
        f"{found:,} of {BURST_RUNS:,}",
        found == BURST_RUNS,
        f"M/M/1 at {LOAD:.0%} load",
    )
