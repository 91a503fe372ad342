"""What a device does, one file a journey, told in order. JOURNEYS names them all, and their steps.

No clock, no chance, no socket: a journey asks, waits and plans ahead through its traveller alone.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from simulator.device import APPLIED
from simulator.journeys import (
    apply_push,
    apply_user_push,
    boot,
    check_update,
    enroll,
    fetch_extensions,
    obey,
    operate,
    reconnect,
    register_user_again,
    renew_push_token,
    renew_user_push_token,
    sign_in,
    sync_accounts,
    sync_policy,
    sync_user_policy,
    update,
    upload_report,
    upload_status,
    wipe,
    wipe_users,
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


# One fetch at a time for each client's policy. A wipe takes away what these hold in their hands.
_DEVICE_POLICY = ("boot", "sync_policy", "apply_push", "wipe")
_USER_POLICY = ("sign_in", "sync_user_policy", "apply_user_push", "register_user_again", "wipe", "wipe_users")
_WIPED = (
    *("enroll", "boot", "sign_in", "obey", "reconnect", "sync_policy", "apply_push", "sync_accounts", "upload_status"),
    *("sync_user_policy", "apply_user_push", "register_user_again", "fetch_extensions", "upload_report"),
    *("renew_push_token", "renew_user_push_token"),
)

JOURNEYS: dict[str, Journey] = {
    "enroll": Journey(enroll.play, enroll.STEPS, enroll.MAYBE, after=("wipe",), plannable=True),
    "boot": Journey(
        boot.play,
        boot.STEPS,
        boot.MAYBE,
        opens=("signed_in", "ready"),
        owes=("signed_in", "ready"),
        after=("enroll", "obey", "sign_in", "wipe"),
        then=("sign_in",),
        plannable=True,
    ),
    "sign_in": Journey(
        sign_in.play,
        sign_in.STEPS,
        sign_in.MAYBE,
        owes=("signed_in", "ready"),
        after=("boot", "wipe", "wipe_users"),
    ),
    "sync_policy": Journey(sync_policy.play, sync_policy.STEPS, sync_policy.MAYBE, after=_DEVICE_POLICY),
    "sync_user_policy": Journey(
        sync_user_policy.play, sync_user_policy.STEPS, sync_user_policy.MAYBE, after=_USER_POLICY
    ),
    "sync_accounts": Journey(sync_accounts.play, sync_accounts.STEPS, sync_accounts.MAYBE, after=("boot", "wipe")),
    "apply_push": Journey(apply_push.play, apply_push.STEPS, apply_push.MAYBE, after=_DEVICE_POLICY),
    "apply_user_push": Journey(apply_user_push.play, apply_user_push.STEPS, apply_user_push.MAYBE, after=_USER_POLICY),
    "register_user_again": Journey(
        register_user_again.play, register_user_again.STEPS, register_user_again.MAYBE, after=_USER_POLICY
    ),
    "fetch_extensions": Journey(fetch_extensions.play, fetch_extensions.STEPS, fetch_extensions.MAYBE, after=("wipe",)),
    "renew_push_token": Journey(renew_push_token.play, renew_push_token.STEPS, after=("boot", "reconnect", "wipe")),
    "renew_user_push_token": Journey(
        renew_user_push_token.play, renew_user_push_token.STEPS, after=("sign_in", "wipe", "wipe_users")
    ),
    "obey": Journey(obey.play, obey.STEPS, after=("boot", "wipe")),
    "reconnect": Journey(reconnect.play, reconnect.STEPS, after=("boot", "wipe")),
    "upload_status": Journey(upload_status.play, upload_status.STEPS, after=("wipe",)),
    "upload_report": Journey(upload_report.play, upload_report.STEPS, after=("wipe", "wipe_users")),
    "wipe_users": Journey(wipe_users.play, wipe_users.STEPS, after=_WIPED),
    "check_update": Journey(check_update.play, check_update.STEPS, check_update.MAYBE, after=("wipe",)),
    "update": Journey(update.play, update.STEPS, owes=("updated",), after=("check_update", "wipe")),
    "operate": Journey(operate.play, (), operate.STEPS),
    "wipe": Journey(wipe.play, wipe.STEPS, after=(*_WIPED, "check_update", "update"), plannable=True),
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
