"""On which terms the stand-in enrolls: each code where a city would meet it, and by what a machine is known again."""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import management_bench
import pytest
from management_bench import NOW, SETTINGS, Bench, granted, keyed_store, policy_request

from simulator.backend.management import Management
from simulator.protocols import attestation
from simulator.protocols import management_pb2 as pb
from simulator.protocols.attestation import Authority
from simulator.protocols.messages import Response
from simulator.protocols.policy_values import DEVICE

Message = pb.DeviceManagementRequest
NONCE = bytes(20)


def _bench(monkeypatch: pytest.MonkeyPatch, **terms: Any) -> Bench:
    """A service with those settings."""
    monkeypatch.setattr(management_bench, "SETTINGS", replace(SETTINGS, **terms))
    return Bench()


def _register(bench: Bench, serial: str, *, user: str = "enroller@city.example", **fields: Any) -> Response:
    """A device asks to be registered by account."""
    asked = pb.DeviceRegisterRequest(type=pb.DeviceRegisterRequest.DEVICE, machine_id=serial, **fields)
    return bench.send("register", Message(register_request=asked), device_id=f"id-{serial}", oauth_token=user)


def _attested(bench: Bench, serial: str, *, authority: Authority | None = None, device_id: str = "att") -> Response:
    """A device asks to be registered by what its own certificate says."""
    authority = authority or Authority(bench.service.attestation_secret)
    certificate = authority.certify(serial, sha256(serial.encode()).digest(), int(NOW * 1000))
    asked = pb.DeviceRegisterRequest(type=pb.DeviceRegisterRequest.DEVICE, machine_id=serial, machine_model="HWID")
    message = Message()
    message.certificate_based_register_request.signed_request.CopyFrom(attestation.signed(asked, certificate, NONCE))
    return bench.send("certificate_based_register", message, device_id=device_id)


KIOSK = pb.LicenseType(license_type=pb.LicenseType.KIOSK)


def test_licences_run_out_and_are_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two licences: a third machine gets 402 until one of the two is unregistered; neither needs one twice."""
    bench = _bench(monkeypatch, licenses=2)
    token = granted(_register(bench, "S1")).register_response.device_management_token
    granted(_register(bench, "S2"))
    assert _register(bench, "S3").status == 402
    granted(_register(bench, "S2"))
    granted(bench.send("unregister", Message(), device_id="id-S1", token=token))
    granted(_register(bench, "S3"))
    assert _register(bench, "S1").status == 402
    # people need none
    bench.register_user()


@pytest.mark.parametrize(
    ("terms", "serial", "fields", "status"),
    [
        ({"licenses": 0}, "S1", {}, 402),
        ({"serial_prefix": "5CD"}, "S1", {}, 405),
        ({"serial_prefix": "5CD"}, "5CD1", {}, 200),
        ({}, "S1", {"expected_enrollment_domain": "other.example"}, 406),
        ({}, "S1", {"expected_enrollment_domain": "city.example"}, 200),
        ({"approval": True}, "S1", {}, 412),
        ({"packaged_licenses": True}, "S1", {"license_type": KIOSK}, 418),
        ({"packaged_licenses": True, "licenses": 0}, "S1", {}, 200),
        ({}, "S1", {"license_type": KIOSK}, 200),
    ],
)
def test_each_term_has_its_code(
    monkeypatch: pytest.MonkeyPatch, terms: dict[str, Any], serial: str, fields: dict[str, Any], status: int
) -> None:
    """Policy facts 1.4: licences, serial number, domain, approval, a kiosk on a machine with its own licence."""
    assert _register(_bench(monkeypatch, **terms), serial, **fields).status == status


def test_another_domains_account_is_told_what_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    """403; 417 where the machine has a licence of its own, which such an account cannot use. People: 403 always."""
    for packaged, status in ((False, 403), (True, 417)):
        bench = _bench(monkeypatch, packaged_licenses=packaged)
        assert _register(bench, "S1", user="taro@home.example").status == status
        asked = pb.DeviceRegisterRequest(type=pb.DeviceRegisterRequest.USER)
        assert bench.send("register", Message(register_request=asked), oauth_token="taro@home.example").status == 403


def test_the_operator_changes_terms_for_good(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What was said counts from now on and after a restart; what was not said stays the settings'."""
    path = str(tmp_path / "backend.sqlite")
    monkeypatch.setattr(management_bench, "SETTINGS", replace(SETTINGS, licenses=0, approval=True))
    first = Bench(keyed_store(path))
    assert _register(first, "S1").status == 412
    first.service.terms.change({"approval": False})
    assert _register(first, "S1").status == 402
    first.service.terms.change({"licenses": 1})
    granted(_register(first, "S1"))
    second = Bench(keyed_store(path))
    assert _register(second, "S2").status == 402
    with pytest.raises(ValueError, match="licenses is True; expected int"):
        second.service.terms.change({"approval": True, "licenses": True})
    # nothing of a change that does not fit is taken
    assert _register(second, "S2").status == 402


