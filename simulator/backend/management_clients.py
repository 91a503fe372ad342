"""Who is registered with the management service: devices, users and browsers, each with a device id and a DM token.

Whom to let in is decided here; what they are told afterwards is not.
"""

from __future__ import annotations

import hmac
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from hashlib import sha256

from simulator.backend.management_calls import Refusal
from simulator.backend.settings import Chance
from simulator.backend.store import Store
from simulator.protocols.attestation import SECRET_SIZE
from simulator.protocols.management_state import remainder_of

DEVICE, USER, BROWSER = "device", "user", "browser"

SCHEMA = """
CREATE TABLE IF NOT EXISTS management_secrets (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS management_clients (
    id INTEGER PRIMARY KEY,
    device_id TEXT NOT NULL UNIQUE,
    dm_token TEXT NOT NULL,
    kind TEXT NOT NULL,
    username TEXT NOT NULL,
    serial TEXT NOT NULL,
    machine_name TEXT NOT NULL,
    disabled_message TEXT,               -- NULL: not disabled
    changed_ms INTEGER NOT NULL DEFAULT 0,  -- when what its policy says of itself last changed
    served_ms INTEGER NOT NULL DEFAULT 0,  -- timestamp of the newest policy it was given
    acknowledged INTEGER NOT NULL DEFAULT 0,  -- id of the last remote command it need not be told again
    push_token TEXT NOT NULL DEFAULT '',
    push_expires_ms INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX IF NOT EXISTS management_clients_serial ON management_clients (serial);
CREATE TABLE IF NOT EXISTS management_state_keys (
    key BLOB PRIMARY KEY,
    client INTEGER NOT NULL REFERENCES management_clients ON DELETE CASCADE,
    remainder INTEGER NOT NULL           -- the low 62 bits of the key's SHA-256
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS management_state_keys_client ON management_state_keys (client);
"""


@dataclass(frozen=True, slots=True)
class Client:
    """One registration, as the table has it."""

    id: int
    device_id: str
    dm_token: str
    kind: str
    username: str
    serial: str
    machine_name: str
    disabled_message: str | None
    changed_ms: int
    served_ms: int
    acknowledged: int
    push_token: str
    push_expires_ms: int


