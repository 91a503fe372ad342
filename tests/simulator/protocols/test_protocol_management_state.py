"""State determination: buckets by hand, what is asked byte for byte, and which enrollment follows from each answer."""

from __future__ import annotations

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st
from protobuf_by_hand import block, number

from simulator.protocols import management as m
from simulator.protocols import management_state as state
from simulator.protocols.messages import Broken, Exchange, Refused, Response

PASSER_BY = m.Identity("http://127.0.0.1/x", "0f8fad5b-d9cb-469f-a165-70867728950e", "Google Chrome 1(x)", "a|b|c")
MACHINE = m.Machine("S1", "H", "ABCD", b"\xaa" * 32)
UNIFIED = m.state_retrieval(PASSER_BY, MACHINE)
INITIAL = m.initial_state(PASSER_BY, MACHINE)


def ok(body: bytes) -> Response:
    """A granted answer."""
    return Response(200, body=body)


# SHA-256 of "abc" ends in ... b4 10 ff 61 f2 00 15 ad, that of nothing in ... a4 95 99 1b 78 52 b8 55 (FIPS 180-4).
@pytest.mark.parametrize(
    ("key", "power", "remainder"),
    [
        (b"abc", 0, 0),
        (b"abc", 8, 0xAD),
        (b"abc", 15, 0x15AD),
        (b"abc", 19, 0x015AD),
        (b"abc", 33, 0x1_F200_15AD),
        (b"", 1, 1),
        (b"", 15, 0x3855),
        (b"", 19, 0x2B855),
        (b"", 62, 0x2495_991B_7852_B855),
    ],
)
def test_the_remainder_is_the_low_bits_of_the_hash(key: bytes, power: int, remainder: int) -> None:
    """The last bytes of SHA-256, big-endian, under a mask of `power` bits: worked out by hand from published hashes."""
    assert state.remainder_of(sha256(key).digest(), power) == remainder


@given(st.binary(min_size=32, max_size=32), st.integers(0, 62))
def test_a_bucket_splits_in_two(digest: bytes, power: int) -> None:
    """Under the next larger modulus a hash is in one of the two halves of its bucket, and always below the modulus."""
    small, large = state.remainder_of(digest, power), state.remainder_of(digest, power + 1)
    assert 0 <= small < 2**power
    assert large in (small, small + 2**power)


@pytest.mark.parametrize(
    ("exchange", "kind", "body"),
    [
        # remainder 0x15AD = 5549, modulus 32,768, type 1
        (m.enterprise_check(PASSER_BY, b"abc", 15), "enterprise_check", bytes.fromhex("3209 08ad2b 10808002 1801")),
        (m.restore_state(PASSER_BY, b"\xaa" * 32), "device_state_retrieval", block(9, block(1, b"\xaa" * 32))),
        (INITIAL, "device_initial_enrollment_state", block(28, block(1, "S1"), block(2, "ABCD"))),
        (
            m.initial_state(PASSER_BY, MACHINE, "tok"),
            "device_initial_enrollment_state",
            block(28, block(1, "S1"), block(2, "ABCD"), block(3, "tok")),
        ),
        (
            m.state_retrieval(PASSER_BY, MACHINE, "tok"),
            "device_state_retrieval",
            block(9, block(1, b"\xaa" * 32), block(2, "S1"), block(3, "ABCD"), block(4, "tok")),
        ),
    ],
)
def test_what_is_asked(exchange: Exchange[object], kind: str, body: bytes) -> None:
    """By a passer-by without a token; the legacy checks do not call themselves critical (policy facts 3 a0')."""
    assert exchange.request.body == body
    assert exchange.request.header("authorization") == ""
    assert exchange.request.url.endswith(f"&request={kind}")
    assert ("critical=true" in exchange.request.url) == (b"S1" in body and kind == "device_state_retrieval")


@pytest.mark.parametrize(
    ("part", "bucket"),
    [
        (block(8), state.Bucket()),
        (block(8, block(2, sha256(b"abc").digest())), state.Bucket(holds=True)),
        (block(8, block(2, sha256(b"abd").digest()), block(2, sha256(b"").digest())), state.Bucket()),
        (block(8, number(1, 1)), state.Bucket(power=0)),
        (block(8, number(1, 2**12)), state.Bucket(power=12)),
        (block(8, number(1, 2**19)), state.Bucket(power=19)),
        # no power of two: the next one (auto_enrollment_client_impl.cc, NextPowerOf2)
        (block(8, number(1, 2**12 + 1)), state.Bucket(power=13)),
    ],
)
def test_a_bucket_is_read(part: bytes, bucket: state.Bucket) -> None:
    """This machine's whole hash is in it, or not; or the server wants another modulus."""
    assert m.enterprise_check(PASSER_BY, b"abc", 15).read(ok(part)) == bucket


