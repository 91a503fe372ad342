"""Update payloads (CrAU, major version 2): what an offer says of one, and checking it while it streams.

Nothing here fetches, stores or makes a payload, and no more of it than its metadata is ever held in memory. The format
is that of update_engine update_metadata.proto; integers of the header are big-endian.
"""

from __future__ import annotations

import base64
import hashlib
import struct
from array import array
from dataclasses import dataclass
from functools import lru_cache

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa, utils
from google.protobuf.message import DecodeError

from simulator.protocols.messages import Broken
from simulator.protocols.payload_pb2 import DeltaArchiveManifest, InstallOperation, Signatures

HEADER = struct.Struct(">4sQQI")  # magic, major version, manifest size, metadata signature size
MAGIC = b"CrAU"
MAJOR = 2
# A real manifest of a 4 GiB image has a few hundred kB; what claims more is not stored.
_METADATA_LIMIT = 1 << 20
DIGEST = 32
SHA256 = utils.Prehashed(hashes.SHA256())
_NO_DATA = frozenset(
    (InstallOperation.MOVE, InstallOperation.SOURCE_COPY, InstallOperation.ZERO, InstallOperation.DISCARD)
)


class BadUpdate(Broken):
    """An offer or a payload that a real client turns down, with the update_engine ErrorCode that it then reports."""

    def __init__(self, reason: str, errorcode: int, detail: str) -> None:
        super().__init__(reason, detail)
        self.errorcode = errorcode


@dataclass(frozen=True, slots=True)
class PayloadFacts:
    """What an offer says about its payload.

    Attributes:
        size: of the whole file, bytes.
        sha256: of the whole file, 32 bytes.
        metadata_size: header and manifest without their signature, bytes; 0 when the offer does not say.
        metadata_signature: RSA signature over these bytes, base64; empty when the offer has none.
        public_key: base64 of the PEM public key to check with; empty: signatures are not checked.
    """

    size: int
    sha256: bytes
    metadata_size: int = 0
    metadata_signature: str = ""
    public_key: str = ""


class PayloadSink:
    """Takes a payload as it arrives, checks it in the order a client does, and keeps the first fault.

    Checked are: magic, version, metadata size and signature, the manifest, each operation's SHA-256 as its last byte
    comes, the size and the SHA-256 of the whole file. The payload's own signature is not: it covers nothing that the
    whole file's SHA-256 leaves open, and would cost a third hash over every byte. A resumed download goes on with the
    same sink. It holds the metadata while that arrives (at most 1 MiB), afterwards 40 bytes an operation.

    A rehearsal hands all its sinks one and the same object: that is checked once for all of them.
    """

    def __init__(self, facts: PayloadFacts) -> None:
        self.facts = facts
        self.received = 0
        self._whole = hashlib.sha256()
        self._fault: BadUpdate | None = None
        self._right = False  # all of it came at once, and is right
        self._metadata = bytearray()
        self._metadata_size = HEADER.size  # as far as it is known; 0 once all of it came and was right
        self._ends = array("Q")  # of each operation's data, from the start of all data
        self._digests = b""  # theirs, one after another
        self._next = 0  # the operation that is arriving
        self._at = 0  # bytes of data so far
        self._operation = hashlib.sha256()

    def write(self, data: bytes) -> None:
        """Take the next bytes. Never raises; judge() tells."""
        view = memoryview(data)
        whole = None if self.received else _whole(view, self.facts.size)
        self.received += len(data)
        if whole is not None and _is_right(whole, self.facts):
            self._right = True
        elif self._fault is None and not self._right:
            self._take(view)

    def judge(self) -> None:
        """Say whether all that arrived is the payload of the offer. Raises: BadUpdate with the first fault."""
        if self._fault is not None:
            raise self._fault
        if self.received != self.facts.size:
            raise BadUpdate("size_mismatch", 11, f"{self.received} bytes instead of {self.facts.size}")
        if self._right:
            return
        if self._whole.digest() != self.facts.sha256:
            raise BadUpdate("hash_mismatch", 10, "SHA-256 of the whole payload")
        if self._metadata_size or self._next < len(self._ends):
            raise BadUpdate("bad_payload", 28, "it ends before its last operation")

    def _take(self, view: memoryview) -> None:
        try:
            self._whole.update(view)
            if self._metadata_size:
                view = self._take_metadata(view)
            self._take_data(view)
        except BadUpdate as fault:
            self._fault = BadUpdate(
                fault.reason, fault.errorcode, fault.detail
            )  # without the frames that hold the data

    def _take_metadata(self, view: memoryview) -> memoryview:
        """Collect header, manifest and metadata signature; check them once they are whole. Returns what comes after."""
        view = self._collect(view)
        if self._metadata_size == HEADER.size == len(self._metadata):
            self._metadata_size = _metadata_size(self._metadata, self.facts.metadata_size)
            view = self._collect(view)
        if len(self._metadata) == self._metadata_size > HEADER.size:
            metadata, signed_size = bytes(self._metadata), HEADER.size + HEADER.unpack_from(self._metadata)[2]
            _check_metadata_signature(metadata[:signed_size], metadata[signed_size:], self.facts)
            self._ends, self._digests = _operations(metadata[HEADER.size : signed_size], self.facts.size)
            self._metadata_size = 0
            self._metadata = bytearray()
        return view

    def _collect(self, view: memoryview) -> memoryview:
        missing = self._metadata_size - len(self._metadata)
        self._metadata += view[:missing]
        return view[missing:]

    def _take_data(self, view: memoryview) -> None:
        """Hash the data of the operations; whatever follows the last one is covered by the whole file's hash."""
        while view and self._next < len(self._ends):
            piece = view[: self._ends[self._next] - self._at]
            self._operation.update(piece)
            self._at += len(piece)
            view = view[len(piece) :]
            if self._at == self._ends[self._next]:
                start = self._next * DIGEST
                if self._operation.digest() != self._digests[start : start + DIGEST]:
                    raise BadUpdate("hash_mismatch", 29, f"SHA-256 of operation {self._next}")
                self._operation = hashlib.sha256()
                self._next += 1


