"""The shipped scenarios of signing in, small and in virtual time: what each asks, counted by arithmetic."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import cache
from math import floor
from typing import Any

import numpy as np
import pytest

from reports.record import OUTCOMES, SAMPLE, TRIGGERS
from scenarios.load import Overrides, load, shipped
from scenarios.schema import Scenario
from simulator.accounts import people_of
from simulator.composition import KNOWN, What
from simulator.draw import draws
from simulator.fleet import make_fleet
from simulator.journeys import STEPS
from simulator.plan import show_plan
from simulator.rehearsal import Rehearsed, rehearse

DEVICES = 80
# floor(80 * 80 / 2680) = 2 spares
STAFF = 78
NAMES = ("sign_in_peak", "first_day", "ordinary_day", "after_holiday", "token_expiry", "token_expiry_spread")
ONCE_ONLINE = ("entry", "login_page", "assertion", "continue", "token", "multilogin", "accounts")


class Played:
    """A shipped scenario with fewer devices, rehearsed."""

    def __init__(self, name: str) -> None:
        self.scenario: Scenario = load(name, known=KNOWN, overrides=Overrides(devices=DEVICES))
        self.rehearsed: Rehearsed = rehearse(self.scenario)
        self.samples: Any = np.frombuffer(self.rehearsed.samples, SAMPLE)
        self.counts = Counter(STEPS[step] for step in self.samples["step"].tolist())

    def of(self, step: str) -> Any:
        """The samples of a step."""
        return self.samples[self.samples["step"] == STEPS.index(step)]

    def kinds(self, ends: dict[str, float]) -> Counter[str]:
        """How many people are of each kind, from where the stretch of each ends."""
        scenario = self.scenario
        rows = people_of(scenario, make_fleet(scenario.organisation, DEVICES, scenario.seed))
        drawn = draws(scenario.seed, rows, "kind of sign-in").tolist()
        return Counter(next(kind for kind, end in ends.items() if u < end) for u in drawn)

    def not_ok(self) -> dict[tuple[str, str], int]:
        """What did not end ok, by step and outcome."""
        bad = self.samples[self.samples["outcome"] > 0]
        return dict(Counter((STEPS[row["step"]], OUTCOMES[row["outcome"]]) for row in bad))


@pytest.fixture(scope="module")
def played() -> Callable[[str], Played]:
    """Each scenario is rehearsed once."""
    return cache(Played)


@pytest.mark.parametrize("name", NAMES)
def test_each_is_shipped_and_planned(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """At its full size it fits this kind of machine by the plan's own arithmetic, and says what it asks."""
    assert name in shipped()
    assert show_plan(What(name), engines=1) == 0
    told = capsys.readouterr().out
    assert "2,680, of them 2,600 with a person" in told
    assert "2,600 starts" in told
    scenario = load(name, known=KNOWN)
    assert scenario.question.endswith("?")
    # what a scenario promises about many people can be judged from them
    assert any(objective.percentile for objective in scenario.objectives)
    assert any(objective.error_share_at_most is not None for objective in scenario.objectives)


def test_sign_in_peak_asks_for_sign_in_alone(played: Callable[[str], Played]) -> None:
    """Each step once for each person, access tokens twice; no other service is asked, and nothing fails."""
    one = played("sign_in_peak")
    once = (*ONCE_ONLINE, "login", "userinfo")
    assert {name: one.counts[f"identity.{name}"] for name in once} == dict.fromkeys(once, STAFF)
    timed = one.of("identity.access_token")["trigger"] == TRIGGERS.index("timer")
    assert one.counts["identity.access_token"] == 2 * STAFF + int(timed.sum())
    assert one.counts["signed_in"] == STAFF
    assert {step.partition(".")[0] for step in one.counts} == {"identity", "signed_in"}
    assert one.not_ok() == {}
    assert one.rehearsed.state["management"]["devices"] == 0


