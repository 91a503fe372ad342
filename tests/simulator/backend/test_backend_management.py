"""The management service: whom it lets in, what it signs and how often, what it keeps, and that nothing upsets it."""

from __future__ import annotations

import json
from functools import cache
from hashlib import sha256
from pathlib import Path
from urllib.parse import quote

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from hypothesis import given, settings
from hypothesis import strategies as st
from management_bench import NOW, URL, Bench, granted, keyed_store, policy_request

from simulator.backend.management_keys import PolicyKeys
from simulator.backend.store import Store
from simulator.protocols import management_pb2 as pb
from simulator.protocols.messages import Request

Message = pb.DeviceManagementRequest
DEVICE = "google/chromeos/device"
USER = "google/chromeos/user"


@pytest.fixture
def bench() -> Bench:
    """A service that nobody has asked yet."""
    return Bench()


def holds(signature: bytes, data: bytes, key: bytes, kind: hashes.HashAlgorithm | None = None) -> bool:
    """Whether a signature is this key's; raises when it is not."""
    public = serialization.load_der_public_key(key)
    assert isinstance(public, rsa.RSAPublicKey)
    public.verify(signature, data, padding.PKCS1v15(), kind or hashes.SHA256())
    return True


def data_of(blob: pb.PolicyFetchResponse) -> pb.PolicyData:
    return pb.PolicyData.FromString(blob.policy_data)


# ---------------------------------------------------------------------------------------------------- who is let in


def test_a_device_registers_with_an_enrolling_account(bench: Bench) -> None:
    """It gets a token of its own, its name, and the mode without which a Chromebook gives up."""
    message = Message()
    asked = message.register_request
    asked.type, asked.machine_id, asked.machine_model = asked.DEVICE, "S1", "HWID"
    got = granted(bench.send("register", message, oauth_token="enroller@city.example")).register_response
    assert got.HasField("enrollment_type")
    assert got.enrollment_type == pb.DeviceRegisterResponse.ENTERPRISE
    assert (got.machine_name, got.user_email) == ("HWID - device-1", "enroller@city.example")
    assert len(got.device_management_token) >= 32
    assert bench.register("device-2", "S2") != got.device_management_token


def test_a_user_registers_and_learns_the_affiliation(bench: Bench) -> None:
    """A user of the domain gets a token, and the id that the city's devices carry as well."""
    message = Message()
    message.register_request.type = message.register_request.USER
    got = granted(bench.send("register", message, device_id="u", oauth_token="taro@City.Example")).register_response
    device = data_of(bench.policy(bench.register()))
    assert got.user_affiliation_ids == device.device_affiliation_ids != []


@pytest.mark.parametrize(
    ("type_", "serial", "token", "status"),
    [
        ("DEVICE", "S1", "", 401),
        ("DEVICE", "S1", "unknown", 401),
        ("DEVICE", "S1", "ünknown@city.example", 401),
        ("USER", "", "taro@other.example", 403),
        ("DEVICE", "", "enroller@city.example", 405),
        ("BROWSER", "S1", "enroller@city.example", 400),
        ("TT", "S1", "enroller@city.example", 400),
    ],
)
def test_who_is_not_let_in(bench: Bench, type_: str, serial: str, token: str, status: int) -> None:
    """No token, a bad one, another domain's user, no serial, a type that does not register: each its own code."""
    message = Message()
    asked = message.register_request
    asked.type, asked.machine_id = pb.DeviceRegisterRequest.Type.Value(type_), serial
    assert bench.send("register", message, oauth_token=token).status == status


def test_registering_again_gives_the_same_token(bench: Bench) -> None:
    """The same machine or user under the same device id gets its token again, even after it was forgotten."""
    token, user = bench.register(), bench.register_user()
    assert (bench.register(), bench.register_user()) == (token, user)
    granted(bench.send("unregister", Message(), token=user, device_id="user-1"))
    assert bench.register_user() == user
    assert bench.service.counts()["users"] == 1


def test_a_device_id_is_one_clients(bench: Bench) -> None:
    """409 for another machine, another user or another kind of client under a device id that is taken."""
    bench.register("id")
    message = Message()
    asked = message.register_request
    asked.type, asked.machine_id = asked.DEVICE, "S2"
    assert bench.send("register", message, device_id="id", oauth_token="enroller@city.example").status == 409
    asked.type = asked.USER
    assert bench.send("register", message, device_id="id", oauth_token="taro@city.example").status == 409


