"""Devices in trouble, in virtual time: what a server does wrong ends in samples, and makes no number better."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from reports.record import OUTCOMES, SAMPLE, TRIGGERS
from scenarios.load import load
from simulator.composition import KNOWN
from simulator.journeys import JOURNEYS, STEPS
from simulator.memory import VirtualLoop
from simulator.protocols.messages import REASONS
from simulator.rehearsal import Rehearsed, Stage, rehearse

DEVICES = 60
# floor(60 * 80 / 2680) = 1 spare
STAFF = 59
HOUR = 3600.0
MORNING = """
title = "A morning with trouble"
question = "What becomes of it?"
organisation = "maebashi"
devices = 60
[day]
start = "08:00"
end = "11:00"
compression = 1
[[waves]]
name = "lids"
who = "staff"
journey = "boot"
arrivals = { shape = "even", from = "08:10", to = "08:20" }
[people]
typing_median_s = 2.0
[updates]
offered_share = 1.0
payload_bytes = 8192
"""


def _play(tmp_path: Path, *acts: str) -> tuple[Any, Rehearsed]:
    """Rehearse the morning with these operator acts, each "08:05 name { settings }"."""
    text = MORNING
    for act in acts:
        at, name, settings = act.split(" ", 2)
        text += f'[[operator]]\nat = "{at}"\nact = "{name}"\nwith = {settings}\n'
    path = tmp_path / "trouble.toml"
    path.write_text(text)
    played = rehearse(load(str(path), known=KNOWN))
    return np.frombuffer(played.samples, SAMPLE), played


def _outcomes(samples: Any, step: str) -> dict[str, int]:
    own = samples[samples["step"] == STEPS.index(step)]
    return dict(Counter(OUTCOMES[outcome] for outcome in own["outcome"].tolist()))


def test_a_refused_sign_in_is_counted_to_the_end(tmp_path: Path) -> None:
    """503 at the entry: one refused `ready` a lid, every later step skipped once a lid, everything else as ever."""
    samples, played = _play(tmp_path, '08:05 inject_fault { where = "/samlredirect", kind = "error", status = 503 }')
    assert _outcomes(samples, "identity.entry") == {"refused": STAFF}
    for milestone in ("signed_in", "ready"):
        assert _outcomes(samples, milestone) == {"refused": STAFF}
    later = [step for step in JOURNEYS["sign_in"].steps if step not in ("identity.entry", "management.push_token")]
    assert {step: _outcomes(samples, step) for step in later} == {step: {"skipped": STAFF} for step in later}
    # the device's own token went through, the user's never came to it
    assert _outcomes(samples, "management.push_token") == {"ok": STAFF, "skipped": STAFF}
    assert _outcomes(samples, "updated") == {"ok": STAFF}
    assert Counter(example["step"] for example in played.examples)["identity.entry"] == 3
    entries = samples[samples["step"] == STEPS.index("identity.entry")]
    assert set(entries["status"].tolist()) == {503}


def test_a_person_can_sign_in_while_management_is_broken(tmp_path: Path) -> None:
    """500 for policies at boot: the device goes on to its login screen, and fetches again 5 to 10 minutes later."""
    acts = (
        '08:05 inject_fault { where = "management", kind = "error", status = 500 }',
        "08:21 clear_faults {}",
    )
    samples, _ = _play(tmp_path, *acts)
    assert _outcomes(samples, "signed_in") == {"ok": STAFF}
    # the user's own registration needs the same server: nobody gets ready
    assert _outcomes(samples, "ready") == {"failed": STAFF}
    policies = samples[samples["step"] == STEPS.index("management.device_policy")]
    failed = policies[policies["outcome"] == OUTCOMES.index("failed")]
    retried = policies[policies["trigger"] == TRIGGERS.index("retry")]
    first = {int(row["device"]): row for row in failed[np.argsort(failed["done"])[::-1]]}
    assert len(first) == STAFF
    again = {int(row["device"]): row for row in retried[np.argsort(retried["due"])[::-1]]}
    waits = np.array([again[device]["due"] - row["done"] for device, row in first.items()])
    # the wait counts from the end of boot, which follows the fetch at once here
    assert ((waits >= 300) & (waits < 600)).all()
    assert set(_outcomes(samples, "management.device_policy")) == {"ok", "failed"}


def test_frozen_until_the_end_is_unknown(tmp_path: Path) -> None:
    """Answers that never come: after 30 s the step is unknown, and so is whatever waits for it; nothing hangs."""
    freeze = '08:05 inject_fault { where = "/idp", kind = "freeze", for_s = 90_000 }'
    samples, _ = _play(tmp_path, freeze)
    pages = samples[samples["step"] == STEPS.index("identity.login_page")]
    assert set(pages["reason"].tolist()) == {REASONS.index("timeout")}
    assert np.allclose(pages["done"] - pages["sent"], 30.0)
    assert _outcomes(samples, "ready") == {"unknown": STAFF}


def test_half_dropped_connections(tmp_path: Path) -> None:
    """Answers lost at random are unknown, each with its reason; every lid still has exactly one `ready`."""
    drop = '08:05 inject_fault { where = "identity", kind = "drop", rate = 0.05 }'
    samples, _ = _play(tmp_path, drop)
    ready = samples[samples["step"] == STEPS.index("ready")]
    assert np.unique(ready["device"]).size == ready.size == STAFF
    outcomes = _outcomes(samples, "ready")
    assert set(outcomes) == {"ok", "unknown"}
    lost = samples[(samples["outcome"] == OUTCOMES.index("unknown")) & (samples["step"] != STEPS.index("ready"))]
    assert set(lost["reason"].tolist()) == {REASONS.index("broken_after_sent")}


def test_commands_are_obeyed_and_acknowledged(tmp_path: Path) -> None:
    """An order to reboot is fetched after a push and obeyed; the next boot fetches it again and tells of success."""
    samples, played = _play(tmp_path, '09:30 queue_command { type = "DEVICE_REBOOT" }')
    assert _outcomes(samples, "management.remote_commands") == {"ok": 4 * STAFF}
    assert played.state["management"]["command_results"] == STAFF


def test_a_rotated_key_is_accepted(tmp_path: Path) -> None:
    """A new policy key comes with the next policy, vouched for by the old one; every device applies what it signs."""
    acts = (
        "09:30 rotate_key {}",
        '10:00 publish_policy { policy = "device", value = { device_policy_refresh_rate = 7_200_000 } }',
    )
    samples, played = _play(tmp_path, *acts)
    assert played.state["management"]["key_version"] == 2
    assert _outcomes(samples, "applied") == {"ok": STAFF}
    assert not samples["outcome"].any()


def test_a_locked_fleet_gets_nowhere(tmp_path: Path) -> None:
    """Devices that the operator locked before their lids open get their policy, and then no further."""
    samples, _ = _play(tmp_path, '08:05 lock_device { message = "lost" }')
    ready = samples[samples["step"] == STEPS.index("ready")]
    assert set(ready["reason"].tolist()) == {REASONS.index("not_entitled")}
    assert _outcomes(samples, "ready") == {"refused": STAFF}
    assert _outcomes(samples, "identity.entry") == {"skipped": STAFF}


def test_what_a_run_never_asks_is_not_skipped(tmp_path: Path) -> None:
    """Where devices play the city's own service provider, a lost sign-in loses no entry: there would have been none."""
    path = tmp_path / "trouble.toml"
    path.write_text(MORNING + '[[operator]]\nat = "08:05"\nact = "lock_device"\nwith = { message = "lost" }\n')
    scenario = load(str(path), known=KNOWN)

    async def play() -> Rehearsed:
        stage = Stage(scenario)
        world = stage.player.world
        world.plan = replace(world.plan, unasked=frozenset({"identity.entry", "identity.assertion"}))
        for start in stage.order.starts(stage.fleet):
            stage.agenda.put(start)
        await stage.play(stage.order.end_s)
        return await stage.end()

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        samples = np.frombuffer(runner.run(play()).samples, SAMPLE)
    assert _outcomes(samples, "identity.login") == {"skipped": STAFF}
    assert _outcomes(samples, "identity.entry") == _outcomes(samples, "identity.assertion") == {}


