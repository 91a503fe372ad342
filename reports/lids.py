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
"""With it the key of a million devices is still good to 2 ms."""


def opened(data: RunData) -> NDArray[np.float64]:
    """The run second at which each planned lid was opened: its due instant, and how late its first exchange was sent.

    A device's first exchange comes seconds after its lid, for a browser takes its time to start: only how late it went
    out is ours. A lid whose device sent nothing by itself (one that waited for its enrollment) is left out.
    """
    samples, names, steps = data.samples, list(data.run["journeys"]), list(data.run["steps"])
    journeys = [names.index(name) for name in LIDS if name in names]
    owed = samples["step"] == (steps.index(_OWED) if _OWED in steps else len(steps))
    first = own_starts(data) & (samples["trigger"] == _PLANNED) & np.isin(samples["journey"], journeys)
    # by device and then by due, in one number each
    lids, exchanges = (samples["device"][rows] * _LONGEST_RUN_S + samples["due"][rows] for rows in (owed, first))
    late = samples["sent"][first] - samples["due"][first]
    order = np.lexsort((late, exchanges))
    exchanges, late = exchanges[order], late[order]
    lids.sort()
    at = np.searchsorted(exchanges, lids)
    # the last of a device's lids before an exchange is the one that the exchange is of
    at[:-1][at[:-1] == at[1:]] = exchanges.size
    lids, at = lids[at < exchanges.size], at[at < exchanges.size]
    own = lids // _LONGEST_RUN_S == exchanges[at] // _LONGEST_RUN_S
    instants: NDArray[np.float64] = lids[own] % _LONGEST_RUN_S + late[at[own]]
    return instants
