"""State determination: what a machine asks before its first setup goes on, and which enrollment follows from it.

The private membership rounds that precede the unified question are left out: their answers need elliptic-curve and
ring-LWE cryptography on both sides, and a fleet learns nothing by them. Registration itself is told elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256

from simulator.protocols import management_pb2 as pb
from simulator.protocols.management_requests import Identity, answer, ask, text
from simulator.protocols.messages import Broken, Exchange, Response

Register = pb.DeviceRegisterRequest

# Chromium auto_enrollment_client_impl.cc, with the powers that session_manager passes (chrome_setup.cc): the first
# modulus is 2^15; a server may ask for another one, up to 2^19 and only once.
FIRST_POWER = 15
LARGEST_POWER = 19

# How a machine may register: by the access token of an account that may enroll, by an enrollment token, by attestation.
ACCOUNT, TOKEN, ATTESTATION = "account", "token", "attestation"

# What the server wants of a machine: DeviceState.mode.
NOTHING = "nothing"
DISABLED = "disabled"
REQUESTED, ENFORCED, ZERO_TOUCH = "requested", "enforced", "zero_touch"
INITIAL_ENFORCED, INITIAL_ZERO_TOUCH, INITIAL_TOKEN = "initial_enforced", "initial_zero_touch", "initial_token"

# What the server wants, how the machine registers -> the flavor it states: Chromium enrollment_config.cc
# (GetPrescribedEnrollmentConfig, GetManualFallbackMode) and enrollment_handler.cc (EnrollmentModeToRegistrationFlavor).
# An account that steps in where attestation or a token was wanted is the manual fallback. Chromium registers by token
# in one mode only. No machine here is set up by its maker (LOCAL_*), rolled back (ROLLBACK_*), deployed over another
# system (REMOTE_DEPLOYMENT_*) or without its own registration (RECOVERY).
_BY_TOKEN = Register.FLAVOR_ENROLLMENT_TOKEN_INITIAL_SERVER_FORCED
FLAVORS: Mapping[tuple[str, str], int] = {
    (NOTHING, ACCOUNT): Register.FLAVOR_ENROLLMENT_MANUAL,
    (NOTHING, ATTESTATION): Register.FLAVOR_ENROLLMENT_ATTESTATION,
    (REQUESTED, ACCOUNT): Register.FLAVOR_ENROLLMENT_SERVER_ADVERTISED,
    (REQUESTED, ATTESTATION): Register.FLAVOR_ENROLLMENT_ATTESTATION,
    (ENFORCED, ACCOUNT): Register.FLAVOR_ENROLLMENT_SERVER_FORCED,
    (ENFORCED, ATTESTATION): Register.FLAVOR_ENROLLMENT_ATTESTATION_SERVER_FORCED,
    (ZERO_TOUCH, ACCOUNT): Register.FLAVOR_ENROLLMENT_ATTESTATION_MANUAL_FALLBACK,
    (ZERO_TOUCH, ATTESTATION): Register.FLAVOR_ENROLLMENT_ATTESTATION_SERVER_FORCED,
    (INITIAL_ENFORCED, ACCOUNT): Register.FLAVOR_ENROLLMENT_INITIAL_SERVER_FORCED,
    (INITIAL_ENFORCED, ATTESTATION): Register.FLAVOR_ENROLLMENT_ATTESTATION_INITIAL_SERVER_FORCED,
    (INITIAL_ZERO_TOUCH, ACCOUNT): Register.FLAVOR_ENROLLMENT_ATTESTATION_INITIAL_MANUAL_FALLBACK,
    (INITIAL_ZERO_TOUCH, ATTESTATION): Register.FLAVOR_ENROLLMENT_ATTESTATION_INITIAL_SERVER_FORCED,
    (INITIAL_TOKEN, ACCOUNT): Register.FLAVOR_ENROLLMENT_TOKEN_INITIAL_MANUAL_FALLBACK,
    (INITIAL_TOKEN, ATTESTATION): Register.FLAVOR_ENROLLMENT_ATTESTATION,
    **{
        (mode, TOKEN): _BY_TOKEN
        for mode in (NOTHING, REQUESTED, ENFORCED, ZERO_TOUCH, INITIAL_ENFORCED, INITIAL_ZERO_TOUCH, INITIAL_TOKEN)
    },
}

# What a person's account states when the server turned down what was to enroll the machine without one
# (GetManualFallbackMode).
FALLBACKS: Mapping[int, int] = {
    Register.FLAVOR_ENROLLMENT_ATTESTATION_SERVER_FORCED: Register.FLAVOR_ENROLLMENT_ATTESTATION_MANUAL_FALLBACK,
    Register.FLAVOR_ENROLLMENT_ATTESTATION_INITIAL_SERVER_FORCED: (
        Register.FLAVOR_ENROLLMENT_ATTESTATION_INITIAL_MANUAL_FALLBACK
    ),
}

_RESTORE: Mapping[int, str] = {
    pb.DeviceStateRetrievalResponse.RESTORE_MODE_REENROLLMENT_REQUESTED: REQUESTED,
    pb.DeviceStateRetrievalResponse.RESTORE_MODE_REENROLLMENT_ENFORCED: ENFORCED,
    pb.DeviceStateRetrievalResponse.RESTORE_MODE_DISABLED: DISABLED,
    pb.DeviceStateRetrievalResponse.RESTORE_MODE_REENROLLMENT_ZERO_TOUCH: ZERO_TOUCH,
}
_INITIAL: Mapping[int, str] = {
    pb.DeviceInitialEnrollmentStateResponse.INITIAL_ENROLLMENT_MODE_ENROLLMENT_ENFORCED: INITIAL_ENFORCED,
    pb.DeviceInitialEnrollmentStateResponse.INITIAL_ENROLLMENT_MODE_ZERO_TOUCH_ENFORCED: INITIAL_ZERO_TOUCH,
    pb.DeviceInitialEnrollmentStateResponse.INITIAL_ENROLLMENT_MODE_DISABLED: DISABLED,
    pb.DeviceInitialEnrollmentStateResponse.INITIAL_ENROLLMENT_MODE_TOKEN_ENROLLMENT_ENFORCED: INITIAL_TOKEN,
}


@dataclass(frozen=True, slots=True)
class Machine:
    """What a device knows of itself at enrollment.

    Attributes:
        serial: number of the machine; hwid: its hardware class; brand_code: four letters.
        state_key: 32 bytes by which the server knows the machine again after a wipe; empty: it has none.
        ethernet_mac, dock_mac: twelve upper-case hex digits, or empty. manufacture_date: yyyy-mm-dd, or empty.
        attested_id: what the machine can attest, or empty.
    """

    serial: str
    hwid: str
    brand_code: str
    state_key: bytes = b""
    ethernet_mac: str = ""
    dock_mac: str = ""
    manufacture_date: str = ""
    attested_id: str = ""


@dataclass(frozen=True, slots=True)
class DeviceState:
    """What the server has in mind for a machine.

    Attributes:
        mode: NOTHING, DISABLED, or an enrollment: a key of FLAVORS.
        domain: to enroll to, or that disabled it; may be empty.
        message: shown on a disabled device.
        kiosk: whether it is to be enrolled with a kiosk licence.
    """

    mode: str
    domain: str = ""
    message: str = ""
    kiosk: bool = False


@dataclass(frozen=True, slots=True)
class Bucket:
    """What a server said of a machine's bucket: whether its hash is in it; or which power of two it wants instead."""

    holds: bool = False
    power: int | None = None


