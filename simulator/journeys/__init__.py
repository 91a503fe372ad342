"""What a device does, one file a journey, told in order. JOURNEYS names them all, and their steps.

No clock, no chance, no socket: a journey asks, waits and plans ahead through its traveller alone.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from simulator.device import APPLIED
from simulator.journeys import (
    apply_account_push,
    apply_push,
    apply_user_push,
    boot,
    check_update,
    enroll,
    fetch_extensions,
    obey,
    operate,
    reconnect,
    refresh_token,
    register_user_again,
    remember,
    renew_push_token,
    renew_token,
    renew_user_push_token,
    sign_in,
    sync_accounts,
    sync_policy,
    sync_user_policy,
    unlock,
    unregister,
    update,
    upload_report,
    upload_status,
    wipe,
    wipe_users,
)
from simulator.journeys.session import SIGNED_IN_AGAIN
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
        needless: of the steps, those that this device would not ask now: they are not skipped either.
        then: the journeys that follow on this device; when this one is stopped, their steps are skipped as well.
        plannable: whether a scenario's wave may start it.
    """

    play: Callable[[Traveller], Awaitable[None]]
    steps: tuple[str, ...]
    maybe: tuple[str, ...] = ()
    opens: tuple[str, ...] = ()
    owes: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    needless: Callable[[Traveller], tuple[str, ...]] = lambda traveller: ()
    then: Callable[[Traveller], tuple[str, ...]] = lambda traveller: ()
    plannable: bool = False

    def skipped(self, traveller: Traveller) -> tuple[str, ...]:
        """The steps that count as skipped when the device does not come to them."""
        needless = self.needless(traveller)
        return tuple(step for step in self.steps if step not in needless)


# One fetch at a time for each client's policy. A wipe takes away what these hold in their hands.
_DEVICE_POLICY = ("boot", "sync_policy", "apply_push", "wipe")
_USER_POLICY = (
    *("remember", "sign_in", "unlock", "sync_user_policy", "apply_user_push", "register_user_again"),
    *("wipe", "wipe_users"),
)
_WIPED = (
    *("enroll", "remember", "boot", "sign_in", "unlock", "obey", "reconnect", "sync_policy", "apply_push"),
    *("sync_accounts", "apply_account_push", "upload_status", "sync_user_policy", "apply_user_push"),
    *("register_user_again", "fetch_extensions", "upload_report", "renew_push_token", "renew_user_push_token"),
    *("refresh_token", "renew_token", "sign_in_again"),
)
_SIGN_INS = ("sign_in", "sign_in_only", "unlock", "sign_in_again")

JOURNEYS: dict[str, Journey] = {
    "enroll": Journey(enroll.play, enroll.STEPS, enroll.MAYBE, after=("wipe",), plannable=True),
    "remember": Journey(remember.play, remember.STEPS, after=("enroll", "wipe")),
    "boot": Journey(
        boot.play,
        boot.STEPS,
        boot.MAYBE,
        opens=("signed_in", "ready"),
        owes=("signed_in", "ready"),
        after=("enroll", "obey", "sign_in", "unlock", "wipe"),
        then=lambda traveller: (boot.then(traveller),),
        plannable=True,
    ),
    "sign_in": Journey(
        sign_in.play,
        sign_in.STEPS,
        sign_in.MAYBE,
        owes=("signed_in", "ready"),
        after=("boot", "wipe", "wipe_users"),
        needless=sign_in.needless,
    ),
    "sign_in_only": Journey(
        sign_in.play_only,
        sign_in.IDENTITY_STEPS,
        sign_in.IDENTITY_MAYBE,
        opens=("signed_in",),
        owes=("signed_in",),
        plannable=True,
    ),
    "unlock": Journey(
        unlock.play,
        unlock.STEPS,
        unlock.MAYBE,
        owes=("signed_in", "ready"),
        after=("boot", "remember", "wipe", "wipe_users"),
    ),
    "refresh_token": Journey(refresh_token.play, refresh_token.STEPS, after=(*_SIGN_INS, "wipe")),
    "renew_token": Journey(
        renew_token.play, renew_token.STEPS, renew_token.MAYBE, after=(*_SIGN_INS, "refresh_token", "wipe")
    ),
    "sign_in_again": Journey(
        sign_in.play_again,
        sign_in.IDENTITY_STEPS,
        sign_in.IDENTITY_MAYBE,
        owes=(SIGNED_IN_AGAIN,),
        after=("boot", "renew_token", "wipe"),
    ),
    "sync_policy": Journey(sync_policy.play, sync_policy.STEPS, sync_policy.MAYBE, after=_DEVICE_POLICY),
    "sync_user_policy": Journey(
        sync_user_policy.play, sync_user_policy.STEPS, sync_user_policy.MAYBE, after=_USER_POLICY
    ),
    "sync_accounts": Journey(
        sync_accounts.play, sync_accounts.STEPS, sync_accounts.MAYBE, after=("boot", "apply_account_push", "wipe")
    ),
    "apply_push": Journey(apply_push.play, apply_push.STEPS, apply_push.MAYBE, after=_DEVICE_POLICY),
    "apply_account_push": Journey(
        apply_account_push.play,
        apply_account_push.STEPS,
        apply_account_push.MAYBE,
        after=("boot", "sync_accounts", "wipe"),
    ),
    "apply_user_push": Journey(apply_user_push.play, apply_user_push.STEPS, apply_user_push.MAYBE, after=_USER_POLICY),
    "register_user_again": Journey(
        register_user_again.play, register_user_again.STEPS, register_user_again.MAYBE, after=_USER_POLICY
    ),
    "fetch_extensions": Journey(fetch_extensions.play, fetch_extensions.STEPS, fetch_extensions.MAYBE, after=("wipe",)),
    "renew_push_token": Journey(renew_push_token.play, renew_push_token.STEPS, after=("boot", "reconnect", "wipe")),
    "renew_user_push_token": Journey(
        renew_user_push_token.play, renew_user_push_token.STEPS, after=("sign_in", "unlock", "wipe", "wipe_users")
    ),
    "obey": Journey(obey.play, obey.STEPS, after=("boot", "wipe")),
    "reconnect": Journey(reconnect.play, reconnect.STEPS, after=("boot", "wipe"), plannable=True),
    "upload_status": Journey(upload_status.play, upload_status.STEPS, after=("wipe",)),
    "upload_report": Journey(upload_report.play, upload_report.STEPS, after=("wipe", "wipe_users")),
    "wipe_users": Journey(wipe_users.play, wipe_users.STEPS, after=_WIPED),
    "check_update": Journey(check_update.play, check_update.STEPS, check_update.MAYBE, after=("wipe",)),
    "update": Journey(update.play, update.STEPS, owes=("updated",), after=("check_update", "wipe")),
    "operate": Journey(operate.play, (), operate.STEPS),
    "wipe": Journey(wipe.play, wipe.STEPS, after=(*_WIPED, "check_update", "update"), plannable=True),
    "unregister": Journey(
        unregister.play,
        unregister.STEPS,
        unregister.MAYBE,
        after=(*_WIPED, "wipe", "check_update", "update"),
        plannable=True,
    ),
}

JOURNEY_NAMES: tuple[str, ...] = tuple(JOURNEYS)
MILESTONES: tuple[str, ...] = ("signed_in", "ready", APPLIED, "updated", SIGNED_IN_AGAIN)
STEPS: tuple[str, ...] = tuple(
    dict.fromkeys(
        [
            *(step for journey in JOURNEYS.values() for step in (*journey.steps, *journey.maybe)),
            *MILESTONES,
        ]
    )
)
