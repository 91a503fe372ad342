"""Devices that an administrator deletes, and robot accounts: over the backend's whole core, in memory."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

import pytest
from management_bench import NOW, Bench, granted, policy_request

from simulator.backend.core import Core
from simulator.backend.settings import BackendSettings
from simulator.backend.store import Store
from simulator.protocols import management_pb2 as pb
from simulator.protocols.messages import Request, Response

DEVICE = "google/chromeos/device"
URL = "http://127.0.0.1:8080"
SETTINGS = BackendSettings(
    management_url=URL,
    identity_url=URL,
    idp_url=URL,
    updates_url=URL,
    push_url="mqtt://127.0.0.1:1883",
    password_secret=b"a test's own",
    robot_accounts=True,
)


@pytest.fixture
def bench() -> Bench:
    """A service that nobody has asked yet."""
    return Bench()


@pytest.mark.parametrize(("said", "detail"), [("", []), ("delete_token", [1]), ("invalidate_token", [2])])
def test_a_deleted_device_is_gone_until_it_registers_again(bench: Bench, said: str, detail: list[int]) -> None:
    """410 to whatever it asks, with the detail that the operator said; registered again, it is served as ever."""
    token, other = bench.register(), bench.register("device-2", "S2")
    assert bench.service.delete("device-1", said) == 1
    for kind in ("policy", "status_upload", "remote_commands", "unregister", "device_attribute_update"):
        gone = bench.send(kind, policy_request(DEVICE), token=token)
        assert gone.status == 410
        assert list(pb.DeviceManagementResponse.FromString(gone.body).error_detail) == detail
    assert bench.policy(other, device_id="device-2").policy_data
    assert bench.register() == token
    assert bench.policy(token).policy_data
    wrong = bench.send("policy", policy_request(DEVICE), token="another")
    assert (wrong.status, list(pb.DeviceManagementResponse.FromString(wrong.body).error_detail)) == (410, [])
    # gone once more, but by its own wish
    assert bench.send("unregister", pb.DeviceManagementRequest(unregister_request={}), token=token).status == 200
    left = bench.send("policy", policy_request(DEVICE), token=token)
    assert (left.status, list(pb.DeviceManagementResponse.FromString(left.body).error_detail)) == (410, [])


def test_all_devices_are_deleted_but_no_user(bench: Bench) -> None:
    """Without a device id it means every device, as with the other acts; with one it may be a user's or a browser's."""
    bench.register()
    bench.register("device-2", "S2")
    user = bench.register_user()
    assert bench.service.delete(None, "") == 2
    assert bench.policy(user, "google/chromeos/user", device_id="user-1").policy_data
    assert bench.service.delete("user-1", "") == 1
    assert bench.service.delete("user-1", "") == 0
    assert bench.service.counts()["devices"] == bench.service.counts()["users"] == 0
    with pytest.raises(ValueError, match="error_detail is '1'; expected one of delete_token, invalidate_token"):
        bench.service.delete(None, "1")


@pytest.fixture
def core() -> Iterator[Core]:
    """A backend with robot accounts."""
    store = Store(":memory:")
    yield Core(store, SETTINGS, os.urandom)
    store.close()


def operate(core: Core, act: str, **told: object) -> dict[str, Any]:
    """One act that must succeed."""
    headers = (("authorization", f"Bearer {core.operator_token}"),)
    answer = core.handle(Request("POST", f"{URL}/operator/{act}", headers, json.dumps(told).encode()), NOW)
    assert answer.response.status == 200, answer.response.body
    said: dict[str, Any] = json.loads(answer.response.body)
    return said


def ask(core: Core, kind: str, message: pb.DeviceManagementRequest, authorization: str = "", **more: str) -> Response:
    """One request to the management service."""
    query = urlencode({"deviceid": "d", "devicetype": "2", "apptype": "Chrome", **more, "request": kind})
    headers = (("Authorization", authorization),)
    url = f"{URL}/devicemanagement/data/api?{query}"
    return core.handle(Request("POST", url, headers, message.SerializeToString()), NOW).response


def enrolled(core: Core) -> str:
    """The Authorization header of a registered browser."""
    message = pb.DeviceManagementRequest()
    message.register_browser_request.machine_name = "pc"
    token = operate(core, "enrollment_token")["enrollment_token"]
    got = granted(ask(core, "register_browser", message, f"GoogleEnrollmentToken token={token}"))
    return f"GoogleDMToken token={got.register_response.device_management_token}"


def test_an_injected_410_has_its_detail(core: Core) -> None:
    """The body is a DeviceManagementResponse with field 39; another kind of request does not meet it."""
    browser = enrolled(core)
    fault = {"where": "management", "kind": "error", "status": 410, "request": "policy", "error_detail": "delete_token"}
    operate(core, "inject_fault", **fault)
    gone = ask(core, "policy", policy_request("google/chrome/machine-level-user"), browser)
    assert gone.status == 410
    # error_message (2), then error_detail (39): 39 << 3 = 312 = b8 02
    assert gone.body == b"\x12\x11an injected fault\xb8\x02\x01"
    message = pb.DeviceManagementRequest()
    message.gcm_id_update_request.SetInParent()
    assert ask(core, "gcm_id_update", message, browser).status == 200


@pytest.mark.parametrize("status", [400, 412, 429, 503, 599, 902, 907])
def test_an_injected_error_has_any_status_of_the_protocol(core: Core, status: int) -> None:
    """For the request that it names."""
    operate(core, "inject_fault", where="management", kind="error", status=status, request="register")
    assert ask(core, "register", pb.DeviceManagementRequest()).status == status
    assert ask(core, "policy", pb.DeviceManagementRequest()).status == 401


def tokens(core: Core, now: float = NOW, **form: str) -> Response:
    """One request to the token endpoint, as Chromium sends it for a robot: without a scope."""
    body = urlencode({"client_id": "77185425430.apps.googleusercontent.com", **form}).encode()
    headers = (("Content-Type", "application/x-www-form-urlencoded"),)
    return core.handle(Request("POST", f"{URL}/oauth2/v4/token", headers, body), now).response


def robot_code(core: Core, browser: str) -> str:
    """The code of a robot account, as a client asks for it."""
    message = pb.DeviceManagementRequest()
    asked = message.service_api_access_request
    asked.auth_scopes.extend(["https://www.googleapis.com/auth/userinfo.email", "https://www.googleapis.com/auth/x"])
    asked.oauth2_client_id = "77185425430.apps.googleusercontent.com"
    return granted(ask(core, "api_authorization", message, browser)).service_api_access_response.auth_code


def test_a_robots_code_is_good_once_for_who_asked(core: Core) -> None:
    """Exchanged for tokens of the robot with the scopes asked for; not by another client, not twice, not late."""
    browser = enrolled(core)
    code = robot_code(core, browser)
    assert tokens(core, grant_type="authorization_code", code=code, client_id="other").status == 401
    assert tokens(core, NOW + 601, grant_type="authorization_code", code=code).status == 400
    got = tokens(core, grant_type="authorization_code", code=code)
    assert got.status == 200
    said = json.loads(got.body)
    assert said["scope"] == "https://www.googleapis.com/auth/userinfo.email https://www.googleapis.com/auth/x"
    assert tokens(core, grant_type="authorization_code", code=code).status == 400
    whose = core.handle(
        Request("GET", f"{URL}/oauth2/v1/userinfo", (("Authorization", f"Bearer {said['access_token']}"),)), NOW
    ).response
    assert json.loads(whose.body)["email"] == "d@robots.city.example"
    again = tokens(core, grant_type="refresh_token", refresh_token=said["refresh_token"])
    assert json.loads(again.body)["access_token"]
    assert "refresh_token" not in json.loads(again.body)
    other = tokens(core, grant_type="refresh_token", refresh_token=said["refresh_token"], client_id="other")
    assert other.status == 401


def test_the_policy_names_the_robot_that_the_code_is_for(core: Core) -> None:
    """service_account_identity of a browser's policy is the account of its code; without robot accounts it has none."""
    browser = enrolled(core)
    fetch = policy_request("google/chrome/machine-level-user")
    (blob,) = granted(ask(core, "policy", fetch, browser)).policy_response.responses
    data = pb.PolicyData.FromString(blob.policy_data)
    assert data.service_account_identity == "d@robots.city.example"
    without = Core(Store(":memory:"), replace(SETTINGS, robot_accounts=False), os.urandom)
    browser = enrolled(without)
    (blob,) = granted(ask(without, "policy", fetch, browser)).policy_response.responses
    assert not pb.PolicyData.FromString(blob.policy_data).HasField("service_account_identity")
    assert robot_code(without, browser) == ""
