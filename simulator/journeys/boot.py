"""A lid opens: device policy, remote commands, the push line; then the login screen waits for a person (facts 3 b).

A device goes on to its login screen whatever management says: only one that is not enrolled cannot. One that is
disabled stays there: it goes on to fetch policy and commands, to report and to update, but nobody can sign in.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

from simulator import timers
from simulator.journeys import life, obey, policies, reconnect, unlock
from simulator.protocols.management import CommandReason, PolicyReason
from simulator.protocols.messages import Refused, Skipped
from simulator.protocols.naming import platform_of
from simulator.traveller import Stopped, Traveller

STEPS = ("management.device_policy", "management.remote_commands", *reconnect.STEPS)
MAYBE = policies.MAYBE


async def play(traveller: Traveller) -> None:
    """From the lid, or a reboot, to the login screen, with all timers of this boot set."""
    device = traveller.device
    if device.identity is None and traveller.plan.enroll_at_boot and traveller.start.trigger == "planned":
        traveller.later("enroll", 0, trigger="follows")
        device.setting_up = True
    if device.identity is None and device.setting_up:
        device.lid_waits = True  # enrollment goes on, and the person waits for it: its end boots the device
        return
    if device.identity is None:
        raise Stopped("management.device_policy", Skipped("earlier_step", "the device is not enrolled"))
    # a person opens the lid to sign in; after a reboot only who was signed in comes back
    someone = device.in_session or traveller.start.trigger != "timer"
    life.boot(traveller)
    if device.updated:
        _run_new_system(traveller)
    traveller.later("upload_status", timers.STATUS_FIRST_S, since=traveller.began)
    first_s = timers.first_update_check_s(traveller.draw("first update check"))
    traveller.later("check_update", first_s, since=traveller.began)
    await traveller.wait(timers.SERVICE_START_S)
    with suppress(Stopped):  # the refresh scheduler's business
        await policies.refresh_device(traveller, PolicyReason.BROWSER_START)
    if device.registered:
        policies.plan_accounts(traveller)
        with suppress(Stopped):  # a failed fetch is not tried again (remote_commands_service.cc)
            await obey.fetch(traveller, CommandReason.REASON_STARTUP)
        with suppress(Stopped):
            await reconnect.hold_line(traveller)
    traveller.skip(STEPS)
    if device.disabled:
        raise Stopped("management.device_policy", Refused("not_entitled", "the server has this device disabled"))
    if someone:
        traveller.later(then(traveller), 0, trigger="follows")


def then(traveller: Traveller) -> str:
    """The journey of the person at the login screen."""
    return "unlock" if traveller.plan.kind(traveller.device.row) in unlock.KINDS else "sign_in"


def _run_new_system(traveller: Traveller) -> None:
    """A downloaded system runs from this boot on; servers are told so by the next status, update check and request.

    Its browser's version is not known: neither a release of ours nor a platform version (build, branch and patch, as in
    "15886.44.0") tells it. So agent and User-Agent go on as the model came.
    """
    device, facts = traveller.device, traveller.facts
    device.previous_version, device.os_version = traveller.os_version, device.new_version
    device.new_version, device.updated = "", False
    if device.update_client is not None:
        device.update_client = replace(device.update_client, version=device.os_version)
    platform = platform_of(facts.board, facts.arch, facts.hwid, device.os_version)
    if device.identity is not None:
        device.identity = replace(device.identity, platform=platform)
    if device.user_identity is not None:
        device.user_identity = replace(device.user_identity, platform=platform)
