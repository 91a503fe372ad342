"""Policies of extensions and device-local accounts: each check of a client, and the file that a policy names."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st
from protobuf_by_hand import block, number

from simulator.protocols import management as m
from simulator.protocols import management_pb2 as pb
from simulator.protocols.extension_policy import FILE_MAX, download
from simulator.protocols.messages import Broken, Refused, Response, Trouble
from simulator.protocols.policy import SHA256_RSA, PolicySigner, Trust

FILE = b'{"Greeting": {"Value": "hello"}}'
URL = "http://127.0.0.1:8080/extension.json"
WHO = m.Identity("http://127.0.0.1/devicemanagement/data/api", "user-1", "a", "p", "token-1")
EXTENSION, USER, ACCOUNT = "google/chrome/extension", "google/chromeos/user", "google/chromeos/publicaccount"
# The payload by hand: ExternalPolicyData is download_url = 1, secure_hash = 2.
PAYLOAD = block(1, URL.encode()) + block(2, sha256(FILE).digest())


@pytest.fixture(scope="session")
def signer() -> PolicySigner:
    """The city's policy key."""
    return PolicySigner(PolicySigner.generate())


@pytest.fixture(scope="session")
def stranger() -> PolicySigner:
    """Somebody else's."""
    return PolicySigner(PolicySigner.generate())


def trust(signer: PolicySigner) -> Trust:
    """What the user's client holds."""
    return Trust(
        "token-1", "user-1", "mika@city.example", key_version=1, public_key=signer.public_der, timestamp_ms=5000
    )


def blob(signer: PolicySigner, **changes: object) -> pb.PolicyFetchResponse:
    """The policy of extension `abc` that this client takes, or one changed."""
    fields: dict[str, object] = {
        "policy_type": EXTENSION,
        "settings_entity_id": "abc",
        "timestamp": 4000,
        "request_token": "token-1",
        "device_id": "user-1",
        "username": "mika@city.example",
        "public_key_version": 1,
        "policy_value": PAYLOAD,
    }
    fields.update(changes)
    data = pb.PolicyData(**{name: value for name, value in fields.items() if value is not None})  # type: ignore[arg-type]
    answer = pb.PolicyFetchResponse(policy_data=data.SerializeToString(), policy_data_signature_type=SHA256_RSA)
    answer.policy_data_signature = signer.sign(answer.policy_data)
    return answer


def user_blob(signer: PolicySigner) -> pb.PolicyFetchResponse:
    """The user's own policy."""
    return blob(signer, policy_type=USER, settings_entity_id=None, timestamp=5000, policy_value=b"")


def read(signer: PolicySigner, *blobs: pb.PolicyFetchResponse, **stored_ms: int) -> m.UserPolicy:
    """What the user's client makes of an answer with these blobs."""
    answer = pb.DeviceManagementResponse()
    answer.policy_response.responses.extend(blobs)
    exchange = m.fetch_user_policy(WHO, reason=m.PolicyReason.SCHEDULED, trust=trust(signer), stored_ms=dict(stored_ms))
    return exchange.read(Response(200, body=answer.SerializeToString()))


def test_each_extension_is_told_of(signer: PolicySigner) -> None:
    """One blob an extension, before or after the user's own; which extension is in settings_entity_id."""
    found = read(signer, blob(signer), user_blob(signer), blob(signer, settings_entity_id="def", timestamp=4100))
    assert found.extensions == (
        m.ExtensionPolicy(EXTENSION, "abc", URL, sha256(FILE).digest(), 4000),
        m.ExtensionPolicy(EXTENSION, "def", URL, sha256(FILE).digest(), 4100),
    )


def test_an_extension_without_a_file_has_no_policy(signer: PolicySigner) -> None:
    """Neither is one whose policy names no file, or no hash, a fault."""
    nothing, hashless = blob(signer, policy_value=b""), blob(signer, policy_value=block(1, URL.encode()))
    assert read(signer, user_blob(signer), nothing, hashless).extensions == ()


