"""When lids were really opened, by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import made_run
import numpy as np

from reports.lids import opened
from reports.runfolder import RunData

BOOT = made_run.JOURNEYS.index("boot")


def of(*parts: Any) -> list[float]:
    """The instants, sorted."""
    return sorted(opened(RunData(Path("x"), made_run.run_json(), np.concatenate(parts))).round(6).tolist())


def owed(device: int, *due: float) -> Any:
    """What lids owe."""
    when = np.array(due)
    return made_run.rows("signed_in", when.size, due=when, able=when, sent=when, done=when + 9, device=device)


def sent(device: int, due: float, late: float, **columns: Any) -> Any:
    """A first exchange."""
    return made_run.rows(
        "management.device_policy", 1, due=due, able=due, sent=due + late, done=due + 1, device=device, journey=BOOT,
        **columns,
    )  # fmt: skip


def test_a_lid_is_as_late_as_its_first_exchange() -> None:
    """Due at 10 and 20, exchanges five seconds later, 2 ms and 3 ms late; each device's own, whatever the order."""
    assert of(sent(8, 25.0, 0.003), owed(7, 10.0), sent(7, 15.0, 0.002), owed(8, 20.0)) == [10.002, 20.003]


def test_a_device_with_two_lids_has_two() -> None:
    """Each lid goes with the next exchange; one that another lid cut short has none of its own."""
    assert of(owed(7, 10.0, 50.0), sent(7, 15.0, 0.001), sent(7, 55.0, 0.002)) == [10.001, 50.002]
    assert of(owed(7, 10.0, 12.0), sent(7, 17.0, 0.004)) == [12.004]


def test_what_is_no_lid_is_left_out() -> None:
    """A lid that waited for its enrollment, a boot after a reboot, a skipped exchange, somebody else's."""
    waited = sent(7, 15.0, 0.001, trigger=2)
    assert of(owed(7, 10.0), waited) == []
    assert of(owed(7, 10.0), sent(7, 15.0, 0.0, trigger=1)) == []
    assert of(owed(7, 10.0), sent(7, 15.0, 0.0, outcome=4)) == []
    assert of(owed(7, 10.0), sent(9, 15.0, 0.0)) == []
    assert of(owed(7, 10.0)) == []
