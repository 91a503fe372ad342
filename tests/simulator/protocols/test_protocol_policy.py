"""Signed policy: signatures against arithmetic, each check of a client, and policies bent in any way."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from hypothesis import given, settings
from hypothesis import strategies as st
from protobuf_by_hand import block, number

from simulator.protocols import management as m
from simulator.protocols import management_pb2 as pb
from simulator.protocols import policy
from simulator.protocols.messages import Broken, Response
from simulator.protocols.policy import SHA1_RSA, SHA256_RSA, Invalid, PolicySigner, Trust
from simulator.protocols.policy_values import device_settings, user_settings

ROOT = Path(__file__).parents[3]
WHO = m.Identity("http://127.0.0.1/devicemanagement/data/api", "device-1", "a", "p", "token-1")
DEVICE = "google/chromeos/device"
# RFC 8017 section 9.2, note 1: what stands before the hash in an EMSA-PKCS1-v1_5 block.
PREFIX = {
    "sha1": bytes.fromhex("3021300906052b0e03021a05000414"),
    "sha256": bytes.fromhex("3031300d060960864801650304020105000420"),
}


@dataclass(frozen=True)
class City:
    """The keys of a city and of a stranger: two policy keys, the verification key, and one that vouches for nothing."""

    first: PolicySigner
    second: PolicySigner
    root: PolicySigner
    stranger: PolicySigner


@pytest.fixture(scope="session")
def city() -> City:
    """Made once: an RSA key takes its time."""
    return City(*(PolicySigner(PolicySigner.generate()) for _ in range(4)))


def policy_data(**changes: object) -> pb.PolicyData:
    """A policy that device-1 takes, or one changed."""
    fields: dict[str, object] = {
        "policy_type": DEVICE,
        "timestamp": 5000,
        "request_token": "token-1",
        "device_id": "device-1",
        "username": "enroller@city.example",
        "public_key_version": 1,
        "policy_token": "policy-token",
        "policy_value": pb.ChromeDeviceSettingsProto().SerializeToString(),
    }
    fields.update(changes)
    return pb.PolicyData(**{name: value for name, value in fields.items() if value is not None})  # type: ignore[arg-type]


def blob_of(
    city: City, data: pb.PolicyData, *, key: bool = True, domain: str = "city.example"
) -> pb.PolicyFetchResponse:
    """The data signed with the city's first key, with or without that key."""
    blob = city.root.vouch(city.first.public_der, domain, 1) if key else pb.PolicyFetchResponse()
    blob.policy_data = data.SerializeToString()
    blob.policy_data_signature = city.first.sign(blob.policy_data)
    blob.policy_data_signature_type = SHA256_RSA
    return blob


def fresh(city: City) -> Trust:
    """What device-1 holds before its first policy."""
    return Trust("token-1", "device-1", verification_key=city.root.public_der)


def settled(city: City) -> Trust:
    """What device-1 holds after one."""
    return replace(
        fresh(city), domain="city.example", key_version=1, public_key=city.first.public_der, timestamp_ms=5000
    )


def response(*blobs: pb.PolicyFetchResponse) -> Response:
    """An answer to a policy request."""
    answer = pb.DeviceManagementResponse()
    answer.policy_response.SetInParent()
    answer.policy_response.responses.extend(blobs)
    return Response(200, body=answer.SerializeToString())


def fetched(trust: Trust, *blobs: pb.PolicyFetchResponse) -> m.DevicePolicy:
    """What the device makes of that answer."""
    reason = m.PolicyReason.BROWSER_START
    return m.fetch_device_policy(WHO, reason=reason, trust=trust).read(response(*blobs))


# -------------------------------------------------------------------------------------------------------- signatures


def opened(signature: bytes, public_der: bytes) -> bytes:
    """What RSA makes of a signature, by arithmetic alone: the padded block that was signed."""
    key = serialization.load_der_public_key(public_der)
    assert isinstance(key, rsa.RSAPublicKey)
    numbers = key.public_numbers()
    size = (numbers.n.bit_length() + 7) // 8
    return pow(int.from_bytes(signature, "big"), numbers.e, numbers.n).to_bytes(size, "big")


