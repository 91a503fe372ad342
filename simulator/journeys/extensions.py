"""The policies of extensions on a device: which files they name, when each is downloaded (policy facts 2.4.1 and 4)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from simulator.device import Device, ExtensionFile, Publish
from simulator.protocols.management import ExtensionPolicy
from simulator.protocols.messages import Trouble
from simulator.protocols.policy_values import EXTENSION, SIGNIN_EXTENSION
from simulator.traveller import Traveller

STEP = "management.extension_policy"

# Whose extensions a device has, as the operator names them; a browser's are no device's.
_TYPES = {"user": EXTENSION, "signin": SIGNIN_EXTENSION}


def stored_ms(device: Device, policy_type: str) -> Mapping[str, int]:
    """Extension -> the timestamp of the policy that the device has, of those of one type."""
    files = device.extensions or {}
    return {key[1]: file.policy.timestamp_ms for key, file in files.items() if key[0] == policy_type and file.stored}


def take(traveller: Traveller, policy_type: str, told: Iterable[ExtensionPolicy | Trouble]) -> None:
    """A policy fetch told of these extensions, and of no others: plan to download the files that changed.

    What the device has is not downloaded again; what waits for a retry goes at once (external_policy_data_updater.cc).
    A policy that the client drops is recorded, and the extension keeps what it has.
    """
    device = traveller.device
    before, now = device.extensions or {}, traveller.world.clock.now()
    policies = list(told)
    faults = [fault for fault in policies if isinstance(fault, Trouble)]
    for fault in faults:
        traveller.found(STEP, fault)
    # a fault does not tell whose it is, so with one nothing is forgotten
    after = {key: file for key, file in before.items() if key[0] != policy_type or faults}
    for policy in policies:
        if isinstance(policy, ExtensionPolicy):
            key = (policy_type, policy.extension_id)
            held = before.get(key)
            has_it = held is not None and held.stored and held.policy.sha256 == policy.sha256
            after[key] = ExtensionFile(policy, None if has_it else now, stored=has_it)
    device.extensions = after or None
    applied(traveller, policy_type)
    plan(traveller)


def applied(traveller: Traveller, policy_type: str) -> None:
    """Close the publishes of extensions of that type: the policy is in force where its file is there."""
    for publish in traveller.plan.publishes:
        if type_of(publish) == policy_type:
            file = (traveller.device.extensions or {}).get((policy_type, publish.policy.partition("/")[2]))
            if file is not None and file.stored:
                traveller.applied(publish.policy, file.policy.timestamp_ms)


def type_of(publish: Publish) -> str | None:
    """The policy type in which devices are told of a published extension policy; None: in none, or of no extension."""
    audience, named, _ = publish.policy.partition("/")
    return _TYPES.get(audience) if named else None


def plan(traveller: Traveller) -> None:
    """Put the next download on the agenda."""
    files = (traveller.device.extensions or {}).values()
    dues = [file.due for file in files if file.due is not None]
    if dues:
        traveller.at("fetch_extensions", min(dues), trigger="follows")
    else:
        traveller.cancel("fetch_extensions")
