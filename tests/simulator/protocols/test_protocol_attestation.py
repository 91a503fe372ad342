"""Attestation, both directions: what a machine signs, checked by another implementation, and what is not believed."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from protobuf_by_hand import block, number

from simulator.protocols import attestation
from simulator.protocols import management as m
from simulator.protocols import management_pb2 as pb
from simulator.protocols.attestation import Authority, NotAttested

NOW_MS = 1_775_001_600_000
DAY_MS = 86_400_000
CITY = Authority(b"city".ljust(32))
OTHER = Authority(b"other".ljust(32))
REQUEST = pb.DeviceRegisterRequest(machine_id="S1", machine_model="HWID")
CERTIFICATE = CITY.certify("S1", b"key".ljust(32), NOW_MS)
NONCE = bytes(range(20))
SIGNED = attestation.signed(REQUEST, CERTIFICATE, NONCE)


def test_the_signed_data_is_the_registration_and_a_nonce() -> None:
    """Certificate type 1, the PEM chain, the request; then 20 bytes that extra_data_bytes counts; told by hand."""
    data = number(1, 1) + block(2, CERTIFICATE.pem_chain) + block(3, REQUEST.SerializeToString())
    assert SIGNED.data == data + NONCE
    assert SIGNED.extra_data_bytes == 20
    assert CERTIFICATE.pem_chain.count(b"-----BEGIN CERTIFICATE-----") == 2


def test_the_exchange_is_the_protocols() -> None:
    """request=certificate_based_register, nobody's token, the signed request in fields 18 and 1."""
    who = m.Identity("http://127.0.0.1/x", "id", "a", "p")
    machine = m.Machine("S1", "HWID", "ABCD", dock_mac="060000000001")
    membership = m.Membership(m.Register.PSM_RESULT_SUCCESSFUL_WITH_STATE, 1_775_001_600_000)
    exchange = m.register_by_attestation(
        who, machine, certificate=CERTIFICATE, nonce=NONCE, flavor=14, kiosk=True, membership=membership
    )
    assert exchange.step == "management.register"
    assert exchange.request.url.endswith("&request=certificate_based_register")
    assert exchange.request.header("authorization") == ""
    signed = pb.DeviceManagementRequest.FromString(exchange.request.body)
    assert signed.SerializeToString() == block(
        18, block(1, signed.certificate_based_register_request.signed_request.SerializeToString())
    )
    asked = CITY.check(signed.certificate_based_register_request.signed_request, NOW_MS).device_register_request
    assert asked.SerializeToString() == b"".join(
        (
            *(number(2, 2), block(3, "S1"), block(4, "HWID"), number(8, 14), block(9, number(1, 3)), number(11, 1)),
            *(block(12, "ABCD"), block(15, "060000000001"), number(19, 1), number(20, 1_775_001_600_000)),
            block(24, number(1, 1)),
        )
    )


def test_openssl_believes_it_too(tmp_path: Path) -> None:
    """The chain holds at that instant, and the certificate's key signed the data: another implementation's word."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl is not installed")
    end = b"-----END CERTIFICATE-----\n"
    leaf, authority = (pem + end for pem in CERTIFICATE.pem_chain.split(end)[:2])
    for name, content in {"leaf": leaf, "ca": authority, "data": SIGNED.data, "sig": SIGNED.signature}.items():
        (tmp_path / name).write_bytes(content)

    def run(*arguments: str) -> str:
        return subprocess.run([openssl, *arguments], cwd=tmp_path, check=True, capture_output=True, text=True).stdout

    run("verify", "-attime", str(NOW_MS // 1000), "-CAfile", "ca", "leaf")
    (tmp_path / "key").write_text(run("x509", "-in", "leaf", "-pubkey", "-noout"))
    assert "prime256v1" in run("pkey", "-pubin", "-in", "key", "-text", "-noout")
    assert run("dgst", "-sha256", "-verify", "key", "-signature", "sig", "data") == "Verified OK\n"


def test_the_same_chance_gives_the_same_bytes() -> None:
    """A rehearsal repeats itself to the last byte; another key, nonce or authority does not."""
    again = attestation.signed(REQUEST, Authority(b"city".ljust(32)).certify("S1", b"key".ljust(32), NOW_MS), NONCE)
    assert again == SIGNED
    assert attestation.signed(REQUEST, CITY.certify("S1", b"another".ljust(32), NOW_MS), NONCE) != SIGNED
    assert CITY.check(SIGNED, NOW_MS).device_register_request == REQUEST


@pytest.mark.parametrize(
    ("signed", "now_ms", "why"),
    [
        (SIGNED, NOW_MS + DAY_MS + 1000, "expired"),
        (SIGNED, NOW_MS - 3_600_000, "expired"),
        (attestation.signed(REQUEST, OTHER.certify("S1", bytes(32), NOW_MS), NONCE), NOW_MS, "no enrollment"),
        (attestation.signed(REQUEST, CITY.certify("S2", bytes(32), NOW_MS), NONCE), NOW_MS, "another machine"),
        (pb.SignedData(data=SIGNED.data, signature=SIGNED.signature), NOW_MS, "no certificate"),
        (pb.SignedData(data=SIGNED.data, signature=b"", extra_data_bytes=20), NOW_MS, "signature"),
        (pb.SignedData(data=SIGNED.data, signature=SIGNED.signature, extra_data_bytes=-1), NOW_MS, "no certificate"),
        (pb.SignedData(data=SIGNED.data, signature=SIGNED.signature, extra_data_bytes=2**30), NOW_MS, "no certificate"),
        (pb.SignedData(), NOW_MS, "no certificate"),
    ],
)  # fmt: skip
def test_what_is_not_believed(signed: pb.SignedData, now_ms: int, why: str) -> None:
    """Too late, too early, another authority's, another machine's, unsigned, or nothing at all."""
    with pytest.raises(NotAttested, match=why):
        CITY.check(signed, now_ms)


def test_a_chain_needs_its_own_authority_behind_the_leaf() -> None:
    """A foreign leaf in front of the right authority's certificate is found out by its signature."""
    end = b"-----END CERTIFICATE-----\n"
    forged = OTHER.certify("S1", bytes(32), NOW_MS)
    chain = forged.pem_chain.split(end)[0] + end + CERTIFICATE.pem_chain.split(end)[1] + end
    forged = attestation.EnrollmentCertificate(forged.key, chain)
    with pytest.raises(NotAttested, match="not this authority's"):
        CITY.check(attestation.signed(REQUEST, forged, NONCE), NOW_MS)


@settings(max_examples=150)
@given(st.integers(0, len(SIGNED.data) * 8 - 1))
def test_no_bit_can_be_changed(bit: int) -> None:
    """Whatever bit of the signed data flips, it is no longer believed, and nothing else is raised."""
    data = bytearray(SIGNED.data)
    data[bit // 8] ^= 1 << bit % 8
    with pytest.raises(NotAttested):
        CITY.check(pb.SignedData(data=bytes(data), signature=SIGNED.signature, extra_data_bytes=20), NOW_MS)


@given(st.binary(max_size=200), st.binary(max_size=80), st.integers(-(2**31), 2**31 - 1))
def test_arbitrary_bytes_are_not_believed(data: bytes, signature: bytes, extra: int) -> None:
    """Nor do they raise anything but the verdict."""
    with pytest.raises(NotAttested):
        CITY.check(pb.SignedData(data=data, signature=signature, extra_data_bytes=extra), NOW_MS)