def remainder_of(digest: bytes, power: int) -> int:
    """The bucket of a hash under the modulus 2^power: its lowest bits, read as a big-endian number."""
    return int.from_bytes(digest, "big") & ((1 << power) - 1)


def enterprise_check(who: Identity, state_key: bytes, power: int, *, changed: bool = False) -> Exchange[Bucket]:
    """Ask for the bucket of known machines in which this one would be (legacy forced re-enrollment).

    Args:
        who: a passer-by: a throw-away id, the same for the whole check, and no token.
        state_key: of the machine. power: of the modulus, 2^power.
        changed: whether that is one that the server asked for.
    Returns (when read): what the bucket told; a modulus that is no power of two is rounded up to one.
    Raises (when read): Refused; Broken: bad_value for a modulus beyond 2^LARGEST_POWER, or for one more change
        (Chromium auto_enrollment_client_impl.cc, HandleRequestCompletion).
    """
    digest = sha256(state_key).digest()
    message = pb.DeviceManagementRequest()
    asked = message.auto_enrollment_request
    asked.remainder, asked.modulus = remainder_of(digest, power), 1 << power
    asked.enrollment_check_type = pb.DeviceAutoEnrollmentRequest.ENROLLMENT_CHECK_TYPE_FRE

    def read(response: Response) -> Bucket:
        part = answer(response, "auto_enrollment_response").auto_enrollment_response
        if not part.HasField("expected_modulus"):
            return Bucket(holds=digest in part.hashes)
        wanted = max(0, part.expected_modulus - 1).bit_length()
        if wanted > LARGEST_POWER or changed:
            raise Broken("bad_value", f"a modulus of {part.expected_modulus}", status=200)
        return Bucket(power=wanted)

    return ask("management.enterprise_check", who, "enterprise_check", message, read)


