"""A device is enrolled: state determination, registration, its first policy, its robot account (policy facts 3 a).

Half enrolled is not enrolled: what does not come to its end is forgotten, and begun anew where that can help.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import Any

from simulator import timers
from simulator.journeys import policies, unlock
from simulator.protocols import management, oauth
from simulator.protocols.attestation import NONCE_SIZE, SECRET_SIZE, Authority
from simulator.protocols.management import DeviceState, Machine, Membership, PolicyReason, Register, Registration, Trust
from simulator.protocols.management_state import (
    ACCOUNT,
    ATTESTATION,
    DISABLED,
    FALLBACKS,
    FIRST_POWER,
    FLAVORS,
    NOTHING,
    TOKEN,
)
from simulator.protocols.messages import Exchange, Refused
from simulator.traveller import Stopped, Traveller

STATE, REGISTER, ROBOT = "management.state_retrieval", "management.register", "identity.robot_token"
STEPS = (STATE, REGISTER, "management.device_policy", "management.api_authorization")
MAYBE = ("management.enterprise_check", "management.validation_report", ROBOT)

# What the server means as no, by HTTP status: the device stays as it is. Chromium shows each of these with a message
# that sends a person to the administrator (enrollment_screen_handler.cc, ShowEnrollmentStatus), and a button to try
# again that cannot help by itself. Whatever is not here may pass: 404, 429, 5xx, 902, no answer or a broken one; 409,
# since the next try has another device id; 412, which waits for somebody's approval.
NO = frozenset({400, 401, 402, 403, 405, 406, 410, 413, 417, 418, 419, 903, 904, 905, 906, 907})
# ... but once it is registered these say that the server does not know this registration, and a new one may help.
_LOST = frozenset({401, 410})
# Not the server's word, and as definite: a disabled device, and our own guard.
_NEVER = frozenset({"not_entitled", "guard_not_authorised", "guard_public_service"})


async def play(traveller: Traveller) -> None:
    """From a wiped machine to a managed one. Stops where the server has disabled the machine."""
    device = traveller.device
    device.setting_up = True
    try:
        await _enroll(traveller)
    except Stopped as stopped:
        if may_pass(stopped):
            device.enroll_failures += 1
            wait_s = timers.enroll_retry_s(traveller.draw("enroll retry"), device.enroll_failures)
            traveller.soon("enroll", wait_s, trigger="retry")
        else:
            _ended(traveller)
        raise
    _ended(traveller)
    if traveller.plan.kind(device.row) in unlock.KINDS and not traveller.facts.spare:
        traveller.later("remember", 0, trigger="follows")


def may_pass(stopped: Stopped) -> bool:
    """Whether an enrollment that ended like this may succeed when it is begun anew."""
    trouble = stopped.trouble
    if stopped.step == REGISTER and trouble.reason == "bad_value":
        return False  # a device mode that no Chromebook takes: the one error without a button to try again
    if stopped.step == ROBOT:
        return trouble.reason not in _NEVER  # whatever was wrong with this code, the next enrollment brings another
    unregistered = stopped.step in (STATE, REGISTER, "management.enterprise_check")
    return trouble.reason not in _NEVER and trouble.status not in (NO if unregistered else NO - _LOST)


def _ended(traveller: Traveller) -> None:
    """For better or worse: whoever waits before the open lid gets its login screen, or is told that there is none."""
    device = traveller.device
    device.setting_up, device.enroll_failures = False, 0
    if device.lid_waits:
        device.lid_waits = False
        traveller.later("boot", 0, trigger="follows")


async def _enroll(traveller: Traveller) -> None:
    device, facts = traveller.device, traveller.facts
    machine = Machine(
        serial=facts.serial,
        hwid=facts.hwid,
        brand_code=facts.brand_code,
        state_key=facts.state_key,
        ethernet_mac=facts.ethernet_mac,
        dock_mac=facts.dock_mac,
        manufacture_date=facts.manufacture_date,
        attested_id=facts.serial if traveller.plan.way == ATTESTATION else "",
    )
    state, membership = await _determine(traveller, machine)
    if state.mode == DISABLED:
        raise Stopped(STATE, Refused("not_entitled", "the server has this device disabled"))
    try:
        given = await _register(traveller, machine, state, membership)
        assert device.identity is not None
        device.trust = Trust(
            given.dm_token, device.identity.device_id, verification_key=traveller.plan.verification_key
        )
        device.state_key_told = False
        await policies.fetch_device(traveller, PolicyReason.DEVICE_ENROLLMENT, critical=True)
        code = await traveller.ask(management.api_authorization(device.identity))
        # only where our stand-in for Google's accounts can know the code: another management server's is not its own
        if code and ROBOT not in traveller.plan.unasked:
            await traveller.ask(oauth.robot_token(traveller.plan.identity_url, code))
    except BaseException:
        device.identity = device.trust = device.settings = None
        raise


async def _determine(traveller: Traveller, machine: Machine) -> tuple[DeviceState, Membership | None]:
    """What the server wants of the machine, and what the private membership test told, where one belongs to it."""
    token = traveller.plan.enrollment.enrollment_token if traveller.plan.way == TOKEN else ""
    if traveller.plan.state_determination == "unified":
        passer_by = policies.client_of(traveller, traveller.uuid("state determination"))
        asked = management.state_retrieval(passer_by, machine, token)
        return await traveller.ask(asked), _membership(traveller, token)
    state = await _restored(traveller, machine)
    if state.mode != NOTHING:
        return state, None
    passer_by = policies.client_of(traveller, traveller.uuid("state determination"))
    membership = _membership(traveller, token)
    return await traveller.ask(management.initial_state(passer_by, machine, token)), membership


def _membership(traveller: Traveller, token: str) -> Membership:
    """The test itself is left out: what is asked of the server's state says that it found the machine. With a token it
    is not made at all (enrollment_state_fetcher.cc)."""
    skipped = Register.PSM_SKIPPED_FOR_FLEX_AUTO_ENROLLMENT
    return Membership(skipped if token else Register.PSM_RESULT_SUCCESSFUL_WITH_STATE, traveller.utc_ms())


async def _restored(traveller: Traveller, machine: Machine) -> DeviceState:
    """The legacy check for machines that the server knows: is the hash in the bucket, and what is wanted then."""
    passer_by = policies.client_of(traveller, traveller.uuid("state determination"))
    key = machine.state_key
    bucket = await traveller.ask(management.enterprise_check(passer_by, key, FIRST_POWER))
    if bucket.power is not None:
        bucket = await traveller.ask(management.enterprise_check(passer_by, key, bucket.power, changed=True))
    if not bucket.holds:
        return DeviceState(NOTHING)
    return await traveller.ask(management.restore_state(passer_by, key))


async def _register(
    traveller: Traveller, machine: Machine, state: DeviceState, membership: Membership | None
) -> Registration:
    """Register in the plan's way; by account where the server does not expect an attested machine (410)."""
    way = traveller.plan.way
    flavor = FLAVORS[state.mode, way]
    how: dict[str, Any] = {"kiosk": traveller.plan.kiosk or state.kiosk, "membership": membership}
    try:
        return await _ask(traveller, machine, way, flavor=flavor, **how)
    except Stopped as stopped:
        # enrollment_screen.cc, OnEnrollmentError: only for attestation, and where a person may step in
        fallback = FALLBACKS.get(flavor)
        if way != ATTESTATION or stopped.trouble.status != 410 or fallback is None:
            raise
    return await _ask(traveller, machine, ACCOUNT, flavor=fallback, **how)


async def _ask(traveller: Traveller, machine: Machine, way: str, **how: Any) -> Registration:
    """One try to register, under a new device id."""
    login = traveller.plan.enrollment
    who = policies.client_of(traveller, traveller.uuid("device client"))
    exchange: Exchange[Registration]
    if way == ATTESTATION:
        chance = traveller.chance("enrollment key", SECRET_SIZE + NONCE_SIZE)
        authority = _authority(login.attestation_secret)
        certificate = authority.certify(machine.serial, chance[:SECRET_SIZE], traveller.utc_ms())
        nonce = chance[SECRET_SIZE:]
        exchange = management.register_by_attestation(who, machine, certificate=certificate, nonce=nonce, **how)
    elif way == TOKEN:
        exchange = management.register_by_token(who, machine, enrollment_token=login.enrollment_token, **how)
    else:
        exchange = management.register_device(who, machine, oauth_token=login.oauth_token, **how)
    given = await traveller.ask(exchange)
    traveller.device.identity = replace(who, dm_token=given.dm_token)
    return given


@lru_cache(maxsize=4)
def _authority(secret: str) -> Authority:
    return Authority(bytes.fromhex(secret))
