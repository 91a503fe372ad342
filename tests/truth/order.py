"""One engine or several: the same samples give the same summary and page, to the byte, however they came.

Takes about 90 s, nearly all of it drawing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from reports.page import page
from reports.record import OPERATOR, SAMPLE, Samples
from reports.runfolder import SUMMARY, write_json
from reports.steps import Steps
from reports.summary import summarise
from scenarios.load import Overrides, load
from simulator.composition import KNOWN, What, compose
from simulator.rehearsal import rehearse
from simulator.runrecord import run_record
from tests.reports.made_run import health, morning, run_json, write
from tests.tables import Row

DAY = Path(__file__).parent.parent / "data" / "scenarios" / "day.toml"


def reported(samples: Samples, run: dict[str, Any], batches: Sequence[Samples] = ()) -> bytes:
    """summary.json and report.html of a run that was recorded in these batches, or else in one go."""
    with TemporaryDirectory() as base:
        rows = np.concatenate(batches) if batches else samples
        data = write(Path(base), rows, run, health(90))
        steps = Steps(data.run, data.samples)
        summary = summarise(data, steps)
        write_json(data.path / SUMMARY, summary)
        return (data.path / SUMMARY).read_bytes() + page(data, summary, steps).encode()


def as_engines(samples: Samples, engines: int, seed: int) -> list[Samples]:
    """The batches in which several engines would have sent them: each its own rows in their order, cut and interleaved
    at random; the operator's are the first engine's."""
    chance = np.random.default_rng(seed)
    shard = np.where(samples["device"] == OPERATOR, 0, samples["device"] % engines)
    queues = []
    for number in range(engines):
        own = samples[shard == number]
        cuts = np.sort(chance.integers(0, own.size, own.size // 50))
        queues.append([batch for batch in np.split(own, cuts) if batch.size])
    turns = np.repeat(np.arange(engines), [len(queue) for queue in queues])
    chance.shuffle(turns)
    return [queues[turn].pop(0) for turn in turns]


def different(samples: Samples, run: dict[str, Any], ways: Sequence[tuple[int, int]]) -> int:
    """Of these ways (engines, seed) to record the same samples, how many are reported otherwise than one engine's."""
    alone = reported(samples, run)
    return sum(reported(samples, run, as_engines(samples, engines, seed)) != alone for engines, seed in ways)


def rehearsed(devices: int, shards: int) -> bytes:
    """summary.json and report.html of a working day in virtual time, shared among so many processes.

    Without the operator's own act: each process has a backend of its own, which answers how many devices it told.
    """
    scenario = load(str(DAY), known=KNOWN, overrides=Overrides(devices=devices))
    samples = np.frombuffer(rehearse(scenario, shards=shards).samples, SAMPLE)
    samples = samples[samples["device"] != OPERATOR]
    run = run_record(compose(What(str(DAY), devices=devices)), 1, "embedded", {}, [])
    return reported(samples, {**run, "partial": False, "ended": {"utc": "", "reason": "complete", "detail": ""}})


def rows() -> Iterator[Row]:
    """Made-up samples in many orders, and a day really played by one and by several."""
    samples, ways = morning(20_000), [(engines, seed) for engines in (1, 2, 3, 7) for seed in range(5)]
    wrong = different(samples, run_json(), ways)
    yield Row(
        f"order: {samples.size:,} samples as 1, 2, 3 and 7 engines send them, cut and interleaved at random",
        "the same bytes of summary.json and report.html each time",
        f"{len(ways) - wrong} of {len(ways)} the same",
        not wrong,
        "a made-up morning of 20,000 devices",
    )
    one, several = rehearsed(300, 1), {shards: rehearsed(300, shards) for shards in (2, 3)}
    same = [shards for shards, found in several.items() if found == one]
    yield Row(
        "order: a day of 300 devices played by 1, 2 and 3 processes",
        "the same bytes of summary.json and report.html each time",
        f"{len(same)} of {len(several)} the same as 1",
        len(same) == len(several),
        "in virtual time; each process plays its own shard",
    )
