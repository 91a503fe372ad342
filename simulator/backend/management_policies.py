"""Policy as the management service gives it out: what is published, and which of it answers whom.

Signing, and the documents of extensions, are in the modules beside.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import Any

from simulator.backend import management_extensions as extensions
from simulator.backend.management_blobs import Blobs, Said
from simulator.backend.management_calls import Refusal, good_text
from simulator.backend.management_clients import BROWSER, DEVICE, USER, Client
from simulator.backend.management_extensions import Extensions
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
"""

# Kind of client -> the policy types it may ask for (Chromium request_handler_for_policy.cc) -> the kind of policy, or
# the audience of extensions, that answers; None where the city sets nothing.
TYPES: Mapping[str, Mapping[str, str | None]] = {
    DEVICE: {
        types.DEVICE: "device",
        types.SIGNIN_EXTENSION: extensions.SIGNIN,
        types.PUBLIC_ACCOUNT: "account",
        types.EXTENSION: None,
    },
    USER: {
        types.USER: "user",
        types.EXTENSION: extensions.USER,
        "google/extension-install-cloud-policy/chromeos/user": None,
    },
    BROWSER: {
        types.MACHINE_LEVEL_USER: "user",
        types.BROWSER_USER: "user",
        types.MACHINE_LEVEL_EXTENSION: extensions.BROWSER,
        "google/extension-install-cloud-policy/chrome/machine": None,
    },
}
_EXTENSION_TYPES = frozenset({types.EXTENSION, types.SIGNIN_EXTENSION, types.MACHINE_LEVEL_EXTENSION})
POLICY_OF = {DEVICE: "device", USER: "user", BROWSER: "user"}
# Whose extensions' policies a client gets.
AUDIENCE_OF = {DEVICE: extensions.SIGNIN, USER: extensions.USER, BROWSER: extensions.BROWSER}
_NOT_FOUND = pb.PolicyFetchResponse(error_code=902, error_message="policy not found")
Mistake = Callable[[str, str, float], str]


class Policies:
    """What is published, and who is given what of it.

    Args:
        store: where it is kept. keys, blobs: that sign. extensions: their policies.
        mistake: which one to make (kind of fault, policy type, Unix seconds), empty for none.
    """

    def __init__(self, store: Store, keys: PolicyKeys, blobs: Blobs, extensions: Extensions, mistake: Mistake) -> None:
        self._store, self._keys, self._blobs, self._extensions = store, keys, blobs, extensions
        self._mistake = mistake
        store.ensure(SCHEMA)
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

    def newest_ms(self, client: Client, now_ms: int) -> int:
        """When anything that a client would be given last changed, its extensions' policies included."""
        return max(self.timestamp_ms(client, now_ms), self._extensions.newest_ms(AUDIENCE_OF[client.kind]))

    def accounts(self, now_ms: int) -> tuple[str, ...]:
        """The accounts that the devices have of their own, as device policy names them."""
        return _accounts(self.published("device", now_ms)[1])

    def answer(self, client: Client, fetch: pb.PolicyFetchRequest, now_ms: int) -> list[pb.PolicyFetchResponse]:
        """What one PolicyFetchRequest gets: the signed policy, one for each extension, nothing where none is set.

        Raises: Refusal 400 for a policy type that is not the client's, a signature type that is none, an unknown key.
        """
        policy_type = good_text(fetch.policy_type)
        if policy_type not in TYPES[client.kind]:
            raise Refusal(400, f"a {client.kind} has no policy {policy_type[:100]!r}")
        if fetch.signature_type not in (SHA1_RSA, SHA256_RSA):
            raise Refusal(400, "policy goes out signed only")
        news = self._keys.news(fetch.public_key_version, fetch.signature_type)
        if news is None:
            raise Refusal(400, f"there is no policy key {fetch.public_key_version}")
        if policy_type == types.PUBLIC_ACCOUNT and good_text(fetch.settings_entity_id) not in self.accounts(now_ms):
            return [_NOT_FOUND]
        answers = []
        for said in self._said(client, policy_type, fetch, now_ms):
            mistake = self._mistake("wrong_policy", policy_type, now_ms / 1000)
            if mistake:
                answers.append(self._blobs.wrong(client, said, fetch, mistake))
                continue
            blob = pb.PolicyFetchResponse()
            blob.CopyFrom(news)
            blob.MergeFromString(self._blobs.right(client, said, fetch.signature_type))
            answers.append(blob)
        return answers

    def _said(self, client: Client, policy_type: str, fetch: pb.PolicyFetchRequest, now_ms: int) -> Iterator[Said]:
        kind = TYPES[client.kind][policy_type]
        if kind is None:
            return
        if policy_type in _EXTENSION_TYPES:
            for policy in self._extensions.of(kind):
                yield Said(policy_type, policy.extension_id, policy.published_ms, policy.payload)
        elif policy_type == types.PUBLIC_ACCOUNT:
            yield Said(policy_type, fetch.settings_entity_id, *self.published(kind, now_ms))
        else:
            yield Said(policy_type, "", self.timestamp_ms(client, now_ms), self.published(kind, now_ms)[1])


@lru_cache(maxsize=16)
def _accounts(payload: bytes) -> tuple[str, ...]:
    accounts = pb.ChromeDeviceSettingsProto.FromString(payload).device_local_accounts.account
    return tuple(account.account_id for account in accounts if account.account_id)
