"""A working day in virtual time: the same journeys and the backend's core in memory, counted by arithmetic."""

from __future__ import annotations

from collections import Counter
from math import floor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from reports.record import SAMPLE
from scenarios.load import Overrides, load
from simulator.composition import KNOWN
from simulator.journeys import STEPS
from simulator.rehearsal import Rehearsed, rehearse

DAY = Path(__file__).parent.parent / "data" / "scenarios" / "day.toml"
DEVICES = 500
# floor(500 * 80 / 2680) spares
STAFF = 486
HOUR = 3600


@pytest.fixture(scope="module")
def day() -> Rehearsed:
    """Eight hours of 500 devices at their real pace, with one publish at noon."""
    return rehearse(load(str(DAY), known=KNOWN, overrides=Overrides()))


@pytest.fixture(scope="module")
def samples(day: Rehearsed) -> Any:
    """Its samples as records."""
    return np.frombuffer(day.samples, SAMPLE)


def _of(samples: Any, step: str) -> Any:
    return samples[samples["step"] == STEPS.index(step)]


def test_every_step_is_played_as_often_as_the_day_says(samples: Any) -> None:
    """Counts per step of an eight-hour day, each worked out from devices, staff and one publish; nothing goes wrong."""
    assert not samples["outcome"].any()
    counts = Counter(STEPS[step] for step in samples["step"].tolist())
    once_a_device = ("state_retrieval", "register", "api_authorization")
    assert {name: counts[f"management.{name}"] for name in once_a_device} == dict.fromkeys(once_a_device, DEVICES)
    once_a_lid = ("push.connect", "management.remote_commands", "management.register_user", "identity.login", "ready")
    assert {name: counts[name] for name in once_a_lid} == dict.fromkeys(once_a_lid, STAFF)
    # enrollment, boot, and the publish; push works, so no scheduled refresh within eight hours
    assert counts["management.device_policy"] == DEVICES + 2 * STAFF
    assert counts["management.user_policy"] == STAFF
    assert counts["applied"] == STAFF
    assert counts["updates.payload"] == counts["updated"]
    assert counts["updates.event"] == 3 * counts["updated"]
    # a share of 0.1 within five standard errors of a binomial
    assert abs(counts["updated"] - 0.1 * STAFF) < 5 * (STAFF * 0.09) ** 0.5


def test_timers_keep_city_time(samples: Any) -> None:
    """Status 60 s after the lid opened and then three hours after each end; checks 2 to 12 min, then 40 to 50 min."""
    end = samples["done"].max()
    boots = {int(row["device"]): float(row["due"]) for row in _of(samples, "ready")}
    for device, boot in list(boots.items())[:100]:
        status = np.sort(_of(samples, "management.status_upload")["due"][
            _of(samples, "management.status_upload")["device"] == device
        ])  # fmt: skip
        assert status[0] == pytest.approx(boot + 60, abs=1e-6)
        assert np.diff(status) == pytest.approx(3 * HOUR, abs=1e-6)
        assert abs(status.size - (1 + floor((end - boot - 60) / (3 * HOUR)))) <= 1
        checks = _of(samples, "updates.check")
        dues = np.sort(checks["due"][checks["device"] == device])
        assert 120 <= dues[0] - boot <= 720
        assert ((np.diff(dues) >= 2400) & (np.diff(dues) <= 3000)).all()


def test_a_person_types_and_a_push_waits(samples: Any) -> None:
    """In memory nothing takes time but what the device itself waits for: five seconds of start, typing, push delay."""
    ready, applied = _of(samples, "ready"), _of(samples, "applied")
    waited = ready["done"] - ready["due"]
    assert (waited > 5).all()
    # half of all people need less than the median of 6 s: within five standard errors
    assert abs((waited < 11).mean() - 0.5) < 5 * (0.25 / STAFF) ** 0.5
    delay = applied["done"] - applied["due"]
    assert delay.min() >= 0.02
    assert delay.max() < 10
    # uniform: its mean within five standard errors
    assert abs(delay.mean() - 5.01) < 5 * (9.98 / 12**0.5) / STAFF**0.5