def test_first_day_enrolls_and_signs_in_everybody_for_the_first_time(played: Callable[[str], Played]) -> None:
    """Every staff device enrolls when its lid opens, its person signs in online and is registered; spares stay shut."""
    one = played("first_day")
    assert one.counts["management.register"] == one.counts["management.register_user"] == STAFF
    assert one.counts["identity.login"] == one.counts["ready"] == STAFF
    # at enrollment and at boot
    assert one.counts["management.device_policy"] == 2 * STAFF
    # every one is offered the new system, and has it
    assert one.counts["updated"] == STAFF
    assert one.not_ok() == {}
    assert one.rehearsed.state["management"]["devices"] == STAFF


def test_ordinary_day_has_a_fifth_online(played: Callable[[str], Played]) -> None:
    """Of the 94 % that are neither expired nor mistyped a week's limit makes a fifth online, and the rest unlock."""
    one = played("ordinary_day")
    kinds = one.kinds({"online": 0.188, "offline_unlock": 0.94, "expired_token": 0.99, "wrong_password": 1.0})
    through = kinds["online"] + kinds["wrong_password"]
    returning = kinds["offline_unlock"] + kinds["expired_token"]
    assert abs(kinds["online"] - 0.188 * STAFF) < 5 * (0.188 * 0.812 * STAFF) ** 0.5
    assert {one.counts[f"identity.{name}"] for name in ONCE_ONLINE} == {through}
    assert one.counts["identity.login"] == through + kinds["wrong_password"]
    assert one.counts["identity.userinfo"] == through + kinds["expired_token"]
    assert one.counts["operator.session"] == returning
    assert one.counts["ready"] == one.counts["applied"] == STAFF
    assert one.not_ok() == {}


def test_ordinary_day_refreshes_each_token_every_54_minutes(played: Callable[[str], Played]) -> None:
    """At compression 30 that is every 108 s, from a session's first token to half past five, to the last one."""
    one = played("ordinary_day")
    tokens = one.of("identity.access_token")
    # DEVICES / 100 per s of enrollment and a second's rest, then ten hours
    end = DEVICES / 100 + 1 + 10 * 3600 / 30
    timer = TRIGGERS.index("timer")
    for row in np.unique(one.of("ready")["device"]):
        own = tokens[tokens["device"] == row]
        first = own["done"][own["trigger"] != timer].max()
        assert int((own["trigger"] == timer).sum()) == floor((end - first) / 108)


def test_after_holiday_sends_everybody_to_the_provider(played: Callable[[str], Played]) -> None:
    """Nobody unlocks; a wrong password costs one login more, a locked account five wrong ones and the last."""
    one = played("after_holiday")
    kinds = one.kinds({"online": 0.935, "wrong_password": 0.995, "locked_account": 1.0})
    through = kinds["online"] + kinds["wrong_password"]
    assert one.counts["identity.login"] == through + kinds["wrong_password"] + 6 * kinds["locked_account"]
    assert one.counts["identity.assertion"] == through
    assert one.counts["ready"] == STAFF
    locked = {("ready", "refused"): kinds["locked_account"], ("signed_in", "refused"): kinds["locked_account"]}
    assert one.not_ok() == {end: count for end, count in locked.items() if count}
    assert one.counts["operator.session"] == 0


@pytest.mark.parametrize(("name", "within_s"), [("token_expiry", 60), ("token_expiry_spread", 600)])
def test_token_expiry_sends_everybody_to_the_provider_at_once_or_not(
    played: Callable[[str], Played], name: str, within_s: float
) -> None:
    """Before 08:30 nobody asks the provider, after it everybody once; devices notice evenly over what the file says."""
    one = played(name)
    assert one.counts["identity.login"] == one.counts["signed_in_again"] == one.counts["ready"] == STAFF
    act_s = float(one.of("operator.expire_tokens")["due"][0])
    # 35 city minutes after the day began, at compression 10
    assert act_s == pytest.approx(DEVICES / 100 + 1 + 210)
    after_s = one.of("identity.userinfo")["due"] - act_s
    calls = np.sort(after_s[one.of("identity.userinfo")["action"] == 1])
    assert len(calls) == STAFF
    assert calls[0] >= 1
    assert calls[-1] < 1 + within_s
    assert abs(calls.mean() - (1 + within_s / 2)) < 5 * within_s / 12**0.5 / STAFF**0.5
    assert (one.of("identity.login")["due"] > act_s).all()
    assert one.not_ok() == {}
