"""The operator API over the real services, in memory: who may call, what a call does, what a wrong one is told."""

from __future__ import annotations

import dataclasses
import json
import os
from typing import Any

import pytest

from simulator.backend.core import Answer, Core
from simulator.backend.settings import BackendSettings
from simulator.backend.store import Store
from simulator.protocols import management, oauth
from simulator.protocols.messages import Refused, Request

URL = "http://127.0.0.1:8080"
NOW = 1_780_000_000.25
SETTINGS = BackendSettings(
    management_url=URL,
    identity_url=URL,
    idp_url=URL,
    updates_url=URL,
    push_url="mqtt://127.0.0.1:1883",
    password_secret=b"a test's own",
    domain="maebashi.example",
)


@pytest.fixture(scope="module")
def core() -> Core:
    """One backend; no test below needs what another left."""
    return Core(Store(":memory:"), SETTINGS, os.urandom)


def call(core: Core, act: str, body: bytes | dict[str, Any] = b"", *, method: str = "POST", now: float = NOW) -> Answer:
    """A call with the right token."""
    headers = (("authorization", f"Bearer {core.operator_token}"),)
    sent = body if isinstance(body, bytes) else json.dumps(body).encode()
    return core.handle(Request(method, f"{URL}/operator/{act}", headers, sent), now)


def told(core: Core, act: str, body: bytes | dict[str, Any] = b"", *, method: str = "POST", now: float = NOW) -> Any:
    """What a call that must succeed is told."""
    response = call(core, act, body, method=method, now=now).response
    assert (response.status, response.header("content-type")) == (200, "application/json")
    return json.loads(response.body)


def enrolled(core: Core, number: int) -> management.Identity:
    """A device that is enrolled and listens for pushes."""
    device_id = f"00000000-0000-4000-8000-{number:012d}"
    who = management.Identity(
        f"{URL}/devicemanagement/data/api", device_id, "Google Chrome 126.0.6478.132(0)", "CrOS|x|y"
    )
    machine = management.Machine(f"serial-{number}", "HWID", "ABCD")
    token = told(core, "enrollment_token")["access_token"]
    flavor = management.Register.FLAVOR_ENROLLMENT_SERVER_FORCED
    register = management.register_device(who, machine, oauth_token=token, flavor=flavor)
    registration = register.read(core.handle(register.request, NOW).response)
    who = dataclasses.replace(who, dm_token=registration.dm_token)
    until_ms = int(NOW * 1000) + 86_400_000
    listen = management.push_token(who, f"token-{number}", management.PushKind.DEVICE, expiration_ms=until_ms)
    listen.read(core.handle(listen.request, NOW).response)
    return who


def heard(answer: Answer) -> list[tuple[str, str, str]]:
    """Topic, type and payload of the pushes that an answer causes."""
    pushes = [(push.topic, json.loads(push.payload)) for push in answer.pushes]
    return [(topic, news["type"], news["payload"]) for topic, news in pushes]


def test_devices_hear_of_what_the_operator_does() -> None:
    """A policy for all, with the act's payload; a command and a lock for one; a number of those told each time."""
    core = Core(Store(":memory:"), SETTINGS, os.urandom)
    first, second = enrolled(core, 1), enrolled(core, 2)
    policy = {"policy": "device", "value": {"guest_mode_enabled": True}, "payload": "fleetrush-act-2"}
    answer = call(core, "publish_policy", policy, now=NOW + 60)
    assert json.loads(answer.response.body) == {"published_ms": int(NOW * 1000) + 60_000, "told": 2}
    assert sorted(heard(answer)) == [
        ("push/token-1", "DEVICE_POLICY_FETCH", "fleetrush-act-2"),
        ("push/token-2", "DEVICE_POLICY_FETCH", "fleetrush-act-2"),
    ]
    reboot = {"device_id": first.device_id, "type": "DEVICE_REBOOT"}
    answer = call(core, "queue_command", reboot, now=NOW + 61)
    assert json.loads(answer.response.body) == {"queued": 1, "told": 1}
    assert [news[:2] for news in heard(answer)] == [("push/token-1", "DEVICE_REMOTE_COMMAND")]
    lock = {"device_id": second.device_id, "message": "Please bring it back"}
    answer = call(core, "lock_device", lock, now=NOW + 62)
    assert json.loads(answer.response.body) == {"changed": 1, "told": 1}
    assert [news[:2] for news in heard(answer)] == [("push/token-2", "DEVICE_POLICY_FETCH")]
    assert told(core, "queue_command", {"type": "DEVICE_FETCH_STATUS", "command": "{}"}) == {"queued": 2, "told": 2}
    counts = told(core, "state", method="GET")["management"]
    assert (counts["devices"], counts["commands"]) == (2, 3)


