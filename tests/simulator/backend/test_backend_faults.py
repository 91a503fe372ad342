"""Injected faults, by arithmetic: who suffers what, how often, and until when."""

from __future__ import annotations

import math
import re
from itertools import cycle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.backend.faults import KINDS, NOTHING, Effect, Fault, Faults, Services, read_fault
from simulator.draw import draw

SERVICES = Services(
    names=frozenset({"management", "identity"}),
    requests=frozenset({"policy", "register"}),
    policy_types=frozenset({"device", "user"}),
    mistakes={"wrong_policy": frozenset({"bad_signature", "wrong_user"}), "wrong_command": frozenset({"unsigned"})},
    error_details=frozenset({"delete_token"}),
)


def faults(*injected: Fault, draws: tuple[float, ...] = (0.5,)) -> Faults:
    """Faults in force whose chance is the given numbers, again and again."""
    numbers = cycle(draws)
    made = Faults(lambda: next(numbers))
    for fault in injected:
        made.inject(fault)
    return made


def test_without_faults_nothing_is_suffered() -> None:
    """No fault, no effect, and no draw."""
    assert Faults(lambda: pytest.fail("drew")).effect("identity", "/acs", "", 0.0) == NOTHING == Effect(0.0, 0, False)


def test_only_the_named_service_or_path_suffers() -> None:
    """A service by name whatever the path; a path by its beginning whatever the service."""
    by_name = faults(Fault("identity", "error", status=503))
    assert by_name.effect("identity", "/acs", "", 0.0).status == 503
    assert by_name.effect("management", "/identity", "", 0.0) == NOTHING
    by_path = faults(Fault("/oauth2/", "error", status=500))
    assert by_path.effect("identity", "/oauth2/v4/token", "", 0.0).status == 500
    assert by_path.effect("identity", "/oauth/multilogin", "", 0.0) == NOTHING


@pytest.mark.parametrize(("drawn", "delay_s"), [(0.0, 1.0), (0.25, 1.5), (0.75, 2.5)])
def test_delay_is_uniform_between_its_ends(drawn: float, delay_s: float) -> None:
    """low + (high - low) x draw: between 1 s and 3 s, a quarter of the way is 1.5 s."""
    assert (
        faults(Fault("identity", "delay", low_s=1, high_s=3), draws=(drawn,)).effect("identity", "/", "", 0).delay_s
        == delay_s
    )


def test_rate_is_a_share_of_the_requests() -> None:
    """A draw below the rate suffers, one at it does not."""
    injected = faults(Fault("identity", "drop", rate=0.3), draws=(0.0, 0.29, 0.3, 0.9))
    assert [injected.effect("identity", "/", "", 0).drop for _ in range(4)] == [True, True, False, False]


def test_rate_holds_over_many_requests() -> None:
    """Of 10,000 requests a tenth is dropped, within five standard deviations (30 each) of 1,000."""
    count = iter(range(10_000))
    injected = Faults(lambda: draw(1, -1, "fault", next(count)))
    injected.inject(Fault("identity", "drop", rate=0.1))
    assert 850 < sum(injected.effect("identity", "/", "", 0).drop for _ in range(10_000)) < 1150


def test_all_wait_for_the_end_of_a_freeze() -> None:
    """Frozen until 105: one that comes at 100 waits 5 s, at 104.5 half a second, at 105 not at all."""
    injected = faults(Fault("identity", "freeze", until=105))
    assert [injected.effect("identity", "/", "", now).delay_s for now in (100, 104.5, 105, 106)] == [5, 0.5, 0, 0]


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
    assert injected.effect("identity", "/", "", 100) == Effect(13.0, 503, True)


def test_a_fault_ends_when_it_expires_or_is_cleared() -> None:
    """One with an end is gone at its end; one without stays until cleared."""
    injected = faults(Fault("identity", "drop", until=10), Fault("identity", "error", status=500))
    assert injected.effect("identity", "/", "", 9.9).drop
    assert injected.effect("identity", "/", "", 10) == Effect(0, 500, False)
    assert injected.in_force(10) == [Fault("identity", "error", status=500)]
    assert injected.clear() == 1
    assert injected.effect("identity", "/", "", 10) == NOTHING