@pytest.mark.parametrize(("kind", "name"), [(SHA1_RSA, "sha1"), (SHA256_RSA, "sha256")])
def test_a_signature_is_what_rfc_8017_says(city: City, kind: int, name: str) -> None:
    """The signature opens to 00 01 FF.. 00, the name of the hash, and the hash of exactly the data."""
    block_size = 256
    tail = b"\x00" + PREFIX[name] + hashlib.new(name, b"the data").digest()
    expected = b"\x00\x01" + b"\xff" * (block_size - 2 - len(tail)) + tail
    assert opened(city.first.sign(b"the data", kind), city.first.public_der) == expected


def test_a_policy_that_comes_again_is_checked_again_but_not_computed_again(city: City) -> None:
    """The same policy twice: one RSA computation, and the very Trust that the client holds; one bent byte under the
    same signature is found all the same."""
    data = policy_data().SerializeToString()
    again = pb.PolicyFetchResponse(
        policy_data=data, policy_data_signature=city.first.sign(data), policy_data_signature_type=SHA256_RSA
    )
    held = Trust("token-1", "device-1", "", "city.example", 1, city.first.public_der, 5000)
    policy.verified.cache_clear()
    assert policy.check(again, pb.PolicyData.FromString(data), held) is held
    assert policy.check(again, pb.PolicyData.FromString(data), held) is held
    assert (policy.verified.cache_info().misses, policy.verified.cache_info().hits) == (1, 1)
    bent = policy_data(policy_token="policy-tokem").SerializeToString()
    again.policy_data = bent
    with pytest.raises(Invalid) as caught:
        policy.check(again, pb.PolicyData.FromString(bent), held)
    assert caught.value.reason == "bad_signature"


def test_what_one_client_tells_is_not_told_by_another() -> None:
    """Bodies are remembered for clients that say the same: another version, news or order gives another body."""
    held = Trust("token-1", "device-1", "", "city.example", 1, b"key", 5000)

    def asked(trust: Trust, news: m.Invalidation | None = None) -> pb.DevicePolicyRequest:
        body = m.fetch_device_policy(WHO, reason=1, trust=trust, invalidation=news).request.body
        return pb.DeviceManagementRequest.FromString(body).policy_request

    news = m.Invalidation(7, b"news")
    for _ in range(2):
        assert asked(held).requests[-1].timestamp == 5000
        assert not asked(held).requests[-1].HasField("invalidation_version")
        assert asked(held, news).requests[-1].invalidation_payload == b"news"
        assert not asked(held, m.Invalidation(7, b"")).requests[-1].HasField("invalidation_version")
        assert not asked(Trust("token-1", "device-1")).requests[-1].HasField("timestamp")
    first, second = (
        m.remote_commands(WHO, reason=2, trust=held, results=(m.CommandResult(0, number),)).request.body
        for number in (1, 2)
    )
    assert first != second


def test_a_key_is_vouched_for_in_both_forms(city: City) -> None:
    """Fields 8 and 9 say key, domain and version, field 7 key and domain, both signed with SHA-256 by the root."""
    vouched = city.root.vouch(city.first.public_der, "city.example", 7)
    data = block(1, city.first.public_der) + block(2, "city.example") + number(3, 7)
    before = block(1, city.first.public_der) + block(2, "city.example")
    assert vouched.new_public_key == city.first.public_der
    assert vouched.new_public_key_verification_data == data
    signatures = {
        vouched.new_public_key_verification_data_signature: data,
        vouched.new_public_key_verification_signature_deprecated: before,
    }
    for signature, signed in signatures.items():
        assert opened(signature, city.root.public_der).endswith(PREFIX["sha256"] + hashlib.sha256(signed).digest())


def test_the_published_test_keys_of_chromium_sign(city: City) -> None:
    """A signer made of Chromium's published 512-bit key signs what that key's public half opens."""
    key = json.loads((ROOT / "tests/data/chromium-test-keys.json").read_text())["keys"]["1"]
    signer = PolicySigner(base64.b64decode(key["private_key_pkcs8"]))
    signature = signer.sign(b"x")
    assert len(signature) == 64
    assert opened(signature, signer.public_der).endswith(hashlib.sha256(b"x").digest())
    assert policy.verified(b"x", signature, signer.public_der, SHA256_RSA)


