"""The operator's acts: which of them are played where the user named a service, and under which number."""

from __future__ import annotations

from pathlib import Path

from scenarios.load import load
from scenarios.targets import SERVICES
from simulator.composition import KNOWN
from simulator.operator import ACTIONS, acts_of

ACTS = """
title = "Acts"
question = "Which are played?"
organisation = "maebashi"
devices = 60
[day]
start = "08:00"
end = "09:00"
[[waves]]
name = "lids"
who = "staff"
journey = "boot"
arrivals = { shape = "even", from = "08:00", to = "08:10" }
[[operator]]
at = "08:30"
act = "publish_policy"
with = { policy = "device", value = { guest_mode_enabled = true } }
[[operator]]
at = "08:20"
act = "publish_release"
with = { version = "99999.1.0", size = 4096 }
[[operator]]
at = "08:10"
act = "clear_faults"
"""


def test_every_act_says_whose_doing_it_is() -> None:
    """Each act belongs to a service that can be named, or to the backend itself."""
    assert set(ACTIONS.values()) <= {*SERVICES, ""}


def test_what_a_named_service_does_is_left_out(tmp_path: Path) -> None:
    """Acts keep their number in the scenario, by which pushes and samples name them, whichever are left out."""
    path = tmp_path / "acts.toml"
    path.write_text(ACTS)
    scenario = load(str(path), known=KNOWN)

    def played(*named: str) -> list[tuple[int, str, float]]:
        return [(act.action, act.name, act.due) for act in acts_of(scenario, 10.0, named)]

    publish, release, clear = (
        (1, "publish_policy", 1810.0),
        (2, "publish_release", 1210.0),
        (3, "clear_faults", 610.0),
    )
    assert played() == [publish, release, clear]
    assert played("management") == [release, clear]
    assert played("updates", "push") == [publish, clear]
    assert played("management", "identity", "updates", "push") == [clear]
