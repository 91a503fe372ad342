"""Payloads, against a reader written here from the format's facts alone: struct, protobuf by hand, cryptography."""

import base64
import hashlib
import io
import os
import shutil
import struct
import sys
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from grpc_tools import protoc
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.protocols.payload import BadUpdate, PayloadFacts, PayloadSink
from simulator.protocols.payload_builder import build

SEED = bytes(range(16))
MIB = 1 << 20


@pytest.fixture(scope="module")
def key() -> rsa.RSAPrivateKey:
    """One RSA key for all tests here: making one is slow."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@pytest.fixture(scope="module")
def small(key: rsa.RSAPrivateKey) -> tuple[bytes, PayloadFacts]:
    """A payload of 5,000 bytes."""
    return made(5000, key)


def made(size: int, key: rsa.RSAPrivateKey, seed: bytes = SEED) -> tuple[bytes, PayloadFacts]:
    out = io.BytesIO()
    facts = build(size, seed, key, out.write)
    return out.getvalue(), facts


def judged(body: bytes, facts: PayloadFacts, piece: int = 1000) -> None:
    """Feed a sink piece by piece and ask for its judgement."""
    sink = PayloadSink(facts)
    for start in range(0, len(body), piece):
        sink.write(body[start : start + piece])
    sink.judge()


def fault_of(body: bytes, facts: PayloadFacts) -> tuple[str, int]:
    with pytest.raises(BadUpdate) as caught:
        judged(body, facts)
    return caught.value.reason, caught.value.errorcode


def fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    """(field number, value) of a protobuf message, by the wire format: varint, 64 bit, bytes, 32 bit."""
    at = 0

    def varint() -> int:
        nonlocal at
        value = shift = 0
        while True:
            byte = message[at]
            at += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    while at < len(message):
        tag = varint()
        kind = tag & 7
        if kind == 0:
            yield tag >> 3, varint()
        else:
            size = {1: 8, 5: 4}.get(kind) or varint()
            assert kind in (1, 2, 5)
            yield tag >> 3, message[at : at + size]
            at += size


def one(message: bytes, number: int) -> bytes:
    (value,) = [value for field, value in fields(message) if field == number]
    assert isinstance(value, bytes)
    return value


def number(message: bytes, field: int) -> int:
    (value,) = [value for name, value in fields(message) if name == field]
    assert isinstance(value, int)
    return value


@pytest.mark.parametrize("size", [666, 5000, MIB, MIB + 700, 3 * MIB + 17])
def test_a_built_payload_is_valid_to_an_independent_reader(key: rsa.RSAPrivateKey, size: int) -> None:
    """Layout, every hash and both signatures are right, and the operations write the whole partition in order."""
    body, facts = made(size, key)
    assert len(body) == size == facts.size
    assert hashlib.sha256(body).digest() == facts.sha256
    magic, major, manifest_size, signature_size = struct.unpack(">4sQQI", body[:24])
    assert (magic, major, signature_size) == (b"CrAU", 2, 267)
    assert facts.metadata_size == 24 + manifest_size
    metadata, rest = body[: facts.metadata_size], body[facts.metadata_size :]
    manifest = metadata[24:]
    blobs = rest[signature_size:]
    assert number(manifest, 5) == 267
    signed_data, payload_signature = blobs[: number(manifest, 4)], blobs[number(manifest, 4) :]
    assert len(payload_signature) == 267

    public = serialization.load_pem_public_key(base64.b64decode(facts.public_key))
    assert isinstance(public, rsa.RSAPublicKey)
    for blob, covered in ((rest[:267], metadata), (payload_signature, metadata + signed_data)):
        signature = one(one(blob, 1), 2)
        assert one(one(blob, 1), 3) == struct.pack("<I", 256)
        assert len(signature) == 256
        public.verify(signature, covered, padding.PKCS1v15(), hashes.SHA256())
    assert base64.b64decode(facts.metadata_signature) == one(one(rest[:267], 1), 2)

    partition = one(manifest, 13)
    assert one(partition, 1) == b"root"
    assert number(partition, 2) == 1
    image, blocks = b"", 0
    for operation in (value for field, value in fields(partition) if field == 8):
        assert isinstance(operation, bytes)
        assert number(operation, 1) == 0  # REPLACE
        start, length = number(operation, 2), number(operation, 3)
        assert start == len(image)
        assert 0 < length <= MIB
        data = signed_data[start : start + length]
        assert hashlib.sha256(data).digest() == one(operation, 8)
        extent = one(operation, 6)
        assert number(extent, 1) == blocks
        assert number(extent, 2) == -(-length // 4096)
        blocks += number(extent, 2)
        image += data
    assert image == signed_data
    image += bytes(-len(image) % 4096)
    info = one(partition, 7)
    assert number(info, 1) == len(image) == blocks * 4096
    assert one(info, 2) == hashlib.sha256(image).digest()


def test_the_smallest_payload_byte_for_byte(key: rsa.RSAPrivateKey) -> None:
    """One byte of data: the manifest is as worked out by hand from the field numbers."""
    body, _ = made(666, key)
    data = body[-268:-267]
    digest = hashlib.sha256(data).digest()
    image = hashlib.sha256(data + bytes(4095)).digest()
    operation = bytes.fromhex("0800 1000 1801 3204 0800 1001 4220") + digest
    partition = b"\x0a\x04root" + bytes.fromhex("1001 3a25 088020 1220") + image
    partition += b"\x42" + bytes([len(operation)]) + operation
    # block_size 4096, signatures_offset 1, signatures_size 267, minor_version 0, partitions
    manifest = bytes.fromhex("188020 2001 288b02 6000 6a") + bytes([len(partition)]) + partition
    assert body[:24] == b"CrAU" + bytes.fromhex(f"0000000000000002 {len(manifest):016x} 0000010b")
    assert body[24 : 24 + len(manifest)] == manifest
    assert 24 + len(manifest) + 267 + 1 + 267 == 666


@pytest.mark.parametrize("sizes", [range(666, 1000), range(MIB + 600, MIB + 760), range(17000, 17100)])
def test_every_size_can_be_built(key: rsa.RSAPrivateKey, sizes: range) -> None:
    """Also those at which the manifest grows by several bytes at once; and each is what its facts say."""
    for size in sizes:
        body, facts = made(size, key)
        assert len(body) == size
        judged(body, facts, MIB)


def test_a_size_too_small_is_refused_in_one_line(key: rsa.RSAPrivateKey) -> None:
    """665 bytes leave no room for one byte of data."""
    with pytest.raises(ValueError, match=r"^no payload has only 665 bytes: with one byte of data it has 666$"):
        made(665, key)


def test_the_same_arguments_make_the_same_bytes(key: rsa.RSAPrivateKey) -> None:
    """A payload can be rebuilt; another seed makes another one."""
    assert made(5000, key) == made(5000, key)
    assert made(5000, key)[0] != made(5000, key, bytes(16))[0]


def test_a_right_payload_is_taken_in_any_pieces(small: tuple[bytes, PayloadFacts]) -> None:
    """From single bytes to all at once, also with empty pieces in between."""
    body, facts = small
    for piece in (1, 7, 24, 25, 4096, len(body)):
        judged(body, facts, piece)
    sink = PayloadSink(facts)
    for part in (b"", body[:23], b"", body[23:24], b"", body[24:], b""):
        sink.write(part)
    sink.judge()


def test_what_was_right_once_says_nothing_of_anything_else(small: tuple[bytes, PayloadFacts]) -> None:
    """A payload that came at once is right again; another offer, other bytes and other parts of it are not."""
    body, facts = small

    def told(*pieces: bytes | memoryview, offered: PayloadFacts = facts) -> str:
        sink = PayloadSink(offered)
        for piece in pieces:
            sink.write(piece)  # type: ignore[arg-type]
        try:
            sink.judge()
        except BadUpdate as fault:
            return fault.reason
        return "right"

    view, longer = memoryview(body), memoryview(body + b"x")
    can_change = bytearray(body)
    for right in (body, view, view, longer[:-1], can_change):
        assert told(right) == "right"
    assert told(body, offered=PayloadFacts(facts.size, bytes(32))) == "hash_mismatch"
    can_change[-1] ^= 1
    assert told(memoryview(can_change)) == "hash_mismatch"
    with pytest.raises(BufferError):  # from back to front: the same object, and nothing that can be hashed
        told(view[::-1])
    assert told(longer[1:]) == "bad_payload"
    assert told(view[:-1]) == told(view, b"x") == "size_mismatch"
    assert told(b"", view) == told(view[:1], view[1:]) == told(view, b"") == "right"


@settings(max_examples=300)
@given(data=st.data())
def test_a_flipped_bit_is_always_caught(data: st.DataObject, small: tuple[bytes, PayloadFacts]) -> None:
    """Wherever it is, with or without a key to check signatures with, and however the bytes arrive."""
    body, facts = small
    where = data.draw(st.integers(0, len(body) * 8 - 1))
    flipped = bytearray(body)
    flipped[where // 8] ^= 1 << where % 8
    if data.draw(st.booleans()):
        facts = PayloadFacts(facts.size, facts.sha256)
    with pytest.raises(BadUpdate):
        judged(bytes(flipped), facts, data.draw(st.integers(1, len(body))))


@given(data=st.data())
def test_another_length_is_a_size_mismatch(data: st.DataObject, small: tuple[bytes, PayloadFacts]) -> None:
    """Cut anywhere or with anything appended: code 11, and the count says how far a resumed download is."""
    body, facts = small
    cut = data.draw(st.integers(0, len(body) - 1))
    assert fault_of(body[:cut], facts) == ("size_mismatch", 11)
    assert fault_of(body + data.draw(st.binary(min_size=1, max_size=9)), facts) == ("size_mismatch", 11)
    sink = PayloadSink(facts)
    sink.write(body[:cut])
    assert sink.received == cut
    sink.write(body[cut:])
    sink.judge()


def varint(value: int) -> bytes:
    out = b""
    while value > 0x7F:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return out + bytes([value])


def field(number_: int, value: int | bytes) -> bytes:
    if isinstance(value, int):
        return varint(number_ << 3) + varint(value)
    return varint(number_ << 3 | 2) + varint(len(value)) + value


def operation_of(data: bytes, offset: int = 0, digest: bytes | None = None, kind: int = 0) -> bytes:
    digest = hashlib.sha256(data).digest() if digest is None else digest
    return field(1, kind) + field(2, offset) + field(3, len(data)) + (field(8, digest) if digest else b"")


def crafted(operations: list[bytes], data: bytes, *, head: bytes = b"CrAU", major: int = 2) -> bytes:
    manifest = field(13, field(1, b"root") + b"".join(field(8, one_) for one_ in operations))
    return struct.pack(">4sQQI", head, major, len(manifest), 0) + manifest + data


def facts_of(body: bytes, **more: object) -> PayloadFacts:
    return PayloadFacts(len(body), hashlib.sha256(body).digest(), **more)  # type: ignore[arg-type]


# Both claim 2^64 - 1 bytes of data, the second one after the first.
HUGE = field(1, 0) + field(2, 0) + field(3, 2**64 - 1) + field(8, bytes(32))
HUGE_AFTER = field(1, 0) + field(2, 2**64 - 1) + field(3, 2**64 - 1) + field(8, bytes(32))
FINE = crafted([operation_of(b"abc"), operation_of(b"defg", 3)], b"abcdefg")

# What is wrong, the body, the reason and the ErrorCode of the facts. The whole file's hash fits each time.
WRONG = [
    ("magic", crafted([operation_of(b"abc")], b"abc", head=b"CrAV"), "bad_payload", 21),
    ("major version", crafted([operation_of(b"abc")], b"abc", major=1), "bad_payload", 44),
    ("no manifest at all", struct.pack(">4sQQI", b"CrAU", 2, 0, 0), "bad_payload", 32),
    ("manifest larger than any", struct.pack(">4sQQI", b"CrAU", 2, 1 << 40, 0), "bad_payload", 32),
    ("signature larger than any", struct.pack(">4sQQI", b"CrAU", 2, 1, 0xFFFFFFFF), "bad_payload", 32),
    ("manifest no protobuf", struct.pack(">4sQQI", b"CrAU", 2, 2, 0) + b"\x6a\x05", "bad_payload", 23),
    ("operation without type", crafted([field(2, 0)], b""), "bad_payload", 23),
    ("operation's hash", crafted([operation_of(b"abc", digest=bytes(32))], b"abc"), "hash_mismatch", 29),
    ("no hash for data", crafted([operation_of(b"abc", digest=b"")], b"abc"), "bad_payload", 38),
    ("hash of another length", crafted([operation_of(b"abc", digest=bytes(20))], b"abc"), "bad_payload", 38),
    ("data out of order", crafted([operation_of(b"abc", 1)], b"xabc"), "bad_payload", 28),
    ("data beyond the file", crafted([operation_of(b"a" * 99)], b"abc"), "bad_payload", 28),
    ("an operation without data", crafted([operation_of(b""), operation_of(b"abc")], b"abc"), "bad_payload", 28),
    ("more data than 64 bits count", crafted([HUGE, HUGE_AFTER], b"abc"), "bad_payload", 28),
    ("last operation cut off", crafted([operation_of(b"abcd")], b"abc"), "bad_payload", 28),
    ("manifest cut off", crafted([operation_of(b"abc")], b"")[:-1], "bad_payload", 28),
]


def test_a_payload_crafted_by_hand_is_right() -> None:
    """The crafted faults below start from something without fault, which also shows that other writers' are read."""
    judged(FINE, facts_of(FINE))
    moves = crafted([field(1, 4) + field(4, field(1, 7)), operation_of(b"abc"), field(1, 6)], b"abc")
    judged(moves, facts_of(moves))