@pytest.mark.parametrize(
    "authorization", ["", "Bearer", "Bearer ", "Bearer wrong", "bearer {}", "Bearer {} ", "Basic {}", "ü"]
)
def test_without_the_token_nothing_is_told_or_done(core: Core, authorization: str) -> None:
    """401 for anything but the exact header."""
    headers = (("authorization", authorization.format(core.operator_token)),)
    for method, act in (("GET", "state"), ("POST", "rotate_key"), ("GET", "nothing")):
        assert core.handle(Request(method, f"{URL}/operator/{act}", headers), NOW).response.status == 401


@pytest.mark.parametrize(
    ("method", "act"), [("POST", "state"), ("GET", "publish_policy"), ("POST", ""), ("POST", "x/state")]
)
def test_an_unknown_call_is_told_the_known_ones(core: Core, method: str, act: str) -> None:
    """404, with a list."""
    response = call(core, act, method=method).response
    assert response.status == 404
    assert "GET /operator/state, POST /operator/publish_policy" in json.loads(response.body)["error"]


@pytest.mark.parametrize(
    ("act", "body", "line"),
    [
        ("publish_policy", b"{", "publish_policy: Expecting property name"),
        ("publish_policy", b"[]", "publish_policy: expected a JSON object"),
        ("publish_policy", b"\xff", "publish_policy: 'utf-8' codec"),
        ("publish_policy", {}, "publish_policy: policy is missing; expected str"),
        ("publish_policy", {"policy": "user", "value": 1}, "publish_policy: value is 1; expected dict"),
        ("publish_policy", {"policy": "printer", "value": {}}, "publish_policy: "),
        ("publish_policy", {"policy": "user", "value": {"NoSuchPolicy": 1}}, "publish_policy: "),
        ("publish_policy", {"policy": "user", "value": {"HomepageLocation": 1}}, "publish_policy: "),
        (
            "publish_policy",
            {"policy": "user", "value": {}, "shares": 1},
            "publish_policy: no 'shares' is taken; expected",
        ),
        ("queue_command", {"type": "NO_SUCH_COMMAND"}, "queue_command: "),
        ("delete_device", {"error_detail": "1"}, "delete_device: error_detail is '1'; expected one of delete_token"),
        ("delete_device", {"device_id": 7}, "delete_device: device_id is 7; expected str"),
        (
            "publish_extension_policy",
            {"policy": "user", "extension_id": "a" * 32},
            "publish_extension_policy: value is missing; expected dict",
        ),
        (
            "publish_extension_policy",
            {"policy": "user", "extension_id": "x", "value": {}},
            "publish_extension_policy: extension_id is 'x'; expected 32 letters from a to p",
        ),
        (
            "publish_policy",
            {"policy": "device", "value": {"device_local_accounts": {"account": [{"account": "a"}]}}},
            "publish_policy: no policy device_local_accounts.account[0].account; did you mean 'account_id'?",
        ),
        (
            "inject_fault",
            {"where": "management", "kind": "wrong_policy", "mistake": "bad_signatur"},
            "inject_fault: mistake is 'bad_signatur'; expected one of bad_key_signature, bad_new_key_signature",
        ),
        ("lock_device", {"device": "a"}, "lock_device: no 'device' is taken; expected device_id, message"),
        ("rotate_key", {"key": 1}, "rotate_key: no 'key' is taken; expected nothing"),
        ("queue_command", {"device_id": 7}, "queue_command: device_id is 7; expected str"),
        ("publish_release", {"version": "1.2.3", "size": True}, "publish_release: size is True; expected int"),
        ("set_enrollment", {"licenses": "all"}, "set_enrollment: licenses is 'all'; expected int"),
        (
            "set_enrollment",
            {"seats": 5},
            "set_enrollment: no 'seats' is taken; expected approval, licenses, serial_prefix",
        ),
        ("publish_release", {"version": "new", "size": 1}, "publish_release: version is 'new'; expected numbers"),
        (
            "publish_release",
            {"version": "1.2.3", "size": 4096, "share": 2},
            "publish_release: share is 2.0; expected 0 to 1",
        ),
        ("inject_fault", {"where": "dns", "kind": "drop"}, "inject_fault: where is 'dns'; expected one of identity"),
        ("inject_fault", {"where": "operator", "kind": "drop"}, "inject_fault: where is 'operator'"),
    ],
)
def test_a_wrong_call_is_told_so_in_one_line(core: Core, act: str, body: bytes | dict[str, Any], line: str) -> None:
    """400, and what was expected; nobody is told of anything."""
    answer = call(core, act, body)
    assert answer.response.status == 400
    error = json.loads(answer.response.body)["error"]
    assert error.startswith(line)
    assert "\n" not in error
    assert answer.pushes == ()