def state_retrieval(who: Identity, machine: Machine, enrollment_token: str = "") -> Exchange[DeviceState]:
    """Ask what is to become of this machine (unified; Chromium enrollment_state_fetcher.cc).

    Args:
        who: a passer-by: a throw-away id and no token.
        machine: by its state key, if it has one, its serial number and brand code.
        enrollment_token: with which it could register, or empty.
    """
    message = pb.DeviceManagementRequest()
    asked = message.device_state_retrieval_request
    if machine.state_key:
        asked.server_backed_state_key = machine.state_key
    asked.serial_number, asked.brand_code = machine.serial, machine.brand_code
    if enrollment_token:
        asked.enrollment_token = enrollment_token
    return ask("management.state_retrieval", who, "device_state_retrieval", message, _state, critical=True)


def restore_state(who: Identity, state_key: bytes) -> Exchange[DeviceState]:
    """Ask what is to become of a machine that the server may know by its state key (legacy forced re-enrollment;
    Chromium auto_enrollment_state_message_processor.cc)."""
    message = pb.DeviceManagementRequest()
    message.device_state_retrieval_request.server_backed_state_key = state_key
    return ask("management.state_retrieval", who, "device_state_retrieval", message, _state)


def initial_state(who: Identity, machine: Machine, enrollment_token: str = "") -> Exchange[DeviceState]:
    """Ask what is to become of a machine that the server does not know by its state key (legacy; source as above)."""
    message = pb.DeviceManagementRequest()
    asked = message.device_initial_enrollment_state_request
    asked.serial_number, asked.brand_code = machine.serial, machine.brand_code
    if enrollment_token:
        asked.enrollment_token = enrollment_token

    def read(response: Response) -> DeviceState:
        part = "device_initial_enrollment_state_response"
        return _initial(answer(response, part).device_initial_enrollment_state_response)

    return ask("management.state_retrieval", who, "device_initial_enrollment_state", message, read)


def _state(response: Response) -> DeviceState:
    part = answer(response, "device_state_retrieval_response").device_state_retrieval_response
    mode = _RESTORE.get(part.restore_mode)
    if mode is None:
        return _initial(part.initial_state_response)
    kiosk = part.license_type.license_type == pb.LicenseType.KIOSK
    return DeviceState(mode, text(part.management_domain), text(part.disabled_state.message), kiosk)


def _initial(part: pb.DeviceInitialEnrollmentStateResponse) -> DeviceState:
    kiosk = part.license_packaging_sku == part.CHROME_TERMINAL or (
        not part.is_license_packaged_with_device
        and part.assigned_upgrade_type == part.ASSIGNED_UPGRADE_TYPE_KIOSK_AND_SIGNAGE
    )
    mode = _INITIAL.get(part.initial_enrollment_mode, NOTHING)
    return DeviceState(mode, text(part.management_domain), text(part.disabled_state.message), kiosk)