def test_an_overloaded_update_server_slows_checks_and_hears_of_it(tmp_path: Path) -> None:
    """A check answered with 503 is followed by an event; the next one comes 90 minutes later, half to either side."""
    fault = '08:05 inject_fault { where = "updates", kind = "error", status = 503 }'
    samples, _ = _play(tmp_path, fault)
    checks = samples[samples["step"] == STEPS.index("updates.check")]
    assert set(_outcomes(samples, "updates.check")) == {"refused"}
    assert _outcomes(samples, "updates.event") == {"refused": checks.size}
    for device in np.unique(checks["device"]):
        dues = np.sort(checks["due"][checks["device"] == device])
        if dues.size > 1:
            assert 45 * 60 <= dues[1] - dues[0] <= 135 * 60


def test_people_who_come_later_catch_up(tmp_path: Path) -> None:
    """Published before the lids open: nobody was online, so each device closes it at its boot, and not by a push."""
    act = '08:05 publish_policy { policy = "device", value = { device_policy_refresh_rate = 7_200_000 } }'
    samples, _ = _play(tmp_path, act)
    applied = samples[samples["step"] == STEPS.index("applied")]
    assert applied.size == STAFF
    assert set(applied["trigger"].tolist()) == {TRIGGERS.index("follows")}
    assert np.allclose(applied["due"], applied["due"][0])
    boots = samples[samples["step"] == STEPS.index("ready")]
    assert applied["done"].min() > boots["due"].min()


def test_our_own_mistake_stops_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An exception in a journey is no outcome: it ends the rehearsal loudly."""

    async def broken(traveller: object) -> None:
        raise ZeroDivisionError("our own bug")

    row = JOURNEYS["check_update"]
    monkeypatch.setitem(JOURNEYS, "check_update", type(row)(broken, row.steps))
    with pytest.raises(ZeroDivisionError, match="our own bug"):
        _play(tmp_path)
