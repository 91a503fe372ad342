"""Signed policy, both directions: how a server signs a policy, and the checks by which a client accepts one.

Which policies there are and what they say is not known here; a payload is bytes.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import lru_cache
from sys import intern

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from google.protobuf.message import DecodeError

from simulator.protocols import management_pb2 as pb
from simulator.protocols.management_requests import text
from simulator.protocols.messages import Broken

SHA1_RSA = pb.PolicyFetchRequest.SHA1_RSA
SHA256_RSA = pb.PolicyFetchRequest.SHA256_RSA
_HASHES: dict[int, hashes.HashAlgorithm] = {SHA1_RSA: hashes.SHA1(), SHA256_RSA: hashes.SHA256()}
_PADDING = padding.PKCS1v15()

_Report = pb.PolicyValidationReportRequest
# Why a policy is turned down -> how its client reports it (Chromium cloud_policy_client.cc). A wrong domain is reported
# as a wrong user (cloud_policy_validator.cc, CheckDomain).
RESULT_TYPES: dict[str, pb.PolicyValidationReportRequest.ValidationResultType.ValueType] = {
    "error_code_present": _Report.VALIDATION_RESULT_TYPE_ERROR_CODE_PRESENT,
    "undecodable": _Report.VALIDATION_RESULT_TYPE_PAYLOAD_PARSE_ERROR,
    "bad_signature": _Report.VALIDATION_RESULT_TYPE_BAD_SIGNATURE,
    "bad_initial_signature": _Report.VALIDATION_RESULT_TYPE_BAD_INITIAL_SIGNATURE,
    "bad_key_signature": _Report.VALIDATION_RESULT_TYPE_BAD_KEY_VERIFICATION_SIGNATURE,
    "wrong_policy_type": _Report.VALIDATION_RESULT_TYPE_WRONG_POLICY_TYPE,
    "wrong_entity": _Report.VALIDATION_RESULT_TYPE_WRONG_SETTINGS_ENTITY_ID,
    "wrong_token": _Report.VALIDATION_RESULT_TYPE_BAD_DM_TOKEN,
    "wrong_device": _Report.VALIDATION_RESULT_TYPE_BAD_DEVICE_ID,
    "wrong_user": _Report.VALIDATION_RESULT_TYPE_BAD_USER,
    "wrong_domain": _Report.VALIDATION_RESULT_TYPE_BAD_USER,
    "bad_timestamp": _Report.VALIDATION_RESULT_TYPE_BAD_TIMESTAMP,
    "bad_value": _Report.VALIDATION_RESULT_TYPE_POLICY_PARSE_ERROR,
}


class Invalid(Broken):
    """A policy that its client turns down.

    Attributes:
        policy_type: what was turned down.
        policy_token: of the policy; empty when it had none, and then the client sends no report (also for a policy that
            it drops before it checks it: of a type it did not ask for, or that it cannot decode).
        result_type: what a report would say.
    """

    def __init__(self, reason: str, detail: str = "", *, policy_type: str = "", policy_token: str = "") -> None:
        super().__init__(reason, detail, status=200)
        self.policy_type = policy_type
        self.policy_token = policy_token
        self.result_type = RESULT_TYPES[reason]


@dataclass(frozen=True, slots=True)
class Trust:
    """What one client holds to check the next policy.

    Attributes:
        dm_token, device_id: of its registration.
        username: whose policy it must be; empty for a device.
        domain: what the device is locked to; empty before its first policy, and for a user.
        key_version: of public_key; 0 before the first policy.
        public_key: the policy key it knows, DER; one object for all clients that know the same key.
        timestamp_ms: of the policy it has, Unix ms; what was published at t is applied once this is t or more.
        verification_key: DER of the key that vouches for policy keys; None: vouching is not checked.
    """

    dm_token: str
    device_id: str
    username: str = ""
    domain: str = ""
    key_version: int = 0
    public_key: bytes = b""
    timestamp_ms: int = 0
    verification_key: bytes | None = None


class PolicySigner:
    """One RSA key that signs: a domain's policy key, or the verification key that vouches for those.

    Args:
        private_der: the private key, PKCS #8, DER.
    Raises:
        ValueError: that is not a private RSA key.
    """

    def __init__(self, private_der: bytes) -> None:
        # The key is our own, out of our own database: checking its arithmetic again would take longer than a start may.
        key = serialization.load_der_private_key(private_der, None, unsafe_skip_rsa_key_validation=True)
        if not isinstance(key, rsa.RSAPrivateKey):
            raise ValueError("not an RSA key")
        self._key = key
        self.public_der = key.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )

    @staticmethod
    def generate() -> bytes:
        """A new private key of 2048 bits, PKCS #8, DER. Its chance is the crypto library's own."""
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        return key.private_bytes(
            serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )

    def sign(self, data: bytes, signature_type: int = SHA256_RSA) -> bytes:
        """The signature of exactly these bytes, RSA PKCS #1 v1.5. Raises: KeyError for a type that is no signature."""
        return self._key.sign(data, _PADDING, _HASHES[signature_type])

    def vouch(self, public_key: bytes, domain: str, version: int) -> pb.PolicyFetchResponse:
        """The parts by which this (verification) key vouches for a new policy key: fields 5, 7, 8 and 9.

        Field 7 is for clients that do not know 8 and 9 yet; Chromium 156 still tries it when those fail.
        """
        now = pb.PublicKeyVerificationData(new_public_key=public_key, domain=domain, new_public_key_version=version)
        data = now.SerializeToString()
        before = pb.DEPRECATEDPolicyPublicKeyAndDomain(new_public_key=public_key, domain=domain)
        return pb.PolicyFetchResponse(
            new_public_key=public_key,
            new_public_key_verification_signature_deprecated=self.sign(before.SerializeToString()),
            new_public_key_verification_data=data,
            new_public_key_verification_data_signature=self.sign(data),
        )