class Clients:
    """The registrations.

    Args:
        store: where they are kept. chance: of the secrets.

    Attributes:
        enrollment_token: with which a browser, or a device without an account's help, may enroll.
        attestation_secret: of the simulated authority that certifies machines.
    """

    def __init__(self, store: Store, chance: Chance) -> None:
        self._store, self._chance = store, chance
        store.ensure(SCHEMA)
        self._secret = self._kept("dm_tokens", 32)
        drawn = self._kept("enrollment_token", 16).hex()
        self.enrollment_token = "-".join((drawn[:8], drawn[8:12], drawn[12:16], drawn[16:20], drawn[20:]))
        self.attestation_secret = self._kept("attestation", SECRET_SIZE)

    def _kept(self, name: str, size: int) -> bytes:
        self._store.execute("INSERT OR IGNORE INTO management_secrets VALUES (?, ?)", name, self._chance(size))
        row = self._store.one("SELECT value FROM management_secrets WHERE name = ?", name)
        assert row is not None
        return bytes(row["value"])

    def find(self, device_id: str) -> Client | None:
        """The registration of a device id."""
        row = self._store.one("SELECT * FROM management_clients WHERE device_id = ?", device_id)
        return None if row is None else Client(*row)

    def authorised(self, device_id: str, dm_token: str) -> Client:
        """The registration that a DM token proves. Raises: Refusal 401 without a token, 410 for an unknown one."""
        if not dm_token:
            raise Refusal(401, "no DM token")
        client = self.find(device_id)
        if client is None or client.dm_token != dm_token:
            raise Refusal(410, "no such device, or not its DM token")
        return client

    def register(self, *, device_id: str, kind: str, username: str, serial: str, machine_name: str) -> Client:
        """Register a client; one that is registered already keeps its registration, with the same token.

        The token follows from the device id, so that one who registers again after the server forgot it gets the old
        one back, as its client demands (Chromium cloud_policy_client.cc). A machine that comes with a new device id was
        wiped: its old registration ends, but not that it is disabled.

        Raises: Refusal 409 when the device id is another's.
        """
        before = self.find(device_id)
        if before is not None:
            if (before.kind, before.username, before.serial) == (kind, username, serial):
                return before
            raise Refusal(409, "this device id is registered for another")
        token = urlsafe_b64encode(hmac.digest(self._secret, device_id.encode(), "sha256")).decode().rstrip("=")
        with self._store.transaction():
            replaced = self.of_serial(serial) if serial else None
            if replaced is not None:
                self.unregister(replaced)
            self._store.execute(
                "INSERT INTO management_clients (device_id, dm_token, kind, username, serial, machine_name,"
                " disabled_message, changed_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                *(device_id, token, kind, username, serial, machine_name),
                *((replaced.disabled_message, replaced.changed_ms) if replaced is not None else (None, 0)),
            )
        registered = self.find(device_id)
        assert registered is not None
        return registered

    def unregister(self, client: Client) -> None:
        """Forget a client, and all that is kept for it."""
        self._store.execute("DELETE FROM management_clients WHERE id = ?", client.id)

    def served(self, client: Client, timestamp_ms: int) -> None:
        """Remember the newest policy that a client was given."""
        if timestamp_ms > client.served_ms:
            self._store.execute("UPDATE management_clients SET served_ms = ? WHERE id = ?", timestamp_ms, client.id)

    def acknowledged(self, client: Client, command_id: int) -> None:
        """Remember up to which remote command a client needs none again."""
        if command_id > client.acknowledged:
            self._store.execute("UPDATE management_clients SET acknowledged = ? WHERE id = ?", command_id, client.id)

    def listens(self, client: Client, token: str, expires_ms: int) -> None:
        """Remember under which push token a client listens, and until when."""
        self._store.execute(
            "UPDATE management_clients SET push_token = ?, push_expires_ms = ? WHERE id = ?",
            *(token, expires_ms, client.id),
        )

    def listeners(self, kind: str, device_id: str | None, now_ms: int) -> list[str]:
        """The push tokens of all clients of a kind, or of the one of that device id."""
        rows = self._store.all(
            "SELECT push_token FROM management_clients"
            " WHERE kind = ? AND (? IS NULL OR device_id = ?) AND push_token != '' AND push_expires_ms > ? ORDER BY id",
            *(kind, device_id, device_id, now_ms),
        )
        return [row["push_token"] for row in rows]

    def disable(self, device_id: str | None, message: str | None, changed_ms: int) -> int:
        """Lock one device, or all (None); message None unlocks. Returns: how many devices that changed.

        `changed_ms` must be later than any change of policy before.
        """
        cursor = self._store.execute(
            "UPDATE management_clients SET disabled_message = ?, changed_ms = ?"
            " WHERE kind = 'device' AND (? IS NULL OR device_id = ?) AND disabled_message IS NOT ?",
            *(message, changed_ms, device_id, device_id, message),
        )
        return cursor.rowcount

    def knows_keys(self, client: Client, keys: list[bytes]) -> None:
        """Remember the keys by which a device's machine is known again after a wipe."""
        rows = self._store.all("SELECT key FROM management_state_keys WHERE client = ?", client.id)
        if {row["key"] for row in rows} == set(keys):
            return
        with self._store.transaction():
            self._store.execute("DELETE FROM management_state_keys WHERE client = ?", client.id)
            for key in keys:
                low = remainder_of(sha256(key).digest(), 62)
                self._store.execute(
                    "INSERT OR REPLACE INTO management_state_keys VALUES (?, ?, ?)", key, client.id, low
                )

    def of_serial(self, serial: str) -> Client | None:
        """The device whose machine has this serial number."""
        row = self._store.one("SELECT * FROM management_clients WHERE serial = ? AND kind = ?", serial, DEVICE)
        return None if row is None else Client(*row)

    def of_state_key(self, key: bytes) -> Client | None:
        """The device whose machine has this state key."""
        row = self._store.one(
            "SELECT c.* FROM management_clients c JOIN management_state_keys k ON k.client = c.id WHERE k.key = ?", key
        )
        return None if row is None else Client(*row)

    def hashes_in(self, modulus: int, remainder: int) -> list[bytes]:
        """SHA-256 of each state key that falls into a bucket; modulus: a power of two up to 2^62."""
        rows = self._store.all(
            "SELECT key FROM management_state_keys WHERE remainder & ? = ? ORDER BY key", modulus - 1, remainder
        )
        return [sha256(row["key"]).digest() for row in rows]

    def last_changed_ms(self) -> int:
        """When the state of any device last changed; 0: never."""
        row = self._store.one("SELECT max(changed_ms) AS ms FROM management_clients")
        return row["ms"] or 0 if row else 0

    def count(self, kind: str) -> int:
        """How many clients of a kind are registered."""
        row = self._store.one("SELECT count(*) AS n FROM management_clients WHERE kind = ?", kind)
        return row["n"] if row else 0