def _whole(view: memoryview, size: int) -> bytes | None:
    """The object that a view shows from end to end, if it has that size and can never change."""
    shown = view.obj
    return shown if type(shown) is bytes and view.c_contiguous and len(view) == len(shown) == size else None


# Bytes remember their own hash, and the same object is found without a comparison.
@lru_cache(maxsize=2)
def _is_right(payload: bytes, facts: PayloadFacts) -> bool:
    """Whether this is the payload of the offer."""
    sink = PayloadSink(facts)
    sink.received = len(payload)
    sink._take(memoryview(payload))
    try:
        sink.judge()
    except BadUpdate:
        return False
    return True


def _metadata_size(header: bytearray, offered_size: int) -> int:
    """Header, manifest and metadata signature in bytes, from a whole header. Raises: BadUpdate."""
    magic, major, manifest_size, signature_size = HEADER.unpack_from(header)
    if magic != MAGIC:
        raise BadUpdate("bad_payload", 21, f"magic {magic!r}")
    if major != MAJOR:
        raise BadUpdate("bad_payload", 44, f"major version {major}")
    if not manifest_size:
        raise BadUpdate("bad_payload", 32, "no manifest")
    if offered_size and HEADER.size + manifest_size != offered_size:
        raise BadUpdate("bad_payload", 32, f"metadata of {HEADER.size + manifest_size} bytes, offered {offered_size}")
    needed: int = HEADER.size + manifest_size + signature_size
    if needed > _METADATA_LIMIT:
        raise BadUpdate("bad_payload", 32, f"metadata of {needed} bytes")
    return needed


def _check_metadata_signature(metadata: bytes, signatures: bytes, facts: PayloadFacts) -> None:
    """As update_engine payload_metadata.cc: the offer's signature is asked first, the payload's own if it has none."""
    if not facts.public_key:
        return
    key = _public_key(facts.public_key)
    if key is None:
        raise BadUpdate("bad_signature", 25, "the offer's public key cannot be read")
    try:
        if facts.metadata_signature:
            candidates = [base64.b64decode(facts.metadata_signature, validate=True)]
        else:
            candidates = [one.data for one in Signatures.FromString(signatures).signatures]
    except (ValueError, DecodeError) as fault:
        raise BadUpdate("bad_signature", 24, "the metadata signature cannot be read") from fault
    if not candidates:
        raise BadUpdate("bad_signature", 39, "no metadata signature")
    digest = hashlib.sha256(metadata).digest()
    if not any(_verifies(key, candidate, digest) for candidate in candidates):
        raise BadUpdate("bad_signature", 26, "the metadata signature does not fit")


@lru_cache(maxsize=64)
def _public_key(text: str) -> rsa.RSAPublicKey | None:
    """The RSA key in a base64 PEM, None if there is none. A fleet is offered few keys, and reading one is slow."""
    try:
        key = serialization.load_pem_public_key(base64.b64decode(text, validate=True))
    except (ValueError, UnsupportedAlgorithm):
        return None
    return key if isinstance(key, rsa.RSAPublicKey) else None


def _verifies(key: rsa.RSAPublicKey, signature: bytes, digest: bytes) -> bool:
    try:
        key.verify(signature, digest, padding.PKCS1v15(), SHA256)
    except InvalidSignature:
        return False
    return True


def _operations(body: bytes, size: int) -> tuple[array[int], bytes]:
    """Where the data of each operation ends, and its SHA-256 digests, one after another. Raises: BadUpdate."""
    try:
        manifest = DeltaArchiveManifest.FromString(body)
    except DecodeError as fault:
        raise BadUpdate("bad_payload", 23, "the manifest cannot be read") from fault
    if not manifest.IsInitialized():
        raise BadUpdate("bad_payload", 23, "the manifest lacks an operation's type or a partition's name")
    ends, digests, at = array("Q"), [], 0
    for partition in manifest.partitions:
        for operation in partition.operations:
            if operation.type in _NO_DATA:
                continue
            if len(operation.data_sha256_hash) != DIGEST:
                raise BadUpdate("bad_payload", 38, f"no SHA-256 for the data at {at}")
            if operation.data_offset != at or not 0 < operation.data_length <= size - at:
                raise BadUpdate("bad_payload", 28, f"the data at {at} is out of order or beyond the file")
            at += operation.data_length
            ends.append(at)
            digests.append(operation.data_sha256_hash)
    return ends, b"".join(digests)
