"""Injected faults, by arithmetic: who suffers what, how often, and until when."""

from __future__ import annotations

import math
import re
from itertools import cycle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.backend.faults import NOTHING, Effect, Fault, Faults, read_fault
from simulator.draw import draw

NAMES = frozenset({"management", "identity"})


def faults(*injected: Fault, draws: tuple[float, ...] = (0.5,)) -> Faults:
    """Faults in force whose chance is the given numbers, again and again."""
    numbers = cycle(draws)
    made = Faults(lambda: next(numbers))
    for fault in injected:
        made.inject(fault)
    return made


def test_without_faults_nothing_is_suffered() -> None:
    """No fault, no effect, and no draw."""
    assert Faults(lambda: pytest.fail("drew")).effect("identity", "/SSO", 0.0) == NOTHING == Effect(0.0, 0, False)


def test_only_the_named_service_or_path_suffers() -> None:
    """A service by name whatever the path; a path by its beginning whatever the service."""
    by_name = faults(Fault("identity", "error", status=503))
    assert by_name.effect("identity", "/SSO", 0.0).status == 503
    assert by_name.effect("management", "/identity", 0.0) == NOTHING
    by_path = faults(Fault("/oauth2/", "error", status=500))
    assert by_path.effect("identity", "/oauth2/v4/token", 0.0).status == 500
    assert by_path.effect("identity", "/oauth/multilogin", 0.0) == NOTHING


@pytest.mark.parametrize(("drawn", "delay_s"), [(0.0, 1.0), (0.25, 1.5), (0.75, 2.5)])
def test_delay_is_uniform_between_its_ends(drawn: float, delay_s: float) -> None:
    """low + (high - low) x draw: between 1 s and 3 s, a quarter of the way is 1.5 s."""
    assert (
        faults(Fault("identity", "delay", low_s=1, high_s=3), draws=(drawn,)).effect("identity", "/", 0).delay_s
        == delay_s
    )


def test_rate_is_a_share_of_the_requests() -> None:
    """A draw below the rate suffers, one at it does not."""
    injected = faults(Fault("identity", "drop", rate=0.3), draws=(0.0, 0.29, 0.3, 0.9))
    assert [injected.effect("identity", "/", 0).drop for _ in range(4)] == [True, True, False, False]


def test_rate_holds_over_many_requests() -> None:
    """Of 10,000 requests a tenth is dropped, within five standard deviations (30 each) of 1,000."""
    count = iter(range(10_000))
    injected = Faults(lambda: draw(1, -1, "fault", next(count)))
    injected.inject(Fault("identity", "drop", rate=0.1))
    assert 850 < sum(injected.effect("identity", "/", 0).drop for _ in range(10_000)) < 1150


def test_all_wait_for_the_end_of_a_freeze() -> None:
    """Frozen until 105: one that comes at 100 waits 5 s, at 104.5 half a second, at 105 not at all."""
    injected = faults(Fault("identity", "freeze", until=105))
    assert [injected.effect("identity", "/", now).delay_s for now in (100, 104.5, 105, 106)] == [5, 0.5, 0, 0]


def test_faults_add_up() -> None:
    """The longest freeze, then every delay; the first error's status; a drop beside them."""
    injected = faults(
        Fault("identity", "freeze", until=103),
        Fault("identity", "freeze", until=110),
        Fault("identity", "delay", low_s=1, high_s=1),
        Fault("identity", "delay", low_s=2, high_s=2),
        Fault("identity", "error", status=503),
        Fault("identity", "error", status=500),
        Fault("identity", "drop"),
    )
    assert injected.effect("identity", "/", 100) == Effect(13.0, 503, True)


def test_a_fault_ends_when_it_expires_or_is_cleared() -> None:
    """One with an end is gone at its end; one without stays until cleared."""
    injected = faults(Fault("identity", "drop", until=10), Fault("identity", "error", status=500))
    assert injected.effect("identity", "/", 9.9).drop
    assert injected.effect("identity", "/", 10) == Effect(0, 500, False)
    assert injected.in_force(10) == [Fault("identity", "error", status=500)]
    assert injected.clear() == 1
    assert injected.effect("identity", "/", 10) == NOTHING