def test_a_wiped_machine_replaces_its_registration(bench: Bench) -> None:
    """The same serial with a new device id: the old registration is gone, and there is still one device."""
    old = bench.register("before", "S1")
    bench.register("after", "S1")
    assert bench.send("policy", policy_request(DEVICE), device_id="before", token=old).status == 410
    assert bench.service.counts()["devices"] == 1


def test_enrollment_by_token(bench: Bench) -> None:
    """With the enrollment token a device and a browser register; with another, or none, they do not."""
    device, browser = Message(), Message()
    device.token_based_device_register_request.device_register_request.machine_id = "S9"
    browser.register_browser_request.browser_device_identifier.computer_name = "pc"
    good = f"GoogleEnrollmentToken token={bench.service.enrollment_token}"
    for said in ("", "GoogleEnrollmentToken token=other", f"GoogleDMToken token={bench.service.enrollment_token}"):
        assert bench.send("token_based_register", device, authorization=said).status == 401
        assert bench.send("register_browser", browser, authorization=said).status == 401
    got = granted(bench.send("token_based_register", device, authorization=good))
    inner = got.token_based_device_register_response.device_register_response
    assert inner.HasField("enrollment_type")
    assert bench.policy(inner.device_management_token).policy_data
    got = granted(bench.send("register_browser", browser, device_id="browser", authorization=good))
    assert got.register_response.device_management_token
    nameless = Message()
    nameless.register_browser_request.os_platform = "Linux"
    assert bench.send("register_browser", nameless, device_id="b2", authorization=good).status == 400
    assert bench.service.counts()["browsers"] == 1


def test_a_browsers_captured_registration_is_accepted(bench: Bench) -> None:
    """The very bytes of Chromium 156 register a browser, and its first policy request is answered."""
    captures = Path(__file__).parents[2] / "data/chromium-156"
    said = f"GoogleEnrollmentToken token={bench.service.enrollment_token}"
    got = bench.send("register_browser", (captures / "register_browser.bin").read_bytes(), authorization=said)
    token = granted(got).register_response.device_management_token
    got = bench.send("policy", (captures / "policy_first.bin").read_bytes(), token=token)
    (blob,) = granted(got).policy_response.responses
    assert data_of(blob).policy_type == "google/chrome/machine-level-user"
    for name in ("fm_registration_token_upload", "api_authorization"):
        granted(bench.send(name, (captures / f"{name}.bin").read_bytes(), token=token))
    granted(bench.send("remote_commands", (captures / "remote_commands_startup.bin").read_bytes(), token=token))
    report = (captures / "policy_validation_report_bad_signature.bin").read_bytes()
    granted(bench.send("policy_validation_report", report, token=token))
    assert bench.service.counts()["validation_reports"] == 1


BY_TOKEN = [
    *("policy", "status_upload", "remote_commands", "api_authorization", "fm_registration_token_upload"),
    *("policy_validation_report", "chrome_os_user_report", "chrome_desktop_report", "chrome_profile_report"),
    *("upload_euicc_info", "cert_upload", "gcm_id_update", "browser_public_key_upload", "app_install_report"),
    *("public_saml_user_request", "unregister", "device_attribute_update", "device_attribute_update_permission"),
]


@pytest.mark.parametrize("kind", BY_TOKEN)
def test_a_dm_token_is_asked_for(bench: Bench, kind: str) -> None:
    """No token: 401. An unknown device, or another's token: 410."""
    token = bench.register()
    other = bench.register("device-2", "S2")
    assert bench.send(kind, Message()).status == 401
    assert bench.send(kind, Message(), device_id="nobody", token=token).status == 410
    assert bench.send(kind, Message(), token=other).status == 410


@pytest.mark.parametrize(
    "kind",
    [
        "register_profile",
        "enterprise_psm_check",
        "client_cert_provisioning",
        "generate_chrome_profile_challenge",
        "active_directory_user_signin",
    ],
)
def test_what_the_city_has_not_set_up_is_not_supported(bench: Bench, kind: str) -> None:
    """403 tells a client that it need not try again."""
    assert bench.send(kind, Message()).status == 403


