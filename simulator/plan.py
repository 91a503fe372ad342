"""What a run would send, before anything is sent: rates, peak, descriptors, ports, CPU per process. Sends nothing.

The formulas are stated beside their constants, which were measured with the shipped morning on two shared cores: they
tell whether a plan fits, not more.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from math import ceil, sqrt
from typing import Any
from urllib.parse import urlsplit

import numpy as np

from scenarios.schema import LIDS, Scenario
from simulator import ceiling, limits
from simulator.ceiling import ENGINE_STEP_MS, Peak
from simulator.composition import Composition, What, compose
from simulator.fleet import make_fleet
from simulator.herds import ONLINE, Herd, herds_of, together
from simulator.journeys import JOURNEYS
from simulator.journeys.reconnect import STEPS as PUSH_STEPS
from simulator.limits import Needs
from simulator.machine import fingerprint, is_ours, this_machine
from simulator.operator import EXPIRES, WITHIN
from simulator.protocols.login import service_of_step
from simulator.standins import STAND_IN
from simulator.timetable import journeys_of, make_timetable, peak_rate_per_s
from simulator.wire.guard import Authorisation, Guard

# A device keeps a connection to each origin it spoke to for this long after the last answer: typing and idle time.
CONNECTION_S = 40.0
ORIGINS = 4
# CPU milliseconds a step, or a sign-in, costs the backend, all included.
BACKEND_STEP_MS = 0.45
BACKEND_SIGN_IN_MS = 8.0


@dataclass(frozen=True, slots=True)
class Forecast:
    """What a composition asks of the targets and of this machine. Rates are per real second, at the peak.

    `lines` are the push lines that are held in the end, `http` the other connections that are open at the peak, and
    `http_one_server` how many of these lead to the same server. `herds` are what the operator's acts bring about.
    """

    starts: dict[str, int]
    herds: list[Herd]
    duration_s: float
    peak_sign_ins_per_s: float
    peak_starts_per_s: float
    peak_lines_per_s: float
    peak_steps_per_s: float
    enroll_steps_per_s: float
    lines: int
    http: int
    http_one_server: int
    engine_cpu: float
    backend_cpu: float

    @property
    def most_steps_per_s(self) -> float:
        """At the fullest second of all, enrollment included."""
        return max(self.peak_steps_per_s, self.enroll_steps_per_s)


def forecast(composition: Composition, engines: int) -> Forecast:
    """Work it out for that many engines."""
    scenario = composition.scenario
    fleet = make_fleet(scenario.organisation, scenario.devices, scenario.seed)
    timetable = make_timetable(scenario, fleet, composition.enrolled)
    names = journeys_of(scenario)
    counted = np.bincount(timetable["journey"], minlength=len(names)).tolist()
    peak = peak_rate_per_s(scenario)
    online = max(peak * (1 - scenario.sign_in.returning), again_per_s(scenario))
    herds = herds_of(scenario, composition.acts)
    alone, steps = _most(scenario, [], len), _most(scenario, herds, len)
    enrolling = enroll_rate_per_s(scenario) if counted[0] or scenario.enrollment.when == "first_boot" else 0.0
    rates = {journey: peak_rate_per_s(scenario, (journey,)) for journey in names if journey not in LIDS}
    speak_to = [(max(peak, enrolling), ORIGINS), *((rate, _origins(name)) for name, rate in rates.items())]
    opened = [min(rate * CONNECTION_S, scenario.devices) * origins for rate, origins in speak_to]
    fastest = max(peak, enrolling, *rates.values())
    # each device of a herd speaks to the management service, beside the lids that open meanwhile
    http = [*opened, *(h.devices + h.lids_per_s * ORIGINS * CONNECTION_S for h in herds)]
    http_one_server = [fastest * CONNECTION_S, *(h.devices + h.lids_per_s * CONNECTION_S for h in herds)]
    return Forecast(
        starts=dict(zip(names, counted, strict=True)),
        herds=herds,
        duration_s=composition.end_s,
        peak_sign_ins_per_s=online,
        peak_starts_per_s=max(fastest, *(sum(h.starts_per_s for h in together(herds, herd)) for herd in herds), 0.0),
        peak_lines_per_s=peak_rate_per_s(scenario, ONLINE),
        peak_steps_per_s=steps,
        enroll_steps_per_s=max(enrolling, rates["enroll"]) * enroll_steps(scenario),
        lines=min(scenario.starts(*ONLINE), scenario.devices),
        http=min(ceil(max(http)), scenario.devices * ORIGINS),
        http_one_server=min(ceil(max(http_one_server)), scenario.devices),
        engine_cpu=steps * ENGINE_STEP_MS / 1000 / engines,
        backend_cpu=max(alone * BACKEND_STEP_MS + online * BACKEND_SIGN_IN_MS, steps * BACKEND_STEP_MS) / 1000,
    )


def _origins(journey: str) -> int:
    """To how many servers a journey speaks HTTP."""
    return len({step.partition(".")[0] for step in JOURNEYS[journey].steps} - {"push"})


def peak_rates_per_s(scenario: Scenario) -> dict[str, float]:
    """How often each journey of a lid is played in the fullest second, on average over the kinds of sign-in."""
    peak, returning = peak_rate_per_s(scenario), scenario.sign_in.returning
    if not scenario.starts("boot"):
        return {"sign_in_only": peak}
    first = {"enroll": peak} if scenario.enrollment.when == "first_boot" else {}
    return first | {"boot": peak, "unlock": peak * returning, "sign_in": peak * (1 - returning)}


def again_per_s(scenario: Scenario) -> float:
    """How many people sign in again in a second after an act of the operator killed their tokens."""
    acts = [act for act in scenario.operator if act.act in EXPIRES and act.with_.get("refresh")]
    withins: list[Any] = [act.with_.get(WITHIN, 0) for act in acts]
    # whatever comes in one instant takes a second
    return max((scenario.starts(*LIDS) / max(1.0, within) for within in withins), default=0.0)


def _most(scenario: Scenario, herds: list[Herd], asked: Callable[[Sequence[str]], int]) -> float:
    """Requests a second in the fullest second of the lids, of a herd beside the lids of its time, after tokens were
    killed, or of another journey that is planned.

    Args:
        asked: how many requests these steps are.
    """

    def steps(journey: str) -> int:
        return asked(JOURNEYS[journey].steps)

    peak = peak_rate_per_s(scenario)
    lids = sum(rate * steps(name) for name, rate in peak_rates_per_s(scenario).items())
    beside = [
        lids * herd.lids_per_s / (peak or 1.0)
        + sum(one.starts_per_s * asked(one.steps) for one in together(herds, herd))
        for herd in herds
    ]
    again = again_per_s(scenario) * (steps("renew_token") + steps("sign_in_again"))
    others = {wave.journey for wave in scenario.waves} - {*LIDS, "enroll"}
    alone = [peak_rate_per_s(scenario, (name,)) * steps(name) for name in others]
    return max(lids, again, *beside, *alone)


def enroll_rate_per_s(scenario: Scenario) -> float:
    """How many devices enroll in a second: before the morning, or as the lids open."""
    first_boot = peak_rate_per_s(scenario)
    return {"before": scenario.enrollment.rate_per_s, "first_boot": first_boot, "never": 0.0}[scenario.enrollment.when]


def authorised_rate(composition: Composition) -> tuple[float, float] | None:
    """Requests a second at the peak to the hosts that need leave, and how many of them are authorised.

    Starts at the peak are random as people are: the rate stands three standard deviations above their mean, so that
    the cap holds nothing back. What login pages link to is not in it: nobody knows before they are read.

    Returns: None where no named target needs leave.
    """
    leave, scenario = composition.targets.authorisation, composition.scenario
    if leave is None:
        return None
    guard = Guard(Authorisation.parse(leave.model_dump(by_alias=True)))
    held = [name for name, url in composition.targets.urls.items() if not guard.is_free(urlsplit(url).hostname or "")]
    if not held:
        return None

    def asked(steps: Sequence[str]) -> int:
        return sum(service_of_step(step) in held for step in steps)

    peak = _most(scenario, herds_of(scenario, composition.acts), asked)
    enrolling = max(enroll_rate_per_s(scenario), peak_rate_per_s(scenario, ("enroll",)))
    rate = max(peak + 3 * sqrt(peak), enrolling * asked(JOURNEYS["enroll"].steps))
    return rate, leave.max_rate_per_s


def enroll_steps(scenario: Scenario) -> int:
    """Steps of an enrollment that goes well: the legacy determination asks for a bucket before the state."""
    return len(JOURNEYS["enroll"].steps) + (scenario.enrollment.state_determination == "legacy")


def needs_of(composition: Composition, expected: Forecast, engines: int) -> Needs:
    """What the plan asks of this machine."""
    push = composition.targets.targets.push
    return Needs(
        devices=composition.scenario.devices,
        engines=engines,
        lines=expected.lines,
        http=expected.http,
        http_one_server=expected.http_one_server,
        herd=ceil(max((herd.devices for herd in expected.herds), default=0.0)),
        broker=composition.basis["push"] == STAND_IN,
        sources=push.source_addresses if push else (),
    )


def brokers_of(composition: Composition, engines: int) -> int:
    """How many brokers have to stand in for push."""
    return needs_of(composition, forecast(composition, engines), engines).brokers(this_machine())


def limits_missed(composition: Composition, engines: int) -> list[str]:
    """One line for each limit, of this machine or of the authorisation, that the plan would break."""
    needs = needs_of(composition, forecast(composition, engines), engines)
    found = list(limits.missed(needs, this_machine()))
    found += [
        f"source_addresses: {address} is no address of this machine: name one that `ip address` shows"
        for address in needs.sources
        if not is_ours(address)
    ]
    return found + rate_missed(composition)


def rate_missed(composition: Composition) -> list[str]:
    """One line where the plan would break the authorisation's rate, on whatever machine it is played."""
    rate = authorised_rate(composition)
    if rate is None or rate[0] <= rate[1]:
        return []
    return [
        f"the plan sends up to {rate[0]:,.0f} requests/s to the targets and max_rate_per_s is {rate[1]:g}:"
        " play fewer --devices, at a lower --compression, or have more authorised"
    ]


