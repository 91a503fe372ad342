"""The trust gate on real runs: what spoils one is named, healthy ones are not accused. Takes about twelve minutes.

Each spoilt run has a control just before it, the same but for what is done to it: the reason has to be there with the
sabotage and absent without. Where others use the machine so much that they would be told by the same words, the row
says that it can tell nothing, and is not met.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tests.gate_runs import (
    ANSWERS_AFTER_3_S,
    NOISE_S,
    ON_ONE_CORE,
    OWN_NETWORK,
    Judged,
    Playing,
    beside_a_burner,
    explained,
    frozen,
    killed,
    out_of_descriptors,
    out_of_ports,
    play,
    slow_target,
)
from tests.tables import Row

HEALTHY, SLOW = 20, 2


def nothing(run: Playing) -> None:
    """Leave it alone."""


SPOILT: dict[str, tuple[Callable[[Playing], None], dict[str, Any], tuple[str, ...]]] = {
    "a loop frozen 250 ms four times": (frozen, {}, ("stood still", "was stopped")),
    "the same at 3 starts/s": (frozen, {"rate_per_s": 3}, ("stood still", "was stopped")),
    "the same at 250 starts/s": (frozen, {"rate_per_s": 250}, ("stood still", "was stopped")),
    "a core burnt beside it": (beside_a_burner, {}, ("others took", "of our")),
    "the only core burnt beside it": (beside_a_burner, {"within": ON_ONE_CORE}, ("others took", "of our 1 cores")),
    "saturated for 15 s": (nothing, {"sabotage": "slow", "length_s": 22}, ("engine-0 was saturated",)),
    "descriptors run out": (out_of_descriptors, {}, ("descriptors ran out", "ulimit -n")),
    "ports run out": (out_of_ports, {"within": OWN_NETWORK}, ("ports ran out", "ip_local_port_range")),
    "an engine is killed": (killed, {}, ("engine 0 was lost", "exit -9")),
    "a frame is lost": (nothing, {"sabotage": "lose_frame"}, ("frames arrived", "a part of the record is lost")),
    "a frame is torn": (nothing, {"sabotage": "tear_frame"}, ("tore a frame",)),
    "the wall clock jumps 3.2 s": (nothing, {"sabotage": "jump_clock"}, ("the wall clock jumped +3.2",)),
    "the machine sleeps 3.2 s": (nothing, {"sabotage": "sleep"}, ("the boot-time clock jumped +3.2", "slept")),
}
"""What is done to a run, how, and the words of the reason that names it."""
SOUND: dict[str, tuple[int, Callable[[Playing], None], dict[str, Any]]] = {
    "nothing is done to them": (HEALTHY, nothing, {}),
    "the target stands still for 3 s": (SLOW, slow_target, {}),
    "the same at 250 starts/s": (SLOW, slow_target, {"rate_per_s": 250}),
    "the target answers after 3 s": (SLOW, nothing, {"acts": ANSWERS_AFTER_3_S}),
}
"""How often each is played, and what is done to it, that must not be held against the harness."""


TRIES = 2
"""How often a pair is played in which others would be told by the same words."""


def rows() -> Iterator[Row]:
    """Each sabotage beside its control; then runs that nothing is done to, and some whose target stands still."""
    with TemporaryDirectory() as base:
        for number, what in enumerate(SPOILT):
            yield _spoilt(what, Path(base) / f"spoilt-{number}")
        for what, (times, hurt, how) in SOUND.items():
            played = [play(Path(base) / f"{what}-{number}", hurt, **how) for number in range(times)]
            reasons = [f"{reason}{_excuse(judged, reason)}" for judged in played for reason in judged.reasons]
            told = f"{sum(bool(judged.reasons) for judged in played)} of {times} accused"
            quiet = f"others had up to {max(judged.others_s for judged in played):.1f} s of a core in a run"
            yield Row(f"{times} runs: {what}", "none accused", told, not reasons, "; ".join([quiet, *reasons]))


def _excuse(judged: Judged, reason: str) -> str:
    return " (this machine was not quiet)" if explained(judged, reason) else ""


def _spoilt(what: str, folder: Path) -> Row:
    """One sabotage, once without and once with it."""
    hurt, how, words = SPOILT[what]
    unhurt = {key: value for key, value in how.items() if key != "sabotage"}
    must = "exit 3, named; without it not named"
    for attempt in range(TRIES):
        control = play(folder / f"control-{attempt}", **unhurt)
        judged = play(folder / f"spoilt-{attempt}", hurt, **how)
        if not (busy := _too_busy(control, judged, words)):
            break
    if busy:
        return Row(what, must, f"cannot be told here: {busy}", met=False, note="; ".join(control.reasons))
    named = judged.names(*words)
    told = f"exit {judged.code}, {'named' if named else 'not named'}; without it exit {control.code}, not named"
    return Row(what, must, told, judged.code == 3 and named, "; ".join(judged.reasons))


def _too_busy(control: Judged, judged: Judged, words: tuple[str, ...]) -> str:
    """Why a pair tells nothing of a sabotage; "" where it does.

    What the burner had does not count among what others had: it is a child of ours.
    """
    if control.names(*words):
        return f"the control is told of by the same words, others had {control.others_s:.1f} s of a core"
    least_s = NOISE_S.get(words[0])
    if least_s is not None and judged.others_s >= least_s:
        return f"beside it others had {judged.others_s:.1f} s of a core, enough for the same words"
    return ""