@pytest.mark.parametrize(
    ("method", "query"),
    [
        ("GET", "request=policy&deviceid=d&devicetype=2&apptype=Chrome"),
        ("POST", ""),
        ("POST", "request=policy&deviceid=d&devicetype=1&apptype=Chrome"),
        ("POST", "request=policy&deviceid=d&devicetype=2&apptype=Edge"),
        ("POST", "request=policy&deviceid=&devicetype=2&apptype=Chrome"),
        ("POST", f"request=policy&deviceid={'d' * 65}&devicetype=2&apptype=Chrome"),
        ("POST", "request=policy&deviceid=%00&devicetype=2&apptype=Chrome"),
        ("POST", "request=unheard_of&deviceid=d&devicetype=2&apptype=Chrome"),
        ("POST", "deviceid=d&devicetype=2&apptype=Chrome"),
    ],
)
def test_a_malformed_call_is_a_bad_request(bench: Bench, method: str, query: str) -> None:
    """Whatever is not a request of the protocol gets 400."""
    assert bench.service.handle(Request(method, f"{URL}?{query}"), NOW).status == 400


def test_bodies_are_bounded_and_must_decode(bench: Bench) -> None:
    """400 for bytes that are no message, 413 for more than 4 MiB, 400 for a missing part and for text that is not."""
    token = bench.register()
    assert bench.send("policy", b"\x07", token=token).status == 400
    assert bench.send("policy", b"\0" * ((4 << 20) + 1), token=token).status == 413
    assert bench.send("policy", Message(), token=token).status == 400
    assert bench.send("status_upload", Message(), token=token).status == 400
    assert bench.send("policy", bytes.fromhex("1a06 1a04 0a02 fffe"), token=token).status == 400


# ----------------------------------------------------------------------------------------------------------- policy


def test_the_first_policy_brings_the_key_and_what_vouches_for_it(bench: Bench) -> None:
    """Signed with the new key; the verification key signs key, domain and version."""
    token = bench.register()
    blob = bench.policy(token)
    data = data_of(blob)
    assert holds(blob.policy_data_signature, blob.policy_data, blob.new_public_key)
    root = bench.service.verification_key_der
    assert holds(blob.new_public_key_verification_data_signature, blob.new_public_key_verification_data, root)
    vouched = pb.PublicKeyVerificationData.FromString(blob.new_public_key_verification_data)
    assert (vouched.domain, vouched.new_public_key_version) == ("city.example", 1)
    assert vouched.new_public_key == blob.new_public_key
    assert not blob.HasField("new_public_key_signature")
    assert (data.request_token, data.device_id, data.public_key_version) == (token, "device-1", 1)
    assert (data.username, data.timestamp) == ("enroller@city.example", int(NOW * 1000))
    assert data.management_mode == pb.PolicyData.ENTERPRISE_MANAGED
    value = pb.ChromeDeviceSettingsProto.FromString(data.policy_value)
    assert value.device_policy_refresh_rate.device_policy_refresh_rate == 10_800_000


def test_a_known_key_is_not_sent_again(bench: Bench) -> None:
    """A client that names the current version gets policy and signature alone."""
    blob = bench.policy(bench.register(), key_version=1)
    assert not blob.HasField("new_public_key")
    assert blob.policy_data_signature_type == pb.PolicyFetchRequest.SHA256_RSA


def test_sha1_is_given_where_it_is_asked_for(bench: Bench) -> None:
    """The signature is of the type asked for, and says so."""
    blob = bench.policy(bench.register(), signature_type=1)
    assert blob.policy_data_signature_type == pb.PolicyFetchRequest.SHA1_RSA
    assert holds(blob.policy_data_signature, blob.policy_data, blob.new_public_key, hashes.SHA1())


@pytest.mark.parametrize(
    ("policy_type", "key_version", "signature_type"),
    [(USER, 0, 2), ("", 0, 2), (DEVICE, 0, 0), (DEVICE, 7, 2), (DEVICE, -1, 2)],
)
def test_a_policy_request_that_makes_no_sense_is_a_bad_request(
    bench: Bench, policy_type: str, key_version: int, signature_type: int
) -> None:
    """Another client's policy type, no signature type, a key version that never was."""
    message = policy_request(policy_type, key_version, signature_type)
    assert bench.send("policy", message, token=bench.register()).status == 400