@pytest.mark.parametrize(("body", "reason", "code"), [row[1:] for row in WRONG], ids=[row[0] for row in WRONG])
def test_what_is_wrong_is_told_by_its_code(body: bytes, reason: str, code: int) -> None:
    """Each fault has the client's own error code, also when nothing else is wrong."""
    assert fault_of(body, facts_of(body)) == (reason, code)


def test_the_offer_is_held_to(small: tuple[bytes, PayloadFacts], key: rsa.RSAPrivateKey) -> None:
    """Metadata size, signature and whole hash of the offer must fit the payload."""
    body, facts = small

    def told(**changed: object) -> PayloadFacts:
        names = ("size", "sha256", "metadata_size", "metadata_signature", "public_key")
        return PayloadFacts(**{name: getattr(facts, name) for name in names} | changed)  # type: ignore[arg-type]

    other = base64.b64encode(bytes(256)).decode()
    stranger = rsa.generate_private_key(public_exponent=65537, key_size=2048).public_key()
    pem = stranger.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    assert fault_of(body, told(metadata_size=facts.metadata_size + 1)) == ("bad_payload", 32)
    assert fault_of(body, told(sha256=bytes(32))) == ("hash_mismatch", 10)
    assert fault_of(body, told(metadata_signature=other)) == ("bad_signature", 26)
    assert fault_of(body, told(metadata_signature="*")) == ("bad_signature", 24)
    assert fault_of(body, told(public_key="AAAA")) == ("bad_signature", 25)
    assert fault_of(body, told(public_key=base64.b64encode(pem).decode())) == ("bad_signature", 26)
    judged(body, told(metadata_size=0, metadata_signature=""))  # then the payload's own signature counts
    assert fault_of(FINE, facts_of(FINE, public_key=facts.public_key)) == ("bad_signature", 39)


