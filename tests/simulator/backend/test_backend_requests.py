"""Every kind of request that the protocol has: answered rightly, or refused with the right code, and never our mistake.

The table is the protocol's facts (1.3), written out here once more.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from management_bench import NOW, URL, Bench, granted

from simulator.backend.management_calls import REQUESTS
from simulator.protocols import attestation
from simulator.protocols import management_pb2 as pb
from simulator.protocols.attestation import Authority
from simulator.protocols.messages import Request

CAPTURES = Path(__file__).parents[2] / "data/chromium-156"
Message = pb.DeviceManagementRequest
USER = "taro@city.example"


class Kind(NamedTuple):
    """One `request=`: fields of the request and of the answer, who may ask, and what a right one and a wrong one get.

    `auth`: "dm" a DM token, "enroll" an enrollment token, "oauth" an access token, "none". `right`: what the field of a
    right one holds. `bare`: the status for an empty message.
    """

    asked: int
    given: int
    auth: str
    right: bytes = b""
    status: int = 200
    bare: int = 400


REGISTER_DEVICE = b"\x10\x02\x1a\x02S1"  # type = DEVICE, machine_id = "S1"
TABLE = {
    "register": Kind(1, 3, "oauth", REGISTER_DEVICE),
    "token_based_register": Kind(41, 40, "enroll", b"\x0a\x06" + REGISTER_DEVICE),
    "register_browser": Kind(23, 3, "enroll", b"\x0a\x02pc"),
    "register_policy_agent": Kind(23, 3, "enroll", b"\x0a\x02pc"),
    "certificate_based_register": Kind(18, 3, "none"),
    "unregister": Kind(2, 4, "dm", bare=200),
    # PolicyFetchRequest {policy_type, signature_type = SHA256_RSA} in field 3 of DevicePolicyRequest
    "policy": Kind(3, 5, "dm", b"\x1a\x1a\x0a\x16google/chromeos/device\x18\x02"),
    "status_upload": Kind(4, 6, "dm", b"\x0a\x011"),
    "remote_commands": Kind(13, 14, "dm", b"\x18\x01\x20\x02"),
    "api_authorization": Kind(8, 10, "dm", b"\x12\x01x"),
    "enterprise_check": Kind(6, 8, "none", b"\x08\x00\x10\x08"),
    "device_state_retrieval": Kind(9, 11, "none", b"\x12\x02S1"),
    "device_initial_enrollment_state": Kind(28, 27, "none", b"\x0a\x02S1"),
    "cert_upload": Kind(7, 9, "dm", b"\x0a\x01x"),
    "fm_registration_token_upload": Kind(42, 41, "dm", b"\x0a\x01x"),
    "gcm_id_update": Kind(16, 17, "dm", b"\x0a\x01x"),
    "policy_validation_report": Kind(27, 26, "dm", b"\x18\x02"),
    "chrome_os_user_report": Kind(33, 32, "dm"),
    "chrome_desktop_report": Kind(26, 23, "dm"),
    "chrome_profile_report": Kind(40, 38, "dm"),
    "upload_euicc_info": Kind(39, 37, "dm", b"\x08\x01"),
    "browser_public_key_upload": Kind(38, 36, "dm"),
    "public_saml_user_request": Kind(32, 31, "dm"),
    "app_install_report": Kind(25, 25, "dm"),
    "device_attribute_update_permission": Kind(14, 15, "dm", bare=200),
    "device_attribute_update": Kind(15, 16, "dm", b"\x0a\x01x", bare=200),
    "check_user_account": Kind(36, 34, "none", b"\x0a\x03a@b"),
    "check_android_management": Kind(17, 18, "oauth", bare=200),
    "promotion_eligibility": Kind(43, 42, "oauth", bare=200),
    # The city has not set these up: 403 says that there is no use in asking again.
    "enterprise_psm_check": Kind(37, 35, "none", status=403, bare=403),
    "register_profile": Kind(1, 3, "none", status=403, bare=403),
    "client_cert_provisioning": Kind(34, 33, "dm", status=403, bare=403),
    "generate_chrome_profile_challenge": Kind(44, 44, "dm", status=403, bare=403),
    "active_directory_enroll_play_user": Kind(19, 19, "dm", status=403, bare=403),
    "active_directory_play_activity": Kind(20, 20, "dm", status=403, bare=403),
    "active_directory_user_signin": Kind(22, 22, "dm", status=403, bare=403),
}
# What the tables of the protocol call wrong: no message at all, cut short, a string that is not UTF-8.
WRONG = (b"\x07", b"\x0a\x05ab", b"\x1a\x04\x1a\x02\x0a\x05")


def varint(value: int) -> bytes:
    """As protobuf writes it."""
    return bytes([value]) if value < 128 else bytes([value & 127 | 128]) + varint(value >> 7)


def field(number: int, content: bytes) -> bytes:
    """A length-delimited field."""
    return varint(number << 3 | 2) + varint(len(content)) + content


def right(bench: Bench, kind: str) -> bytes:
    """A right request of a kind; one that is signed by a machine's enrollment key is made for this very service."""
    row = TABLE[kind]
    if kind != "certificate_based_register":
        return field(row.asked, row.right)
    machine = Authority(bench.service.attestation_secret).certify("S1", b"c" * 32, int(NOW * 1000))
    asked = pb.DeviceRegisterRequest.FromString(REGISTER_DEVICE)
    return field(row.asked, field(1, attestation.signed(asked, machine, b"n" * 20).SerializeToString()))