def test_reads_each_kind() -> None:
    """What an operator says in JSON, in full and in brief; `for_s` counts from now."""
    said = {"where": "identity", "kind": "delay", "low_s": 1, "high_s": 2.5, "rate": 0.5, "for_s": 60}
    assert read_fault(said, SERVICES, 1000) == Fault("identity", "delay", 0.5, 1.0, 2.5, until=1060)
    assert read_fault({"where": "/acs", "kind": "delay", "high_s": 2}, SERVICES, 0) == Fault("/acs", "delay", 1, 2, 2)
    assert read_fault({"where": "identity", "kind": "error", "status": 503}, SERVICES, 0) == Fault(
        "identity", "error", status=503, until=math.inf
    )
    assert read_fault({"where": "management", "kind": "freeze", "for_s": 5}, SERVICES, 1) == Fault(
        "management", "freeze", until=6
    )
    assert read_fault({"where": "management", "kind": "drop", "rate": 0.01}, SERVICES, 1) == Fault(
        "management", "drop", rate=0.01
    )


@pytest.mark.parametrize(
    ("said", "line"),
    [
        ({}, "kind is None; expected one of delay, error, freeze, drop, slots, wrong_policy, wrong_command"),
        ({"kind": []}, "kind is []; expected one of delay, error, freeze, drop, slots, wrong_policy, wrong_command"),
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
        (
            {"kind": "error", "where": "identity", "status": 600},
            "status is 600; expected an HTTP status from 400 to 599",
        ),
        (
            {"kind": "error", "where": "identity", "status": 901},
            "status is 901; expected an HTTP status from 400 to 599",
        ),
        (
            {"kind": "error", "where": "identity", "status": 908},
            "status is 908; expected an HTTP status from 400 to 599",
        ),
        (
            {"kind": "error", "where": "management", "status": 500, "request": "polcy"},
            "request is 'polcy'; expected one of policy, register; did you mean 'policy'?",
        ),
        (
            {"kind": "error", "where": "identity", "status": 500, "request": "policy"},
            "where is 'identity'; an error with request or error_detail is for \"management\"",
        ),
        (
            {"kind": "error", "where": "management", "status": 409, "error_detail": "delete_token"},
            "status is 409; only a 410 has an error_detail",
        ),
        (
            {"kind": "error", "where": "management", "status": 410, "error_detail": "1"},
            "error_detail is '1'; expected one of delete_token",
        ),
        ({"kind": "wrong_policy", "where": "management"}, "mistake is None; expected one of bad_signature, wrong_user"),
        (
            {"kind": "wrong_policy", "where": "management", "mistake": "unsigned"},
            "mistake is 'unsigned'; expected one of bad_signature, wrong_user",
        ),
        (
            {"kind": "wrong_policy", "where": "management", "mistake": "wrong_user", "policy_type": "printer"},
            "policy_type is 'printer'; expected one of device, user",
        ),
        (
            {"kind": "wrong_policy", "where": "/devicemanagement", "mistake": "wrong_user"},
            "where is '/devicemanagement'; a wrong_policy fault is for \"management\"",
        ),
        (
            {"kind": "wrong_command", "where": "management", "mistake": "unsigned", "policy_type": "device"},
            "a wrong_command fault takes no policy_type",
        ),
        ({"kind": "freeze", "where": "identity"}, "a freeze holds all answers for a time: it takes for_s, and no rate"),
        ({"kind": "freeze", "where": "identity", "for_s": 1, "rate": 0.5}, "a freeze holds all answers for a time"),
    ],
)
def test_a_wrong_fault_is_told_in_one_line(said: dict[str, object], line: str) -> None:
    """What is wrong, and what was expected."""
    with pytest.raises(ValueError, match="^" + re.escape(line)):
        read_fault(said, SERVICES, 0)


def test_an_error_meets_the_one_request_that_it_names() -> None:
    """`request` is the query's parameter, whole; without one every request of the service suffers."""
    one = faults(Fault("management", "error", status=902, request="policy"))
    path = "/devicemanagement/data/api"
    for query in (
        "request=policy",
        "retry=false&agent=a&request=policy",
        "request=%70olicy&x=1",
        "request=a&request=policy",
    ):
        assert one.effect("management", path, query, 0).status == 902
    for query in ("", "request=policy2", "request=Policy", "request=register", "xrequest=policy", "policy", "request"):
        assert one.effect("management", path, query, 0) == NOTHING
    every = faults(Fault("management", "error", status=902))
    assert every.effect("management", path, "request=register", 0).status == 902


def test_the_first_errors_status_and_detail_go_together() -> None:
    """A 503 injected before a 410 has nothing of its detail."""
    gone = Fault("management", "error", status=410, error_detail="delete_token")
    busy = Fault("management", "error", status=503)
    assert faults(gone, busy).effect("management", "/", "", 0) == Effect(status=410, error_detail="delete_token")
    assert faults(busy, gone).effect("management", "/", "", 0) == Effect(status=503)