def warnings(composition: Composition, engines: int) -> list[str]:
    """One line for each figure of the plan that is close to, or above, what this machine can drive."""
    expected = forecast(composition, engines)
    peak = Peak(expected.most_steps_per_s, expected.peak_starts_per_s, expected.peak_lines_per_s)
    above = ceiling.above(peak, engines, ceiling.kept(fingerprint(version("fleetrush"))))
    return [*above, *limits.slow(needs_of(composition, expected, engines), this_machine())]


def show_plan(what: What, engines: int) -> int:
    """Print the forecast. Returns: 0, or 2 when this machine cannot carry the plan."""
    composition = compose(what)
    expected = forecast(composition, engines)
    scenario = composition.scenario
    stands_in = [name for name, basis in composition.basis.items() if basis == STAND_IN]
    print(f"{scenario.title}: {scenario.question}")
    print(f"  devices            {scenario.devices:,}, of them {scenario.staff:,} with a person")
    for name, count in expected.starts.items():
        print(f"  {name:<18} {count:,} starts")
    print(f"  duration           {expected.duration_s:.0f} s, of them {composition.lead_s:.0f} s enrollment")
    if composition.enrollments is not None:
        kept = int(composition.enrolled.sum())
        print(f"  enrolled before    {kept:,} devices, {scenario.devices - kept:,} to enroll")
    print(f"  compression        {scenario.day.compression:g}")
    print(
        f"  peak               {expected.peak_sign_ins_per_s:.1f} sign-ins/s, {expected.peak_steps_per_s:,.0f} steps/s"
    )
    print(f"  enrollment         {expected.enroll_steps_per_s:,.0f} steps/s")
    for herd in expected.herds:
        print(
            f"  {herd.act:<18} {herd.devices:,.0f} devices online / {herd.over_s:.0f} real s x {len(herd.steps)}"
            f" step(s): {herd.starts_per_s * len(herd.steps):,.0f} steps/s"
        )
    print(f"  push lines         {expected.lines:,} held, each after {len(PUSH_STEPS)} steps")
    for line in needs_of(composition, expected, engines).told(this_machine()):
        print(f"  {line}")
    print(
        f"  CPU at the peak    {expected.engine_cpu:.2f} cores an engine (steps/s x {ENGINE_STEP_MS} ms),"
        f" {expected.backend_cpu:.2f} the backend"
        f" (steps/s x {BACKEND_STEP_MS} ms + sign-ins/s x {BACKEND_SIGN_IN_MS} ms)"
    )
    print(f"  stand-ins          {', '.join(stands_in) or 'none'}")
    for name, url in composition.targets.urls.items():
        print(f"  target             {name}: {url}")
    for act in composition.left_out:
        print(f"  left out           {act}: a service of yours takes no acts of ours")
    rate = authorised_rate(composition)
    if rate is not None:
        print(f"  authorised         up to {rate[0]:,.0f} of {rate[1]:g} requests/s, login pages' assets left out")
    for line in warnings(composition, engines):
        print(f"  attention          {line}")
    missed = limits_missed(composition, engines)
    for line in missed:
        print(f"  cannot be played: {line}")
    return 2 if missed else 0
