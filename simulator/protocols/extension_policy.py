"""Policies of extensions: the signed blob that names a file, and the file's download.

Chromium component_cloud_policy_service.cc, component_cloud_policy_store.cc and component_cloud_policy_updater.cc. When
a file is downloaded is the journeys'.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from urllib.parse import urlsplit

from google.protobuf.message import DecodeError

from simulator.protocols import management_pb2 as pb
from simulator.protocols import policy
from simulator.protocols.management_requests import text
from simulator.protocols.messages import Broken, Exchange, Request, Response, Sink, Trouble, settle
from simulator.protocols.policy import Trust

# component_cloud_policy_service.cc: kPolicyProtoMaxSize, kPolicyDataMaxSize
BLOB_MAX = 16 * 1024
FILE_MAX = 5 * 1024 * 1024
# net/url_request/url_request.h, kMaxRedirects
_REDIRECTS = 20


@dataclass(frozen=True, slots=True)
class ExtensionPolicy:
    """The policy of one extension, checked: where its file is, the file's SHA-256, and since when it says so."""

    policy_type: str
    extension_id: str
    url: str
    sha256: bytes
    timestamp_ms: int


def extension_policies(
    blobs: Iterable[pb.PolicyFetchResponse], policy_type: str, trust: Trust, stored_ms: Mapping[str, int]
) -> tuple[ExtensionPolicy | Trouble, ...]:
    """What an answer says of extensions, one entry for each blob of that type, or why the client drops it.

    Args:
        trust: of the client, with the key of its own policy, which has been checked.
        stored_ms: extension -> the timestamp of the policy that it has.
    """
    found: list[ExtensionPolicy | Trouble] = []
    for blob in blobs:
        try:
            data = pb.PolicyData.FromString(blob.policy_data)
        except DecodeError:
            # of which type it is nobody can tell: policy.find has dropped it
            continue
        if data.policy_type == policy_type:
            try:
                one = _checked(blob, data, trust, stored_ms)
            except Trouble as trouble:
                found.append(trouble)
            else:
                # an extension that the policy names no file for has no policy
                found += [one] if one.url and one.sha256 else []
    return tuple(found)


def _checked(
    blob: pb.PolicyFetchResponse, data: pb.PolicyData, trust: Trust, stored_ms: Mapping[str, int]
) -> ExtensionPolicy:
    if blob.ByteSize() > BLOB_MAX:
        raise Broken("body_too_large", f"an extension's policy of more than {BLOB_MAX} bytes", status=200)
    extension_id = text(data.settings_entity_id)
    if not extension_id:
        raise policy.invalid("wrong_entity", data, "no extension id")
    since_ms = stored_ms.get(extension_id, 0)
    borrowed = Trust(trust.dm_token, trust.device_id, trust.username, trust.domain, 0, trust.public_key, since_ms)
    policy.check_borrowed(blob, data, borrowed)
    try:
        told = pb.ExternalPolicyData.FromString(data.policy_value)
    except DecodeError:
        raise policy.invalid("bad_value", data, "policy_value") from None
    url = text(told.download_url)
    if url and not _is_web(url):
        raise policy.invalid("bad_value", data, f"download_url {url[:100]!r}")
    return ExtensionPolicy(text(data.policy_type), extension_id, url, told.secure_hash, data.timestamp)


def _is_web(url: str) -> bool:
    try:
        return urlsplit(url).scheme in ("http", "https")
    except ValueError:
        return False


class _Digest:
    """Takes the file as it comes; keeps its hash and size alone."""

    def __init__(self) -> None:
        self.sha256 = sha256()
        self.size = 0

    def write(self, data: bytes) -> None:
        """As Sink.write."""
        self.size += len(data)
        if self.size <= FILE_MAX:
            self.sha256.update(data)


def download(wanted: ExtensionPolicy) -> tuple[Exchange[None], Sink]:
    """The file of an extension's policy, and the sink that it has to go to.

    Raises (when read): Refused, Broken: size_mismatch above 5 MiB, hash_mismatch.
    """
    digest = _Digest()

    def read(response: Response) -> None:
        settle(response)
        if digest.size > FILE_MAX:
            raise Broken("size_mismatch", f"more than {FILE_MAX} bytes", status=200)
        if digest.sha256.digest() != wanted.sha256:
            raise Broken("hash_mismatch", f"extension {wanted.extension_id}", status=200)

    request = Request("GET", wanted.url, redirects=_REDIRECTS)
    return Exchange("management.extension_policy", request, read), digest