@pytest.mark.parametrize("kind", [0, 3, -1])
def test_what_is_no_signature_type_verifies_nothing(city: City, kind: int) -> None:
    """NONE and unknown types are never accepted."""
    assert not policy.verified(b"x", city.first.sign(b"x"), city.first.public_der, kind)


def test_only_rsa_keys_sign_policy(city: City) -> None:
    """An EC key, or no key at all, verifies nothing, and makes no signer."""
    other = ec.generate_private_key(ec.SECP256R1())
    public = other.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    private = other.private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    assert not policy.verified(b"x", city.first.sign(b"x"), public, SHA256_RSA)
    assert not policy.verified(b"x", city.first.sign(b"x"), b"", SHA256_RSA)
    with pytest.raises(ValueError, match="not an RSA key"):
        PolicySigner(private)


# ------------------------------------------------------------------------------------------------------ good policies


def test_a_first_policy_teaches_the_device_whom_to_trust(city: City) -> None:
    """From the first policy come key, version, domain and time, all of them checked."""
    got = fetched(fresh(city), blob_of(city, policy_data()))
    assert got.trust == settled(city)
    assert not got.disabled


def test_devices_share_the_key_they_trust(city: City) -> None:
    """However many devices hold a key, it is in memory once."""
    one = fetched(fresh(city), blob_of(city, policy_data())).trust
    other = fetched(fresh(city), blob_of(city, policy_data(timestamp=6000))).trust
    assert one.public_key is other.public_key


def test_a_later_policy_needs_no_key(city: City) -> None:
    """With the key it knows a device checks the next policy; the same time again is fine, a later one moves on."""
    assert fetched(settled(city), blob_of(city, policy_data(), key=False)).trust == settled(city)
    later = fetched(settled(city), blob_of(city, policy_data(timestamp=5001), key=False))
    assert later.trust.timestamp_ms == 5001


def rotated(city: City, **data: object) -> pb.PolicyFetchResponse:
    """The data signed with the city's second key, which the first one introduces."""
    blob = city.root.vouch(city.second.public_der, "city.example", 2)
    blob.new_public_key_signature = city.first.sign(city.second.public_der)
    blob.policy_data = policy_data(public_key_version=2, **data).SerializeToString()
    blob.policy_data_signature = city.second.sign(blob.policy_data)
    blob.policy_data_signature_type = SHA256_RSA
    return blob


def test_a_new_key_is_taken_up(city: City) -> None:
    """A key that the old one signed and the root vouches for replaces the old one."""
    trust = fetched(settled(city), rotated(city)).trust
    assert (trust.key_version, trust.public_key) == (2, city.second.public_der)


def test_field_seven_alone_vouches(city: City) -> None:
    """Where fields 8 and 9 are missing, or wrong, field 7 decides, as in Chromium 156."""
    blob = blob_of(city, policy_data())
    blob.ClearField("new_public_key_verification_data")
    blob.ClearField("new_public_key_verification_data_signature")
    assert fetched(fresh(city), blob).trust == settled(city)


def test_no_verification_key_means_no_vouching(city: City) -> None:
    """A device that has no verification key takes the first key it is shown."""
    trust = replace(fresh(city), verification_key=None)
    blob = blob_of(city, policy_data())
    for field in (
        "new_public_key_verification_data",
        "new_public_key_verification_data_signature",
        "new_public_key_verification_signature_deprecated",
    ):
        blob.ClearField(field)  # type: ignore[arg-type]
    assert fetched(trust, blob).trust.public_key == city.first.public_der


def test_sha1_is_taken_when_it_says_so_or_says_nothing(city: City) -> None:
    """An absent signature type means SHA-1."""
    blob = blob_of(city, policy_data(), key=False)
    blob.policy_data_signature = city.first.sign(blob.policy_data, SHA1_RSA)
    blob.policy_data_signature_type = SHA1_RSA
    assert fetched(settled(city), blob).trust == settled(city)
    blob.ClearField("policy_data_signature_type")
    assert fetched(settled(city), blob).trust == settled(city)