def test_the_backend_counted_the_same(day: Rehearsed, samples: Any) -> None:
    """What the core says it did is what the devices say they asked; nothing is signed twice that did not change."""
    told = day.state["management"]
    assert told["devices"] == DEVICES
    assert told["users"] == STAFF
    # one policy a device, one a user, and the devices' again after the publish
    assert told["policies_signed"] == DEVICES + STAFF + STAFF
    assert day.state["idp"]["assertions"] == STAFF
    assert day.state["backend"]["internal_errors"] == 0
    # (what rehearse() itself asked of the operator API: a release, a token, and this state)
    http = [index for index, name in enumerate(STEPS) if "." in name and name != "push.connect"]
    assert day.state["backend"]["requests"] == np.isin(samples["step"], http).sum() + 3
    assert day.examples == []
    assert day.count == samples.size


INSTANTS = ["due", "able", "sent", "done", "device", "step", "outcome", "trigger", "journey"]


def test_twice_the_same_bytes() -> None:
    """The same seed plays the same day: two rehearsals leave the same record, to the byte."""
    scenario = load(str(DAY), known=KNOWN, overrides=Overrides(devices=80))
    assert rehearse(scenario).samples == rehearse(scenario).samples


def test_shards_play_the_same_day() -> None:
    """A fleet shared among processes: every device does the same at the same instants, the operator is one, and what
    the cores counted is what one would have."""
    scenario = load(str(DAY), known=KNOWN, overrides=Overrides(devices=81))
    one, three = (rehearse(scenario, shards=shards) for shards in (1, 3))
    alone, shared = (np.sort(np.frombuffer(played.samples, SAMPLE)[INSTANTS]) for played in (one, three))
    assert np.array_equal(alone, shared)
    assert three.count == one.count == len(np.frombuffer(three.samples, SAMPLE))
    for service in ("management", "identity", "idp"):
        assert three.state[service] == one.state[service], service


def test_devices_that_share_licences_are_not_parted(tmp_path: Path) -> None:
    """Five licences for six devices: one is refused, however many shards are wanted."""
    path = tmp_path / "licences.toml"
    path.write_text(TWO_LIDS.format(again="09:00", until="09:10") + "[backend.enrollment]\nlicenses = 5\n")
    samples = np.frombuffer(rehearse(load(str(path), known=KNOWN, overrides=Overrides()), shards=2).samples, SAMPLE)
    assert Counter(_of(samples, "management.register")["outcome"].tolist()) == {0: 5, 1: 1}


TWO_LIDS = """
title = "Two lids a day"
question = "Is each one counted?"
organisation = "maebashi"
devices = 6
[day]
start = "08:00"
end = "09:30"
compression = 1
[[waves]]
name = "morning"
who = "staff"
journey = "boot"
arrivals = {{ shape = "even", from = "08:10", to = "08:11" }}
[[waves]]
name = "again"
who = "staff"
journey = "boot"
arrivals = {{ shape = "even", from = "{again}", to = "{until}" }}
"""


@pytest.mark.parametrize(("again", "until", "all_ready"), [("09:00", "09:10", True), ("08:10", "08:11", False)])
def test_each_lid_is_one_sample(tmp_path: Path, again: str, until: str, all_ready: bool) -> None:
    """Two waves over the same six people: twelve lids, each with one `ready`, even where one opens the lid anew before
    the device got there."""
    (tmp_path / "two.toml").write_text(TWO_LIDS.format(again=again, until=until))
    rehearsed = rehearse(load(str(tmp_path / "two.toml"), known=KNOWN, overrides=Overrides()))
    ready = _of(np.frombuffer(rehearsed.samples, SAMPLE), "ready")
    assert len(ready) == 12
    assert Counter(ready["device"].tolist()) == dict.fromkeys(range(6), 2)
    assert len(np.unique(ready["due"])) == 12
    assert not all_ready or not ready["outcome"].any()