def test_reads_each_kind() -> None:
    """What an operator says in JSON, in full and in brief; `for_s` counts from now."""
    said = {"where": "identity", "kind": "delay", "low_s": 1, "high_s": 2.5, "rate": 0.5, "for_s": 60}
    assert read_fault(said, NAMES, 1000) == Fault("identity", "delay", 0.5, 1.0, 2.5, 0, 1060)
    assert read_fault({"where": "/SSO", "kind": "delay", "high_s": 2}, NAMES, 0) == Fault("/SSO", "delay", 1, 2, 2)
    assert read_fault({"where": "identity", "kind": "error", "status": 503}, NAMES, 0) == Fault(
        "identity", "error", status=503, until=math.inf
    )
    assert read_fault({"where": "management", "kind": "freeze", "for_s": 5}, NAMES, 1) == Fault(
        "management", "freeze", until=6
    )
    assert read_fault({"where": "management", "kind": "drop", "rate": 0.01}, NAMES, 1) == Fault(
        "management", "drop", rate=0.01
    )


@pytest.mark.parametrize(
    ("said", "line"),
    [
        ({}, "kind is None; expected one of delay, error, freeze, drop"),
        ({"kind": []}, "kind is []; expected one of delay, error, freeze, drop"),
        ({"kind": "drop", "where": "dns"}, "where is 'dns'; expected one of identity, management, or a path that"),
        ({"kind": "drop", "where": 1}, "where is 1; expected one of identity, management, or a path that"),
        ({"kind": "drop", "where": "identity", "status": 500}, "a drop fault takes no status"),
        ({"kind": "drop", "where": "identity", "rate": 1.5}, "rate is 1.5; expected a number from 0 to 1"),
        ({"kind": "drop", "where": "identity", "rate": True}, "rate is True; expected a number from 0 to 1"),
        ({"kind": "drop", "where": "identity", "rate": math.nan}, "rate is nan; expected a number from 0 to 1"),
        ({"kind": "delay", "where": "identity"}, "high_s is None; expected a number from 0 to 1e+06"),
        ({"kind": "delay", "where": "identity", "low_s": 3, "high_s": 2}, "low_s is 3; expected a number from 0 to 2"),
        (
            {"kind": "delay", "where": "identity", "high_s": math.inf},
            "high_s is inf; expected a number from 0 to 1e+06",
        ),
        ({"kind": "drop", "where": "identity", "for_s": 10**400}, "for_s is 1000"),
        ({"kind": "error", "where": "identity"}, "status is None; expected an HTTP status from 400 to 599"),
        ({"kind": "error", "where": "identity", "status": 200}, "status is 200; expected an HTTP status"),
        ({"kind": "freeze", "where": "identity"}, "a freeze holds all answers for a time: it takes for_s, and no rate"),
        ({"kind": "freeze", "where": "identity", "for_s": 1, "rate": 0.5}, "a freeze holds all answers for a time"),
    ],
)
def test_a_wrong_fault_is_told_in_one_line(said: dict[str, object], line: str) -> None:
    """What is wrong, and what was expected."""
    with pytest.raises(ValueError, match="^" + re.escape(line)):
        read_fault(said, NAMES, 0)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=2),
)


@given(
    st.dictionaries(st.sampled_from(["where", "kind", "rate", "for_s", "low_s", "high_s", "status"]), JSON),
    st.sampled_from(["delay", "error", "freeze", "drop"]),
)
def test_whatever_is_said_is_a_sound_fault_or_a_line(said: dict[str, object], kind: str) -> None:
    """Nothing but ValueError comes of JSON, and what is taken delays by no negative and no endless time."""
    try:
        fault = read_fault({"where": "identity", **said, "kind": kind}, NAMES, 0)
    except ValueError:
        return
    effect = faults(fault).effect("identity", "/", 0)
    assert 0 <= effect.delay_s <= 1e6