@given(st.binary(max_size=400), st.binary(max_size=60), st.integers(0, 500), st.booleans())
def test_arbitrary_bytes_are_only_ever_a_bad_update(junk: bytes, tail: bytes, size: int, framed: bool) -> None:
    """No payload, whatever it says, raises anything else, even when size and hash were offered like that."""
    body = struct.pack(">4sQQI", b"CrAU", 2, len(junk), 0) + junk + tail if framed else junk + tail
    for facts in (facts_of(body, public_key="AAAA"), facts_of(body), PayloadFacts(size, bytes(32))):
        try:
            judged(body, facts, 50)
        except BadUpdate:
            continue
        assert framed
        assert facts.size == len(body)


def test_a_sink_holds_no_payload(key: rsa.RSAPrivateKey) -> None:
    """While 8 MiB pass through in pieces of 64 KiB it never holds more than a few KiB."""
    body, facts = made(8 * MIB, key)
    pieces = [body[start : start + 65536] for start in range(0, len(body), 65536)]
    judged(body, facts, MIB)  # what is kept for all sinks (the public key) is not counted
    tracemalloc.start()
    try:
        sink = PayloadSink(facts)
        for piece in pieces:
            sink.write(piece)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    sink.judge()
    assert peak < 64 * 1024


def test_the_generated_code_is_current(tmp_path: Path) -> None:
    """What protoc makes of payload.proto today is what is committed."""
    source = "simulator/protocols/payload.proto"
    root = Path(__file__).parents[3]
    (tmp_path / source).parent.mkdir(parents=True)
    shutil.copy(root / source, tmp_path / source)
    plugin = Path(sys.executable).with_name("protoc-gen-mypy")
    here = os.fspath(tmp_path)
    arguments = [f"-I{here}", f"--python_out={here}", f"--mypy_out=quiet:{here}", f"--plugin=protoc-gen-mypy={plugin}"]
    assert protoc.main(["protoc", *arguments, source]) == 0
    for name in ("payload_pb2.py", "payload_pb2.pyi"):
        assert (tmp_path / source).with_name(name).read_text() == (root / source).with_name(name).read_text()
