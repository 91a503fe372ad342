"""The operator's timed acts, as exchanges with the backend's operator API. Pure; played by shard 0.

A new act is one row in ACTIONS.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass
from typing import Any

from scenarios.schema import Scenario
from simulator.protocols.messages import Broken, Exchange, Request, Response, settle
from simulator.timetable import run_second


@dataclass(frozen=True, slots=True)
class OperatorLogin:
    """Where the operator API is (base URL without a trailing slash) and the token it wants."""

    url: str
    token: str


@dataclass(frozen=True, slots=True)
class Act:
    """One timed act: its number in the scenario (from 1), the run second, the name in ACTIONS, and its own settings."""

    action: int
    due: float
    name: str
    settings: Mapping[str, Any]


def ask(login: OperatorLogin, act: Act) -> Exchange[dict[str, Any]]:
    """One POST of the act's settings to /operator/<name>."""
    # `payload` comes back in every push that the act causes, so that a device knows which act it heard of.
    told = {"payload": push_payload(act.action)} if act.name in PUBLISHES else {}
    settings = {key: value for key, value in act.settings.items() if key != WITHIN}
    return Exchange(f"operator.{act.name}", _request(login, act.name, {**told, **settings}), _read)


def _request(login: OperatorLogin, name: str, told: Mapping[str, Any]) -> Request:
    headers = (("Authorization", f"Bearer {login.token}"), ("Content-Type", "application/json"))
    return Request("POST", f"{login.url}/operator/{name}", headers, json.dumps(told).encode())


def session(login: OperatorLogin, user: str) -> Exchange[tuple[str, str]]:
    """Ask for what a sign-in on an earlier day left on a device; no act of a scenario.

    Args:
        user: an address of the enrolment domain.
    Returns: a refresh token, and an access token that has died since.
    """

    def read(response: Response) -> tuple[str, str]:
        told = _read(response)
        return str(told.get("refresh_token", "")), str(told.get("access_token", ""))

    return Exchange("operator.session", _request(login, "session", {"user": user}), read)


def _read(response: Response) -> dict[str, Any]:
    settle(response, detail=response.body[:200].decode(errors="replace") if response.status != 200 else "")
    try:
        told = json.loads(response.body)
    except ValueError as fault:
        raise Broken("undecodable", str(fault)) from None
    if not isinstance(told, dict):
        raise Broken("undecodable", "expected a JSON object")
    return told


# What the operator may do, and the service whose doing it is: our operator API reaches none that the user named. Empty:
# the stand-in's alone.
ACTIONS: dict[str, str] = {
    "publish_policy": "management",
    "publish_extension_policy": "management",
    "queue_command": "management",
    "lock_device": "management",
    "delete_device": "management",
    "publish_release": "updates",
    "set_enrollment": "management",
    "rotate_key": "management",
    "inject_fault": "",
    "clear_faults": "",
    "expire_tokens": "",
}


def acts_of(scenario: Scenario, lead: float, named: Container[str] = ()) -> tuple[Act, ...]:
    """The acts of a scenario that can be played, numbered from 1 in its order.

    Args:
        lead: run second of the day's start.
        named: the services that the user named.
    """
    return tuple(
        Act(number, run_second(scenario, lead, act.at_s), act.act, act.with_)
        for number, act in enumerate(scenario.operator, 1)
        if ACTIONS[act.act] not in named
    )


# Acts that change policy, by what each says of whose: after them the devices concerned owe to have it applied.
PUBLISHES: dict[str, Callable[[Mapping[str, Any]], str]] = {
    "publish_policy": lambda told: str(told.get("policy")),
    "publish_extension_policy": lambda told: f"{told.get('policy')}/{told.get('extension_id')}",
}

# Acts that kill tokens, and the setting of theirs that is the devices' own: over how many real seconds they notice.
EXPIRES = frozenset({"expire_tokens"})
WITHIN = "within_s"

# The operator's own row in the record (reports.record.OPERATOR).
OPERATOR_ROW = 2**32 - 1

_PAYLOAD = "fleetrush-act-"


def push_payload(action: int) -> str:
    """What the pushes of an act carry."""
    return f"{_PAYLOAD}{action}"


def action_of(payload: str) -> int:
    """The act that a push's payload names, 0 when it names none."""
    number = payload.removeprefix(_PAYLOAD)
    return int(number) if payload.startswith(_PAYLOAD) and number.isascii() and number.isdigit() else 0
