"""Tokens that prove themselves, so that no row is written for them, and a memory for what is good only once.

It knows no service: what a token means is the caller's. The secrets are made once and kept in the store.
"""

from __future__ import annotations

import hmac
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass

from simulator.backend.settings import Chance
from simulator.backend.store import Store

SCHEMA = """
CREATE TABLE IF NOT EXISTS token_secrets (service TEXT PRIMARY KEY, secret BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS spent (
    kind TEXT NOT NULL, id TEXT NOT NULL, until_s INTEGER NOT NULL, PRIMARY KEY (kind, id)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS spent_until ON spent (until_s);
CREATE TABLE IF NOT EXISTS token_ages (
    service TEXT NOT NULL, kind TEXT NOT NULL, age INTEGER NOT NULL, PRIMARY KEY (service, kind)
) WITHOUT ROWID;
"""
# What has expired is forgotten at most this often: a write per minute and not per request.
_FORGET_EVERY_S = 60
# json.dumps makes a new encoder each time that it is told the separators
_encode = json.JSONEncoder(separators=(",", ":")).encode


@dataclass(frozen=True, slots=True)
class Opened:
    """What a token carries, and until when (Unix seconds) it is good."""

    fields: tuple[str, ...]
    until_s: int


class Tokens:
    """The tokens of one service.

    Args:
        store: where the secret and what was spent are kept.
        service: whose tokens they are; another's do not open.
        chance: where a new secret comes from.
    """

    def __init__(self, store: Store, service: str, chance: Chance) -> None:
        store.ensure(SCHEMA)
        store.execute("INSERT OR IGNORE INTO token_secrets VALUES (?, ?)", service, chance(32))
        row = store.one("SELECT secret FROM token_secrets WHERE service = ?", service)
        assert row is not None
        self._secret: bytes = row["secret"]
        self._store, self._service = store, service
        self._ages = {
            row["kind"]: int(row["age"])
            for row in store.all("SELECT kind, age FROM token_ages WHERE service = ?", service)
        }
        self._forgot_s = 0.0

    def make(self, kind: str, *fields: str, until_s: float, bound: str = "") -> str:
        """A token of letters, digits, "-", "_" and "." that carries these fields in clear.

        Args:
            kind: what it is good for; it opens as nothing else.
            until_s: Unix seconds from which on it does not open.
            bound: what has to be shown with it; not carried in it.
        """
        body = _base64(_encode([int(until_s), *fields]).encode())
        return f"{body}.{self.sign(self._signed(kind, body, bound))}"

    def open(self, kind: str, token: str, now: float, *, bound: str = "") -> Opened | None:
        """What a token carries; None when it was not made here, for another kind, bound otherwise, or has expired."""
        body, _, mac = token.partition(".")
        if not hmac.compare_digest(self.sign(self._signed(kind, body, bound)).encode(), mac.encode("utf-8", "replace")):
            return None
        until_s, *fields = json.loads(urlsafe_b64decode(body + "=" * (-len(body) % 4)))
        return Opened(tuple(fields), until_s) if now < until_s else None

    def expire(self, kind: str) -> None:
        """From now on no token of that kind opens that was made before."""
        self._ages[kind] = self._ages.get(kind, 0) + 1
        age = self._ages[kind]
        self._store.execute("INSERT OR REPLACE INTO token_ages VALUES (?, ?, ?)", self._service, kind, age)

    def _signed(self, kind: str, body: str, bound: str) -> str:
        # The body has no space, so kind and body cannot run into each other or into what is bound; an age is a number
        # with a space on either side, so that a kind of that name is another.
        age = self._ages.get(kind)
        return f"{kind} {body} {bound}" if age is None else f"{kind} {age} {body} {bound}"

    def sign(self, text: str) -> str:
        """HMAC-SHA256 over a text, as URL-safe base64 (HS256 of RFC 7518 3.2)."""
        return _base64(hmac.digest(self._secret, text.encode("utf-8", "replace"), "sha256"))

    def spend(self, kind: str, id_: str, until_s: float, now: float) -> bool:
        """Use up something that is good once.

        Args:
            until_s: when it expires by itself, so that it need not be remembered after.
        Returns: whether this was the first time.
        """
        if now - self._forgot_s >= _FORGET_EVERY_S:
            self._forgot_s = now
            self._store.execute("DELETE FROM spent WHERE until_s < ?", int(now))
        done = self._store.execute("INSERT OR IGNORE INTO spent VALUES (?, ?, ?)", kind, id_, int(until_s) + 1)
        return done.rowcount == 1


def _base64(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()