def test_an_attested_machine_registers_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its token works at once; another authority's certificate is refused, a machine that nobody expects gets 410."""
    bench = _bench(monkeypatch, serial_prefix="5CD")
    given = granted(_attested(bench, "5CD1")).register_response
    assert given.HasField("enrollment_type")
    assert bench.policy(given.device_management_token, device_id="att").policy_data
    assert _attested(bench, "5CD2", authority=Authority(bytes(32)), device_id="b").status == 401
    assert _attested(bench, "X1", device_id="c").status == 410
    assert bench.send("certificate_based_register", Message()).status == 400
    assert bench.service.counts()["devices"] == 1


def _state(bench: Bench, **asked: Any) -> pb.DeviceStateRetrievalResponse:
    message = Message(device_state_retrieval_request=pb.DeviceStateRetrievalRequest(**asked))
    return granted(bench.send("device_state_retrieval", message)).device_state_retrieval_response


@pytest.mark.parametrize(("zero_touch", "initial", "restore"), [(False, 1, 2), (True, 2, 4)])
def test_a_city_says_how_its_machines_enroll(
    monkeypatch: pytest.MonkeyPatch, zero_touch: bool, initial: int, restore: int
) -> None:
    """Enforced, or without a touch: at first and after a wipe; by token for who has it; nothing for others."""
    bench = _bench(monkeypatch, zero_touch=zero_touch, serial_prefix="5CD", packaged_licenses=True)
    said = _state(bench, serial_number="5CD1", brand_code="ABCD", server_backed_state_key=b"k" * 32)
    first = said.initial_state_response
    assert (said.restore_mode, first.initial_enrollment_mode, first.management_domain) == (0, initial, "city.example")
    assert (first.is_license_packaged_with_device, first.license_packaging_sku) == (True, 1)
    token = bench.service.enrollment_token
    said = _state(bench, serial_number="5CD1", brand_code="ABCD", enrollment_token=token)
    assert said.initial_state_response.initial_enrollment_mode == 4
    said = _state(bench, serial_number="5CD1", brand_code="ABCD", enrollment_token="another")
    assert said.initial_state_response.initial_enrollment_mode == initial
    for strange in ({"serial_number": "X1", "brand_code": "ABCD"}, {"serial_number": "5CD1"}, {}):
        assert _state(bench, **strange).initial_state_response.initial_enrollment_mode == 0
    granted(_register(bench, "5CD1", server_backed_state_key=b"k" * 32))
    assert _state(bench, server_backed_state_key=b"k" * 32).restore_mode == restore


def test_another_modulus_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that sorts by 2^12 answers no other modulus, smaller or larger, but says its own; then with hashes."""
    bench = _bench(monkeypatch, hash_modulus=4096)
    granted(_register(bench, "S1", server_backed_state_key=b"abc"))
    # SHA-256 of "abc" ends in 0x15ad (FIPS 180-4)
    for modulus, expected in ((2048, 4096), (32768, 4096), (4096, 0)):
        asked = pb.DeviceAutoEnrollmentRequest(modulus=modulus, remainder=0x15AD % modulus)
        got = granted(bench.send("enterprise_check", Message(auto_enrollment_request=asked))).auto_enrollment_response
        assert got.expected_modulus == expected
        assert list(got.hashes) == ([] if expected else [sha256(b"abc").digest()])


def test_a_wipe_does_not_unlock(monkeypatch: pytest.MonkeyPatch) -> None:
    """A disabled machine that registers under a new id, past the question that it should ask, is still disabled."""
    bench = _bench(monkeypatch)
    bench.register("before", "S1")
    bench.service.disable("before", "stolen", NOW)
    data = pb.PolicyData.FromString(bench.policy(bench.register("after", "S1"), device_id="after").policy_data)
    assert data.device_state.disabled_state.message == "stolen"


def test_the_secret_of_the_authority_is_kept(tmp_path: Path) -> None:
    """A fleet that was told it still enrolls after a restart."""
    path = str(tmp_path / "backend.sqlite")
    first: Management = Bench(keyed_store(path)).service
    again = Bench(keyed_store(path))
    assert again.service.attestation_secret == first.attestation_secret
    granted(_attested(again, "S1", authority=Authority(first.attestation_secret)))
    assert again.send("policy", policy_request(DEVICE), token="nobody's", device_id="att").status == 410