def test_the_enrolment_token_is_the_enrolment_accounts_for_a_month(core: Core) -> None:
    """The identity service vouches for it for 30 days, so that a device can enroll again late in a run."""
    answer = told(core, "enrollment_token")
    assert answer["user"] == "enroller@maebashi.example"
    identity: Any = core.services["identity"]
    assert identity.who_is(answer["access_token"], NOW + 2_591_999) == "enroller@maebashi.example"
    assert identity.who_is(answer["access_token"], NOW + 2_592_001) is None


def test_the_terms_of_enrollment_are_the_operators(core: Core) -> None:
    """What it says is answered whole, and holds for the next device; a scenario's payload is no part of it."""
    told(core, "set_enrollment", {"licenses": 1, "payload": "fleetrush-act-1"})
    enrolled(core, 1)
    terms = told(core, "set_enrollment", {"approval": True})
    assert terms == {"licenses": 1, "serial_prefix": "", "approval": True}
    with pytest.raises(Refused) as caught:
        enrolled(core, 2)
    assert caught.value.status == 412


def refreshed(core: Core, refresh_token: str) -> tuple[int, Any]:
    """What the token endpoint makes of a refresh token: status and JSON."""
    asked = oauth.access_token(URL, refresh_token, oauth.SYNC_SCOPES).request
    answer = core.handle(asked, NOW).response
    return answer.status, json.loads(answer.body)


def test_a_session_of_an_earlier_day(core: Core) -> None:
    """Its refresh token gets new ones of an hour, its access token has died; both are the user's."""
    session = told(core, "session", {"user": "taro@maebashi.example"})
    status, said = refreshed(core, session["refresh_token"])
    assert (status, said["expires_in"]) == (200, 3600)
    service: Any = core.services["identity"]
    assert service.who_is(said["access_token"], NOW + 3599) == "taro@maebashi.example"
    assert service.who_is(session["access_token"], NOW) is None


@pytest.mark.parametrize("refresh", [False, True])
def test_all_tokens_die_at_once(core: Core, refresh: bool) -> None:
    """Access tokens are good for nothing from that instant on; refresh tokens where that is said; new ones are good."""
    session = told(core, "session", {"user": "taro@maebashi.example"})
    token = refreshed(core, session["refresh_token"])[1]["access_token"]
    service: Any = core.services["identity"]
    assert told(core, "expire_tokens", {"refresh": refresh, "payload": "fleetrush-act-1"}) == {}
    assert service.who_is(token, NOW) is None
    status, said = refreshed(core, session["refresh_token"])
    assert (status, said.get("error")) == ((400, "invalid_grant") if refresh else (200, None))
    new = told(core, "session", {"user": "taro@maebashi.example"})
    assert refreshed(core, new["refresh_token"])[0] == 200


def test_faults_are_seen_in_the_state_until_they_end(core: Core) -> None:
    """With the instant they end, null without one; the payload that every act carries is no part of a fault."""
    fault = {"where": "identity", "kind": "error", "status": 503, "payload": "fleetrush-act-3"}
    assert told(core, "inject_fault", fault) == {"until": None}
    assert told(core, "inject_fault", {"where": "/acs", "kind": "freeze", "for_s": 10}) == {"until": NOW + 10}
    seen = told(core, "state", method="GET")["faults"]
    assert [(fault["where"], fault["kind"], fault["until"]) for fault in seen] == [
        ("identity", "error", None),
        ("/acs", "freeze", NOW + 10),
    ]
    assert len(told(core, "state", method="GET", now=NOW + 10)["faults"]) == 1
    assert told(core, "clear_faults", {"payload": "fleetrush-act-4"}) == {"cleared": 1}
    assert told(core, "state", method="GET")["faults"] == []


def test_a_published_release_can_be_fetched(core: Core) -> None:
    """The update service counts it; its payload's size is the one asked for."""
    before = told(core, "state", method="GET")["updates"]
    assert told(core, "publish_release", {"version": "16181.61.0", "size": 65536}) == {
        "published_ms": 1_780_000_000_250
    }
    after = told(core, "state", method="GET")["updates"]
    assert after["releases"] == before["releases"] + 1


def test_the_state_counts_every_service(core: Core) -> None:
    """Whole numbers from each, by name; the requests are the core's."""
    first, second = (told(core, "state", method="GET") for _ in range(2))
    assert set(first) == {"backend", "management", "identity", "idp", "updates", "faults"}
    assert second["backend"] == {"requests": first["backend"]["requests"] + 1, "internal_errors": 0}
    for name in ("management", "identity", "idp", "updates"):
        assert all(isinstance(number, int) for number in first[name].values())