def test_all_types_of_a_client_are_answered_in_one_request(bench: Bench) -> None:
    """User and extension policy together: one blob, as no extension has a policy; an unknown account is not found."""
    token, device = bench.register_user(), bench.register()
    message = policy_request("google/chrome/extension")
    message.MergeFrom(policy_request(USER))
    (blob,) = granted(bench.send("policy", message, device_id="user-1", token=token)).policy_response.responses
    data = data_of(blob)
    assert (data.policy_type, data.username, data.device_id) == (USER, "taro@city.example", "user-1")
    assert bench.policy(device, "google/chromeos/publicaccount").error_code == 902


def test_nothing_is_signed_twice(bench: Bench) -> None:
    """The same policy for the same client is signed once, also over a restart, and is the same bytes each time."""
    token = bench.register()
    blob = bench.policy(token, key_version=1)
    for later in range(3):
        assert bench.policy(token, key_version=1, now=NOW + later) == blob
    # With the key or without it, the signed part is one.
    assert bench.policy(token).policy_data_signature == blob.policy_data_signature
    assert bench.service.counts()["policies_signed"] == 1
    assert bench.policy(token, signature_type=1).policy_data == blob.policy_data
    assert bench.service.counts()["policies_signed"] == 2


def test_a_restart_forgets_nothing(tmp_path: Path) -> None:
    """On the same database: the same keys, tokens and signed bytes, pushes to the same listeners, nothing signed."""
    path = str(tmp_path / "backend.sqlite")
    store = keyed_store(path)
    first = Bench(store)
    token = first.register()
    blob = first.policy(token)
    first.listen(token, "push-1")
    store.close()
    second = Bench(Store(path))
    assert second.service.verification_key_der == first.service.verification_key_der
    assert second.service.enrollment_token == first.service.enrollment_token
    assert second.policy(token, now=NOW + 60) == blob
    assert second.service.counts()["policies_signed"] == 0
    second.service.publish("device", {"device_policy_refresh_rate": 1_800_000}, NOW + 60)
    assert [push.topic for push in second.outbox] == ["push/push-1"]


def test_a_publish_reaches_those_who_listen_and_changes_what_they_fetch(bench: Bench) -> None:
    """One push to each registered token of that kind; the next fetch has the value and the published timestamp."""
    tokens = [bench.register(f"device-{n}", f"S{n}") for n in range(3)]
    user = bench.register_user()
    for n, token in enumerate(tokens):
        bench.policy(token, device_id=f"device-{n}")
        if n < 2:
            bench.listen(token, f"push-{n}", device_id=f"device-{n}")
    bench.policy(user, USER, device_id="user-1")
    bench.listen(user, "push-user", device_id="user-1")
    published_ms = bench.service.publish("device", {"device_policy_refresh_rate": 3_600_000}, NOW + 5, payload="p")
    assert published_ms == int(NOW * 1000) + 5000
    assert [push.topic for push in bench.outbox] == ["push/push-0", "push/push-1"]
    assert json.loads(bench.outbox[0].payload) == {
        "type": "DEVICE_POLICY_FETCH",
        "payload": "p",
        "issue_timestamp_ms": str(published_ms),
    }
    data = data_of(bench.policy(tokens[2], device_id="device-2", now=NOW + 6))
    assert data.timestamp == published_ms
    value = pb.ChromeDeviceSettingsProto.FromString(data.policy_value)
    assert value.device_policy_refresh_rate.device_policy_refresh_rate == 3_600_000
    assert value.release_channel.release_channel == "stable-channel"
    assert data_of(bench.policy(user, USER, device_id="user-1", now=NOW + 6)).timestamp == int(NOW * 1000)