def test_what_was_not_asked_for_is_dropped(city: City) -> None:
    """Blobs of other types, with errors, or beyond decoding do no harm beside the one that was asked for."""
    good = blob_of(city, policy_data())
    others = [
        blob_of(city, policy_data(policy_type="google/chromeos/signinextension", settings_entity_id="ext")),
        pb.PolicyFetchResponse(error_code=902, error_message="policy not found"),
        pb.PolicyFetchResponse(policy_data=b"\x07"),
        pb.PolicyFetchResponse(policy_data=block(1, b"\xff\xfe")),
    ]
    assert fetched(fresh(city), *others, good).trust == settled(city)


def test_a_disabled_device_is_told_why(city: City) -> None:
    """device_state of the policy locks the device, with its message; the ids of its owner come along."""
    state = pb.DeviceState(device_mode=pb.DeviceState.DEVICE_MODE_DISABLED)
    state.disabled_state.message = "lost, please return"
    got = fetched(fresh(city), blob_of(city, policy_data(device_state=state, device_affiliation_ids=["C1"])))
    assert (got.disabled, got.disabled_message, got.affiliation_ids) == (True, "lost, please return", ("C1",))


def test_a_user_is_recognised_as_google_compares_addresses(city: City) -> None:
    """Case does not matter anywhere, dots do not at gmail.com."""
    assert policy.canonical("Taro.Maebashi@City.Example") == "taro.maebashi@city.example"
    assert policy.canonical("T.A.R.O@googlemail.com") == "taro@gmail.com"
    assert policy.domain_of("Taro@City.Example") == "city.example"
    assert policy.domain_of("nobody") == ""
    trust = replace(fresh(city), username="taro@city.example")
    data = policy_data(policy_type="google/chromeos/user", username="TARO@city.example", policy_value=b"")
    data.user_affiliation_ids.append("C1")
    got = m.fetch_user_policy(WHO, reason=17, trust=trust).read(response(blob_of(city, data)))
    assert got.affiliation_ids == ("C1",)
    assert (got.trust.username, got.trust.domain) == ("taro@city.example", "")


# ------------------------------------------------------------------------------------------------------- bad policies


def bent(
    change: Callable[[pb.PolicyFetchResponse], None], make: Callable[[City], pb.PolicyFetchResponse]
) -> Callable[[City], pb.PolicyFetchResponse]:
    def made(city: City) -> pb.PolicyFetchResponse:
        blob = make(city)
        change(blob)
        return blob

    return made


def first(city: City) -> pb.PolicyFetchResponse:
    return blob_of(city, policy_data())


def later(city: City) -> pb.PolicyFetchResponse:
    return blob_of(city, policy_data(), key=False)


def flip(name: str) -> Callable[[pb.PolicyFetchResponse], None]:
    def change(blob: pb.PolicyFetchResponse) -> None:
        data = getattr(blob, name)
        setattr(blob, name, data[:-1] + bytes([data[-1] ^ 1]))

    return change


def clear(*names: str) -> Callable[[pb.PolicyFetchResponse], None]:
    def change(blob: pb.PolicyFetchResponse) -> None:
        for name in names:
            blob.ClearField(name)  # type: ignore[arg-type]

    return change


def vouched_by_a_stranger(city: City) -> pb.PolicyFetchResponse:
    blob = first(city)
    blob.MergeFrom(city.stranger.vouch(city.first.public_der, "city.example", 1))
    return blob


def introduced_by_a_stranger(city: City) -> pb.PolicyFetchResponse:
    blob = rotated(city)
    blob.new_public_key_signature = city.stranger.sign(city.second.public_der)
    return blob


def new_key_for_another_domain(city: City) -> pb.PolicyFetchResponse:
    blob = rotated(city)
    blob.MergeFrom(city.root.vouch(city.second.public_der, "other.example", 2))
    return blob


def signed_with_the_old_key(city: City) -> pb.PolicyFetchResponse:
    blob = rotated(city)
    blob.policy_data_signature = city.first.sign(blob.policy_data)
    return blob


