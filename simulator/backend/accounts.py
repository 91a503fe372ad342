"""The users of the identity provider and their passwords: looked up, checked, locked after too many wrong ones.

A user comes into being when first seen. No password is kept or said, only its salted hash; no page and no token here.
"""

from __future__ import annotations

import hmac
import re
from enum import Enum
from hashlib import pbkdf2_hmac

from simulator.backend.settings import BackendSettings, Chance
from simulator.backend.store import Store
from simulator.protocols.account import password_of

SCHEMA = """
CREATE TABLE IF NOT EXISTS idp_users (
    user TEXT PRIMARY KEY, salt BLOB NOT NULL, hash BLOB NOT NULL, cost INTEGER NOT NULL,
    failures INTEGER NOT NULL, locked_until_s REAL NOT NULL
) WITHOUT ROWID;
"""
# Keycloak's brute force detection as it comes (there after 30 failures): 15 minutes.
LOCK_S = 900
_NAME = re.compile(r"[a-z0-9][a-z0-9._+-]{0,63}")


class Verdict(Enum):
    """How a login ended."""

    RIGHT = "right"
    WRONG = "wrong"
    LOCKED = "locked"


class Accounts:
    """All name@domain of the enrolment domain; each costs one PBKDF2 a login, the first one included."""

    def __init__(self, store: Store, settings: BackendSettings, chance: Chance) -> None:
        store.ensure(SCHEMA)
        self._store, self._settings, self._chance = store, settings, chance

    def check(self, user: str, password: str, now: float) -> Verdict:
        """Whether this is the password of this user, an address in lower case; `now` in Unix seconds."""
        name, _, domain = user.partition("@")
        if domain != self._settings.domain or not _NAME.fullmatch(name):
            return Verdict.WRONG
        row = self._store.one("SELECT * FROM idp_users WHERE user = ?", user)
        if row is not None and now < row["locked_until_s"]:
            return Verdict.LOCKED
        given = password.encode("utf-8", "replace")
        if row is None:
            right = self._first_seen(user, given)
            failures = 0
        else:
            hashed = pbkdf2_hmac("sha256", given, row["salt"], row["cost"])
            right = hmac.compare_digest(hashed, row["hash"])
            failures = row["failures"]
        if not right:
            locked_until_s = now + LOCK_S if failures + 1 >= self._settings.lock_after else 0
            self._note(user, 0 if locked_until_s else failures + 1, locked_until_s)
        elif failures:
            self._note(user, 0, 0)
        return Verdict.RIGHT if right else Verdict.WRONG

    def count(self) -> int:
        """How many users were seen so far."""
        row = self._store.one("SELECT count(*) FROM idp_users")
        return int(row[0]) if row is not None else 0

    def _first_seen(self, user: str, given: bytes) -> bool:
        """Take a new user in; whether the given password is the one."""
        password = password_of(self._settings.password_secret, user).encode()
        salt, cost = self._chance(16), self._settings.password_cost
        hashed = pbkdf2_hmac("sha256", password, salt, cost)
        self._store.execute("INSERT INTO idp_users VALUES (?, ?, ?, ?, 0, 0)", user, salt, hashed, cost)
        return hmac.compare_digest(password, given)

    def _note(self, user: str, failures: int, locked_until_s: float) -> None:
        self._store.execute(
            "UPDATE idp_users SET failures = ?, locked_until_s = ? WHERE user = ?", failures, locked_until_s, user
        )
