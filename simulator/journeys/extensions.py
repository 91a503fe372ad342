"""The policies of extensions on a device: which files they name, when each is downloaded (policy facts 2.4.1 and 4)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from simulator.device import Device, ExtensionFile
from simulator.protocols.management import ExtensionPolicy
from simulator.protocols.messages import Trouble
from simulator.traveller import Traveller

STEP = "management.extension_policy"


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
    plan(traveller)


def plan(traveller: Traveller) -> None:
    """Put the next download on the agenda."""
    files = (traveller.device.extensions or {}).values()
    dues = [file.due for file in files if file.due is not None]
    if dues:
        traveller.at("fetch_extensions", min(dues), trigger="follows")
    else:
        traveller.cancel("fetch_extensions")