def saying(**changes: object) -> Callable[[City], pb.PolicyFetchResponse]:
    return lambda city: blob_of(city, policy_data(**changes), key=False)


Report = pb.PolicyValidationReportRequest
VOUCHES = (
    "new_public_key_verification_data",
    "new_public_key_verification_data_signature",
    "new_public_key_verification_signature_deprecated",
)
# Each: what the device holds, what the server sends, the reason, and the number that a report carries.
FAULTS = [
    (fresh, bent(flip("policy_data_signature"), first), "bad_initial_signature", 2),
    (fresh, bent(clear("policy_data_signature"), first), "bad_initial_signature", 2),
    # Signed with SHA-256 but not saying so: taken for SHA-1 (seen with Chromium 156).
    (fresh, bent(clear("policy_data_signature_type"), first), "bad_initial_signature", 2),
    (fresh, bent(clear("new_public_key"), first), "bad_initial_signature", 2),
    (fresh, bent(flip("new_public_key"), first), "bad_initial_signature", 2),
    (fresh, bent(clear(*VOUCHES), first), "bad_key_signature", 13),
    (fresh, vouched_by_a_stranger, "bad_key_signature", 13),
    (fresh, lambda city: blob_of(city, policy_data(), domain="other.example"), "bad_key_signature", 13),
    (fresh, lambda city: blob_of(city, policy_data(username=None)), "bad_key_signature", 13),
    (settled, bent(flip("policy_data_signature"), later), "bad_signature", 3),
    (settled, bent(clear("policy_data_signature"), later), "bad_signature", 3),
    (settled, introduced_by_a_stranger, "bad_signature", 3),
    (settled, bent(clear("new_public_key_signature"), rotated), "bad_signature", 3),
    (settled, signed_with_the_old_key, "bad_signature", 3),
    (settled, new_key_for_another_domain, "bad_key_signature", 13),
    (settled, saying(request_token="token-2"), "wrong_token", 9),
    (settled, saying(request_token=None), "wrong_token", 9),
    (settled, saying(device_id="device-2"), "wrong_device", 10),
    (settled, saying(device_id=None), "wrong_device", 10),
    (settled, saying(username="enroller@other.example"), "wrong_domain", 11),
    (settled, saying(timestamp=4999), "bad_timestamp", 8),
    (settled, saying(timestamp=None), "bad_timestamp", 8),
    (settled, saying(policy_value=b"\x07"), "bad_value", 12),
    # First failure wins: token before device, device before time.
    (settled, saying(request_token="t", device_id="d", timestamp=1), "wrong_token", 9),
    (settled, saying(device_id="d", timestamp=1, username="x@y"), "wrong_device", 10),
    (settled, saying(username="x@y", timestamp=1), "wrong_domain", 11),
]


@pytest.mark.parametrize(("holding", "sent", "reason", "result_type"), FAULTS)
def test_a_bad_policy_is_turned_down_for_its_reason(
    city: City,
    holding: Callable[[City], Trust],
    sent: Callable[[City], pb.PolicyFetchResponse],
    reason: str,
    result_type: int,
) -> None:
    """Each fault is found, named, and ready to be reported under Chromium's number for it."""
    with pytest.raises(Invalid) as caught:
        fetched(holding(city), sent(city))
    assert (caught.value.reason, caught.value.result_type) == (reason, result_type)
    assert (caught.value.policy_type, caught.value.policy_token) == (DEVICE, "policy-token")


@pytest.mark.parametrize("claim", [b"\x07", block(2, "city.example"), b""])
def test_a_root_that_signs_nonsense_vouches_for_nothing(city: City, claim: bytes) -> None:
    """Fields 8 and 9 that hold, but do not name this key and domain, are worth nothing."""
    blob = first(city)
    blob.ClearField("new_public_key_verification_signature_deprecated")
    blob.new_public_key_verification_data = claim
    blob.new_public_key_verification_data_signature = city.root.sign(claim)
    with pytest.raises(Invalid) as caught:
        fetched(fresh(city), blob)
    assert caught.value.reason == "bad_key_signature"


