"""Policies of extensions and of a device's own accounts: who gets which, signed for whom, and what they point at."""

from __future__ import annotations

import json
from dataclasses import replace
from hashlib import sha256
from typing import Any

import pytest
from management_bench import NOW, SETTINGS, Bench, granted, keyed_store, policy_request

from simulator.backend.store import Store
from simulator.protocols import management_pb2 as pb
from simulator.protocols.messages import Request
from simulator.protocols.policy import SHA256_RSA, verified

COLOURS, FONTS = "a" * 32, "abcdefghijklmnop" * 2
BLUE = {"Colour": {"Value": "blue"}}


@pytest.fixture
def bench() -> Bench:
    """A service that nobody has asked yet."""
    return Bench()


def register_browser(bench: Bench) -> str:
    """A browser's DM token; its device id is "browser-1"."""
    message = pb.DeviceManagementRequest()
    message.register_browser_request.browser_device_identifier.computer_name = "pc"
    said = f"GoogleEnrollmentToken token={bench.service.enrollment_token}"
    got = granted(bench.send("register_browser", message, device_id="browser-1", authorization=said))
    return got.register_response.device_management_token


def fetched(
    bench: Bench, token: str, policy_type: str, device_id: str, entity: str = ""
) -> list[pb.PolicyFetchResponse]:
    """All blobs that a fetch of one type gets."""
    message = policy_request(policy_type)
    if entity:
        message.policy_request.requests[0].settings_entity_id = entity
    return list(granted(bench.send("policy", message, device_id=device_id, token=token)).policy_response.responses)


def data_of(blob: pb.PolicyFetchResponse) -> pb.PolicyData:
    """Its PolicyData, once its signature was found to hold."""
    assert verified(blob.policy_data, blob.policy_data_signature, blob.new_public_key, SHA256_RSA)
    return pb.PolicyData.FromString(blob.policy_data)


@pytest.mark.parametrize(
    ("audience", "policy_type"),
    [
        ("user", "google/chrome/extension"),
        ("signin", "google/chromeos/signinextension"),
        ("browser", "google/chrome/machine-level-extension"),
    ],
)
def test_each_audience_gets_its_extensions_policies(bench: Bench, audience: str, policy_type: str) -> None:
    """One blob for each extension, named and hashed; the document at its address has that hash; others get none."""
    clients = {
        "user": (bench.register_user(), "user-1", "google/chrome/extension"),
        "signin": (bench.register(), "device-1", "google/chromeos/signinextension"),
        "browser": (register_browser(bench), "browser-1", "google/chrome/machine-level-extension"),
    }
    fonts = {"Size": {"Value": 12, "Level": "Recommended"}}
    bench.service.publish_extension(audience, FONTS, fonts, NOW + 1)
    published_ms = bench.service.publish_extension(audience, COLOURS, BLUE, NOW + 5)
    for name, (token, device_id, own_type) in clients.items():
        blobs = fetched(bench, token, own_type, device_id)
        if name != audience:
            assert blobs == []
            continue
        colours, other = map(data_of, blobs)
        assert (colours.settings_entity_id, other.settings_entity_id) == (COLOURS, FONTS)
        assert (colours.policy_type, colours.timestamp, colours.device_id) == (policy_type, published_ms, device_id)
        assert colours.request_token == token
        for data, value in ((colours, BLUE), (other, fonts)):
            external = pb.ExternalPolicyData.FromString(data.policy_value)
            got = bench.service.handle(Request("GET", external.download_url), NOW)
            assert (got.status, got.header("content-type")) == (200, "application/json")
            assert json.loads(got.body) == value
            assert sha256(got.body).digest() == external.secure_hash
        assert max(len(blob.SerializeToString()) for blob in blobs) < 16 * 1024


def test_nothing_is_signed_twice_that_did_not_change(bench: Bench) -> None:
    """A new policy of one extension leaves the other's, and the user's own, as they were; over a restart too."""
    user = bench.register_user()
    bench.service.publish_extension("user", COLOURS, BLUE, NOW + 1)
    bench.service.publish_extension("user", FONTS, BLUE, NOW + 1)
    own = bench.policy(user, "google/chromeos/user", device_id="user-1")
    first = fetched(bench, user, "google/chrome/extension", "user-1")
    assert fetched(bench, user, "google/chrome/extension", "user-1") == first
    assert bench.service.counts()["policies_signed"] == 3
    bench.service.publish_extension("user", FONTS, {}, NOW + 2)
    assert fetched(bench, user, "google/chrome/extension", "user-1")[0] == first[0]
    assert bench.service.counts()["policies_signed"] == 4
    assert bench.policy(user, "google/chromeos/user", device_id="user-1") == own