@pytest.mark.parametrize(
    ("reason", "changes"),
    [
        ("wrong_entity", {"settings_entity_id": None}),
        ("wrong_token", {"request_token": "token-2"}),
        ("wrong_token", {"request_token": None}),
        ("wrong_device", {"device_id": "user-2"}),
        ("wrong_user", {"username": "nao@city.example"}),
        ("bad_timestamp", {"timestamp": 3999}),
        ("bad_timestamp", {"timestamp": None}),
        ("bad_value", {"policy_value": b"\x07"}),
        ("bad_value", {"policy_value": block(1, b"file:///etc/passwd") + block(2, bytes(32))}),
        ("bad_value", {"policy_value": block(1, b"http://[") + block(2, bytes(32))}),
        ("body_too_large", {"policy_value": PAYLOAD + block(99, bytes(16 * 1024))}),
        # the first failure decides
        ("wrong_token", {"request_token": "token-2", "timestamp": 1, "policy_value": b"\x07"}),
    ],
)
def test_a_bad_extension_policy_is_dropped_for_its_reason(
    signer: PolicySigner, reason: str, changes: dict[str, object]
) -> None:
    """Each check; the user's own policy is good all the same, and so is another extension's."""
    found = read(signer, user_blob(signer), blob(signer, **changes), blob(signer, settings_entity_id="def"), abc=4000)
    fault, good = found.extensions
    assert isinstance(fault, Trouble)
    assert fault.reason == reason
    assert isinstance(good, m.ExtensionPolicy)


def test_extensions_bring_no_key_of_their_own(signer: PolicySigner, stranger: PolicySigner) -> None:
    """Only the user's policy may introduce a key: a blob signed with the one it brings along is turned down."""
    introduced = blob(stranger)
    introduced.new_public_key = stranger.public_der
    introduced.new_public_key_signature = signer.sign(introduced.new_public_key)
    (fault,) = read(signer, user_blob(signer), introduced).extensions
    assert isinstance(fault, Trouble)
    assert fault.reason == "bad_signature"


@given(st.integers(0, 4000))
def test_the_stored_timestamp_is_a_lower_bound(signer: PolicySigner, stored_ms: int) -> None:
    """Equal or later is taken."""
    (policy,) = read(signer, user_blob(signer), blob(signer), abc=stored_ms).extensions
    assert isinstance(policy, m.ExtensionPolicy)


# ------------------------------------------------------------------------------------------------------ the file


def _downloaded(body: bytes, *, status: int = 200, wanted: bytes = sha256(FILE).digest()) -> None:
    exchange, sink = download(m.ExtensionPolicy(EXTENSION, "abc", URL, wanted, 0))
    assert (exchange.request.method, exchange.request.url, exchange.request.headers) == ("GET", URL, ())
    half = len(body) // 2
    for part in (body[:half], body[half:]):
        sink.write(part)
    exchange.read(Response(status))


def test_a_file_is_what_its_hash_says() -> None:
    """The SHA-256 of the bytes, however they come."""
    _downloaded(FILE)
    with pytest.raises(Broken) as caught:
        _downloaded(FILE + b" ")
    assert caught.value.reason == "hash_mismatch"


def test_a_file_has_five_mebibytes_at_most() -> None:
    """Exactly that is fine; one byte more is not, whatever its hash."""
    most = bytes(FILE_MAX)
    assert len(most) == 5 * 1024 * 1024
    _downloaded(most, wanted=sha256(most).digest())
    with pytest.raises(Broken) as caught:
        _downloaded(most + b"\0", wanted=sha256(most + b"\0").digest())
    assert caught.value.reason == "size_mismatch"


def test_a_refused_file_is_refused() -> None:
    """404 keeps its status, by which the next try is planned."""
    with pytest.raises(Refused) as caught:
        _downloaded(b"", status=404)
    assert caught.value.status == 404


# ----------------------------------------------------------------------------------------------- device-local accounts


