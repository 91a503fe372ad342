"""The device's side of the management protocol: what is sent, byte for byte, and how each answer is read."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from grpc_tools import protoc
from hypothesis import given
from hypothesis import strategies as st
from protobuf_by_hand import block, number
from status_example import STATUS

from simulator.protocols import management as m
from simulator.protocols import management_pb2 as pb
from simulator.protocols import policy_values
from simulator.protocols.messages import Broken, Exchange, Refused, Response

ROOT = Path(__file__).parents[3]
CAPTURES = ROOT / "tests/data/chromium-156"
WHO = m.Identity(
    url="http://127.0.0.1:8080/devicemanagement/data/api",
    device_id="0f8fad5b-d9cb-469f-a165-70867728950e",
    agent="Google Chrome 126.0.6478.132(0a1b-refs/branch-heads/6478@{#1})",
    platform="Linux,CrOS,volteer|x86_64,VOXEL D5B-A5B|15886.44.0",
    dm_token="dm-token",
)
FRESH = replace(WHO, dm_token="")
MACHINE = m.Machine(
    serial="5CD1234ABC",
    hwid="VOXEL D5B-A5B",
    brand_code="ABCD",
    state_key=b"\x11" * 32,
    ethernet_mac="0A1B2C3D4E5F",
    manufacture_date="2024-03-01",
    attested_id="att-1",
)
TRUST = m.Trust("dm-token", WHO.device_id)
REGISTER_USER = m.register_user(FRESH, oauth_token="ya29.a b&c")
EVERY: dict[str, Exchange[Any]] = {
    "state_retrieval": m.state_retrieval(FRESH, MACHINE),
    "register": m.register_device(FRESH, MACHINE, oauth_token="t", flavor=13),
    "register_user": REGISTER_USER,
    "device_policy": m.fetch_device_policy(WHO, reason=m.PolicyReason.BROWSER_START, trust=TRUST),
    "user_policy": m.fetch_user_policy(WHO, reason=m.PolicyReason.SIGNIN, trust=TRUST),
    "validation_report": m.validation_report(WHO, m.Invalid("bad_signature", policy_type="p", policy_token="t")),
    "api_authorization": m.api_authorization(WHO),
    "push_token": m.push_token(WHO, "token", m.PushKind.DEVICE, expiration_ms=1),
    "remote_commands": m.remote_commands(WHO, reason=m.CommandReason.REASON_STARTUP, trust=TRUST),
    "status_upload": m.status_upload(WHO, STATUS, frozenset(policy_values.REPORTS), user_dm_token="user-token"),
    "unregister": m.unregister(WHO),
}


def capture(name: str) -> bytes:
    """A request body as Debian's Chromium 156 sent it."""
    return (CAPTURES / f"{name}.bin").read_bytes()


# ------------------------------------------------------------------------------------------------------ the messages


@pytest.mark.parametrize("path", sorted(CAPTURES.glob("*.bin")), ids=lambda path: path.stem)
def test_a_captured_body_survives_byte_for_byte(path: Path) -> None:
    """What a real browser sent is parsed and written again without a change."""
    body = path.read_bytes()
    assert pb.DeviceManagementRequest.FromString(body).SerializeToString() == body


def test_captured_values_are_where_the_definitions_say() -> None:
    """The values that were seen on the browser's own side turn up under the names they belong to."""
    policy = pb.DeviceManagementRequest.FromString(capture("policy_restart")).policy_request
    assert policy.reason == pb.DevicePolicyRequest.SCHEDULED
    machine = policy.requests[1]
    assert (machine.policy_type, machine.timestamp) == ("google/chrome/machine-level-user", 1795401054343)
    assert (machine.public_key_version, machine.verification_key_hash) == (1, "1:356l7w")
    assert machine.device_info.form_factor == pb.DeviceInfo.DESKTOP
    register = pb.DeviceManagementRequest.FromString(capture("register_browser")).register_browser_request
    assert (register.os_platform, register.browser_device_identifier.computer_name) == ("Linux", "vm")
    api = pb.DeviceManagementRequest.FromString(capture("api_authorization")).service_api_access_request
    assert api.device_type == pb.DeviceServiceApiAccessRequest.CHROME_BROWSER
    token = pb.DeviceManagementRequest.FromString(capture("fm_registration_token_upload"))
    assert token.fm_registration_token_upload_request.expiration_timestamp_ms == 1796612166631


