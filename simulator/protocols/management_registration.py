"""How a machine or a user comes to be managed, and ceases to be: state determination, registration, unregistering.

The journey decides what follows from an answer; policy is fetched elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass

from simulator.protocols import management_pb2 as pb
from simulator.protocols.management_requests import FORM_FACTOR, Identity, answer, ask, done, text
from simulator.protocols.messages import Broken, Exchange, Response

Register = pb.DeviceRegisterRequest


@dataclass(frozen=True, slots=True)
class Machine:
    """What a device knows of itself at enrollment.

    Attributes:
        serial: number of the machine; hwid: its hardware class; brand_code: four letters.
        state_key: 32 bytes by which the server knows the machine again after a wipe; empty: it has none.
        ethernet_mac: twelve upper-case hex digits, or empty. manufacture_date: yyyy-mm-dd, or empty.
        attested_id: what the machine can attest, or empty.
    """

    serial: str
    hwid: str
    brand_code: str
    state_key: bytes = b""
    ethernet_mac: str = ""
    manufacture_date: str = ""
    attested_id: str = ""


@dataclass(frozen=True, slots=True)
class DeviceState:
    """What the server has in mind for a machine before its first setup goes on.

    Attributes:
        enroll: whether it must (or should) be enrolled. disabled: whether it must not be used at all.
        flavor: DeviceRegisterRequest.Flavor that registration then states (Chromium enrollment_config.cc).
        domain: to enroll to, or that disabled it; may be empty.
        message: shown on a disabled device.
    """

    enroll: bool
    disabled: bool
    flavor: int
    domain: str
    message: str


@dataclass(frozen=True, slots=True)
class Registration:
    """What registration gave: the DM token, the name the server gave the machine, the ids by which user and device
    recognise one owner, and whose registration it is."""

    dm_token: str
    machine_name: str
    affiliation_ids: tuple[str, ...]
    user_email: str


def state_retrieval(who: Identity, machine: Machine) -> Exchange[DeviceState]:
    """Ask what is to become of this machine (unified state determination; Chromium enrollment_state_fetcher.cc).

    The private membership test that a real device runs before is left out: `who` has a throw-away id and no token.
    """
    message = pb.DeviceManagementRequest()
    asked = message.device_state_retrieval_request
    if machine.state_key:
        asked.server_backed_state_key = machine.state_key
    asked.serial_number, asked.brand_code = machine.serial, machine.brand_code
    return ask("management.state_retrieval", who, "device_state_retrieval", message, _device_state, critical=True)


def _device_state(response: Response) -> DeviceState:
    part = answer(response, "device_state_retrieval_response").device_state_retrieval_response
    modes, first, initial = pb.DeviceStateRetrievalResponse, part.initial_state_response, part.restore_mode
    if initial == modes.RESTORE_MODE_NONE:
        states = pb.DeviceInitialEnrollmentStateResponse
        mode = first.initial_enrollment_mode
        flavor = {
            states.INITIAL_ENROLLMENT_MODE_ENROLLMENT_ENFORCED: Register.FLAVOR_ENROLLMENT_INITIAL_SERVER_FORCED,
            states.INITIAL_ENROLLMENT_MODE_ZERO_TOUCH_ENFORCED: Register.FLAVOR_ENROLLMENT_INITIAL_SERVER_FORCED,
            states.INITIAL_ENROLLMENT_MODE_TOKEN_ENROLLMENT_ENFORCED: (
                Register.FLAVOR_ENROLLMENT_TOKEN_INITIAL_SERVER_FORCED
            ),
        }.get(mode)
        disabled = mode == states.INITIAL_ENROLLMENT_MODE_DISABLED
        domain, message = first.management_domain, first.disabled_state.message
    else:
        flavor = {
            modes.RESTORE_MODE_REENROLLMENT_REQUESTED: Register.FLAVOR_ENROLLMENT_SERVER_ADVERTISED,
            modes.RESTORE_MODE_REENROLLMENT_ENFORCED: Register.FLAVOR_ENROLLMENT_SERVER_FORCED,
            modes.RESTORE_MODE_REENROLLMENT_ZERO_TOUCH: Register.FLAVOR_ENROLLMENT_SERVER_FORCED,
        }.get(initial)
        disabled = initial == modes.RESTORE_MODE_DISABLED
        domain, message = part.management_domain, part.disabled_state.message
    enroll = flavor is not None
    return DeviceState(enroll, disabled, flavor or Register.FLAVOR_ENROLLMENT_MANUAL, text(domain), text(message))


def register_device(
    who: Identity, machine: Machine, *, oauth_token: str, flavor: int, reregister: bool = False
) -> Exchange[Registration]:
    """Register a device with the access token of an account that may enroll.

    Args:
        who: with a new device id, or the old one to register again.
        machine: what to register.
        oauth_token: of scope chromeosdevicemanagement.
        flavor: how enrollment came about: DeviceRegisterRequest.Flavor.
        reregister: the device id is used again.
    Raises (when read): Refused; Broken: missing_part without a token or a device mode, bad_value for another mode than
        ENTERPRISE and DEMO, which a Chromebook turns down (Chromium enrollment_handler.cc).
    """
    message = pb.DeviceManagementRequest()
    asked = message.register_request
    lifetime = Register.LIFETIME_INDEFINITE
    _fill_registration(asked, who, kind=Register.DEVICE, flavor=flavor, lifetime=lifetime, reregister=reregister)
    asked.machine_id, asked.machine_model = machine.serial, machine.hwid
    asked.brand_code = machine.brand_code
    if machine.state_key:
        asked.server_backed_state_key = machine.state_key
    if machine.ethernet_mac:
        asked.ethernet_mac_address = machine.ethernet_mac
    if machine.manufacture_date:
        asked.manufacture_date = machine.manufacture_date
    if machine.attested_id:
        asked.device_register_identification.attested_device_id = machine.attested_id
    return ask("management.register", who, "register", message, _device_registration, oauth_token=oauth_token)


def register_user(who: Identity, *, oauth_token: str, ephemeral: bool = False) -> Exchange[Registration]:
    """Register a user who signs in for the first time on this device, or whose registration the server lost (410).

    Args:
        who: with a new device id; or with the old id and its DM token, and then the same token must come back
            (Chromium cloud_policy_client.cc).
        oauth_token: of the user. ephemeral: the user leaves nothing on the device.
    Raises (when read): Refused, 403 where the user is not managed; Broken: missing_part, wrong_token.
    """
    lifetime = Register.LIFETIME_EPHEMERAL_USER if ephemeral else Register.LIFETIME_INDEFINITE
    message = pb.DeviceManagementRequest()
    _fill_registration(
        message.register_request,
        who,
        kind=Register.USER,
        flavor=Register.FLAVOR_USER_REGISTRATION,
        lifetime=lifetime,
        reregister=bool(who.dm_token),
    )

    def read(response: Response) -> Registration:
        given = _registration(answer(response, "register_response").register_response)
        if who.dm_token and given.dm_token != who.dm_token:
            raise Broken("wrong_token", "another token than before", status=200)
        return given

    return ask("management.register_user", who, "register", message, read, oauth_token=oauth_token)


def _fill_registration(
    asked: pb.DeviceRegisterRequest, who: Identity, *, kind: int, flavor: int, lifetime: int, reregister: bool
) -> None:
    if reregister:
        asked.reregister = True
        if who.dm_token:
            asked.reregistration_dm_token = who.dm_token
    asked.type = Register.Type.ValueType(kind)
    asked.flavor = Register.Flavor.ValueType(flavor)
    asked.lifetime = Register.Lifetime.ValueType(lifetime)
    asked.device_info.CopyFrom(FORM_FACTOR)


def _device_registration(response: Response) -> Registration:
    part = answer(response, "register_response").register_response
    if not part.HasField("enrollment_type"):
        raise Broken("missing_part", "no enrollment_type", status=200)
    if part.enrollment_type not in (pb.DeviceRegisterResponse.ENTERPRISE, pb.DeviceRegisterResponse.DEMO):
        raise Broken("bad_value", f"enrollment_type {part.enrollment_type}", status=200)
    return _registration(part)


def _registration(part: pb.DeviceRegisterResponse) -> Registration:
    if not part.device_management_token:
        raise Broken("missing_part", "no device_management_token", status=200)
    return Registration(
        text(part.device_management_token),
        text(part.machine_name),
        tuple(text(entry) for entry in part.user_affiliation_ids),
        text(part.user_email),
    )


def unregister(who: Identity) -> Exchange[None]:
    """Give the registration up; its DM token is worth nothing afterwards."""
    message = pb.DeviceManagementRequest(unregister_request=pb.DeviceUnregisterRequest())
    return ask("management.unregister", who, "unregister", message, done("unregister_response"))
