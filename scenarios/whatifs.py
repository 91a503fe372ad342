"""What-ifs: the same scenario in other circumstances, each a pure change of one value that a scenario has.

To add one is a function and a row in WHAT_IFS. Nothing is played here, and what becomes of it is not known.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Final

from scenarios.citytime import seconds, text
from scenarios.schema import LIDS, Scenario

BELL_S: Final = 600.0
FULL_BYTES: Final = 1_200_000_000
DELTA_BYTES: Final = 50_000_000
"""A minor ChromeOS update from the version before (support.google.com/chrome/a/answer/3168106)."""

WAYS: Final = ("rehearsed", "measured", "none")
"""How a table of what-ifs may be filled."""

Folded = dict[str, Any]


def ten_minute_bell(folded: Folded) -> None:
    """All lids open within ten minutes around the middle of their wave."""
    for wave in folded["waves"]:
        arrivals = wave["arrivals"]
        if wave["journey"] not in LIDS or arrivals["shape"] not in ("bell", "even"):
            continue
        first, last = seconds(arrivals["from"]), seconds(arrivals["to"])
        half = min(BELL_S, last - first) / 2
        middle = (first + last) / 2
        wave["arrivals"] = arrivals | {"shape": "bell", "from": text(middle - half), "to": text(middle + half)}


def all_limits_expired(folded: Folded) -> None:
    """Every offline limit has expired: who would unlock offline signs in online."""
    sign_in = folded["sign_in"]
    rest = sum(sign_in[kind] or 0 for kind in ("wrong_password", "locked_account"))
    sign_in |= {"saml_offline_limit_s": None, "online": 1 - rest, "offline_unlock": None, "expired_token": 0.0}


def full_update(folded: Folded) -> None:
    """Who is offered an update loads a full image, not a delta. What is sent stays the stand-in's payload; what it
    would weigh is computed."""
    folded["updates"]["true_bytes"] = FULL_BYTES


def staff_2040(folded: Folded) -> None:
    """Half the staff, and half the devices with them, as the city plans for 2040."""
    folded["devices"] = max(1, folded["devices"] // 2)


def twice_devices(folded: Folded) -> None:
    """Twice the devices."""
    folded["devices"] *= 2


WHAT_IFS: Final[dict[str, Callable[[Folded], None]]] = {
    change.__name__: change for change in (ten_minute_bell, all_limits_expired, full_update, staff_2040, twice_devices)
}


def what_if(scenario: Scenario, name: str) -> Scenario:
    """The scenario in those circumstances; equal to it where it is so already. Raises: KeyError."""
    folded: Folded = json.loads(scenario.to_json())
    WHAT_IFS[name](folded)
    changed = Scenario.from_json(json.dumps(folded))
    if changed.sign_in.shares == scenario.sign_in.shares:
        # the same people get in the same way, however it is written
        changed = changed.model_copy(update={"sign_in": scenario.sign_in})
    return changed
