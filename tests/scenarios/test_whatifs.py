"""What-ifs change what they say and nothing else."""

from __future__ import annotations

import json
from typing import Any

import pytest

from scenarios.load import Overrides, load
from scenarios.schema import Scenario
from scenarios.whatifs import WHAT_IFS, what_if
from simulator.composition import KNOWN


def folded(scenario: Scenario) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(scenario.to_json())
    return value


def differences(name: str, scenario: str) -> dict[str, tuple[Any, Any]]:
    """By key of the scenario, what it says and what the what-if says instead."""
    before = load(scenario, known=KNOWN)
    old, new = folded(before), folded(what_if(before, name))
    return {key: (old[key], new[key]) for key in old if old[key] != new[key]}


def test_a_bell_of_ten_minutes() -> None:
    """The morning's bell, 07:55 to 08:55, becomes one of ten minutes around 08:25."""
    ((key, (old, new)),) = differences("ten_minute_bell", "morning_peak").items()
    assert key == "waves"
    assert (old[0]["arrivals"]["from"], old[0]["arrivals"]["to"]) == ("07:55", "08:55")
    assert (new[0]["arrivals"]["from"], new[0]["arrivals"]["to"]) == ("08:20", "08:30")
    assert new[0]["arrivals"]["shape"] == "bell"


def test_a_bell_that_is_shorter_stays_so() -> None:
    """Where all came within three minutes already, nobody comes slower."""
    short = load("tests/data/scenarios/slots.toml", known=KNOWN)
    assert folded(what_if(short, "ten_minute_bell"))["waves"][0]["arrivals"]["to"] == "08:00:08"


def test_all_offline_limits_expired() -> None:
    """On an ordinary day a fifth signs in online; then everybody does, but for those who mistype as before."""
    ((key, (old, new)),) = differences("all_limits_expired", "ordinary_day").items()
    assert key == "sign_in"
    changed = what_if(load("ordinary_day", known=KNOWN), "all_limits_expired")
    shares = changed.sign_in.shares
    assert changed.sign_in.returning == 0
    assert shares["online"] + shares["wrong_password"] + shares["locked_account"] == pytest.approx(1)
    assert shares["wrong_password"] == old["wrong_password"] == new["wrong_password"]
    # the morning asks that already
    morning = load("morning_peak", known=KNOWN)
    assert morning.sign_in.shares["online"] == 1
    assert what_if(morning, "all_limits_expired") == morning


def test_devices_and_staff() -> None:
    """2,680 devices become 1,340 with half the staff, and 5,360."""
    assert differences("staff_2040", "morning_peak") == {"devices": (2680, 1340)}
    assert differences("twice_devices", "morning_peak") == {"devices": (2680, 5360)}


def test_full_updates() -> None:
    """A morning of deltas of 50 MB becomes one of full images; the payload that is really sent stays."""
    before = load("morning_peak", known=KNOWN)
    assert before.updates.true_bytes == 1_200_000_000
    deltas = before.model_copy(update={"updates": before.updates.model_copy(update={"true_bytes": 50_000_000})})
    assert what_if(deltas, "full_update") == before


@pytest.mark.parametrize("name", WHAT_IFS)
@pytest.mark.parametrize("scenario", ["morning_peak", "sign_in_peak", "after_holiday", "sign_in_plateau"])
def test_each_is_a_sound_scenario(name: str, scenario: str) -> None:
    """It is validated as a file is, keeps its name, and the same twice gives the same hash."""
    before = load(scenario, known=KNOWN, overrides=Overrides(seed=3))
    changed = what_if(before, name)
    assert (changed.name, changed.seed) == (before.name, 3)
    assert what_if(before, name).hash == changed.hash