def test_unknown_fields_are_kept() -> None:
    """A field that nobody here knows, on top or inside, leaves as it came."""
    body = block(3, block(3, block(1, "t"), block(999, "new")), number(888, 7)) + block(2000, "newer")
    assert pb.DeviceManagementRequest.FromString(body).SerializeToString() == body


def test_policy_fields_are_numbered_by_the_policy_list() -> None:
    """A user policy's field is its id plus 2; ids above 1040 are in chunks of 800 (generate_policy_source.py)."""
    ids = {
        "HomepageLocation": 1,
        "ShowHomeButton": 35,
        "PolicyRefreshRate": 56,
        "BookmarkBarEnabled": 82,
        "MaxInvalidationFetchDelay": 228,
        "SAMLOfflineSigninTimeLimit": 254,
        "BrowserSignin": 487,
        "CloudReportingEnabled": 493,
        "URLBlocklist": 736,
    }
    fields = pb.CloudPolicySettings.DESCRIPTOR.fields_by_name
    assert {name: fields[name].number for name in ids} == {name: number + 2 for name, number in ids.items()}
    assert fields["subProto1"].number == 1043
    chunk = pb.CloudPolicySubProto1.DESCRIPTOR.fields_by_name
    assert chunk["ScreensaverLockScreenEnabled"].number == (1059 - 1041) % 800 + 1


def test_the_generated_code_is_current(tmp_path: Path) -> None:
    """What protoc makes of management.proto today is what is committed."""
    source = "simulator/protocols/management.proto"
    (tmp_path / source).parent.mkdir(parents=True)
    shutil.copy(ROOT / source, tmp_path / source)
    plugin = Path(sys.executable).with_name("protoc-gen-mypy")
    here = os.fspath(tmp_path)
    arguments = [f"-I{here}", f"--python_out={here}", f"--mypy_out=quiet:{here}", f"--plugin=protoc-gen-mypy={plugin}"]
    assert protoc.main(["protoc", *arguments, source]) == 0
    for name in ("management_pb2.py", "management_pb2.pyi"):
        assert (tmp_path / source).with_name(name).read_text() == (ROOT / source).with_name(name).read_text()


# ------------------------------------------------------------------------------------------------------ what is sent


def test_the_query_is_a_chromebooks() -> None:
    """Order, escaping and the empty oauth_token of a policy request are Chromium's."""
    assert EVERY["device_policy"].request.url == (
        "http://127.0.0.1:8080/devicemanagement/data/api?retry=false"
        "&agent=Google+Chrome+126.0.6478.132(0a1b-refs%2Fbranch-heads%2F6478%40%7B%231%7D)"
        "&apptype=Chrome&deviceid=0f8fad5b-d9cb-469f-a165-70867728950e&devicetype=2&oauth_token="
        "&platform=Linux%2CCrOS%2Cvolteer%7Cx86_64%2CVOXEL+D5B-A5B%7C15886.44.0&request=policy"
    )


@pytest.mark.parametrize(
    ("name", "kind", "oauth", "critical"),
    [
        ("state_retrieval", "device_state_retrieval", None, True),
        ("register", "register", "t", False),
        ("register_user", "register", "ya29.a+b%26c", False),
        ("device_policy", "policy", "", False),
        ("user_policy", "policy", "", False),
        ("validation_report", "policy_validation_report", None, False),
        ("api_authorization", "api_authorization", None, False),
        ("push_token", "fm_registration_token_upload", None, False),
        ("remote_commands", "remote_commands", None, False),
        ("status_upload", "status_upload", "", False),
        ("unregister", "unregister", None, False),
    ],
)
def test_each_exchange_has_its_name_and_parameters(name: str, kind: str, oauth: str | None, critical: bool) -> None:
    """Step, `request`, `oauth_token` and `critical` are as the protocol's table has them."""
    exchange = EVERY[name]
    assert exchange.step == f"management.{name}"
    query = exchange.request.url.partition("?")[2].split("&")
    assert query[0] == "retry=false"
    assert query[1:] == sorted(query[1:])
    pairs = dict(pair.split("=") for pair in query)
    assert (pairs["request"], pairs.get("oauth_token"), pairs.get("critical")) == (
        kind,
        oauth,
        "true" if critical else None,
    )


