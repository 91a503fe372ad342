"""What `doctor --measure` finds is where runs begin to be late: far below it they are trusted and nothing is said, near
it `run` says so beforehand, far above it a run is not trusted and says why. Takes about three minutes.
"""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tests.gate_runs import FLEETRUSH
from tests.tables import Row

SCENARIO = Path(__file__).parents[1] / "data" / "scenarios" / "starts.toml"
LENGTH_S, STEPS_A_START = 6, 4
MOST_S = 60.0
OURS = ("was saturated", "stood still", "lagged", "starts were", "waited for a core")
"""Words of a reason that says of our own side that it did not keep up."""


@dataclass(frozen=True, slots=True)
class Share:
    """A run at that share of what was found: whether `run` warns, and whether it is trusted (None: either will do)."""

    of_ceiling: float
    warned: bool
    trusted: bool | None

    @property
    def must(self) -> str:
        """In words."""
        trust = {True: ", trusted", False: ", exit 3 and our own side named", None: ""}[self.trusted]
        return f"{'warned' if self.warned else 'not warned'}{trust}"


SHARES = (Share(0.6, warned=False, trusted=True), Share(0.8, warned=True, trusted=None), Share(2.0, True, False))


def rows() -> Iterator[Row]:
    """The measurement, and a run at each share of what it found."""
    with TemporaryDirectory(prefix="fleetrush-truth-") as name:
        folder = Path(name)
        began = time.monotonic()
        done = _fleetrush(folder, "doctor", "--measure")
        took_s = time.monotonic() - began
        kept = json.loads((folder / "state" / "fleetrush" / "machine.json").read_text())
        least = "at least " if kept["starts_at_least"] else ""
        found = all(kept[f"{key}_per_s"] > 0 for key in ("steps", "starts", "opened"))
        yield Row(
            "`doctor --measure` finds what this machine can drive",
            f"steps/s, starts/s and lines/s, within {MOST_S:g} s",
            f"{took_s:.0f} s: {kept['steps_per_s']:,.0f} steps/s, {least}{kept['starts_per_s']:,.0f} starts/s,"
            f" {kept['opened_per_s']:,.0f} lines/s",
            took_s < MOST_S and found,
            f"exit {done.returncode}"
            if found
            else "nothing starts in time here: this machine is too busy to tell more",
        )
        for share in SHARES if found else ():
            yield _at(folder, share, kept)


def _at(folder: Path, share: Share, kept: dict[str, Any]) -> Row:
    """A run of enrollments, each one start and four steps, at a share of whichever of both ceilings is nearer."""
    ceiling = min(kept["starts_per_s"], kept["steps_per_s"] / STEPS_A_START)
    rate = share.of_ceiling * ceiling
    out = folder / f"{share.of_ceiling:g}"
    devices = str(round(rate * LENGTH_S))
    done = _fleetrush(folder, "run", str(SCENARIO), "--devices", devices, "--out", str(out))
    (summary,) = out.glob("*/summary.json")
    reasons = json.loads(summary.read_text())["harness"]["reasons"]
    warned = [line for line in done.stdout.splitlines() if line.startswith("the peak")]
    named = [reason for reason in reasons if any(words in reason for words in OURS)]
    judged = {True: not reasons, False: done.returncode == 3 and bool(named), None: True}[share.trusted]
    trust = "not trusted" if reasons else "trusted"
    return Row(
        f"a run at {share.of_ceiling:.0%} of it: {rate:,.0f} enrollments/s",
        share.must,
        f"{'warned' if warned else 'not warned'}, {trust}, exit {done.returncode}",
        bool(warned) == share.warned and judged,
        "; ".join([*warned, *reasons]),
    )


def _fleetrush(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A command with a state folder of its own."""
    return subprocess.run(
        [FLEETRUSH, *arguments],
        capture_output=True, text=True, check=False, cwd=folder,
        env={**os.environ, "XDG_STATE_HOME": str(folder / "state")},
    )  # fmt: skip
