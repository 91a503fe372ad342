"""Policies of extensions: a JSON document for each, which its client downloads and holds against the hash that its
signed policy names.

Which policy types bring them, and signatures, are settled elsewhere.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256

from simulator.backend.store import Store
from simulator.protocols import management_pb2 as pb

SCHEMA = """
CREATE TABLE IF NOT EXISTS management_extensions (
    audience TEXT NOT NULL,
    extension_id TEXT NOT NULL,
    published_ms INTEGER NOT NULL,
    digest BLOB NOT NULL,         -- SHA-256 of the document
    document BLOB NOT NULL,
    PRIMARY KEY (audience, extension_id)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS management_extensions_digest ON management_extensions (digest);
"""

# Whose extensions: a user's, the login screen's, a browser's.
USER, SIGNIN, BROWSER = AUDIENCES = ("user", "signin", "browser")
PATH = "/devicemanagement/extensions/"
# Chromium component_cloud_policy_updater.cc: kPolicyDataMaxSize and kPolicyProtoMaxSize.
LARGEST_DOCUMENT = 5 << 20
LARGEST_RESPONSE = 16 << 10
# What an answer holds besides the ExternalPolicyData: four signatures, a key, and names of at most 64 characters.
_REST = 4 << 10
_EXTENSION_ID = re.compile(r"[a-p]{32}")


@dataclass(frozen=True, slots=True)
class ExtensionPolicy:
    """One that is in force. `payload` is its ExternalPolicyData, serialized."""

    extension_id: str
    published_ms: int
    payload: bytes


class Extensions:
    """The policies of extensions.

    Args:
        store: where they are kept. url: where clients find the management service, without a slash at the end.
    """

    def __init__(self, store: Store, url: str) -> None:
        self._store, self._url = store, url
        store.ensure(SCHEMA)
        self._in_force: dict[str, tuple[ExtensionPolicy, ...]] = {name: self._read(name) for name in AUDIENCES}

    def of(self, audience: str) -> tuple[ExtensionPolicy, ...]:
        """All that are in force for an audience, by extension id."""
        return self._in_force[audience]

    def newest_ms(self, audience: str) -> int:
        """When the last of them was published; 0: there is none."""
        return max((policy.published_ms for policy in self.of(audience)), default=0)

    def publish(self, audience: str, extension_id: str, value: Mapping[str, object] | None, now_ms: int) -> int:
        """Set the policy of an extension, or take it back (None).

        Args:
            value: policy name -> {"Value": ..., "Level": "Mandatory" or "Recommended"}, as Chromium's
                component_cloud_policy_store.cc reads the document and an administrator writes it.
        Returns: when it was published: now, but later than before.
        Raises: ValueError: no such audience or extension id, not such a document, or one beyond the client's limits.
        """
        document = document_of(audience, extension_id, value)
        published_ms = max(now_ms, self.newest_ms(audience) + 1)
        if document is None:
            self._store.execute(
                "DELETE FROM management_extensions WHERE audience = ? AND extension_id = ?", audience, extension_id
            )
        else:
            digest = sha256(document).digest()
            if len(self._external(digest)) > LARGEST_RESPONSE - _REST:
                raise ValueError(f"its address has {len(self._url):,} bytes; an answer may have {LARGEST_RESPONSE:,}")
            self._store.execute(
                "INSERT OR REPLACE INTO management_extensions VALUES (?, ?, ?, ?, ?)",
                *(audience, extension_id, published_ms, digest, document),
            )
        self._in_force[audience] = self._read(audience)
        return published_ms

    def document(self, path: str) -> bytes | None:
        """What is at a path that begins with PATH; None: nothing."""
        name = path.removeprefix(PATH)
        if not re.fullmatch(r"[0-9a-f]{64}", name):
            return None
        row = self._store.one(
            "SELECT document FROM management_extensions WHERE digest = ? LIMIT 1", bytes.fromhex(name)
        )
        return None if row is None else bytes(row["document"])

    def _read(self, audience: str) -> tuple[ExtensionPolicy, ...]:
        rows = self._store.all(
            "SELECT extension_id, published_ms, digest FROM management_extensions WHERE audience = ?"
            " ORDER BY extension_id",
            audience,
        )
        return tuple(ExtensionPolicy(row[0], row[1], self._external(row[2])) for row in rows)

    def _external(self, digest: bytes) -> bytes:
        url = f"{self._url}{PATH}{digest.hex()}"
        return pb.ExternalPolicyData(download_url=url, secure_hash=digest).SerializeToString()


def document_of(audience: str, extension_id: str, value: Mapping[str, object] | None) -> bytes | None:
    """The document that an extension's client downloads; None for a policy that is taken back.

    Args: as Extensions.publish. Raises: ValueError, see there.
    """
    if audience not in AUDIENCES:
        raise ValueError(f"policy {audience!r}: expected one of {', '.join(AUDIENCES)}")
    if not _EXTENSION_ID.fullmatch(extension_id):
        raise ValueError(f"extension_id is {extension_id[:80]!r}; expected 32 letters from a to p")
    return None if value is None else _document(value)


def _document(value: Mapping[str, object]) -> bytes:
    for name, said in value.items():
        if not isinstance(said, Mapping) or "Value" not in said or set(said) - {"Value", "Level"}:
            raise ValueError(f'value.{name}: expected {{"Value": ..., "Level": "Mandatory" or "Recommended"}}')
        if said.get("Level", "Mandatory") not in ("Mandatory", "Recommended"):
            raise ValueError(f"value.{name}.Level is {said['Level']!r}; expected Mandatory or Recommended")
    try:
        document = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
    except UnicodeEncodeError:
        raise ValueError("value has text that is not Unicode") from None
    if len(document) > LARGEST_DOCUMENT:
        raise ValueError(f"value has {len(document):,} bytes; a client takes at most {LARGEST_DOCUMENT:,}")
    return document
