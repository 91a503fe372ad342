"""Which runs may be compared: what of run.json has to be equal, and in what two runs differ.

A function of run.json alone. No sample is read and nothing is compared here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from hashlib import sha256
from typing import Any, Final

JUDGES: Final = ("name", "title", "question", "objectives", "undecided", "harness", "compare")
"""What a scenario says about itself and about its judgement: two runs that differ in it alone were played alike."""
STAND_IN: Final = "stand-in"


def comparable_part(run: Mapping[str, Any]) -> dict[str, Any]:
    """What two runs have to have in common for their times to be comparable.

    It is what was played (fleet, seed, waves, compression: the folded scenario without JUDGES), who answered each
    service (the city's own or the stand-in, and which broker), whose accounts, how much of the fleet was enrolled
    before, and the release of fleetrush. Where something stood in, this machine is part of what was measured, so it
    counts as well. Not part of it: addresses of targets, so that a new server can be held against the old one, and
    the number of engines, which send the same starts however many they are.

    Args:
        run: run.json.
    """
    folded = run["scenario"]["folded"]
    targets = run["targets"]
    accounts = run.get("accounts") or {}
    machine = run.get("machine") or {}
    before, devices = int(run.get("enrolled_before", 0)), int(run["devices"])
    stood_in = any(target["basis"] == STAND_IN for target in targets.values())
    return {
        **{f"scenario.{key}": value for key, value in folded.items() if key not in JUDGES},
        "answered by": {service: target["basis"] for service, target in targets.items()},
        "broker": run.get("broker", "embedded") if _stands_in(targets, "push") else "",
        "accounts": {key: accounts.get(key) for key in ("accounts", "people")},
        "enrolled before": "nobody" if not before else "everybody" if before >= devices else "some",
        "release of fleetrush": ".".join(str((run.get("versions") or {}).get("fleetrush", "")).split(".")[:2]),
        "machine": {key: machine.get(key) for key in ("cores", "processor")} if stood_in else {},
    }


def comparable_hash(run: Mapping[str, Any]) -> str:
    """SHA-256 (hex) of the comparable part of run.json."""
    text = json.dumps(comparable_part(run), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return sha256(text.encode()).hexdigest()


def differences(one: Mapping[str, Any], other: Mapping[str, Any]) -> list[str]:
    """The names of what makes two runs incomparable; empty where their hashes are equal."""
    ours, theirs = comparable_part(one), comparable_part(other)
    return [key for key in {**ours, **theirs} if ours.get(key) != theirs.get(key)]


def _stands_in(targets: Mapping[str, Mapping[str, Any]], service: str) -> bool:
    return service in targets and targets[service]["basis"] == STAND_IN