def test_a_publish_without_a_change_is_one_as_well(bench: Bench) -> None:
    """Everybody is told, and the timestamp moves on over the same values: a kept fleet meets the same act every day."""
    token = bench.register()
    before = data_of(bench.policy(token))
    bench.listen(token, "push-1")
    same = {"device_policy_refresh_rate": 10_800_000}
    assert bench.service.publish("device", same, NOW + 60) == int((NOW + 60) * 1000)
    assert len(bench.outbox) == 1
    after = data_of(bench.policy(token, now=NOW + 61))
    assert (after.timestamp, after.policy_value) == (int((NOW + 60) * 1000), before.policy_value)
    with pytest.raises(ValueError, match="expected one of device, user"):
        bench.service.publish("browser", {}, NOW)


def test_two_changes_in_one_instant_are_told_apart(bench: Bench) -> None:
    """Whatever the clock says, each change of policy has a later timestamp than the one before."""
    token = bench.register()
    seen = [data_of(bench.policy(token))]
    bench.service.publish("device", {"guest_mode_enabled": True}, NOW)
    seen.append(data_of(bench.policy(token)))
    bench.service.disable("device-1", "lost", NOW)
    seen.append(data_of(bench.policy(token)))
    bench.service.publish("device", {"guest_mode_enabled": False}, NOW - 60)
    seen.append(data_of(bench.policy(token)))
    bench.service.disable("device-1", None, NOW)
    seen.append(data_of(bench.policy(token)))
    stamps = [data.timestamp for data in seen]
    assert stamps == sorted(set(stamps))
    disabled = pb.DeviceState.DEVICE_MODE_DISABLED
    assert [data.device_state.device_mode == disabled for data in seen] == [False, False, True, True, False]
    assert seen[2].device_state.disabled_state.message == "lost"


def test_who_listens_too_late_is_told_at_once(bench: Bench) -> None:
    """A token that comes after a publish which its client has not fetched yet gets the push; no other does."""
    token = bench.register()
    bench.policy(token)
    bench.listen(token, "push-1")
    assert bench.outbox == []
    published_ms = bench.service.publish("device", {"guest_mode_enabled": True}, NOW + 1)
    bench.outbox.clear()
    bench.listen(token, "push-2", now=NOW + 2)
    (told,) = bench.outbox
    assert told.topic == "push/push-2"
    assert json.loads(told.payload)["issue_timestamp_ms"] == str(published_ms)
    bench.policy(token, now=NOW + 3)
    bench.outbox.clear()
    bench.listen(token, "push-2", now=NOW + 4)
    assert bench.outbox == []


def test_a_push_token_expires_and_must_be_a_topic(bench: Bench) -> None:
    """After its time a token gets no pushes; one that could name another topic is refused."""
    token = bench.register()
    bench.policy(token)
    bench.listen(token, "push-1")
    bench.service.publish("device", {"guest_mode_enabled": True}, NOW + 86_401)
    assert bench.outbox == []
    for bad in ("", "a/b", "#", "x" * 65):
        message = Message()
        message.fm_registration_token_upload_request.token = bad
        assert bench.send("fm_registration_token_upload", message, token=token).status == 400


def test_a_new_key_is_introduced_by_the_one_before(bench: Bench) -> None:
    """Rotation: who holds key 1 gets key 2 signed by it, once; the timestamp of an unchanged policy stays."""
    token = bench.register()
    before = bench.policy(token)
    assert bench.service.rotate_key() == 2
    blob = bench.policy(token, key_version=1)
    assert blob.new_public_key != before.new_public_key
    assert holds(blob.new_public_key_signature, blob.new_public_key, before.new_public_key)
    assert holds(blob.policy_data_signature, blob.policy_data, blob.new_public_key)
    data = data_of(blob)
    assert (data.public_key_version, data.timestamp) == (2, data_of(before).timestamp)
    assert bench.policy(token, key_version=1) == blob
    assert not bench.policy(token, key_version=2).HasField("new_public_key")
    assert bench.service.counts()["policies_signed"] == 2
    assert bench.service.counts()["key_version"] == 2


def test_keys_are_made_once(tmp_path: Path) -> None:
    """A new database gets two keys of 2048 bits; the next start finds them."""
    path = str(tmp_path / "keys.sqlite")
    store = Store(path)
    made = PolicyKeys(store, "city.example")
    store.close()
    found = PolicyKeys(Store(path), "city.example")
    assert (found.verification_key, found.signer.public_der) == (made.verification_key, made.signer.public_der)
    for der in (made.verification_key, made.signer.public_der):
        key = serialization.load_der_public_key(der)
        assert isinstance(key, rsa.RSAPublicKey)
        assert key.key_size == 2048