@lru_cache(maxsize=256)
def _known_key(der: bytes) -> tuple[bytes, rsa.RSAPublicKey] | None:
    """A public key parsed once, with the one bytes object that all its holders share; None for anything but RSA."""
    try:
        key = serialization.load_der_public_key(der)
    except (ValueError, UnsupportedAlgorithm):
        return None
    return (der, key) if isinstance(key, rsa.RSAPublicKey) else None


@lru_cache(maxsize=4096)
def verified(data: bytes, signature: bytes, key: bytes, signature_type: int) -> bool:
    """Whether a signature holds. False as well for a key that is none and a type that is not a signature.

    Remembered: a policy that has not changed comes again with every refresh, and its arithmetic with it.
    """
    known = _known_key(key)
    if known is None or signature_type not in _HASHES:
        return False
    try:
        known[1].verify(signature, data, _PADDING, _HASHES[signature_type])
    except (InvalidSignature, ValueError, UnsupportedAlgorithm):
        return False
    return True


@lru_cache(maxsize=256)
def _vouched(root: bytes, key: bytes, domain: str, *, data: bytes, signature: bytes, older: bytes) -> bool:
    """Whether the verification key vouches for a policy key. Remembered: one key is new to thousands of clients."""
    if verified(data, signature, root, SHA256_RSA):
        try:
            claim = pb.PublicKeyVerificationData.FromString(data)
        except DecodeError:
            claim = pb.PublicKeyVerificationData()
        if claim.new_public_key == key and str(claim.domain).lower() == domain:
            return True
    before = pb.DEPRECATEDPolicyPublicKeyAndDomain(new_public_key=key, domain=domain)
    return verified(before.SerializeToString(), older, root, SHA256_RSA)


@lru_cache(maxsize=4096)
def domain_of(username: str) -> str:
    """The domain of an e-mail address in lower case, empty when there is none (Chromium gaia_auth_util.cc)."""
    return username.rpartition("@")[2].lower() if "@" in username else ""


def canonical(username: str) -> str:
    """An e-mail address as Google compares it: lower case; dots do not count at gmail.com (gaia_auth_util.cc)."""
    local, at, domain = username.lower().partition("@")
    if domain == "googlemail.com":
        domain = "gmail.com"
    return f"{local.replace('.', '') if domain == 'gmail.com' else local}{at}{domain}"


def find(
    blobs: Iterable[pb.PolicyFetchResponse], asked: tuple[str, ...], entity: str = ""
) -> tuple[pb.PolicyFetchResponse, pb.PolicyData]:
    """The answer to the last of the policy types asked for, about that entity, decoded but not checked.

    A client drops what it cannot decode and what it did not ask for (cloud_policy_client.cc); what is then missing is
    the fault, and the last thing dropped says why.

    Raises:
        Invalid: error_code_present, undecodable, wrong_policy_type, wrong_entity. Broken: missing_part.
    """
    wanted = asked[-1]
    fault: Broken | None = None
    for blob in blobs:
        if blob.error_code not in (0, 200) or blob.error_message:
            detail = f"{blob.error_code} {str(blob.error_message)[:200]}"
            fault = Invalid("error_code_present", detail, policy_type=wanted)
            continue
        try:
            data = pb.PolicyData.FromString(blob.policy_data)
        except DecodeError:
            fault = Invalid("undecodable", "policy_data", policy_type=wanted)
            continue
        if data.policy_type == wanted:
            if data.settings_entity_id == entity:
                return blob, data
            fault = Invalid("wrong_entity", repr(data.settings_entity_id)[:200], policy_type=wanted)
        elif data.policy_type not in asked:
            fault = Invalid("wrong_policy_type", repr(data.policy_type)[:200], policy_type=wanted)
    raise fault or Broken("missing_part", f"no {wanted}", status=200)