def account(signer: PolicySigner) -> Trust:
    """What the client of the account `lobby@city.example` holds."""
    return replace(trust(signer), username="lobby@city.example", timestamp_ms=0, key_version=0)


def account_blob(signer: PolicySigner, **changes: object) -> pb.PolicyFetchResponse:
    """The policy of that account, or one changed."""
    entity = {"settings_entity_id": "lobby@city.example", "username": "lobby@city.example"}
    return blob(signer, **{"policy_type": ACCOUNT, **entity, "policy_value": b"", **changes})


def account_read(signer: PolicySigner, answer: pb.PolicyFetchResponse, held: Trust) -> m.AccountPolicy | None:
    """What the account's client makes of it."""
    message = pb.DeviceManagementResponse()
    message.policy_response.responses.append(answer)
    exchange = m.fetch_account_policy(WHO, reason=m.PolicyReason.SCHEDULED, trust=held)
    return exchange.read(Response(200, body=message.SerializeToString()))


def test_an_account_is_asked_for_by_its_id(signer: PolicySigner) -> None:
    """One request of type publicaccount, field 6 the account's id, with the device's own id and token."""
    exchange = m.fetch_account_policy(WHO, reason=m.PolicyReason.BROWSER_START, trust=account(signer))
    message = pb.DeviceManagementRequest.FromString(exchange.request.body)
    (asked,) = message.policy_request.requests
    assert block(1, ACCOUNT.encode()) in asked.SerializeToString()
    assert block(6, b"lobby@city.example") in asked.SerializeToString()
    assert not asked.HasField("timestamp")
    assert not asked.HasField("public_key_version")
    assert exchange.request.header("Authorization") == "GoogleDMToken token=token-1"
    assert "deviceid=user-1" in exchange.request.url


def test_an_account_keeps_time_and_key_version(signer: PolicySigner) -> None:
    """What it was given goes into the next request: fields 2 and 4."""
    refresh = pb.CloudPolicySettings()
    refresh.PolicyRefreshRate.value = 3_600_000
    policy = account_read(signer, account_blob(signer, policy_value=refresh.SerializeToString()), account(signer))
    assert policy is not None
    assert policy.settings.refresh_ms == 3_600_000
    again = m.fetch_account_policy(WHO, reason=m.PolicyReason.SCHEDULED, trust=policy.trust)
    (asked,) = pb.DeviceManagementRequest.FromString(again.request.body).policy_request.requests
    assert number(2, 4000) in asked.SerializeToString()
    assert (asked.timestamp, asked.public_key_version) == (4000, 1)


def test_no_policy_for_an_account_is_an_answer(signer: PolicySigner) -> None:
    """902 within the answer: the city has set nothing, which is no fault of anybody's."""
    assert account_read(signer, pb.PolicyFetchResponse(error_code=902, error_message="none"), account(signer)) is None


@pytest.mark.parametrize(
    ("reason", "bend"),
    [
        ("wrong_entity", lambda signer: account_blob(signer, settings_entity_id="hall@city.example")),
        ("wrong_policy_type", lambda signer: account_blob(signer, policy_type=USER)),
        ("wrong_user", lambda signer: account_blob(signer, username="hall@city.example")),
        ("wrong_device", lambda signer: account_blob(signer, device_id="other")),
        ("bad_timestamp", lambda signer: account_blob(signer, timestamp=None)),
        ("bad_value", lambda signer: account_blob(signer, policy_value=b"\x07")),
        ("bad_signature", lambda signer: account_blob(PolicySigner(PolicySigner.generate()))),
        ("error_code_present", lambda signer: pb.PolicyFetchResponse(error_code=500)),
    ],
)
def test_a_bad_account_policy_is_turned_down(
    signer: PolicySigner, reason: str, bend: Callable[[PolicySigner], pb.PolicyFetchResponse]
) -> None:
    """As any policy, and signed with the device's key alone."""
    with pytest.raises(m.Invalid) as caught:
        account_read(signer, bend(signer), account(signer))
    assert caught.value.reason == reason