# --------------------------------------------------------------------------------------------------- remote commands


def commands_request(last_id: int = 0, *ended: tuple[int, int]) -> Message:
    """Ask for commands, acknowledge up to one, and hand in results (id, result type)."""
    message = Message()
    asked = message.remote_command_request
    asked.send_secure_commands, asked.signature_type = True, pb.PolicyFetchRequest.SHA256_RSA
    if last_id:
        asked.last_command_unique_id = last_id
    for command_id, result in ended:
        kind = pb.RemoteCommandResult.ResultType.ValueType(result)
        asked.command_results.add(result=kind, command_id=command_id, payload="{}")
    return message


def given_commands(bench: Bench, token: str, message: Message, now: float = NOW) -> list[pb.RemoteCommand]:
    """The commands that device-1 is given, their signatures checked."""
    key = bench.policy(token).new_public_key
    got = granted(bench.send("remote_commands", message, token=token, now=now)).remote_command_response
    assert not got.commands
    commands = []
    for signed in got.secure_commands:
        assert holds(signed.signature, signed.data, key)
        data = pb.PolicyData.FromString(signed.data)
        assert (data.policy_type, data.device_id) == ("google/chromeos/remotecommand", "device-1")
        commands.append(pb.RemoteCommand.FromString(data.policy_value))
    return commands


def test_commands_wait_until_they_are_acknowledged(bench: Bench) -> None:
    """Signed, for their device alone, in order, with their age; again and again until ended or acknowledged."""
    token = bench.register()
    bench.register("device-2", "S2")
    bench.policy(token)
    bench.listen(token, "push-1")
    assert bench.service.queue_command("device-1", "DEVICE_REBOOT", "", NOW) == 1
    assert [json.loads(push.payload)["type"] for push in bench.outbox] == ["DEVICE_REMOTE_COMMAND"]
    assert bench.service.queue_command(None, "DEVICE_SET_VOLUME", '{"volume": 50}', NOW) == 2
    one, two = given_commands(bench, token, commands_request(), NOW + 60)
    assert (one.type, one.age_of_command) == (pb.RemoteCommand.DEVICE_REBOOT, 60_000)
    assert (one.target_device_id, two.payload) == ("device-1", '{"volume": 50}')
    assert one.command_id < two.command_id
    assert len(given_commands(bench, token, commands_request())) == 2
    assert given_commands(bench, token, commands_request(0, (one.command_id, 2))) != []
    assert [c.command_id for c in given_commands(bench, token, commands_request())] == [two.command_id]
    assert given_commands(bench, token, commands_request(two.command_id)) == []
    assert given_commands(bench, token, commands_request()) == []
    counts = bench.service.counts()
    assert (counts["commands"], counts["command_results"]) == (3, 1)


def test_a_result_is_taken_from_the_commands_own_device(bench: Bench) -> None:
    """A result for another's command, or for id -1 of a command that could not be read, changes nothing."""
    token = bench.register()
    other = bench.register("device-2", "S2")
    bench.service.queue_command("device-1", "DEVICE_REBOOT", "", NOW)
    (command,) = given_commands(bench, token, commands_request())
    message = commands_request(0, (command.command_id, 2), (-1, 0))
    granted(bench.send("remote_commands", message, device_id="device-2", token=other))
    assert bench.service.counts()["command_results"] == 0
    assert len(given_commands(bench, token, commands_request(0, (-1, 0)))) == 1


def test_commands_go_out_signed_or_not_at_all(bench: Bench) -> None:
    """400 for a client that wants them unsigned; ValueError for an operator's command that there is none of."""
    token = bench.register()
    message = commands_request()
    message.remote_command_request.signature_type = pb.PolicyFetchRequest.NONE
    assert bench.send("remote_commands", message, token=token).status == 400
    with pytest.raises(ValueError, match="DEVICE_REBOOT"):
        bench.service.queue_command(None, "REBOOT", "", NOW)
    assert bench.service.queue_command("nobody", "DEVICE_REBOOT", "", NOW) == 0


