"""Policy as the management service gives it out: what is published, and the signed blob of each client.

Nothing is signed twice that did not change: a blob is kept until its policy, its client's state or the key changes. Who
may ask is settled before.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from simulator.backend.management_calls import Refusal, good_text
from simulator.backend.management_clients import BROWSER, DEVICE, USER, Client
from simulator.backend.management_keys import PolicyKeys
from simulator.backend.management_values import DEFAULTS, payload_of
from simulator.backend.store import Store
from simulator.protocols import management_pb2 as pb
from simulator.protocols import policy_values as types
from simulator.protocols.policy import SHA1_RSA, SHA256_RSA

SCHEMA = """
CREATE TABLE IF NOT EXISTS management_policies (
    kind TEXT NOT NULL,
    published_ms INTEGER NOT NULL,
    payload BLOB NOT NULL,
    PRIMARY KEY (kind, published_ms)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS management_blobs (
    client INTEGER NOT NULL REFERENCES management_clients ON DELETE CASCADE,
    policy_type TEXT NOT NULL,
    signature_type INTEGER NOT NULL,
    timestamp_ms INTEGER NOT NULL,
    key_version INTEGER NOT NULL,
    blob BLOB NOT NULL,           -- PolicyFetchResponse without a key
    PRIMARY KEY (client, policy_type, signature_type)
) WITHOUT ROWID;
"""

# Kind of client -> the policy types it may ask for (Chromium request_handler_for_policy.cc) -> the kind of policy that
# answers, None where the city has set nothing: no extension has a policy of its own.
TYPES: Mapping[str, Mapping[str, str | None]] = {
    DEVICE: {
        types.DEVICE: "device",
        types.SIGNIN_EXTENSION: None,
        types.EXTENSION: None,
    },
    USER: {
        types.USER: "user",
        types.EXTENSION: None,
        "google/extension-install-cloud-policy/chromeos/user": None,
    },
    BROWSER: {
        types.MACHINE_LEVEL_USER: "user",
        types.BROWSER_USER: "user",
        types.MACHINE_LEVEL_EXTENSION: None,
        "google/extension-install-cloud-policy/chrome/machine": None,
    },
}
POLICY_OF = {DEVICE: "device", USER: "user", BROWSER: "user"}
_NOT_FOUND = pb.PolicyFetchResponse(error_code=902, error_message="policy not found")


class Policies:
    """What is published, and for whom it has been signed.

    Args:
        store: where it is kept. keys: that sign. domain: the city's.

    Attributes:
        signed: how many signatures of policies were made since the start.
    """

    def __init__(self, store: Store, keys: PolicyKeys, domain: str) -> None:
        self._store, self._keys, self._domain = store, keys, domain
        store.ensure(SCHEMA)
        # One owner for devices and users alike, so that each user is affiliated with each device.
        self.affiliation_id = "C" + sha256(domain.encode()).hexdigest()[:8]
        self.signed = 0
        self._published: dict[str, tuple[int, bytes]] = {
            row["kind"]: (row["published_ms"], row["payload"])
            for row in store.all("SELECT * FROM management_policies ORDER BY published_ms")
        }

    def published(self, kind: str, now_ms: int) -> tuple[int, bytes]:
        """When the policy of a kind was published, and its payload; the first comes into being when asked for."""
        return self._published.get(kind) or self._put(kind, now_ms, payload_of(kind, DEFAULTS[kind]))

    def moment_ms(self, now_ms: int, changed_ms: int) -> int:
        """The time of a change: now, but later than every change before, since a timestamp must tell two apart."""
        return max(now_ms, changed_ms + 1, *(published_ms + 1 for published_ms, _ in self._published.values()))

    def publish(self, kind: str, changes: Mapping[str, Any], now_ms: int, changed_ms: int) -> int:
        """Set some named policies; see payload_of.

        Args:
            changed_ms: when the state of any device last changed.
        Returns: when the policy was published.
        """
        if kind not in DEFAULTS:
            raise ValueError(f"policy {kind!r}: expected one of {', '.join(DEFAULTS)}")
        payload = payload_of(kind, changes, self.published(kind, now_ms - 1)[1])
        return self._put(kind, self.moment_ms(now_ms, changed_ms), payload)[0]

    def _put(self, kind: str, published_ms: int, payload: bytes) -> tuple[int, bytes]:
        self._store.execute("INSERT INTO management_policies VALUES (?, ?, ?)", kind, published_ms, payload)
        self._published[kind] = (published_ms, payload)
        return published_ms, payload

    def timestamp_ms(self, client: Client, now_ms: int) -> int:
        """Of the policy that a client would be given: when it, or what it says of the client itself, last changed."""
        return max(self.published(POLICY_OF[client.kind], now_ms)[0], client.changed_ms)

    def answer(self, client: Client, fetch: pb.PolicyFetchRequest, now_ms: int) -> list[pb.PolicyFetchResponse]:
        """What one PolicyFetchRequest gets: the signed policy; nothing where there is none to give.

        Raises: Refusal 400 for a policy type that is not the client's, a signature type that is none, an unknown key.
        """
        policy_type = good_text(fetch.policy_type)
        allowed = TYPES[client.kind]
        if policy_type == types.PUBLIC_ACCOUNT and client.kind == DEVICE:
            return [_NOT_FOUND]
        if policy_type not in allowed:
            raise Refusal(400, f"a {client.kind} has no policy {policy_type[:100]!r}")
        if fetch.signature_type not in (SHA1_RSA, SHA256_RSA):
            raise Refusal(400, "policy goes out signed only")
        news = self._keys.news(fetch.public_key_version, fetch.signature_type)
        if news is None:
            raise Refusal(400, f"there is no policy key {fetch.public_key_version}")
        kind = allowed[policy_type]
        if kind is None:
            return []
        news.MergeFromString(self._blob(client, policy_type, fetch.signature_type, now_ms))
        return [news]

    def _blob(self, client: Client, policy_type: str, signature_type: int, now_ms: int) -> bytes:
        timestamp_ms, version = self.timestamp_ms(client, now_ms), self._keys.version
        row = self._store.one(
            "SELECT blob FROM management_blobs WHERE client = ? AND policy_type = ? AND signature_type = ?"
            " AND timestamp_ms = ? AND key_version = ?",
            *(client.id, policy_type, signature_type, timestamp_ms, version),
        )
        if row is not None:
            return bytes(row["blob"])
        payload = self.published(POLICY_OF[client.kind], now_ms)[1]
        data = self._data(client, policy_type, timestamp_ms, payload).SerializeToString()
        self.signed += 1
        blob = pb.PolicyFetchResponse(
            policy_data=data,
            policy_data_signature=self._keys.signer.sign(data, signature_type),
            policy_data_signature_type=pb.PolicyFetchRequest.SignatureType.ValueType(signature_type),
        ).SerializeToString()
        self._store.execute(
            "INSERT OR REPLACE INTO management_blobs VALUES (?, ?, ?, ?, ?, ?)",
            *(client.id, policy_type, signature_type, timestamp_ms, version, blob),
        )
        return blob

    def _data(self, client: Client, policy_type: str, timestamp_ms: int, payload: bytes) -> pb.PolicyData:
        data = pb.PolicyData(
            policy_type=policy_type,
            timestamp=timestamp_ms,
            request_token=client.dm_token,
            policy_value=payload,
            machine_name=client.machine_name,
            public_key_version=self._keys.version,
            username=client.username,
            device_id=client.device_id,
            state=pb.PolicyData.ACTIVE,
            policy_token=f"{policy_type}:{timestamp_ms}",
            display_domain=self._domain,
            managed_by=self._domain,
            market_segment=pb.PolicyData.ENROLLED_ENTERPRISE,
            obfuscated_customer_id=self.affiliation_id,
        )
        if client.kind == USER:
            data.user_affiliation_ids.append(self.affiliation_id)
            return data
        data.device_affiliation_ids.append(self.affiliation_id)
        data.management_mode = pb.PolicyData.ENTERPRISE_MANAGED
        if client.kind == DEVICE:
            data.service_account_identity = f"{client.device_id}@robots.{self._domain}"
            data.device_state.device_mode = pb.DeviceState.DEVICE_MODE_NORMAL
            if client.disabled_message is not None:
                data.device_state.device_mode = pb.DeviceState.DEVICE_MODE_DISABLED
                data.device_state.disabled_state.message = client.disabled_message
        return data
