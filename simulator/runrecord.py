"""What run.json says of a run before it starts: everything needed to understand, judge and repeat it.

Pure but for the machine's own description; no secret is written.
"""

from __future__ import annotations

import json
import os
import platform
import shlex
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Any

from reports.comparable import comparable_hash
from reports.record import TRIGGERS
from simulator.composition import TARGET, Composition
from simulator.journeys import JOURNEY_NAMES, STEPS
from simulator.machine import processor
from simulator.protocols.login import STEPS as LOGIN_STEPS
from simulator.protocols.messages import REASONS
from simulator.timetable import planned_curve

_PACKAGES = ("fleetrush", "locust", "aiomqtt", "numpy", "uvloop", "httptools")


def run_record(
    composition: Composition, engines: int, broker: str, urls: Mapping[str, str], arguments: Sequence[str]
) -> dict[str, Any]:
    """The content of run.json.

    Args:
        broker: which one stands in for push.
        urls: base URLs by service, of targets and stand-ins alike.
        arguments: of the command line, to run it again.
    """
    scenario = composition.scenario
    edges_s, counts = planned_curve(scenario, composition.lead_s, width_s=1.0)
    authorisation = composition.targets.authorisation
    record: dict[str, Any] = {
        "scenario": {
            "name": scenario.name,
            "title": scenario.title,
            "question": scenario.question,
            "folded": json.loads(scenario.to_json()),
        },
        "hash": scenario.hash,
        "seed": scenario.seed,
        "devices": scenario.devices,
        "enrolled_before": int(composition.enrolled.sum()),
        "enrollments": None if composition.enrollments is None else str(composition.enrollments.path),
        "staff": scenario.staff,
        "compression": scenario.day.compression,
        "lead_s": composition.lead_s,
        "day_start_s": scenario.day.start_s,
        "end_s": composition.end_s,
        "engines": engines,
        "broker": broker,
        "command": shlex.join(["fleetrush", *arguments]),
        "versions": {"python": platform.python_version(), **{name: version(name) for name in _PACKAGES}},
        "machine": {"cores": os.cpu_count(), "system": platform.platform(), "processor": processor()},
        "accounts": dict(composition.accounts.told),
        "targets": {name: _target(name, urls.get(name, ""), basis) for name, basis in composition.basis.items()},
        "authorisation": None if authorisation is None else authorisation.model_dump(mode="json", by_alias=True),
        "steps": list(STEPS),
        "reasons": list(REASONS),
        "journeys": list(JOURNEY_NAMES),
        "triggers": list(TRIGGERS),
        "actions": [{"action": act.action, "act": act.name, "due": act.due} for act in composition.acts],
        "left_out": list(composition.left_out),
        "planned": {"edges_s": edges_s.tolist(), "counts": counts.tolist()},
        "untrusted": [],
        "partial": True,
    }
    return {**record, "comparable_hash": comparable_hash(record)}


def _target(service: str, url: str, basis: str) -> dict[str, Any]:
    """One service of run.json. A named identity provider answers its own pages; Google's accounts stand in."""
    steps = {"steps": list(LOGIN_STEPS)} if service == "identity" and basis == TARGET else {}
    return {"url": url, "basis": basis, **steps}
