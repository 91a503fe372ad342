"""What a device does, one file a journey, told in order. JOURNEYS names them all, and their steps.

No clock, no chance, no socket: a journey asks, waits and plans ahead through its traveller alone.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from simulator.device import APPLIED
from simulator.journeys import (
    apply_push,
    boot,
    check_update,
    enroll,
    obey,
    operate,
    reconnect,
    sign_in,
    sync_policy,
    update,
    upload_status,
    wipe,
)
from simulator.traveller import Traveller


@dataclass(frozen=True, slots=True)
class Journey:
    """One row of JOURNEYS.

    Attributes:
        play: tells the journey.
        steps: asked every time unless an earlier one stops the journey; then the rest is recorded as skipped.
        maybe: asked only when there is cause.
        opens: milestones that a planned start owes from its due instant on.
        owes: milestones that are lost when this journey is stopped.
        after: journeys of the same device that have to end first.
        then: journeys that follow; when this one is stopped, their steps are skipped as well.
        plannable: whether a scenario's wave may start it.
    """

    play: Callable[[Traveller], Awaitable[None]]
    steps: tuple[str, ...]
    maybe: tuple[str, ...] = ()
    opens: tuple[str, ...] = ()
    owes: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    then: tuple[str, ...] = ()
    plannable: bool = False


# A wipe takes away what these hold in their hands.
_WIPED = ("enroll", "boot", "sign_in", "sync_policy", "apply_push", "obey", "reconnect", "upload_status")

JOURNEYS: dict[str, Journey] = {
    "enroll": Journey(enroll.play, enroll.STEPS, enroll.MAYBE, after=("wipe",), plannable=True),
    "boot": Journey(
        boot.play,
        boot.STEPS,
        boot.MAYBE,
        opens=("signed_in", "ready"),
        owes=("signed_in", "ready"),
        after=("enroll", "wipe"),
        then=("sign_in",),
        plannable=True,
    ),
    "sign_in": Journey(sign_in.play, sign_in.STEPS, sign_in.MAYBE, owes=("signed_in", "ready"), after=("boot", "wipe")),
    "sync_policy": Journey(sync_policy.play, sync_policy.STEPS, sync_policy.MAYBE, after=("wipe",)),
    "apply_push": Journey(apply_push.play, apply_push.STEPS, apply_push.MAYBE, after=("boot", "sync_policy", "wipe")),
    "obey": Journey(obey.play, obey.STEPS, after=("boot", "wipe")),
    "reconnect": Journey(reconnect.play, reconnect.STEPS, after=("boot", "wipe")),
    "upload_status": Journey(upload_status.play, upload_status.STEPS, after=("wipe",)),
    "check_update": Journey(check_update.play, check_update.STEPS, check_update.MAYBE),
    "update": Journey(update.play, update.STEPS, owes=("updated",), after=("check_update",)),
    "operate": Journey(operate.play, (), operate.STEPS),
    "wipe": Journey(wipe.play, wipe.STEPS, after=_WIPED, plannable=True),
}

JOURNEY_NAMES: tuple[str, ...] = tuple(JOURNEYS)
MILESTONES: tuple[str, ...] = ("signed_in", "ready", APPLIED, "updated")
STEPS: tuple[str, ...] = tuple(
    dict.fromkeys(
        [
            *(step for journey in JOURNEYS.values() for step in (*journey.steps, *journey.maybe)),
            *MILESTONES,
        ]
    )
)
