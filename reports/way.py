"""Where the time goes between an opened lid and `ready`, by stage: for people in the middle, for those who wait long.

Pure: from samples to short lists. However many samples there are, only those of the chosen devices are looked at twice.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from reports.percentiles import rank_of
from reports.record import OUTCOMES, Samples
from reports.runfolder import RunData
from reports.steps import Steps, is_milestone

MILESTONES: Final = ("ready", "signed_in", "signed_in_again")
"""The way is told to the first of these that a run has."""
STAGES: Final = ("own", "boot", "push", "identity", "policy")
"""`own`: between exchanges (start-up, typing, waits for another try). The others: in exchanges, by whose they are;
`boot` is what management answers before the sign-in begins, `policy` what it answers after."""
PERCENTS: Final = (50, 95, 99)
_NEIGHBOURS_SHARE: Final = 0.01
_NEIGHBOURS_AT_MOST: Final = 200
_OK, _SKIPPED = OUTCOMES.index("ok"), OUTCOMES.index("skipped")


@dataclass(frozen=True, slots=True)
class Way:
    """Mean seconds in each stage of the `devices` whose time is next to a percentile's; they sum up to `total_s`."""

    percent: int
    devices: int
    total_s: float
    stages_s: dict[str, float]
    slowest_step: str


def milestone_of(steps: Steps) -> str:
    """Which milestone the way leads to; empty where the run has none."""
    return next((name for name in MILESTONES if name in steps.names), "")


def way_to(data: RunData, steps: Steps, milestone: str) -> list[Way]:
    """The way at each of PERCENTS that falls among the ok ones."""
    rows = steps.rows(milestone)
    ok = rows[rows["outcome"] == _OK]
    order = np.argsort(ok["done"] - ok["due"], kind="stable")
    found = []
    for percent in PERCENTS:
        rank = rank_of(rows.size, percent) if rows.size else 1
        if rank > ok.size:
            break
        reach = min(int(_NEIGHBOURS_SHARE * rows.size), _NEIGHBOURS_AT_MOST // 2)
        chosen = order[max(0, rank - 1 - reach) : rank + reach]
        _, once = np.unique(ok["device"][chosen], return_index=True)
        found.append(_mean(data, ok[chosen[once]], percent))
    return found


def _mean(data: RunData, journeys: Samples, percent: int) -> Way:
    names = list(data.run["steps"])
    exchanges, of = _within(data.samples, journeys, names)
    order = np.lexsort((exchanges["sent"], of))
    exchanges, of = exchanges[order], of[order]
    took_s = _alone_s(exchanges, of, journeys)
    stage = _stages(exchanges, of, journeys, names)
    sums = np.bincount(stage, took_s, len(STAGES))
    total_s = float((journeys["done"] - journeys["due"]).sum())
    sums[0] = total_s - sums[1:].sum()
    by_step = np.bincount(exchanges["step"], took_s, len(names))
    count = journeys.size
    return Way(
        percent,
        int(count),
        total_s / count,
        {name: float(sums[at]) / count for at, name in enumerate(STAGES)},
        names[int(np.argmax(by_step))] if by_step.any() else "",
    )


def _within(samples: Samples, journeys: Samples, names: list[str]) -> tuple[Samples, NDArray[np.int64]]:
    """The exchanges of these journeys' devices between due and done, and the journey of each."""
    at = np.full(int(journeys["device"].max()) + 2, -1, np.int64)
    at[journeys["device"]] = np.arange(journeys.size)
    of = at[np.minimum(samples["device"], at.size - 1)]
    mine = np.flatnonzero(of >= 0)
    exchanges, of = samples[mine], of[mine]
    real = np.array([not is_milestone(name) for name in names])[exchanges["step"]] & (exchanges["outcome"] != _SKIPPED)
    inside = (exchanges["sent"] >= journeys["due"][of]) & (exchanges["sent"] < journeys["done"][of])
    return exchanges[real & inside], of[real & inside]


def _alone_s(exchanges: Samples, of: NDArray[np.int64], journeys: Samples) -> NDArray[np.float64]:
    """What each exchange adds to the time covered by those before it: two at once count once."""
    if not of.size:
        return np.zeros(0)
    # Each journey far behind the one before it, so that one running maximum serves all.
    apart = of * (float(journeys["done"].max()) + 1.0)
    begins = exchanges["sent"] + apart
    ends = np.minimum(exchanges["done"], journeys["done"][of]) + apart
    covered = np.maximum.accumulate(np.concatenate(([-np.inf], ends)))[:-1]
    alone: NDArray[np.float64] = np.maximum(0.0, ends - np.maximum(begins, covered))
    return alone


def _stages(exchanges: Samples, of: NDArray[np.int64], journeys: Samples, names: list[str]) -> NDArray[np.int64]:
    services = [name.partition(".")[0] for name in names]
    stage_of = [
        STAGES.index("push" if name.startswith("push.") or name.endswith(".push_token") else "policy") for name in names
    ]
    stage_of = [STAGES.index("identity") if s == "identity" else at for s, at in zip(services, stage_of, strict=True)]
    stage = np.array(stage_of)[exchanges["step"]]
    begins = np.full(journeys.size, np.inf)
    signing = stage == STAGES.index("identity")
    np.minimum.at(begins, of[signing], exchanges["sent"][signing])
    early = (stage == STAGES.index("policy")) & (exchanges["sent"] < begins[of])
    return np.where(early, STAGES.index("boot"), stage)


def table_of(ways: list[Way]) -> list[dict[str, Any]]:
    """The ways as a chart reads them: one row a percentile and stage."""
    return [
        {"percentile": f"p{way.percent}", "stage": stage, "seconds": round(way.stages_s[stage], 4), "at": at}
        for way in ways
        for at, stage in enumerate(STAGES)
    ]
