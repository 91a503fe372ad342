"""The trust gate on real runs: what spoils one is named, healthy ones are not accused. Takes about nine minutes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tests.gate_runs import (
    ANSWERS_AFTER_3_S,
    ON_ONE_CORE,
    OWN_NETWORK,
    Playing,
    beside_a_burner,
    frozen,
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
    "a frame is lost": (nothing, {"sabotage": "lose_frame"}, ("frames arrived", "a part of the record is lost")),
    "a frame is torn": (nothing, {"sabotage": "tear_frame"}, ("tore a frame",)),
    "the wall clock jumps 3.2 s": (nothing, {"sabotage": "jump_clock"}, ("the wall clock jumped +3.2",)),
}
"""What is done to a run, how, and the words of the reason that names it."""
SOUND: dict[str, tuple[int, Callable[[Playing], None], dict[str, Any]]] = {
    "nothing is done to them": (HEALTHY, nothing, {}),
    "the target stands still for 3 s": (SLOW, slow_target, {}),
    "the same at 250 starts/s": (SLOW, slow_target, {"rate_per_s": 250}),
    "the target answers after 3 s": (SLOW, nothing, {"acts": ANSWERS_AFTER_3_S}),
}
"""How often each is played, and what is done to it, that must not be held against the harness."""


def rows() -> Iterator[Row]:
    """Each sabotage once; then runs that nothing is done to, and some whose target stands still."""
    with TemporaryDirectory() as base:
        for number, (what, (hurt, how, words)) in enumerate(SPOILT.items()):
            judged = play(Path(base) / f"spoilt-{number}", hurt, **how)
            met = judged.code == 3 and judged.names(*words)
            yield Row(what, "exit 3, named", f"exit {judged.code}", met, "; ".join(judged.reasons))
        for what, (times, hurt, how) in SOUND.items():
            played = [play(Path(base) / f"{what}-{number}", hurt, **how) for number in range(times)]
            reasons = [reason for judged in played for reason in judged.reasons]
            told = f"{sum(bool(judged.reasons) for judged in played)} of {times} accused"
            yield Row(f"{times} runs: {what}", "none accused", told, not reasons, "; ".join(reasons))