@pytest.mark.parametrize(
    ("modulus", "changed"), [(2**19 + 1, False), (2**20, False), (2**62, False), (2**12, True), (2**15, True)]
)
def test_a_modulus_beyond_the_limit_or_after_a_change_is_an_error(modulus: int, changed: bool) -> None:
    """More than 2^19 would tell the server too much of the machine, and so would many questions."""
    with pytest.raises(Broken) as caught:
        m.enterprise_check(PASSER_BY, b"abc", 15, changed=changed).read(ok(block(8, number(1, modulus))))
    assert caught.value.reason == "bad_value"


def test_a_refused_check_is_refused() -> None:
    """A status of the protocol's is the server's no, and a missing part a broken answer."""
    with pytest.raises(Refused):
        m.enterprise_check(PASSER_BY, b"abc", 15).read(Response(429))
    with pytest.raises(Broken, match="missing_part"):
        m.enterprise_check(PASSER_BY, b"abc", 15).read(ok(block(11)))


# How an answer reads, the mode, and the flavor of DeviceRegisterRequest that registration states then, by account and
# by attestation: numbers of device_management_backend.proto.
STATES = [
    (block(11, number(1, 0)), m.DeviceState("nothing"), (0, 8)),
    (block(11, number(1, 1)), m.DeviceState("requested"), (5, 8)),
    (block(11, number(1, 2), block(2, "city")), m.DeviceState("enforced", "city"), (4, 10)),
    (block(11, number(1, 4)), m.DeviceState("zero_touch"), (11, 10)),
    (block(11, block(4, number(1, 0))), m.DeviceState("nothing"), (0, 8)),
    (
        block(11, number(1, 0), block(4, number(1, 1), block(2, "city"))),
        m.DeviceState("initial_enforced", "city"),
        (13, 14),
    ),
    (block(11, block(4, number(1, 2))), m.DeviceState("initial_zero_touch"), (15, 14)),
    (block(11, block(4, number(1, 4))), m.DeviceState("initial_token"), (19, 8)),
    # a restore mode counts before an initial one
    (block(11, number(1, 2), block(4, number(1, 3))), m.DeviceState("enforced"), (4, 10)),
    # kiosk: by licence type; by upgrade type unless a licence came with the machine; by that licence
    (block(11, number(1, 2), block(5, number(1, 3))), m.DeviceState("enforced", kiosk=True), (4, 10)),
    (block(11, block(4, number(1, 1), number(6, 2))), m.DeviceState("initial_enforced", kiosk=True), (13, 14)),
    (block(11, block(4, number(1, 1), number(3, 1), number(6, 2))), m.DeviceState("initial_enforced"), (13, 14)),
    (block(11, block(4, number(1, 1), number(5, 3))), m.DeviceState("initial_enforced", kiosk=True), (13, 14)),
]


@pytest.mark.parametrize(("part", "told", "flavors"), STATES)
def test_an_answer_leads_to_its_enrollment(part: bytes, told: m.DeviceState, flavors: tuple[int, int]) -> None:
    """Restore mode decides, without one the initial state; each way to register then has its flavor."""
    assert UNIFIED.read(ok(part)) == told
    assert (state.FLAVORS[told.mode, "account"], state.FLAVORS[told.mode, "attestation"]) == flavors
    assert state.FLAVORS[told.mode, "token"] == 18


@pytest.mark.parametrize(
    ("exchange", "part", "told"),
    [
        (UNIFIED, block(11, number(1, 3), block(3, block(1, "lost"))), m.DeviceState("disabled", message="lost")),
        (
            UNIFIED,
            block(11, block(4, number(1, 3), block(4, block(1, "lost")))),
            m.DeviceState("disabled", message="lost"),
        ),
        (INITIAL, block(27, number(1, 3), block(4, block(1, "lost"))), m.DeviceState("disabled", message="lost")),
        (INITIAL, block(27, number(1, 2), block(2, "city")), m.DeviceState("initial_zero_touch", "city")),
        (m.restore_state(PASSER_BY, b"k"), block(11, number(1, 2)), m.DeviceState("enforced")),
    ],
)
def test_disabled_and_legacy_answers(exchange: Exchange[m.DeviceState], part: bytes, told: m.DeviceState) -> None:
    """A disabled machine is told so, with the message for whoever holds it; the legacy questions read alike."""
    assert exchange.read(ok(part)) == told


def test_who_steps_in_for_attestation_says_so() -> None:
    """10 falls back to 11 and 14 to 15; nothing else has a fallback without a person's wish."""
    assert dict(state.FALLBACKS) == {10: 11, 14: 15}