def test_another_users_policy_is_turned_down(city: City) -> None:
    """A user's client takes the policy of that user alone."""
    trust = replace(fresh(city), username="taro@city.example")
    data = policy_data(policy_type="google/chromeos/user", username="jiro@city.example")
    with pytest.raises(Invalid) as caught:
        m.fetch_user_policy(WHO, reason=17, trust=trust).read(response(blob_of(city, data)))
    assert (caught.value.reason, caught.value.result_type) == ("wrong_user", 11)


def test_a_users_policy_that_cannot_be_read_is_turned_down(city: City) -> None:
    """A payload that is no CloudPolicySettings is a POLICY_PARSE_ERROR."""
    data = policy_data(policy_type="google/chromeos/user", policy_value=b"\x07")
    with pytest.raises(Invalid) as caught:
        m.fetch_user_policy(WHO, reason=17, trust=fresh(city)).read(response(blob_of(city, data)))
    assert (caught.value.reason, caught.value.result_type) == ("bad_value", 12)


@pytest.mark.parametrize(
    ("blob", "reason"),
    [
        (pb.PolicyFetchResponse(error_code=902, error_message="policy not found"), "error_code_present"),
        (pb.PolicyFetchResponse(error_message="no"), "error_code_present"),
        (pb.PolicyFetchResponse(policy_data=b"\x07"), "undecodable"),
        (pb.PolicyFetchResponse(policy_data=block(1, "google/chromeos/user")), "wrong_policy_type"),
        (pb.PolicyFetchResponse(policy_data=block(1, DEVICE) + block(11, "entity")), "wrong_entity"),
    ],
)
def test_a_policy_that_is_dropped_is_missed_but_not_reported(blob: pb.PolicyFetchResponse, reason: str) -> None:
    """A client drops these without a report; what we miss then is named by what was dropped."""
    with pytest.raises(Invalid) as caught:
        fetched(Trust("token-1", "device-1"), blob)
    assert (caught.value.reason, caught.value.policy_token) == (reason, "")


def test_an_error_code_of_200_is_none(city: City) -> None:
    """error_code 200 means ok."""
    blob = first(city)
    blob.error_code = 200
    assert fetched(fresh(city), blob).trust == settled(city)


def test_names_that_are_not_text_are_broken(city: City) -> None:
    """A proto2 string may hold any bytes; a name that is not UTF-8 is broken."""
    blob = later(city)
    blob.policy_data = blob.policy_data.replace(b"enroller@", b"\xff\xferoller@")
    blob.policy_data_signature = city.first.sign(blob.policy_data)
    with pytest.raises(Broken) as caught:
        fetched(settled(city), blob)
    assert caught.value.reason == "undecodable"