def test_a_waiting_command_is_told_to_who_listens_late(bench: Bench) -> None:
    """A command queued before the push token came is told when it comes."""
    token = bench.register()
    bench.policy(token)
    bench.service.queue_command(None, "DEVICE_REBOOT", "", NOW)
    bench.listen(token, "push-1")
    assert [json.loads(push.payload)["type"] for push in bench.outbox] == ["DEVICE_REMOTE_COMMAND"]


# ------------------------------------------------------------------------------------------ reports, states, the rest


def test_reports_are_kept_and_counted(bench: Bench) -> None:
    """The latest status of a device stays, all are counted; each part gets its answer."""
    token = bench.register()
    message = Message()
    message.device_status_report_request.os_version = "1.0"
    message.session_status_report_request.time_zone = "Asia/Tokyo"
    for _ in range(3):
        got = granted(bench.send("status_upload", message, token=token))
        assert got.HasField("device_status_report_response")
        assert got.HasField("session_status_report_response")
        assert not got.HasField("child_status_report_response")
    user = Message()
    user.chrome_os_user_report_request.browser_report.browser_version = "126"
    granted(bench.send("chrome_os_user_report", user, token=token))
    counts = bench.service.counts()
    assert (counts["status_reports"], counts["other_reports"], counts["validation_reports"]) == (3, 1, 0)


def test_a_machine_comes_home_by_its_state_key(bench: Bench) -> None:
    """Unknown: enroll to the domain. Known by a key it uploaded: enroll again. Disabled: stay locked."""
    message = Message()
    asked = message.device_state_retrieval_request
    asked.server_backed_state_key, asked.serial_number, asked.brand_code = b"k" * 32, "S1", "ABCD"
    state = granted(bench.send("device_state_retrieval", message)).device_state_retrieval_response
    assert state.restore_mode == pb.DeviceStateRetrievalResponse.RESTORE_MODE_NONE
    first = state.initial_state_response
    assert (first.initial_enrollment_mode, first.management_domain) == (1, "city.example")
    token = bench.register()
    fetch = policy_request(DEVICE)
    fetch.device_state_key_update_request.server_backed_state_keys.extend([b"j" * 32, b"k" * 32])
    granted(bench.send("policy", fetch, token=token))
    state = granted(bench.send("device_state_retrieval", message)).device_state_retrieval_response
    assert (state.restore_mode, state.management_domain) == (2, "city.example")
    bench.service.disable(None, "stolen", NOW)
    state = granted(bench.send("device_state_retrieval", message)).device_state_retrieval_response
    assert (state.restore_mode, state.disabled_state.message) == (3, "stolen")


def test_a_machine_without_a_name_is_nobodys(bench: Bench) -> None:
    """Without serial or brand code there is nothing to enroll."""
    message = Message()
    message.device_initial_enrollment_state_request.serial_number = "S1"
    state = granted(bench.send("device_initial_enrollment_state", message))
    assert state.device_initial_enrollment_state_response.initial_enrollment_mode == 0
    message.device_initial_enrollment_state_request.brand_code = "ABCD"
    state = granted(bench.send("device_initial_enrollment_state", message))
    assert state.device_initial_enrollment_state_response.initial_enrollment_mode == 1


def test_the_bucket_of_a_state_key_has_its_hash(bench: Bench) -> None:
    """enterprise_check: SHA-256 of the key, in the bucket that the hash's last bits name, and in no other."""
    token, key = bench.register(), b"k" * 32
    fetch = policy_request(DEVICE)
    fetch.device_state_key_update_request.server_backed_state_keys.append(key)
    granted(bench.send("policy", fetch, token=token))
    digest = sha256(key).digest()
    for power in (0, 1, 15, 19, 62):
        bucket = int.from_bytes(digest, "big") % 2**power
        message = Message()
        message.auto_enrollment_request.modulus, message.auto_enrollment_request.remainder = 2**power, bucket
        got = granted(bench.send("enterprise_check", message)).auto_enrollment_response
        assert list(got.hashes) == [digest]
        if power:
            message.auto_enrollment_request.remainder ^= 1
            assert not granted(bench.send("enterprise_check", message)).auto_enrollment_response.hashes
    for modulus, remainder in ((0, 0), (3, 0), (4, 4), (4, -1)):
        message.auto_enrollment_request.modulus, message.auto_enrollment_request.remainder = modulus, remainder
        assert bench.send("enterprise_check", message).status == 400