def test_headers_say_who_asks() -> None:
    """The DM token goes into Authorization; where an access token speaks, or there is none yet, it does not."""
    media = (
        ("Content-Type", "application/protobuf"),
        ("Sec-Fetch-Site", "none"),
        ("Sec-Fetch-Mode", "no-cors"),
        ("Sec-Fetch-Dest", "empty"),
    )
    assert EVERY["status_upload"].request.headers == (("Authorization", "GoogleDMToken token=dm-token"), *media)
    assert EVERY["state_retrieval"].request.headers == media
    assert m.register_user(WHO, oauth_token="t").request.headers == media
    assert {exchange.request.method for exchange in EVERY.values()} == {"POST"}


FETCH_TAIL = number(3, 2), block(9, "1:356l7w"), block(15, number(1, 1))


@pytest.mark.parametrize(
    ("exchange", "body"),
    [
        (m.unregister(WHO), bytes.fromhex("1200")),
        (
            m.state_retrieval(FRESH, m.Machine("S1", "H", "ABCD")),
            bytes.fromhex("4a0a 1202 5331 1a04 41424344"),
        ),
        (
            m.state_retrieval(FRESH, m.Machine("S1", "H", "ABCD", b"\xaa" * 32)),
            bytes.fromhex("4a2c 0a20" + "aa" * 32 + "1202 5331 1a04 41424344"),
        ),
        (REGISTER_USER, bytes.fromhex("0a0b 1001 4007 5801 c201 02 0801")),
        (
            m.register_user(FRESH, oauth_token="t", ephemeral=True),
            bytes.fromhex("0a0b 1001 4007 5802 c201 02 0801"),
        ),
        (
            m.register_user(replace(WHO, dm_token="old"), oauth_token="t"),
            bytes.fromhex("0a12 0801 1001 4007 5801 6a03 6f6c64 c201 02 0801"),
        ),
        (
            m.register_device(FRESH, m.Machine("S", "H", "ABCD"), oauth_token="t", flavor=0),
            bytes.fromhex("0a17 1002 1a01 53 2201 48 4000 5801 6204 41424344 c201 02 0801"),
        ),
        (
            m.register_device(WHO, m.Machine("S", "H", "ABCD"), oauth_token="t", flavor=6, reregister=True),
            bytes.fromhex("0a23 0801 1002 1a01 53 2201 48 4006 5801 6204 41424344 6a08")
            + b"dm-token"
            + bytes.fromhex("c201 02 0801"),
        ),
        (
            EVERY["register"],
            block(
                1,
                *(number(2, 2), block(3, "5CD1234ABC"), block(4, "VOXEL D5B-A5B"), block(7, b"\x11" * 32)),
                *(number(8, 13), number(11, 1), block(12, "ABCD"), block(14, "0A1B2C3D4E5F")),
                *(block(16, "2024-03-01"), block(18, block(1, "att-1")), block(24, number(1, 1))),
            ),
        ),
        (
            m.fetch_device_policy(WHO, reason=1, trust=TRUST, state_keys=[b"k1", b"k2"], critical=True),
            block(3, block(3, block(1, "google/chromeos/device"), *FETCH_TAIL), number(4, 1))
            + block(10, block(1, "k1"), block(1, "k2")),
        ),
        (
            m.fetch_device_policy(
                WHO,
                reason=2,
                trust=replace(TRUST, key_version=3, timestamp_ms=1795401054343),
                invalidation=m.Invalidation(1795401054343000, b"why"),
            ),
            block(
                3,
                block(
                    3,
                    *(block(1, "google/chromeos/signinextension"), number(3, 2), number(4, 3)),
                    *(block(9, "1:356l7w"), block(15, number(1, 1))),
                ),
                block(
                    3,
                    *(block(1, "google/chromeos/device"), number(2, 1795401054343), number(3, 2), number(4, 3)),
                    *(number(7, 1795401054343000), block(8, "why"), block(9, "1:356l7w"), block(15, number(1, 1))),
                ),
                number(4, 2),
            ),
        ),
        (
            m.fetch_user_policy(
                WHO, reason=17, trust=TRUST, device_dm_token="device", invalidation=m.Invalidation(5, b"")
            ),
            block(
                3,
                block(3, block(1, "google/chrome/extension"), *FETCH_TAIL),
                block(
                    3,
                    *(block(1, "google/chromeos/user"), number(3, 2), block(9, "1:356l7w")),
                    *(block(12, "device"), block(15, number(1, 1))),
                ),
                number(4, 17),
            ),
        ),
        (
            m.api_authorization(WHO),
            block(
                8,
                block(1, "https://www.googleapis.com/auth/any-api"),
                block(2, "77185425430.apps.googleusercontent.com"),
                number(3, 0),
            ),
        ),
        (
            m.push_token(WHO, "lab-fcm-token-14", m.PushKind.USER, expiration_ms=1796612166631),
            block(
                42,
                *(block(1, "lab-fcm-token-14"), number(2, 1), number(3, 2)),
                *(number(4, 1796612166631), number(5, 1013309121859)),
            ),
        ),
        (
            m.remote_commands(
                WHO, reason=3, trust=TRUST, last_id=4711, results=[m.CommandResult(2, 4711, 1795401486066, "{}")]
            ),
            block(
                13,
                number(1, 4711),
                block(2, number(1, 2), number(2, 4711), number(3, 1795401486066), block(4, "{}")),
                *(number(3, 1), number(4, 2), block(5, "google/ash/device/remotecommand"), number(6, 3)),
            ),
        ),
    ],
    ids=lambda value: "" if isinstance(value, bytes) else value.step,
)
def test_bodies_are_the_bytes_worked_out_by_hand(exchange: Exchange[Any], body: bytes) -> None:
    """Each body is what the field numbers and the wire format make of it."""
    assert exchange.request.body == body


