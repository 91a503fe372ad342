"""Turns a batch of samples into Locust's live statistics: one merge a step and batch, never one a sample.

For display only: the numbers of a run come from its samples. Milestones are no requests and stay out.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from locust.stats import RequestStats, StatsEntry, bucket_response_time
from numpy.typing import NDArray

from reports.record import OUTCOMES

_OK = OUTCOMES.index("ok")
_SKIPPED = OUTCOMES.index("skipped")


def merge(stats: RequestStats, samples: NDArray[np.void], steps: Sequence[str], t0_utc: float) -> None:
    """Add a batch to Locust's rows and to its Aggregated row.

    Args:
        samples: records of reports.record.SAMPLE.
        steps: names by a sample's `step`; names without a dot are milestones.
        t0_utc: Unix second of run second 0.
    """
    for index in np.unique(samples["step"]):
        name = steps[index]
        if "." not in name:
            continue
        of_step = samples[(samples["step"] == index) & (samples["outcome"] != _SKIPPED)]
        if of_step.size == 0:
            continue
        service, _, short = name.partition(".")
        batch = _entry(stats, short, service, of_step, t0_utc)
        stats.get(short, service).extend(batch)
        stats.total.extend(batch)


def _entry(stats: RequestStats, name: str, method: str, samples: NDArray[np.void], t0_utc: float) -> StatsEntry:
    latency_ms = (samples["done"] - samples["due"]) * 1000
    seconds = np.floor(samples["done"] + t0_utc).astype(np.int64)
    failed = samples["outcome"] != _OK
    batch = StatsEntry(stats, name, method)
    batch.num_requests = int(samples.size)
    batch.num_failures = int(failed.sum())
    batch.total_response_time = round(latency_ms.sum())
    batch.min_response_time = round(latency_ms.min())
    batch.max_response_time = round(latency_ms.max())
    batch.total_content_length = int(samples["bytes_in"].sum())
    batch.last_request_timestamp = float(samples["done"].max() + t0_utc)
    batch.start_time = float(samples["sent"].min() + t0_utc)
    for value in latency_ms.tolist():
        batch.response_times[bucket_response_time(value)] += 1
    batch.num_reqs_per_sec.update(_per_second(seconds))
    batch.num_fail_per_sec.update(_per_second(seconds[failed]))
    return batch


def _per_second(seconds: NDArray[np.int64]) -> dict[int, int]:
    values, counts = np.unique(seconds, return_counts=True)
    return dict(zip(values.tolist(), counts.tolist(), strict=True))