def test_what_is_taken_back_is_gone(bench: Bench) -> None:
    """No blob and no document any more; there was none of another extension to take back."""
    user = bench.register_user()
    bench.service.publish_extension("user", COLOURS, BLUE, NOW)
    (blob,) = fetched(bench, user, "google/chrome/extension", "user-1")
    url = pb.ExternalPolicyData.FromString(data_of(blob).policy_value).download_url
    bench.service.publish_extension("user", COLOURS, None, NOW + 1)
    assert fetched(bench, user, "google/chrome/extension", "user-1") == []
    for gone in (url, url[:-1], url + "0"):
        assert bench.service.handle(Request("GET", gone), NOW).status == 404
    for none in (url.replace("extensions", "data"), f"{SETTINGS.management_url}/"):
        assert bench.service.handle(Request("GET", none), NOW).status == 400
    bench.service.publish_extension("user", FONTS, None, NOW + 1)


def test_a_restart_keeps_them(tmp_path: Any) -> None:
    """The same blobs from the same database."""
    store = Store(str(tmp_path / "backend.sqlite"))
    first = Bench(store)
    user = first.register_user()
    first.service.publish_extension("user", COLOURS, BLUE, NOW)
    before = fetched(first, user, "google/chrome/extension", "user-1")
    store.close()
    second = Bench(Store(str(tmp_path / "backend.sqlite")))
    assert fetched(second, user, "google/chrome/extension", "user-1") == before


def test_a_restart_at_another_address_says_the_new_one() -> None:
    """A blob of before, whose timestamp and key are those of now, does not go out with an address that is gone."""
    store = keyed_store()
    first = Bench(store)
    user = first.register_user()
    first.service.publish_extension("user", COLOURS, BLUE, NOW)
    fetched(first, user, "google/chrome/extension", "user-1")
    second = Bench(store, settings=replace(SETTINGS, management_url="http://127.0.0.1:9999"))
    (blob,) = fetched(second, user, "google/chrome/extension", "user-1")
    url = pb.ExternalPolicyData.FromString(data_of(blob).policy_value).download_url
    assert url.startswith("http://127.0.0.1:9999/")
    assert second.service.handle(Request("GET", url), NOW).status == 200


def test_those_who_have_such_extensions_are_told(bench: Bench) -> None:
    """One push to each listener of the audience; one that listens later is told when it comes, unless it fetched."""
    user, device = bench.register_user(), bench.register()
    bench.listen(user, "push-user", device_id="user-1")
    bench.listen(device, "push-device")
    bench.outbox.clear()
    published_ms = bench.service.publish_extension("user", COLOURS, BLUE, NOW + 1, payload="fleetrush-act-1")
    (told,) = bench.outbox
    news = {"type": "USER_POLICY_FETCH", "payload": "fleetrush-act-1", "issue_timestamp_ms": str(published_ms)}
    assert (told.topic, json.loads(told.payload)) == ("push/push-user", news)
    bench.outbox.clear()
    bench.listen(user, "push-user", device_id="user-1", now=NOW + 2)
    assert [push.topic for push in bench.outbox] == ["push/push-user"]
    bench.outbox.clear()
    bench.policy(user, "google/chromeos/user", device_id="user-1", now=NOW + 3)
    bench.listen(user, "push-user", device_id="user-1", now=NOW + 4)
    assert bench.outbox == []


