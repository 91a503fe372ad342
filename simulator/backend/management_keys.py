"""The keys of the management service: the policy keys, numbered from 1, and the verification key that vouches for them.

Made once, or imported, and kept; what a key signs is not known here.
"""

from __future__ import annotations

from collections.abc import Sequence

from simulator.backend.imported_keys import ImportedKey, WrongKeys
from simulator.backend.store import Store
from simulator.protocols import management_pb2 as pb
from simulator.protocols.policy import PolicySigner

SCHEMA = """
CREATE TABLE IF NOT EXISTS management_keys (
    version INTEGER PRIMARY KEY,  -- 0 is the verification key
    private_der BLOB NOT NULL,
    vouched BLOB NOT NULL         -- PolicyFetchResponse with the key and what vouches for it; empty for version 0
);
CREATE TABLE IF NOT EXISTS management_key_changes (
    before INTEGER NOT NULL,
    after INTEGER NOT NULL,
    signature_type INTEGER NOT NULL,
    signature BLOB NOT NULL,      -- of the key after, by the key before
    PRIMARY KEY (before, after, signature_type)
) WITHOUT ROWID;
"""


class OtherDomain(ValueError):  # noqa: N818 - a user's mistake, told in one line
    """The keys in use are vouched for another domain; the message says which."""


class PolicyKeys:
    """The keys in use. Their chance is the crypto library's own, so a rehearsal's signatures differ from run to run.

    Args:
        store: where they are kept. domain: for which a policy key is vouched.
        imported: the policy keys to put to use, in this order; empty: made here.
    Raises:
        WrongKeys: a key that is in use already is not the one imported.
        OtherDomain: the keys in use are another domain's, so that no client of this one would accept them.

    Attributes:
        verification_key: public half of the key that vouches, DER.
        version: of the policy key in use. signer: that key.
    """

    def __init__(self, store: Store, domain: str, imported: Sequence[ImportedKey] = ()) -> None:
        self._store, self._domain, self._imported = store, domain, imported
        store.ensure(SCHEMA)
        root = store.one("SELECT private_der FROM management_keys WHERE version = 0")
        if root is None:
            private = PolicySigner.generate()
            store.execute("INSERT INTO management_keys VALUES (0, ?, ?)", private, b"")
        else:
            private = root["private_der"]
        self._root = PolicySigner(private)
        self.verification_key = self._root.public_der
        newest = store.one("SELECT max(version) AS version FROM management_keys")
        self.version: int = newest["version"] if newest else 0
        if self.version == 0:
            self.rotate()
            return
        vouched = pb.PublicKeyVerificationData.FromString(self._vouched().new_public_key_verification_data)
        if vouched.domain != domain:
            raise OtherDomain(f"its devices are enrolled into {vouched.domain}, not {domain}")
        for row in store.all("SELECT version, private_der FROM management_keys WHERE version > 0") if imported else ():
            if row["version"] > len(imported) or imported[row["version"] - 1].private_der != row["private_der"]:
                raise WrongKeys(f"the database has another key {row['version']} in use; expected a new one")
        self.signer = self._signer(self.version)

    def rotate(self) -> int:
        """Put a new policy key to use. Returns: its version. Raises: ValueError: none is left of those imported."""
        version = self.version + 1
        if self._imported and version > len(self._imported):
            raise ValueError(f"policy key {self.version} is the last of those imported")
        key = self._imported[version - 1] if self._imported else None
        private = key.private_der if key else PolicySigner.generate()
        signer = PolicySigner(private)
        vouched = self._root.vouch(signer.public_der, self._domain, version)
        if key:
            # Clients try our own root's word first, and then this one (Chromium cloud_policy_validator.cc): both kinds
            # of client accept the key, those that hold our root and those that hold another.
            vouched.new_public_key_verification_signature_deprecated = key.signature
        self._store.execute(
            "INSERT INTO management_keys VALUES (?, ?, ?)", version, private, vouched.SerializeToString()
        )
        self.version, self.signer = version, signer
        return version

    def news(self, known: int, signature_type: int, *, again: bool = False) -> pb.PolicyFetchResponse | None:
        """What a client must be told of the key in use: nothing when it knows it, else the key, vouched for, and signed
        by the key that the client knows.

        Args:
            known: version of the key that the client has, 0 for none.
            signature_type: SHA1_RSA or SHA256_RSA.
            again: tell it also what it knows.
        Returns: a PolicyFetchResponse without a policy; None for a version that never was.
        """
        if known == self.version and not again:
            return pb.PolicyFetchResponse()
        if known and not self._store.one("SELECT 1 FROM management_keys WHERE version = ?", known):
            return None
        news = self._vouched()
        if known:
            news.new_public_key_signature = self._change(known, signature_type, news.new_public_key)
        return news

    def _vouched(self) -> pb.PolicyFetchResponse:
        """The key in use, and what vouches for it."""
        row = self._store.one("SELECT vouched FROM management_keys WHERE version = ?", self.version)
        assert row is not None
        return pb.PolicyFetchResponse.FromString(row["vouched"])

    def _change(self, known: int, signature_type: int, new_key: bytes) -> bytes:
        change = (known, self.version, signature_type)
        row = self._store.one(
            "SELECT signature FROM management_key_changes WHERE before = ? AND after = ? AND signature_type = ?",
            *change,
        )
        if row is not None:
            return bytes(row["signature"])
        signature = self._signer(known).sign(new_key, signature_type)
        self._store.execute("INSERT INTO management_key_changes VALUES (?, ?, ?, ?)", *change, signature)
        return signature

    def _signer(self, version: int) -> PolicySigner:
        row = self._store.one("SELECT private_der FROM management_keys WHERE version = ?", version)
        assert row is not None
        return PolicySigner(row["private_der"])
