"""When the lids that the timetable opens were really opened. Pure: from samples to instants."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from reports.record import TRIGGERS
from reports.runfolder import RunData
from reports.trust import own_starts
from scenarios.schema import LIDS

_PLANNED: Final = TRIGGERS.index("planned")
_OWED: Final = "signed_in"
"""The milestone that every lid owes, counted from its own instant in the timetable."""
_LONGEST_RUN_S: Final = 1e7


def opened(data: RunData) -> NDArray[np.float64]:
    """The run second at which each planned lid was opened: its due instant, and how late its first exchange was sent.

    A device's first exchange comes seconds after its lid, for a browser takes its time to start: only how late it went
    out is ours. A lid whose device sent nothing by itself (one that waited for its enrollment) is left out.
    """
    samples, names, steps = data.samples, list(data.run["journeys"]), list(data.run["steps"])
    lids = samples[samples["step"] == steps.index(_OWED)] if _OWED in steps else samples[:0]
    journeys = [names.index(name) for name in LIDS if name in names]
    first = samples[own_starts(data) & (samples["trigger"] == _PLANNED) & np.isin(samples["journey"], journeys)]
    lids, first = (rows[np.lexsort((rows["sent"], rows["due"], rows["device"]))] for rows in (lids, first))
    if not first.size:
        return np.empty(0)
    wanted, found = (rows["device"] * _LONGEST_RUN_S + rows["due"] for rows in (lids, first))
    at = np.searchsorted(found, wanted)
    # the last of a device's lids before an exchange is the one that the exchange is of
    at[:-1][at[:-1] == at[1:]] = first.size
    lids, at = lids[at < first.size], at[at < first.size]
    own = first["device"][at] == lids["device"]
    instants: NDArray[np.float64] = lids["due"][own] + (first["sent"] - first["due"])[at[own]]
    return instants