@pytest.mark.parametrize(
    ("audience", "extension_id", "value", "line"),
    [
        ("device", COLOURS, {}, "policy 'device': expected one of user, signin, browser"),
        ("user", "q" * 32, {}, "extension_id is 'qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqq'; expected 32 letters from a to p"),
        ("user", "a" * 31, {}, "extension_id is 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa'; expected 32 letters from a to p"),
        ("user", COLOURS, {"Colour": "blue"}, 'value.Colour: expected {"Value": ..., "Level":'),
        ("user", COLOURS, {"Colour": {"Value": 1, "Scope": 1}}, 'value.Colour: expected {"Value": ..., "Level":'),
        (
            "user",
            COLOURS,
            {"Colour": {"Value": 1, "Level": "must"}},
            "value.Colour.Level is 'must'; expected Mandatory or Recommended",
        ),
        ("user", COLOURS, {"Colour": {"Value": "\ud800"}}, "value has text that is not Unicode"),
        # {"C":{"Value":"..."}} are 18 bytes besides the text: one byte more than 5 MiB, 5,242,880
        (
            "user",
            COLOURS,
            {"C": {"Value": "x" * (5 * 2**20 - 17)}},
            "value has 5,242,881 bytes; a client takes at most",
        ),
    ],
)
def test_what_no_client_would_take_is_not_published(
    bench: Bench, audience: str, extension_id: str, value: dict[str, Any], line: str
) -> None:
    """One line says what is wrong, and nothing changes."""
    with pytest.raises(ValueError, match=r"^[^\n]*$") as caught:
        bench.service.publish_extension(audience, extension_id, value, NOW)
    assert str(caught.value).startswith(line)
    assert fetched(bench, bench.register_user(), "google/chrome/extension", "user-1") == []


def test_a_document_of_exactly_five_mebibytes_is_taken(bench: Bench) -> None:
    """The client's limit is what it still takes; an answer beyond 16 KiB, for an address that long, is not."""
    bench.service.publish_extension("user", COLOURS, {"C": {"Value": "x" * (5 * 2**20 - 18)}}, NOW)
    far = Bench(settings=replace(SETTINGS, management_url="http://" + "a" * 16_384))
    with pytest.raises(ValueError, match="its address has 16,391 bytes; an answer may have 16,384"):
        far.service.publish_extension("user", COLOURS, BLUE, NOW)


ACCOUNT_TYPE = "google/chromeos/publicaccount"
ACCOUNTS = {
    "account": [
        {"account_id": "counter@city.example", "type": "ACCOUNT_TYPE_PUBLIC_SESSION"},
        {"account_id": "library@city.example", "type": "ACCOUNT_TYPE_PUBLIC_SESSION"},
    ]
}


def test_an_account_of_the_devices_has_a_policy_of_its_own(bench: Bench) -> None:
    """Named in device policy: its own payload, the account as user and entity, signed for the device; else 902."""
    device = bench.register()
    for account in ("", "counter@city.example"):
        (blob,) = fetched(bench, device, ACCOUNT_TYPE, "device-1", account)
        assert blob.error_code == 902
    bench.service.publish("device", {"device_local_accounts": ACCOUNTS}, NOW + 1)
    published_ms = bench.service.publish("account", {"HomepageLocation": "https://counter.example/"}, NOW + 2)
    for account in ("counter@city.example", "library@city.example"):
        (blob,) = fetched(bench, device, ACCOUNT_TYPE, "device-1", account)
        data = data_of(blob)
        assert (data.settings_entity_id, data.username, data.request_token) == (account, account, device)
        assert (data.policy_type, data.device_id, data.timestamp) == (ACCOUNT_TYPE, "device-1", published_ms)
        value = pb.CloudPolicySettings.FromString(data.policy_value)
        assert value.HomepageLocation.value == "https://counter.example/"
    (blob,) = fetched(bench, device, ACCOUNT_TYPE, "device-1", "office@city.example")
    assert blob.error_code == 902
    assert not blob.policy_data
    user = pb.CloudPolicySettings.FromString(
        data_of(bench.policy(bench.register_user(), "google/chromeos/user", device_id="user-1")).policy_value
    )
    assert user.HomepageLocation.value == "https://intranet.city.example/"


def test_devices_are_told_of_each_accounts_policy(bench: Bench) -> None:
    """One push for each account that device policy names, by the account's name."""
    device = bench.register()
    bench.service.publish("device", {"device_local_accounts": ACCOUNTS}, NOW + 1)
    bench.policy(device, now=NOW + 1)
    bench.listen(device, "push-1")
    bench.outbox.clear()
    bench.service.publish("account", {"ShowHomeButton": False}, NOW + 2)
    assert [json.loads(push.payload)["type"] for push in bench.outbox] == [
        "PUBLIC_ACCOUNT_POLICY_FETCH-counter@city.example",
        "PUBLIC_ACCOUNT_POLICY_FETCH-library@city.example",
    ]