def credentials(bench: Bench, auth: str) -> dict[str, str]:
    """What the right client brings."""
    if auth == "dm":
        return {"token": bench.register()}
    if auth == "enroll":
        return {"authorization": f"GoogleEnrollmentToken token={bench.service.enrollment_token}"}
    return {"oauth_token": USER} if auth == "oauth" else {}


def device_id(kind: str) -> str:
    """A browser's registration is not the device's."""
    return "browser-1" if kind in ("register_browser", "register_policy_agent") else "device-1"


def test_the_table_leaves_none_out() -> None:
    """The service knows what the facts know, and nothing else."""
    assert set(TABLE) == REQUESTS == set(Bench().service.kinds)


@pytest.mark.parametrize("kind", TABLE)
def test_a_right_request_gets_its_part_of_the_answer(kind: str) -> None:
    """200 with exactly the field of the facts; a request of a kind that is not set up: 403."""
    bench, row = Bench(), TABLE[kind]
    said = credentials(bench, row.auth)
    got = bench.send(kind, right(bench, kind), device_id=device_id(kind), **said)
    assert got.status == row.status
    if row.status == 200:
        parts = [part.number for part, _ in granted(got).ListFields()]
        assert parts == [row.given]


def test_what_is_escaped_without_need_is_read_all_the_same() -> None:
    """A query's parameter means what it says unescaped, the kind as well (RFC 3986, 6.2.2.2)."""
    bench = Bench()
    url = f"{URL}?apptype=Chrome&deviceid=device%2D1&devicetype=2&request=%70olicy"
    headers = (("Authorization", f"GoogleDMToken token={bench.register()}"),)
    assert bench.service.handle(Request("POST", url, headers, right(bench, "policy")), NOW).status == 200


@pytest.mark.parametrize("kind", TABLE)
def test_a_wrong_request_is_refused_with_the_right_code(kind: str) -> None:
    """Bytes that are no message: 400; an empty message: what the kind makes of it; no credentials: 401."""
    bench, row = Bench(), TABLE[kind]
    said = credentials(bench, row.auth)
    for body in WRONG:
        assert bench.send(kind, body, device_id=device_id(kind), **said).status == 400
    if row.auth != "none" and row.status == 200:
        assert bench.send(kind, right(bench, kind), device_id=device_id(kind)).status == 401
    assert bench.send(kind, b"", device_id=device_id(kind), **said).status == row.bare


@pytest.mark.parametrize("kind", TABLE)
def test_unknown_fields_are_never_an_error(kind: str) -> None:
    """A field that nobody here knows, beside the part and in it, changes no answer."""
    unknown = field(900, b"a newer client says this") + b"\x80\xc8\x01\x07"  # and field 3200, a number
    answers = []
    for more in (b"", unknown):
        bench, row = Bench(), TABLE[kind]
        body = right(bench, kind) + field(row.asked, more) + more
        answers.append(bench.send(kind, body, device_id=device_id(kind), **credentials(bench, row.auth)))
    assert answers[0] == answers[1]


@cache
def shared() -> Bench:
    """One service for all that is thrown at it."""
    return Bench()


@settings(max_examples=600, deadline=None)
@given(kind=st.sampled_from(sorted(TABLE)), body=st.binary(max_size=120), inside=st.booleans(), known=st.booleans())
def test_no_body_upsets_any_kind(kind: str, body: bytes, inside: bool, known: bool) -> None:
    """Arbitrary bytes, as the body or as the part that belongs to the kind: 200 or a 4xx of the protocol."""
    bench, row = shared(), TABLE[kind]
    said = credentials(bench, row.auth) if known else {}
    sent = field(row.asked, body) if inside else body
    status = bench.send(kind, sent, device_id=device_id(kind), now=NOW, **said).status
    assert status in (200, 400, 401, 403, 405, 409, 410)


@pytest.mark.parametrize("path", sorted(CAPTURES.glob("*.bin")), ids=lambda path: path.stem)
def test_a_captured_body_is_the_same_after_parsing(path: Path) -> None:
    """What a real Chromium 156 sent parses, and serializes to the very bytes, unknown fields included."""
    body = path.read_bytes()
    assert Message.FromString(body).SerializeToString() == body


CAPTURED = {
    "register_browser": ("register_browser", "register_response"),
    "policy_first": ("policy", "policy_response"),
    "policy_restart": ("policy", "policy_response"),
    "policy_validation_report_bad_signature": ("policy_validation_report", "policy_validation_report_response"),
    "api_authorization": ("api_authorization", "service_api_access_response"),
    "remote_commands_startup": ("remote_commands", "remote_command_response"),
    "fm_registration_token_upload": ("fm_registration_token_upload", "fm_registration_token_upload_response"),
}


def test_the_captures_are_all_answered() -> None:
    """The table of captures leaves no file out."""
    assert {path.stem for path in CAPTURES.glob("*.bin")} == set(CAPTURED)


@pytest.mark.parametrize("name", CAPTURED)
def test_a_captured_request_gets_the_right_part(name: str) -> None:
    """200, with the part that belongs to it and no other."""
    bench = Bench()
    kind, part = CAPTURED[name]
    said = f"GoogleEnrollmentToken token={bench.service.enrollment_token}"
    registered = bench.send("register_browser", (CAPTURES / "register_browser.bin").read_bytes(), authorization=said)
    token = granted(registered).register_response.device_management_token
    if kind == "register_browser":
        got = registered
    else:
        got = bench.send(kind, (CAPTURES / f"{name}.bin").read_bytes(), token=token)
    assert [one.name for one, _ in granted(got).ListFields()] == [part]