@settings(max_examples=300)
@given(data=st.data())
def test_a_bent_policy_is_accepted_only_unbent(city: City, data: st.DataObject) -> None:
    """Flip any bit of a whole answer, or cut it anywhere: it is turned down, or says just what the true one says."""
    body = response(first(city)).body
    position = data.draw(st.integers(0, len(body) * 8 - 1))
    flipped = bytearray(body)
    flipped[position // 8] ^= 1 << position % 8
    cut = body[: data.draw(st.integers(0, len(body) - 1))]
    reader = m.fetch_device_policy(WHO, reason=m.PolicyReason.BROWSER_START, trust=fresh(city))
    for damaged in (bytes(flipped), cut):
        with suppress(Broken):
            assert reader.read(Response(200, body=damaged)).trust == settled(city)


# ----------------------------------------------------------------------------------------------------- remote commands


def signed_command(city: City, command: bytes, **changes: object) -> pb.SignedData:
    """A command as the server signs it."""
    data = policy_data(policy_type="google/chromeos/remotecommand", policy_value=command, **changes).SerializeToString()
    return pb.SignedData(data=data, signature=city.first.sign(data))


def commands(city: City, *signed: pb.SignedData) -> tuple[m.Command, ...]:
    """What device-1 makes of them."""
    answer = pb.DeviceManagementResponse()
    answer.remote_command_response.secure_commands.extend(signed)
    reader = m.remote_commands(WHO, reason=5, trust=settled(city))
    return reader.read(Response(200, body=answer.SerializeToString()))


def test_a_signed_command_is_obeyed(city: City) -> None:
    """Type, id, age and payload come out of the fields where the server put them, in order."""
    reboot = number(1, 0) + number(2, 4711) + number(3, 60_000) + block(4, "{}") + block(5, "device-1")
    volume = number(1, 2) + number(2, 4712) + block(5, "device-1")
    assert commands(city, signed_command(city, reboot), signed_command(city, volume)) == (
        m.Command(m.CommandKind.DEVICE_REBOOT, 4711, 60_000, "{}"),
        m.Command(m.CommandKind.DEVICE_SET_VOLUME, 4712, 0, ""),
    )


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda city: pb.SignedData(data=b"x", signature=city.stranger.sign(b"x")), "bad_signature"),
        (lambda city: signed_command(city, b"\x07"), "bad_value"),
        (lambda city: pb.SignedData(data=b"\x07", signature=city.first.sign(b"\x07")), "bad_value"),
        (lambda city: signed_command(city, block(5, "device-2")), "wrong_device"),
        (lambda city: signed_command(city, b""), "wrong_device"),
    ],
)
def test_a_bad_command_is_turned_down(city: City, make: Callable[[City], pb.SignedData], reason: str) -> None:
    """A command that the policy key did not sign, that cannot be read, or is another device's, is not obeyed."""
    with pytest.raises(Invalid) as caught:
        commands(city, make(city))
    assert caught.value.reason == reason


def test_a_policy_is_no_command(city: City) -> None:
    """What was signed as a policy cannot be passed off as a command."""
    data = policy_data(policy_value=block(5, "device-1")).SerializeToString()
    with pytest.raises(Invalid) as caught:
        commands(city, pb.SignedData(data=data, signature=city.first.sign(data)))
    assert caught.value.reason == "wrong_policy_type"


# -------------------------------------------------------------------------------------------------------------- values


def test_device_settings_have_the_clients_defaults_and_limits() -> None:
    """3 h where nothing is set, 30 min to 24 h for policy, 60 s at least for status."""
    default = device_settings(b"")
    assert default is not None
    assert (default.refresh_ms, default.status_ms) == (10_800_000, 10_800_000)
    assert (default.release_channel, default.update_disabled, default.ephemeral_users) == ("", False, False)
    low = device_settings(block(1, number(1, 1)) + block(12, number(9, 1)))
    assert low is not None
    assert (low.refresh_ms, low.status_ms) == (1_800_000, 60_000)
    high = device_settings(block(1, number(1, 10**9)) + block(12, number(9, 10**9)))
    assert high is not None
    assert (high.refresh_ms, high.status_ms) == (86_400_000, 10**9)
    update = block(17, number(1, 1), block(2, "1412."), number(4, 3600)) + block(10, block(1, "beta-channel"))
    said = device_settings(update + block(13, number(1, 1)))
    assert said is not None
    assert (said.update_disabled, said.target_version_prefix, said.scatter_s) == (True, "1412.", 3600)
    assert (said.release_channel, said.ephemeral_users) == ("beta-channel", True)
    assert device_settings(b"\x07") is None


def test_user_settings_have_the_clients_defaults_and_limits() -> None:
    """10 s of delay after a push where nothing is set, 1 s to 300 s otherwise; 14 days offline; -1 for ever."""
    default = user_settings(b"")
    assert default is not None
    assert (default.refresh_ms, default.push_delay_ms) == (10_800_000, 10_000)
    assert (default.offline_sign_in_s, default.homepage) == (1_209_600, "")
    for value, delay in ((1, 1000), (5000, 5000), (10**6, 300_000)):
        said = user_settings(block(230, number(2, value)))
        assert said is not None
        assert said.push_delay_ms == delay
    said = user_settings(block(256, number(2, 2**64 - 1)) + block(3, block(2, "https://x/")))
    assert said is not None
    assert (said.offline_sign_in_s, said.homepage) == (-1, "https://x/")
    assert user_settings(b"\x07") is None
