"""What is wrong with a scenario's acts, before anything is sent, as the backend's operator API would say it later.

A new check is one row in CHECKS. An act without one is told its mistakes when it is played.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from scenarios.faults import shown
from scenarios.schema import Scenario
from simulator.backend.faults import read_fault
from simulator.backend.management_commands import command_type
from simulator.backend.management_deletions import check_detail
from simulator.backend.management_extensions import document_of
from simulator.backend.management_terms import check_terms
from simulator.backend.management_values import payload_of
from simulator.backend.operator import FAULTY
from simulator.operator import WITHIN

DAY_S = 86_400


def _publish_policy(told: Mapping[str, Any]) -> None:
    payload_of(str(told.get("policy")), _policies(told))


def _publish_extension_policy(told: Mapping[str, Any]) -> None:
    document_of(str(told.get("policy")), str(told.get("extension_id")), _policies(told))


def _policies(told: Mapping[str, Any]) -> Mapping[str, Any]:
    value = told.get("value")
    if not isinstance(value, Mapping):
        raise ValueError("value: expected a table of policies")
    return value


def _expire_tokens(told: Mapping[str, Any]) -> None:
    within = told.get(WITHIN, 0)
    if isinstance(within, bool) or not isinstance(within, (int, float)) or not 0 <= within <= DAY_S:
        raise ValueError(f"{WITHIN} = {shown(within)}: expected a number from 0 to {DAY_S:,}, in seconds")
    if type(told.get("refresh", False)) is not bool:
        raise ValueError(f"refresh = {shown(told['refresh'])}: expected true or false")


# Name of an act -> raises ValueError, one line, when it cannot be carried out with these settings.
CHECKS: Mapping[str, Callable[[Mapping[str, Any]], object]] = {
    "inject_fault": lambda told: read_fault(told, FAULTY, 0.0),
    "publish_policy": _publish_policy,
    "publish_extension_policy": _publish_extension_policy,
    "queue_command": lambda told: command_type(str(told.get("type"))),
    "delete_device": lambda told: check_detail(str(told.get("error_detail", ""))),
    "set_enrollment": check_terms,
    "expire_tokens": _expire_tokens,
}


def wrong_acts(scenario: Scenario) -> Iterator[str]:
    """One line for each act that could not be carried out."""
    for index, act in enumerate(scenario.operator):
        if act.act not in CHECKS:
            continue
        try:
            CHECKS[act.act](act.with_)
        except ValueError as fault:
            yield f"{scenario.name}.toml: operator[{index}].with: {fault}"