def test_a_validation_report_is_the_browsers() -> None:
    """For the same fault our report is byte for byte what Chromium 156 sent."""
    fault = m.Invalid(
        "bad_initial_signature", policy_type="google/chrome/machine-level-user", policy_token="lab-policy-token"
    )
    assert m.validation_report(WHO, fault).request.body == capture("policy_validation_report_bad_signature")


def test_remote_commands_at_startup_are_the_browsers_but_for_the_type() -> None:
    """Chromium 156's body with the type string of a ChromeOS device in place of a browser's."""
    theirs = block(5, "google/chrome/browser/remotecommand")
    ours = block(5, "google/ash/device/remotecommand")
    inside = capture("remote_commands_startup")[2:].replace(theirs, ours)
    assert EVERY["remote_commands"].request.body == block(13, inside)


# -------------------------------------------------------------------------------------------------- what comes back


def ok(body: bytes) -> Response:
    """An answer with status 200."""
    return Response(200, body=body)


def test_a_registration_is_read() -> None:
    """Token, name, mode and affiliation ids come out of the fields where the server put them."""
    body = block(3, block(1, "tok"), block(2, "name"), number(3, 0), block(5, "C1"), block(5, "C2"), block(8, "a@b"))
    given = m.Registration("tok", "name", ("C1", "C2"), "a@b")
    assert EVERY["register"].read(ok(body)) == given
    assert REGISTER_USER.read(ok(body)) == given


@pytest.mark.parametrize(
    ("exchange", "body", "reason"),
    [
        (EVERY["register"], block(3, block(1, "tok")), "missing_part"),
        (EVERY["register"], block(3, block(1, "tok"), number(3, 1)), "bad_value"),
        (EVERY["register"], block(3, number(3, 0)), "missing_part"),
        (EVERY["register"], b"", "missing_part"),
        (REGISTER_USER, block(3, block(1, "")), "missing_part"),
        (m.register_user(WHO, oauth_token="t"), block(3, block(1, "another")), "wrong_token"),
        (EVERY["unregister"], block(3, block(1, "tok")), "missing_part"),
        (EVERY["api_authorization"], block(10, block(1, b"\xff\xfe")), "undecodable"),
        (EVERY["remote_commands"], block(14, block(1, number(1, 0))), "undecodable"),
        (EVERY["status_upload"], block(4), "missing_part"),
        (EVERY["push_token"], b"\x07", "undecodable"),
        (EVERY["device_policy"], block(5), "missing_part"),
    ],
)
def test_a_broken_answer_is_broken_for_its_reason(exchange: Exchange[Any], body: bytes, reason: str) -> None:
    """A 200 that a client could not use is broken, and says why."""
    with pytest.raises(Broken) as caught:
        exchange.read(ok(body))
    assert caught.value.reason == reason


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("unregister", block(4)),
        ("push_token", block(41)),
        ("status_upload", block(6)),
        ("validation_report", block(26)),
    ],
)
def test_answers_that_only_have_to_be_there(name: str, body: bytes) -> None:
    """An empty part is enough, and means nothing."""
    assert EVERY[name].read(ok(body)) is None


