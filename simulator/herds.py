"""What an operator's act has all devices that are online ask for at once. Pure arithmetic.

They hear of it by push and answer in real seconds, which no compression touches: the herd of an act is as steep in a
squeezed day as in a real one. Who is online is what the waves plan, as if nobody were turned away.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from scenarios.evidence import part
from scenarios.schema import LIDS, Scenario
from simulator.journeys import JOURNEYS
from simulator.operator import Act
from simulator.timers import PUSH_DELAY_MAX_S, PUSH_DELAY_MIN_S
from simulator.timetable import curve

# A pushed policy is fetched after a delay drawn uniformly from this stretch (timers.push_delay_s).
FETCH_S = PUSH_DELAY_MAX_S - PUSH_DELAY_MIN_S
# Whatever is due in one instant takes a second.
AT_ONCE_S = 1.0
# What opens a push line, and so brings a device online.
ONLINE = ("boot", "reconnect")

_DEVICE, _USER, _FILE = "management.device_policy", "management.user_policy", "management.extension_policy"
_PUBLISHED = {"device": (_DEVICE,), "user": (_USER,), "account": ("management.account_policy",)}
_PUBLISHED_EXTENSION = {"signin": (_DEVICE, _FILE), "user": (_USER, _FILE)}
# An order is fetched and its result sent back; these have more asked a little later, all at once again.
_ORDERED = ("management.remote_commands",) * 2
_FOLLOWS = {"DEVICE_REBOOT": "boot", "DEVICE_REMOTE_POWERWASH": "enroll"}


def _ordered(told: Mapping[str, Any]) -> Sequence[str]:
    follows = _FOLLOWS.get(str(told.get("type")))
    return JOURNEYS[follows].steps if follows else _ORDERED


# Name of an act -> over how many real seconds its devices begin, and which steps each asks in a second of its own.
HERDS: dict[str, tuple[float, Callable[[Mapping[str, Any]], Sequence[str]]]] = {
    "publish_policy": (FETCH_S, lambda told: _PUBLISHED.get(str(told.get("policy")), ())),
    "publish_extension_policy": (FETCH_S, lambda told: _PUBLISHED_EXTENSION.get(str(told.get("policy")), ())),
    "lock_device": (FETCH_S, lambda told: (_DEVICE,)),
    "queue_command": (AT_ONCE_S, _ordered),
}


@dataclass(frozen=True, slots=True)
class Herd:
    """The devices that follow one act.

    Attributes:
        act: its name. due, over_s: the run second of the act, and real seconds after it within which each begins.
        devices: how many are online then. steps: what each asks.
        lids_per_s: lids opened in each second meanwhile.
    """

    act: str
    due: float
    over_s: float
    devices: float
    steps: Sequence[str]
    lids_per_s: float

    @property
    def starts_per_s(self) -> float:
        """How many begin in a second: the devices online over the seconds within which they begin."""
        return self.devices / self.over_s


def herds_of(scenario: Scenario, acts: Iterable[Act]) -> list[Herd]:
    """One for each of these acts of the scenario that tells all devices something; none for what one device is told."""
    herds = []
    for act in acts:
        over_s, asked = HERDS.get(act.name, (0.0, lambda told: ()))
        at_s = scenario.operator[act.action - 1].at_s
        devices = min(_begun(scenario, ONLINE, at_s), scenario.devices)
        if asked(act.settings) and devices and "device_id" not in act.settings:
            lids = _begun(scenario, LIDS, at_s + over_s * scenario.day.compression) - _begun(scenario, LIDS, at_s)
            herds.append(Herd(act.name, act.due, over_s, devices, asked(act.settings), lids / over_s))
    return herds


def together(herds: Iterable[Herd], herd: Herd) -> list[Herd]:
    """Those that are under way as one begins, itself included."""
    return [one for one in herds if one.due <= herd.due < one.due + one.over_s]


def _begun(scenario: Scenario, journeys: Sequence[str], city_s: float) -> float:
    """How many starts of these journeys are expected before a city instant."""
    return sum(
        part(wave.share, round(scenario.eligible(wave.who))) * float(curve(wave.arrivals).shares(np.array([city_s]))[0])
        for wave in scenario.waves
        if wave.journey in journeys
    )