def test_questions_beside_enrollment(bench: Bench) -> None:
    """Accounts are ours or not; there is no robot account; attributes are not a client's to set."""
    token = bench.register()
    for user, kind in (("taro@city.example", 3), ("taro@gmail.com", 2)):
        message = Message()
        message.check_user_account_request.user_email = user
        got = granted(bench.send("check_user_account", message)).check_user_account_response
        assert (got.user_account_type, got.domain_verified) == (kind, kind == 3)
    api = Message()
    api.service_api_access_request.oauth2_client_id = "x"
    got = granted(bench.send("api_authorization", api, token=token))
    assert got.HasField("service_api_access_response")
    assert got.service_api_access_response.auth_code == ""
    for query, sender in (({"oauth_token": "taro@city.example"}, ""), ({}, token)):
        got = granted(bench.send("device_attribute_update_permission", Message(), token=sender, **query))
        assert got.device_attribute_update_permission_response.result == 0
        got = granted(bench.send("device_attribute_update", Message(), token=sender, **query))
        assert got.device_attribute_update_response.result == 0
    got = granted(bench.send("check_android_management", Message(), oauth_token="taro@city.example"))
    assert got.HasField("check_android_management_response")
    got = granted(bench.send("promotion_eligibility", Message(), oauth_token="taro@city.example"))
    assert got.HasField("get_user_eligible_promotions_response")
    for kind in ("check_android_management", "promotion_eligibility"):
        assert bench.send(kind, Message()).status == 401


def test_what_is_unregistered_is_gone(bench: Bench) -> None:
    """After unregistering, its token is worth nothing and nothing of it is kept."""
    token = bench.register()
    bench.policy(token)
    bench.listen(token, "push-1")
    bench.service.queue_command(None, "DEVICE_REBOOT", "", NOW)
    assert granted(bench.send("unregister", Message(), token=token)).HasField("unregister_response")
    assert bench.send("policy", policy_request(DEVICE), token=token).status == 410
    counts = bench.service.counts()
    assert (counts["devices"], counts["commands"]) == (0, 0)


# ------------------------------------------------------------------------------------------------- nothing upsets it


@cache
def shared() -> Bench:
    """One service for all that is thrown at it: what an earlier request left behind must not hurt either."""
    return Bench()


KINDS = st.deferred(lambda: st.sampled_from([*shared().service.kinds, "", "nonsense"]))
BODIES = st.one_of(
    st.binary(max_size=100),
    st.builds(
        lambda field, inner: bytes([field << 3 & 0x7F | 2]) + bytes([len(inner)]) + inner,
        st.integers(1, 15),
        st.binary(max_size=60),
    ),
)


@settings(max_examples=400)
@given(
    kind=KINDS,
    body=BODIES,
    token=st.text(max_size=20),
    oauth=st.text(max_size=20),
    device_id=st.sampled_from(["device-1", "new", "ü", "\ud800"]),
)
def test_no_request_upsets_the_service(kind: str, body: bytes, token: str, oauth: str, device_id: str) -> None:
    """Whatever comes, with a good token or without, is answered: 200, or a 4xx of the protocol."""
    bench = shared()
    good = bench.register()
    url = f"{URL}?apptype=Chrome&deviceid={quote(device_id, errors='surrogatepass')}&devicetype=2&request={kind}"
    url += f"&oauth_token={quote(oauth)}@city.example"
    for said in (good, token):
        headers = (("authorization", f"GoogleDMToken token={said}"),)
        status = bench.service.handle(Request("POST", url, headers, body), NOW).status
        assert status == 200 or 400 <= status < 500


@given(method=st.text(max_size=5), url=st.text(max_size=60), header=st.text(max_size=30), body=st.binary(max_size=50))
def test_no_text_upsets_the_service(method: str, url: str, header: str, body: bytes) -> None:
    """A request line and headers of any text are a bad request, no error of ours."""
    request = Request(method, url, (("Authorization", header),), body)
    assert shared().service.handle(request, NOW).status == 400
