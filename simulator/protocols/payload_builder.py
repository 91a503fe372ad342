"""Makes synthetic update payloads (CrAU, major version 2) that a real client would accept, of any size, in pieces.

Nothing here checks a payload, stores one or offers one; no more than about 1 MiB of it is ever in memory.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from simulator.protocols.payload import DIGEST, HEADER, MAGIC, MAJOR, SHA256, PayloadFacts
from simulator.protocols.payload_pb2 import DeltaArchiveManifest, InstallOperation, Signatures

_BLOCK = 4096
_CHUNK = 1 << 20  # of a full payload's operations (update_engine payload_generation_config: 1 MiB)
_LONGEST_PADDING = 256


def build(size: int, seed: bytes, key: rsa.RSAPrivateKey, write: Callable[[bytes], object]) -> PayloadFacts:
    """Write a valid, signed full payload of exactly that many bytes: one `root` partition of REPLACE operations.

    Its data cannot be compressed and depends on the seed alone; the same arguments give the same bytes.

    Args:
        size: of the whole payload, bytes; 666 is the least with a 2,048 bit key.
        seed: 16 bytes.
        key: signs metadata and payload (PKCS #1 v1.5 with SHA-256, as update_engine payload_signer.cc).
        write: takes the payload in order, in pieces of at most about 1 MiB.
    Raises: ValueError when no payload is that small.
    """
    signature_size = _signatures(bytes(key.key_size // 8)).ByteSize()
    manifest = _manifest_for(size, signature_size)
    operations = manifest.partitions[0].operations
    image = hashlib.sha256()
    for number, operation in enumerate(operations):
        chunk = _chunk(seed, number, operation.data_length)
        operation.data_sha256_hash = hashlib.sha256(chunk).digest()
        image.update(chunk)
    image.update(bytes(-manifest.signatures_offset % _BLOCK))
    manifest.partitions[0].new_partition_info.hash = image.digest()

    body = manifest.SerializeToString(deterministic=True)
    metadata = HEADER.pack(MAGIC, MAJOR, len(body), signature_size) + body
    signature = key.sign(hashlib.sha256(metadata).digest(), padding.PKCS1v15(), SHA256)
    whole, signed = hashlib.sha256(metadata), hashlib.sha256(metadata)
    metadata_signature = _signatures(signature).SerializeToString()
    whole.update(metadata_signature)
    write(metadata + metadata_signature)
    for number, operation in enumerate(operations):
        chunk = _chunk(seed, number, operation.data_length)
        whole.update(chunk)
        signed.update(chunk)
        write(chunk)
    last = _signatures(key.sign(signed.digest(), padding.PKCS1v15(), SHA256)).SerializeToString()
    whole.update(last)
    write(last)
    pem = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return PayloadFacts(
        size=size,
        sha256=whole.digest(),
        metadata_size=len(metadata),
        metadata_signature=base64.b64encode(signature).decode(),
        public_key=base64.b64encode(pem).decode(),
    )


def _chunk(seed: bytes, number: int, length: int) -> bytes:
    """The data of one operation: an AES-CTR key stream, by far the fastest deterministic noise at hand."""
    stream = Cipher(algorithms.AES(seed), modes.CTR(number.to_bytes(8, "big") + bytes(8))).encryptor()
    return stream.update(bytes(length))


def _signatures(signature: bytes) -> Signatures:
    one = Signatures.Signature(data=signature, unpadded_signature_size=len(signature))
    return Signatures(signatures=[one])


def _manifest_for(size: int, signature_size: int) -> DeltaArchiveManifest:
    """The manifest, its hashes still zero, of a payload of exactly that size.

    A manifest grows with the data that it describes, sometimes by several bytes at once, so some sizes would be left
    out; there the partition's free `version` text makes up the difference.
    """
    room = size - HEADER.size - 2 * signature_size
    for padding_size in range(_LONGEST_PADDING):
        data_size = room
        for _ in range(4):
            manifest = _manifest(max(data_size, 1), signature_size, padding_size)
            left = room - manifest.ByteSize()
            if left < 1:
                raise ValueError(f"no payload has only {size} bytes: with one byte of data it has {size - left + 1}")
            if left == data_size:
                return manifest
            data_size = left
    raise AssertionError(f"no manifest fits a payload of {size} bytes")


def _manifest(data_size: int, signature_size: int, padding_size: int) -> DeltaArchiveManifest:
    manifest = DeltaArchiveManifest(
        block_size=_BLOCK, signatures_offset=data_size, signatures_size=signature_size, minor_version=0
    )
    root = manifest.partitions.add(partition_name="root", run_postinstall=True)
    if padding_size:
        root.version = "0" * padding_size
    root.new_partition_info.size = -(-data_size // _BLOCK) * _BLOCK
    root.new_partition_info.hash = bytes(DIGEST)
    for offset in range(0, data_size, _CHUNK):
        length = min(_CHUNK, data_size - offset)
        operation = root.operations.add(
            type=InstallOperation.REPLACE, data_offset=offset, data_length=length, data_sha256_hash=bytes(DIGEST)
        )
        operation.dst_extents.add(start_block=offset // _BLOCK, num_blocks=-(-length // _BLOCK))
    return manifest