def test_mistakes_are_named_and_nothing_else_suffers() -> None:
    """By kind, in the policy type named or in all, the first injected first, at its rate, until its end."""
    wrong = faults(
        Fault("management", "wrong_policy", mistake="wrong_user", policy_type="user", until=10),
        Fault("management", "wrong_policy", mistake="bad_signature", rate=0.3),
        Fault("management", "wrong_command", mistake="unsigned"),
        draws=(0.29, 0.3),
    )
    assert wrong.effect("management", "/", "request=policy", 0) == NOTHING
    assert wrong.mistake("wrong_command", "", 0) == "unsigned"
    assert wrong.mistake("wrong_policy", "user", 0) == "wrong_user"
    assert [wrong.mistake("wrong_policy", "device", 0) for _ in range(2)] == ["bad_signature", ""]
    assert [wrong.mistake("wrong_policy", "user", 10) for _ in range(2)] == ["bad_signature", ""]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=2),
)


@given(
    st.dictionaries(st.sampled_from(sorted({"where", "rate", "for_s"}.union(*KINDS.values()))), JSON),
    st.sampled_from(sorted(KINDS)),
)
def test_whatever_is_said_is_a_sound_fault_or_a_line(said: dict[str, object], kind: str) -> None:
    """Nothing but ValueError comes of JSON, and what is taken delays by no negative and no endless time."""
    try:
        fault = read_fault({"where": "management", **said, "kind": kind}, SERVICES, 0)
    except ValueError:
        return
    effect = faults(fault).effect("management", "/", "", 0)
    assert 0 <= effect.delay_s <= 1e6


def test_slots_serve_one_after_the_other() -> None:
    """One place, 2 s each: who comes at 0, 1 and 1 leaves at 2, 4 and 6; who comes at 10 is served at once."""
    injected = faults(Fault("identity", "slots", slots=1, service_s=2.0))
    waits = [injected.effect("identity", "/", "", now).delay_s for now in (100.0, 101.0, 101.0, 110.0)]
    assert waits == [2, 3, 5, 2]


@given(
    st.integers(1, 4),
    st.lists(st.floats(0, 3), min_size=1, max_size=40),
)
def test_slots_are_a_queue_with_as_many_servers(slots: int, gaps: list[float]) -> None:
    """Whoever comes is served by the server that is free first, in order (Kiefer and Wolfowitz): never more than
    `slots` at a time, and nobody waits while one is free."""
    injected = faults(Fault("identity", "slots", slots=slots, service_s=1.0))
    now, spans = 1000.0, []
    for gap in gaps:
        now += gap
        done = now + injected.effect("identity", "/", "", now).delay_s
        spans.append((now, done - 1.0, done))
    for came, began, _ in spans:
        busy = sum(other < began + 1e-9 < done - 1e-6 for _, other, done in spans)
        assert busy <= slots
        if began > came + 1e-9:
            held = sum(other <= began - 1e-9 and done >= began - 1e-9 for _, other, done in spans)
            assert held >= slots


def test_slots_meet_what_they_name() -> None:
    """Another service, another kind of request, and a share of the requests."""
    injected = faults(
        Fault("management", "slots", slots=1, service_s=1.0, request="register", rate=0.5), draws=(0.4, 0.6, 0.4)
    )
    assert injected.effect("management", "/", "request=policy", 0) == NOTHING
    assert injected.effect("identity", "/", "", 0) == NOTHING
    delays = [injected.effect("management", "/", "request=register", 0.0).delay_s for _ in range(3)]
    assert delays == [1, 0, 2]


def test_slots_as_an_operator_says_them() -> None:
    """One when nothing is said; a count that is none is told in one line, and so is a time left out."""
    read = read_fault({"where": "identity", "kind": "slots", "service_s": 0.04}, SERVICES, 0.0)
    assert (read.slots, read.service_s) == (1, 0.04)
    for slots in (0, 1.5, True, "2"):
        with pytest.raises(ValueError, match="slots is"):
            read_fault({"where": "identity", "kind": "slots", "slots": slots, "service_s": 1}, SERVICES, 0.0)
    with pytest.raises(ValueError, match="service_s is None"):
        read_fault({"where": "identity", "kind": "slots"}, SERVICES, 0.0)
    with pytest.raises(ValueError, match="a slots fault with request"):
        read_fault({"where": "identity", "kind": "slots", "service_s": 1, "request": "policy"}, SERVICES, 0.0)