def check(blob: pb.PolicyFetchResponse, data: pb.PolicyData, trust: Trust) -> Trust:
    """Check a policy as its client does: in this order, and the first failure decides.

    Args:
        blob: as the server sent it.
        data: its policy_data, decoded.
        trust: what the client holds.
    Returns:
        what it holds from now on.
    Raises:
        Invalid: bad_initial_signature, bad_key_signature, bad_signature, wrong_token, wrong_device, wrong_user,
            wrong_domain, bad_timestamp (Chromium cloud_policy_validator.cc). Broken: a name that is not UTF-8.
    """
    username = text(data.username)
    fault = _signature_fault(blob, username, trust) or _origin_fault(data, username, trust)
    if fault:
        raise invalid(fault, data)
    timestamp_ms, version = data.timestamp, data.public_key_version or trust.key_version
    key = trust.public_key
    if blob.new_public_key and (known := _known_key(blob.new_public_key)):
        key = known[0]
    domain = trust.domain or ("" if trust.username else intern(domain_of(username)))
    if (timestamp_ms, version, key, domain) == (trust.timestamp_ms, trust.key_version, trust.public_key, trust.domain):
        # what the client holds already, and one object less for each device
        return trust
    return replace(trust, domain=domain, key_version=version, public_key=key, timestamp_ms=timestamp_ms)


def check_borrowed(blob: pb.PolicyFetchResponse, data: pb.PolicyData, trust: Trust) -> None:
    """Check a policy that is signed with the key of another and brings none of its own, in the order of `check`.

    Args:
        trust: with that other policy's key, and the time of the policy that is to be replaced.
    Raises:
        Invalid: bad_signature, and as `check` from wrong_token on (Chromium component_cloud_policy_store.cc and
            device_local_account_policy_store.cc). Broken: a name that is not UTF-8.
    """
    good = verified(blob.policy_data, blob.policy_data_signature, trust.public_key, _kind(blob))
    fault = _origin_fault(data, text(data.username), trust) if good else "bad_signature"
    if fault:
        raise invalid(fault, data)


def invalid(reason: str, data: pb.PolicyData, detail: str = "") -> Invalid:
    """The fault of a policy that could be decoded."""
    policy_token = data.policy_token if isinstance(data.policy_token, str) else ""
    return Invalid(reason, detail, policy_type=data.policy_type, policy_token=policy_token)


def _signature_fault(blob: pb.PolicyFetchResponse, username: str, trust: Trust) -> str:
    """Which check of a signature fails first, empty if none does."""
    kind = _kind(blob)
    key = trust.public_key
    if not key:
        if not verified(blob.policy_data, blob.policy_data_signature, blob.new_public_key, kind):
            return "bad_initial_signature"
        return "" if _key_vouched(blob, domain_of(username), trust) else "bad_key_signature"
    if blob.HasField("new_public_key"):
        if not verified(blob.new_public_key, blob.new_public_key_signature, key, kind):
            return "bad_signature"
        if not _key_vouched(blob, domain_of(username), trust):
            return "bad_key_signature"
        key = blob.new_public_key
    return "" if verified(blob.policy_data, blob.policy_data_signature, key, kind) else "bad_signature"


def _kind(blob: pb.PolicyFetchResponse) -> int:
    """The type of its signatures: SHA-1 where it names none."""
    return blob.policy_data_signature_type or (0 if blob.HasField("policy_data_signature_type") else SHA1_RSA)


def _key_vouched(blob: pb.PolicyFetchResponse, domain: str, trust: Trust) -> bool:
    return trust.verification_key is None or _vouched(
        trust.verification_key,
        blob.new_public_key,
        domain,
        data=blob.new_public_key_verification_data,
        signature=blob.new_public_key_verification_data_signature,
        older=blob.new_public_key_verification_signature_deprecated,
    )


def _origin_fault(data: pb.PolicyData, username: str, trust: Trust) -> str:
    """Which check of whose policy this is, and of when, fails first; empty if none does."""
    if data.request_token != trust.dm_token or not trust.dm_token:
        return "wrong_token"
    if data.device_id != trust.device_id or not trust.device_id:
        return "wrong_device"
    if trust.username and canonical(username) != canonical(trust.username):
        return "wrong_user"
    if trust.domain and domain_of(username) != trust.domain:
        return "wrong_domain"
    if data.timestamp < trust.timestamp_ms or not data.HasField("timestamp"):
        return "bad_timestamp"
    return ""
