"""How a machine or a user comes to be managed: registration in its several ways, and its end.

What the machine asks before is state determination; policy is fetched elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass

from simulator.protocols import attestation
from simulator.protocols import management_pb2 as pb
from simulator.protocols.attestation import EnrollmentCertificate
from simulator.protocols.management_requests import FORM_FACTOR, Identity, answer, ask, done, text
from simulator.protocols.management_state import Machine
from simulator.protocols.messages import Broken, Exchange, Response

Register = pb.DeviceRegisterRequest


@dataclass(frozen=True, slots=True)
class Registration:
    """What registration gave: the DM token, the name the server gave the machine, the ids by which user and device
    recognise one owner, and whose registration it is."""

    dm_token: str
    machine_name: str
    affiliation_ids: tuple[str, ...]
    user_email: str


@dataclass(frozen=True, slots=True)
class Membership:
    """What came of the private membership test: DeviceRegisterRequest.PsmExecutionResult, and when, Unix ms."""

    result: int
    determined_ms: int


def register_device(
    who: Identity,
    machine: Machine,
    *,
    oauth_token: str,
    flavor: int,
    kiosk: bool = False,
    membership: Membership | None = None,
    reregister: bool = False,
) -> Exchange[Registration]:
    """Register a device with the access token of an account that may enroll.

    Args:
        who: with a new device id, or the old one to register again.
        machine: what to register.
        oauth_token: of scope chromeosdevicemanagement.
        flavor: how enrollment came about: DeviceRegisterRequest.Flavor.
        kiosk: with a kiosk licence; any other is not said (Chromium enrollment_handler.cc).
        membership: what the private membership test said, None where there was none.
        reregister: the device id is used again.
    Raises (when read): Refused; Broken: missing_part without a token or a device mode, bad_value for another mode than
        ENTERPRISE and DEMO, which a Chromebook turns down (Chromium enrollment_handler.cc).
    """
    message = pb.DeviceManagementRequest()
    asked = message.register_request
    _fill_device(asked, who, machine, flavor=flavor, kiosk=kiosk, membership=membership, reregister=reregister)
    return ask("management.register", who, "register", message, _device_registration, oauth_token=oauth_token)


def register_by_token(
    who: Identity,
    machine: Machine,
    *,
    enrollment_token: str,
    flavor: int,
    kiosk: bool = False,
    membership: Membership | None = None,
) -> Exchange[Registration]:
    """Register a device with an enrollment token; else as register_device."""
    message = pb.DeviceManagementRequest()
    asked = message.token_based_device_register_request.device_register_request
    _fill_device(asked, who, machine, flavor=flavor, kiosk=kiosk, membership=membership)

    def read(response: Response) -> Registration:
        part = answer(response, "token_based_device_register_response").token_based_device_register_response
        return _checked(part.device_register_response)

    return ask("management.register", who, "token_based_register", message, read, enrollment_token=enrollment_token)


def register_by_attestation(
    who: Identity,
    machine: Machine,
    *,
    certificate: EnrollmentCertificate,
    nonce: bytes,
    flavor: int,
    kiosk: bool = False,
    membership: Membership | None = None,
) -> Exchange[Registration]:
    """Register a device by what its enrollment key signs; else as register_device. 410: the server does not expect it.

    Args:
        certificate: for this machine. nonce: attestation.NONCE_SIZE random bytes.
    """
    message, asked = pb.DeviceManagementRequest(), Register()
    _fill_device(asked, who, machine, flavor=flavor, kiosk=kiosk, membership=membership)
    message.certificate_based_register_request.signed_request.CopyFrom(attestation.signed(asked, certificate, nonce))
    return ask("management.register", who, "certificate_based_register", message, _device_registration)


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


def _fill_device(
    asked: pb.DeviceRegisterRequest,
    who: Identity,
    machine: Machine,
    *,
    flavor: int,
    kiosk: bool,
    membership: Membership | None,
    reregister: bool = False,
) -> None:
    """Chromium cloud_policy_client.cc, CreateDeviceRegisterRequest: what is empty is left out."""
    lifetime = Register.LIFETIME_INDEFINITE
    _fill_registration(asked, who, kind=Register.DEVICE, flavor=flavor, lifetime=lifetime, reregister=reregister)
    asked.machine_id, asked.machine_model, asked.brand_code = machine.serial, machine.hwid, machine.brand_code
    if machine.attested_id:
        asked.device_register_identification.attested_device_id = machine.attested_id
    if machine.ethernet_mac:
        asked.ethernet_mac_address = machine.ethernet_mac
    if machine.dock_mac:
        asked.dock_mac_address = machine.dock_mac
    if machine.manufacture_date:
        asked.manufacture_date = machine.manufacture_date
    if machine.state_key:
        asked.server_backed_state_key = machine.state_key
    if kiosk:
        asked.license_type.license_type = pb.LicenseType.KIOSK
    if membership is not None:
        asked.psm_execution_result = Register.PsmExecutionResult.ValueType(membership.result)
        asked.psm_determination_timestamp_ms = membership.determined_ms


def _device_registration(response: Response) -> Registration:
    return _checked(answer(response, "register_response").register_response)


def _checked(part: pb.DeviceRegisterResponse) -> Registration:
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


def unregister(who: Identity, *, step: str = "management.unregister") -> Exchange[None]:
    """Give the registration of a device, or of a user, up; its DM token is worth nothing afterwards."""
    message = pb.DeviceManagementRequest(unregister_request=pb.DeviceUnregisterRequest())
    return ask(step, who, "unregister", message, done("unregister_response"))
