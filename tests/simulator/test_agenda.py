"""The agenda against a plain list of starts."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from simulator.agenda import Agenda, Start

STARTS = st.lists(
    st.builds(
        Start,
        due=st.floats(0, 100),
        device=st.integers(0, 3),
        journey=st.sampled_from(("boot", "sign_in")),
        trigger=st.just("timer"),
    ),
    max_size=40,
)


def _drain(agenda: Agenda, now: float) -> list[Start]:
    taken = []
    while (start := agenda.pop(now)) is not None:
        taken.append(start)
    return taken


@given(STARTS)
def test_the_last_start_of_a_device_and_journey_counts(starts: list[Start]) -> None:
    """What comes out is the last one put for each (device, journey), by due instant, ties in the order of putting."""
    agenda = Agenda()
    for start in starts:
        agenda.put(start)
    last = {(start.device, start.journey): (n, start) for n, start in enumerate(starts)}
    expected = [start for _, start in sorted(last.values(), key=lambda pair: (pair[1].due, pair[0]))]
    assert len(agenda) == len(expected)
    assert agenda.next_due() == (expected[0].due if expected else None)
    assert _drain(agenda, 100.0) == expected
    assert agenda.next_due() is None


@given(STARTS, st.floats(0, 100))
def test_nothing_comes_before_it_is_due(starts: list[Start], now: float) -> None:
    """pop(now) gives what is due by now, and leaves the rest."""
    agenda = Agenda()
    for start in starts:
        agenda.put(start)
    assert all(start.due <= now for start in _drain(agenda, now))
    assert all(start.due > now for start in _drain(agenda, 100.0))


def test_sooner_is_told_only_of_a_new_first() -> None:
    """A timer has to be armed again only when something is due before all that waited."""
    told: list[None] = []
    agenda = Agenda(lambda: told.append(None))
    for due, count in ((5.0, 1), (6.0, 1), (4.0, 2), (4.5, 2), (1.0, 3)):
        agenda.put(Start(due, int(due * 10), "boot", "timer"))
        assert len(told) == count


def test_a_dropped_start_never_comes() -> None:
    """drop() forgets it, and dropping what is not there is fine."""
    agenda = Agenda()
    agenda.put(Start(1.0, 1, "boot", "timer"))
    agenda.put(Start(2.0, 2, "boot", "timer"))
    agenda.drop(1, "boot")
    agenda.drop(9, "boot")
    assert [start.device for start in _drain(agenda, 9.0)] == [2]


def test_what_is_planned_stays_planned() -> None:
    """Two lids of one day and a reboot between them: each comes at its own instant, whichever was put first."""
    lids = [Start(1.0, 1, "boot", "planned"), Start(5.0, 1, "boot", "planned")]
    reboot = Start(3.0, 1, "boot", "timer")
    agenda = Agenda()
    for start in (*lids, Start(4.0, 1, "boot", "timer"), reboot):
        agenda.put(start)
    assert len(agenda) == 3
    assert _drain(agenda, 9.0) == [lids[0], reboot, lids[1]]
    agenda.put(lids[1])
    agenda.drop(1, "boot")
    assert _drain(agenda, 9.0) == [lids[1]]
