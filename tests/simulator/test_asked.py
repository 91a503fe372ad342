"""What an objective may ask of a morning: every step and milestone, in every way; and what shipped ones ask."""

from __future__ import annotations

from itertools import product

import pytest
from pydantic import ValidationError

from scenarios.load import load, shipped
from scenarios.objective import ALL, LIMITS, Objective
from simulator.composition import KNOWN

LIMIT = {
    "latency_s_at_most": {"percentile": 12.5, "latency_s_at_most": 0.5},
    "service_s_at_most": {"percentile": 99.9, "service_s_at_most": 0.5},
    "error_share_at_most": {"error_share_at_most": 0.01},
    "done_by": {"done_share": 0.9, "done_by": "08:50"},
    "done_within_s": {"done_share": 1, "done_within_s": 90},
}
WINDOWS = ({}, {"from": "08:20"}, {"until": "08:30"}, {"from": "08:20", "until": "08:30"})


def asked(**said: object) -> Objective:
    """The objective as a scenario's table has it."""
    return Objective.model_validate(said, context={"steps": (*KNOWN.steps, ALL)})


def test_every_step_and_milestone_may_be_asked_in_every_way() -> None:
    """Latency or service time by any percentile, errors, when a share is done; in any window; nothing else is."""
    assert set(LIMIT) == set(LIMITS)
    for step, limit, window in product(KNOWN.steps, LIMIT.values(), WINDOWS):
        assert asked(step=step, **limit, **window).step == step
    with pytest.raises(ValidationError):
        asked(step="identity.logn", error_share_at_most=0.1)


@pytest.mark.parametrize("outcomes", [["refused"], ["failed"], ["unknown"], ["skipped"], ["refused", "unknown"], None])
def test_errors_are_asked_together_or_apart(outcomes: list[str] | None) -> None:
    """Each of the four other outcomes, some of them, or all."""
    assert asked(step="all", error_share_at_most=0.1, outcomes=outcomes).error_share_at_most == 0.1


@pytest.mark.parametrize("name", sorted(shipped()))
def test_a_shipped_scenario_asks_how_long_and_how_many_in_vain(name: str) -> None:
    """Of what its question is about: a person's or device's wait, errors of that, and its steps are all played."""
    objectives = load(name, known=KNOWN).objectives
    waited = [one for one in objectives if one.percentile is not None]
    errors = [one for one in objectives if one.error_share_at_most is not None]
    assert waited, name
    assert {one.step for one in errors} & {"all", *(one.step for one in waited)}, name
    assert all(one.error_share_at_most <= 0.02 for one in errors if one.error_share_at_most is not None)
