"""Policies as they go out: what one says of its client, signed once.

Nothing is signed twice that did not change: a blob is kept until something that it says does: its policy, its client's
state, the key, or what the service was told when it started, its own address among that. What is published, and who may
ask, is settled before.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256

from simulator.backend.management_clients import DEVICE, USER, Client
from simulator.backend.management_keys import PolicyKeys
from simulator.backend.management_mistakes import POLICY_MISTAKES
from simulator.backend.settings import BackendSettings
from simulator.backend.store import Store
from simulator.protocols import management_pb2 as pb
from simulator.protocols.policy_values import PUBLIC_ACCOUNT

SCHEMA = """
CREATE TABLE IF NOT EXISTS management_blobs (
    client INTEGER NOT NULL REFERENCES management_clients ON DELETE CASCADE,
    policy_type TEXT NOT NULL,
    entity TEXT NOT NULL,         -- an extension, or an account of a device; else empty
    signature_type INTEGER NOT NULL,
    digest BLOB NOT NULL,         -- SHA-256 of the PolicyData that is signed
    blob BLOB NOT NULL,           -- PolicyFetchResponse without a key
    PRIMARY KEY (client, policy_type, entity, signature_type)
) WITHOUT ROWID;
"""


@dataclass(frozen=True, slots=True)
class Said:
    """What one policy says, before it says for whom.

    Attributes:
        policy_type: as in PolicyData. entity: the extension or the account that it is about; empty: the client itself.
        timestamp_ms: when it last changed. payload: its message, serialized.
    """

    policy_type: str
    entity: str
    timestamp_ms: int
    payload: bytes


class Blobs:
    """The signed policies.

    Args:
        store: where they are kept. keys: that sign. settings: the domain, and whether there are robot accounts.

    Attributes:
        affiliation_id: of one owner for devices and users alike, so that each user is affiliated with each device.
        signed: how many signatures of policies were made since the start.
    """

    def __init__(self, store: Store, keys: PolicyKeys, settings: BackendSettings) -> None:
        self._store, self._keys, self._domain = store, keys, settings.domain
        self._robots = settings.robot_accounts
        store.ensure(SCHEMA)
        self.affiliation_id = "C" + sha256(settings.domain.encode()).hexdigest()[:8]
        self.signed = 0

    def right(self, client: Client, said: Said, signature_type: int) -> bytes:
        """The signed policy as a PolicyFetchResponse without a key: the one that is kept, or a new one."""
        data = self._data(client, said).SerializeToString()
        digest = sha256(data).digest()
        row = self._store.one(
            "SELECT blob FROM management_blobs WHERE client = ? AND policy_type = ? AND entity = ?"
            " AND signature_type = ? AND digest = ?",
            *(client.id, said.policy_type, said.entity, signature_type, digest),
        )
        if row is not None:
            return bytes(row["blob"])
        blob = self._sign(data, signature_type).SerializeToString()
        self._store.execute(
            "INSERT OR REPLACE INTO management_blobs VALUES (?, ?, ?, ?, ?, ?)",
            *(client.id, said.policy_type, said.entity, signature_type, digest, blob),
        )
        return blob

    def wrong(self, client: Client, said: Said, fetch: pb.PolicyFetchRequest, mistake: str) -> pb.PolicyFetchResponse:
        """The policy, key and all, with a mistake of POLICY_MISTAKES; made anew each time."""
        made = POLICY_MISTAKES[mistake]
        data = self._data(client, said)
        made.data(data)
        blob = self._keys.news(fetch.public_key_version, fetch.signature_type, again=made.key_again)
        assert blob is not None
        blob.MergeFrom(self._sign(data.SerializeToString(), fetch.signature_type))
        made.blob(blob)
        return blob

    def _sign(self, data: bytes, signature_type: int) -> pb.PolicyFetchResponse:
        self.signed += 1
        return pb.PolicyFetchResponse(
            policy_data=data,
            policy_data_signature=self._keys.signer.sign(data, signature_type),
            policy_data_signature_type=pb.PolicyFetchRequest.SignatureType.ValueType(signature_type),
        )

    def _data(self, client: Client, said: Said) -> pb.PolicyData:
        # An account of a device is the policy's user (Chromium device_local_account_policy_store.cc).
        is_account = said.policy_type == PUBLIC_ACCOUNT
        data = pb.PolicyData(
            policy_type=said.policy_type,
            timestamp=said.timestamp_ms,
            request_token=client.dm_token,
            policy_value=said.payload,
            machine_name=client.machine_name,
            public_key_version=self._keys.version,
            username=said.entity if is_account else client.username,
            device_id=client.device_id,
            state=pb.PolicyData.ACTIVE,
            policy_token=":".join(filter(None, (said.policy_type, said.entity, str(said.timestamp_ms)))),
            display_domain=self._domain,
            managed_by=self._domain,
            market_segment=pb.PolicyData.ENROLLED_ENTERPRISE,
            obfuscated_customer_id=self.affiliation_id,
        )
        if said.entity:
            data.settings_entity_id = said.entity
        if client.kind == USER:
            data.user_affiliation_ids.append(self.affiliation_id)
            return data
        data.device_affiliation_ids.append(self.affiliation_id)
        data.management_mode = pb.PolicyData.ENTERPRISE_MANAGED
        # A browser that is told of a robot account asks for remote commands and a push token as well.
        if client.kind == DEVICE or self._robots:
            data.service_account_identity = robot_of(client, self._domain)
        if client.kind == DEVICE:
            data.device_state.device_mode = pb.DeviceState.DEVICE_MODE_NORMAL
            if client.disabled_message is not None:
                data.device_state.device_mode = pb.DeviceState.DEVICE_MODE_DISABLED
                data.device_state.disabled_state.message = client.disabled_message
        return data


def robot_of(client: Client, domain: str) -> str:
    """The e-mail address of a client's robot account."""
    return f"{client.device_id}@robots.{domain}"