def test_an_authorisation_code_may_be_empty() -> None:
    """The code comes as it is, an empty one too, which tells the client to go without."""
    assert EVERY["api_authorization"].read(ok(block(10, block(1, "4/code")))) == "4/code"
    assert EVERY["api_authorization"].read(ok(block(10))) == ""


STATUSES = {
    400: "REQUEST_INVALID",
    401: "SERVICE_MANAGEMENT_TOKEN_INVALID",
    402: "SERVICE_MISSING_LICENSES",
    403: "SERVICE_MANAGEMENT_NOT_SUPPORTED",
    404: "TEMPORARY_UNAVAILABLE",
    405: "SERVICE_INVALID_SERIAL_NUMBER",
    406: "SERVICE_DOMAIN_MISMATCH",
    409: "SERVICE_DEVICE_ID_CONFLICT",
    410: "SERVICE_DEVICE_NOT_FOUND",
    412: "SERVICE_ACTIVATION_PENDING",
    413: "REQUEST_TOO_LARGE",
    429: "SERVICE_TOO_MANY_REQUESTS",
    503: "TEMPORARY_UNAVAILABLE",
    902: "SERVICE_POLICY_NOT_FOUND",
    903: "SERVICE_DEPROVISIONED",
    904: "SERVICE_ARC_DISABLED",
    302: "HTTP_STATUS_ERROR",
    451: "HTTP_STATUS_ERROR",
}


@pytest.mark.parametrize("status", [*STATUSES, 905, 906, 907])
def test_a_well_formed_no_is_a_refusal(status: int) -> None:
    """4xx, 503 and the protocol's own codes are refusals, with the client's name for them and the server's line."""
    with pytest.raises(Refused) as caught:
        EVERY["device_policy"].read(Response(status, body=block(2, "go away")))
    assert caught.value.reason == "http_status"
    assert caught.value.status == status
    assert caught.value.detail.endswith(": go away")
    if status in STATUSES:
        assert caught.value.detail.startswith(STATUSES[status])
        assert m.client_status(status) == STATUSES[status]


@pytest.mark.parametrize("status", [500, 502, 504, 599, 901, 908, 999])
def test_other_errors_are_broken(status: int) -> None:
    """Any other 5xx, and codes that nobody defined, are failures."""
    with pytest.raises(Broken) as caught:
        EVERY["status_upload"].read(Response(status, body=b"<html>"))
    assert (caught.value.reason, caught.value.status) == ("http_status", status)


def test_a_410_may_ask_for_a_reset() -> None:
    """error_detail 1 in a 410 makes it SERVICE_DEVICE_NEEDS_RESET; 2 does not."""
    for detail, name in ((1, "SERVICE_DEVICE_NEEDS_RESET"), (2, "SERVICE_DEVICE_NOT_FOUND")):
        with pytest.raises(Refused, match=name):
            EVERY["device_policy"].read(Response(410, body=number(39, detail)))


@pytest.mark.parametrize("name", EVERY)
@given(status=st.sampled_from([200, 200, 200, 410, 902]), body=st.binary(max_size=200))
def test_no_answer_makes_a_reader_raise_anything_else(name: str, status: int, body: bytes) -> None:
    """Whatever bytes come, a reader returns or raises trouble of the record."""
    read_quietly(EVERY[name].read, Response(status, body=body))


PARTS = st.recursive(
    st.one_of(
        st.builds(number, st.integers(1, 45), st.integers(0, 2**64 - 1)),
        st.builds(block, st.integers(1, 45), st.binary(max_size=20)),
    ),
    lambda inner: st.builds(lambda field, parts: block(field, *parts), st.integers(1, 45), st.lists(inner, max_size=4)),
)


@pytest.mark.parametrize("name", EVERY)
@given(body=st.lists(PARTS, max_size=4).map(b"".join))
def test_no_well_formed_answer_makes_a_reader_raise_anything_else(name: str, body: bytes) -> None:
    """The same for messages of a right form and any content, which get further than bytes at random."""
    read_quietly(EVERY[name].read, ok(body))


def read_quietly(read: Callable[[Response], object], response: Response) -> None:
    """Read, and take the trouble that a reader may make."""
    with suppress(Refused, Broken):
        read(response)
