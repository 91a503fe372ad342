"""What a scenario asks of our own machine: beyond these limits the run is not trusted. It judges nothing.

Each is `<figure>_at_most`, by the figure's name in summary.json, and is judged in the worst stretch of the run.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from scenarios.base import Frozen, PositiveShare

_Milliseconds = Annotated[float, Field(gt=0, le=60_000)]


class Harness(Frozen):
    """What the run asks of itself; a scenario may be stricter, or knowingly less strict, than the defaults."""

    lateness_ms_at_most: Annotated[float, Field(gt=0, le=50)] = 50
    """How late 98 of 100 starts may be in the worst 5 s; never more than 5 % of the tightest time of an objective."""
    loop_lag_ms_at_most: _Milliseconds | None = None
    """How late an engine's loop may be for seconds on end; as late as a start when left out."""
    standstill_s_at_most: Annotated[float, Field(gt=0, le=600)] = 0.8
    """How long an engine's loop may stand still in ten minutes, pauses of 200 ms and more. Four quarters of a second
    touch one answer in 600, and p99.9 is made of one in 1,000."""
    engine_busy_share_at_most: PositiveShare = 0.9
    """Of five seconds, in which an engine has a core or waits for one. What comes to a server that is busy nine tenths
    of its time takes ten times as long as its work."""
    runqueue_share_at_most: PositiveShare = 0.25
    """Of five seconds, in which an engine is ready to run and has no core."""
    others_cores_at_most: Annotated[float, Field(gt=0, le=4096)] = 0.5
    """Cores that other programs and other guests of the host have for five seconds while less than one is idle; not
    judged where a target runs on this machine."""
    pressure_share_at_most: PositiveShare = 0.9
    """Of five seconds, in which any task of the machine waits for a core while less than one is idle; not judged where
    a stand-in or a target has the same cores: its own work raises the figure."""
    wall_clock_ms_at_most: _Milliseconds = 100
    """How far the wall clock may be set within a second. No clock that is steered into place moves as fast: chrony(5),
    maxslewrate, is 83 ms in a second."""
    asleep_ms_at_most: _Milliseconds = 100
    """How long the machine may sleep."""
