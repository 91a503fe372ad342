"""A management service for tests, and requests to it written without the device's own code."""

from __future__ import annotations

import itertools
from functools import cache
from hashlib import sha256
from urllib.parse import urlencode

from simulator.backend import management_keys
from simulator.backend.faults import Faults
from simulator.backend.management import Management
from simulator.backend.robots import Robots
from simulator.backend.settings import BackendSettings
from simulator.backend.store import Store
from simulator.protocols import management_pb2 as pb
from simulator.protocols.messages import Push, Request, Response
from simulator.protocols.policy import PolicySigner

URL = "http://127.0.0.1:8080/devicemanagement/data/api"
NOW = 1_700_000_000.0
SETTINGS = BackendSettings(
    management_url="http://127.0.0.1:8080",
    identity_url="http://127.0.0.1:8081",
    idp_url="http://127.0.0.1:8082",
    updates_url="http://127.0.0.1:8083",
    push_url="mqtt://127.0.0.1:1883",
    password_secret=b"secret",
)


@cache
def private_keys() -> tuple[bytes, bytes]:
    """The verification key and policy key 1, made once for all tests: an RSA key takes its time."""
    return PolicySigner.generate(), PolicySigner.generate()


def keyed_store(path: str = ":memory:") -> Store:
    """A store that has the keys already."""
    store = Store(path)
    store.ensure(management_keys.SCHEMA)
    root, first = private_keys()
    vouched = PolicySigner(root).vouch(PolicySigner(first).public_der, SETTINGS.domain, 1).SerializeToString()
    for version, private, said in ((0, root, b""), (1, first, vouched)):
        store.execute("INSERT OR IGNORE INTO management_keys VALUES (?, ?, ?)", version, private, said)
    return store


class Bench:
    """The service, what it wants pushed, and how to ask it. Any text with an @ is that user's access token."""

    def __init__(
        self, store: Store | None = None, *, settings: BackendSettings | None = None, robots: Robots | None = None
    ) -> None:
        self.faults = Faults(lambda: 0.5)
        self.outbox: list[Push] = []
        numbers = itertools.count()
        self.service = Management(
            store or keyed_store(),
            settings or SETTINGS,
            lambda size: sha256(str(next(numbers)).encode()).digest()[:size],
            self.outbox,
            who_is=lambda token, _now: token if "@" in token else None,
            robots=robots,
            mistake=self.faults.mistake,
        )

    def send(
        self,
        kind: str,
        message: pb.DeviceManagementRequest | bytes = b"",
        *,
        device_id: str = "device-1",
        token: str = "",
        authorization: str = "",
        now: float = NOW,
        **query: str,
    ) -> Response:
        """Ask, with a DM token or a whole Authorization header."""
        pairs = {"apptype": "Chrome", "deviceid": device_id, "devicetype": "2", **query, "request": kind}
        said = authorization or (f"GoogleDMToken token={token}" if token else "")
        headers = (("Authorization", said),) if said else ()
        body = message if isinstance(message, bytes) else message.SerializeToString()
        return self.service.handle(Request("POST", f"{URL}?{urlencode(pairs)}", headers, body), now)

    def register(self, device_id: str = "device-1", serial: str = "S1", *, now: float = NOW) -> str:
        """Enroll a device. Returns: its DM token."""
        message = pb.DeviceManagementRequest()
        asked = message.register_request
        asked.type, asked.machine_id, asked.machine_model = asked.DEVICE, serial, "HWID"
        got = self.send("register", message, device_id=device_id, oauth_token="enroller@city.example", now=now)
        return granted(got).register_response.device_management_token

    def register_user(self, device_id: str = "user-1", user: str = "taro@city.example") -> str:
        """Register a user. Returns: the DM token."""
        message = pb.DeviceManagementRequest()
        message.register_request.type = message.register_request.USER
        got = self.send("register", message, device_id=device_id, oauth_token=user)
        return granted(got).register_response.device_management_token

    def policy(
        self,
        token: str,
        policy_type: str = "google/chromeos/device",
        *,
        device_id: str = "device-1",
        key_version: int = 0,
        signature_type: int = 2,
        now: float = NOW,
    ) -> pb.PolicyFetchResponse:
        """Fetch one policy. Returns: the one blob that came."""
        got = granted(
            self.send(
                "policy",
                policy_request(policy_type, key_version, signature_type),
                device_id=device_id,
                token=token,
                now=now,
            )
        )
        (blob,) = got.policy_response.responses
        return blob

    def listen(self, token: str, push_token: str, *, device_id: str = "device-1", now: float = NOW) -> None:
        """Upload a push token that is good for a day."""
        message = pb.DeviceManagementRequest()
        asked = message.fm_registration_token_upload_request
        asked.token, asked.expiration_timestamp_ms = push_token, int((now + 86_400) * 1000)
        granted(self.send("fm_registration_token_upload", message, device_id=device_id, token=token, now=now))


def policy_request(policy_type: str, key_version: int = 0, signature_type: int = 2) -> pb.DeviceManagementRequest:
    """A request for one policy."""
    message = pb.DeviceManagementRequest()
    fetch = message.policy_request.requests.add(policy_type=policy_type)
    fetch.signature_type = pb.PolicyFetchRequest.SignatureType.ValueType(signature_type)
    if key_version:
        fetch.public_key_version = key_version
    return message


def granted(response: Response) -> pb.DeviceManagementResponse:
    """The answer to a call that must have been granted."""
    assert response.status == 200, (response.status, response.body)
    assert response.header("content-type") == "application/x-protobuffer"
    return pb.DeviceManagementResponse.FromString(response.body)
