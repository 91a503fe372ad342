"""Registered devices, what they ask, and what a server of fixed answers says to it; for all clients of a bench alike.

The answers are those that the embedded backend gave one device in memory; of the policy each device has a copy of its
own, signed for it. Nothing here is measured.
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from simulator.protocols import management
from simulator.protocols import management_pb2 as pb
from simulator.protocols.management import CommandReason, Identity, PolicyReason, PushKind, Trust
from simulator.protocols.messages import Exchange, Response
from simulator.protocols.policy import PolicySigner
from tests.simulator.one_device import Asked, live

# What a Chromebook that is on asks its management server for again and again, by the `request` parameter.
KINDS = ("policy", "remote_commands", "fm_registration_token_upload")
_BOOTED_S = 600.0
_TOKEN = "0123456789abcdef" * 2
_EXPIRATION_MS = 1_800_000_000_000


class Registered:
    """One device's registration, and what it holds of its policy."""

    def __init__(self, identity: Identity, trust: Trust) -> None:
        self.identity = identity
        self.trust = trust

    def take(self, answer: Any) -> None:
        """What was read from an answer: of a policy, what is held from now on."""
        if isinstance(answer, management.DevicePolicy):
            self.trust = answer.trust

    def exchanges(self) -> tuple[Callable[[], Exchange[Any]], ...]:
        """One maker for each of KINDS: builds the request anew, as the journeys do."""
        return (
            lambda: management.fetch_device_policy(self.identity, reason=PolicyReason.SCHEDULED, trust=self.trust),
            lambda: management.remote_commands(
                self.identity, reason=CommandReason.REASON_INVALIDATION, trust=self.trust
            ),
            lambda: management.push_token(self.identity, _TOKEN, PushKind.DEVICE, expiration_ms=_EXPIRATION_MS),
        )


def make(folder: Path, devices: int) -> None:
    """Write the registrations (devices.json) and the answers (<device id>/<kind>)."""
    bodies: dict[str, bytes] = {}

    def note(_: object, asked: Asked, answer: Response) -> Response:
        if not asked.kind.startswith("user"):
            bodies[asked.query["request"]] = answer.body
        return answer

    device = live(_BOOTED_S, bend=note).device
    assert device is not None
    assert device.identity is not None
    signer = PolicySigner(PolicySigner.generate())
    told = []
    for number in range(devices):
        identity = replace(device.identity, device_id=f"{number:08x}-0000-4000-8000-000000000000")
        policy, timestamp_ms = _for(identity, bodies["policy"], signer)
        own = folder / identity.device_id
        own.mkdir()
        for kind in KINDS:
            (own / kind).write_bytes(policy if kind == "policy" else bodies[kind])
        told.append(
            {"device_id": identity.device_id, "agent": identity.agent, "platform": identity.platform}
            | {"dm_token": identity.dm_token, "timestamp_ms": timestamp_ms}
        )
    key = b64encode(signer.public_der).decode()
    (folder / "devices.json").write_text(json.dumps({"key": key, "devices": told}))


def read(folder: Path, url: str) -> list[Registered]:
    """The registrations, at a server of that base URL."""
    told = json.loads((folder / "devices.json").read_text())
    key = b64decode(told["key"])
    devices = []
    for one in told["devices"]:
        timestamp_ms = one.pop("timestamp_ms")
        identity = Identity(url=url, **one)
        trust = Trust(identity.dm_token, identity.device_id, "", "city.example", 1, key, timestamp_ms)
        devices.append(Registered(identity, trust))
    return devices


def _for(identity: Identity, body: bytes, signer: PolicySigner) -> tuple[bytes, int]:
    """That policy as this device would get it again, and its timestamp."""
    message = pb.DeviceManagementResponse.FromString(body)
    (blob,) = message.policy_response.responses
    data = pb.PolicyData.FromString(blob.policy_data)
    data.request_token, data.device_id, data.public_key_version = identity.dm_token, identity.device_id, 1
    blob.Clear()
    blob.policy_data = data.SerializeToString()
    blob.policy_data_signature = signer.sign(blob.policy_data)
    blob.policy_data_signature_type = pb.PolicyFetchRequest.SHA256_RSA
    return message.SerializeToString(), data.timestamp
