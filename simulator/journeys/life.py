"""A boot and a person's session: what begins with them, what is remembered, and which clocks end with them."""

from __future__ import annotations

from simulator import timers
from simulator.device import Scheduler
from simulator.journeys import upload_status
from simulator.protocols import push
from simulator.protocols.policy_values import EXTENSION
from simulator.traveller import Traveller

# What runs for a signed-in user only.
OF_USER = (
    *("sync_user_policy", "apply_user_push", "renew_user_push_token", "register_user_again", "upload_report"),
    *("refresh_token", "renew_token", "sign_in_again"),
)
OF_BOOT = (
    *("sync_policy", "apply_push", "renew_push_token", "sync_accounts", "apply_account_push", "fetch_extensions"),
    *("obey", "reconnect"),
)


def boot(traveller: Traveller) -> None:
    """The system starts: whatever the one before it had planned or heard is gone; what it stored stays."""
    device = traveller.device
    end(traveller)
    traveller.cancel(*OF_BOOT)
    traveller.hang_up()
    device.booted = traveller.began
    device.pushed.clear()
    device.command_ids, device.last_command_id = (), None
    device.state_key_told = False
    device.scheduler = Scheduler(managed=device.scheduler.managed)
    for account in (device.accounts or {}).values():
        account.scheduler, account.due = Scheduler(managed=account.scheduler.managed), traveller.began
        account.pushed_due = None
    if device.settings is not None and device.settings.ephemeral_users:
        forget_user(traveller)


def begin(traveller: Traveller) -> None:
    """A person is signed in."""
    upload_status.note_use(traveller)
    device = traveller.device
    device.in_session = True
    device.user_scheduler = Scheduler(managed=device.user_scheduler.managed)
    device.report_failures = 0
    plan_report(traveller)


def end(traveller: Traveller) -> None:
    """Nobody is signed in any more; what was stored for the user stays."""
    upload_status.note_use(traveller)
    device = traveller.device
    traveller.cancel(*OF_USER)
    device.pushed.pop(push.USER_POLICY, None)
    device.in_session = False


def plan_report(traveller: Traveller) -> None:
    """A report about the user is due a day after the last one, at once if there was none, if policy wants any."""
    device = traveller.device
    if device.user_settings is None or not device.user_settings.reporting:
        return traveller.cancel("upload_report")
    due = now = traveller.world.clock.now()
    if device.report_ended is not None:
        due = max(now, device.report_ended + traveller.squeezed(timers.REPORT_S))
    return traveller.at("upload_report", due, trigger="timer")


def forget_user(traveller: Traveller) -> None:
    """Nothing is left of the user on this device."""
    device = traveller.device
    end(traveller)
    device.user_identity = device.user_trust = device.user_settings = device.report_ended = None
    device.user_scheduler = Scheduler()
    device.refresh_token, device.affiliated, device.unmanaged = "", False, False
    if device.extensions:
        device.extensions = {key: file for key, file in device.extensions.items() if key[0] != EXTENSION} or None
