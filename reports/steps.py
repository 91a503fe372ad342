"""A run's samples by step, in the order of run.json, and what kind of thing each step is.

Which rows belong to which line of a report is decided here and nowhere else; nothing is measured or judged.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from reports.record import SAMPLE, TRIGGERS, Samples

APPLIED: Final = "applied"
CAUGHT_UP: Final = "applied (caught up)"
"""`applied` of devices that were not online at the publish; the plain name keeps those that were."""

_PUSH: Final = TRIGGERS.index("push")


class Steps:
    """The samples of a run by step; each step's rows are gathered when they are asked for.

    Args:
        run: run.json, of which `steps` is read.
        samples: all samples of the run.
    """

    def __init__(self, run: Mapping[str, Any], samples: Samples) -> None:
        # As rows of words: a row is then copied whole, several times as fast as one of fields.
        self._words = samples.view(np.uint64).reshape(-1, SAMPLE.itemsize // 8)
        names = list(run["steps"])
        column = np.ascontiguousarray(samples["step"])
        self._order = np.argsort(column, kind="stable").astype(np.uint32)
        ends = np.cumsum(np.bincount(column, minlength=len(names)))
        if ends.size > len(names):
            raise ValueError(f"a sample's step is {ends.size - 1}, but run.json names {len(names)} steps")
        self._bounds = {name: (int(end - size), int(end)) for name, end, size in _sized(names, ends)}
        self.names = tuple(self._present(names))

    def _present(self, names: list[str]) -> list[str]:
        present = [name for name in names if self._bounds[name][0] < self._bounds[name][1]]
        if APPLIED in present:
            pushed = self._gather(APPLIED)["trigger"] == _PUSH
            kept = ([APPLIED] if pushed.any() else []) + ([CAUGHT_UP] if not pushed.all() else [])
            at = present.index(APPLIED)
            present[at : at + 1] = kept
        return present

    def rows(self, name: str) -> Samples:
        """The samples of one step or milestone, in the order they were recorded; empty where there are none."""
        if name in {APPLIED, CAUGHT_UP}:
            rows = self._gather(APPLIED)
            chosen: Samples = rows[(rows["trigger"] == _PUSH) == (name == APPLIED)]
            return chosen
        return self._gather(name)

    def _gather(self, name: str) -> Samples:
        first, end = self._bounds.get(name, (0, 0))
        return np.take(self._words, self._order[first:end], axis=0).view(SAMPLE).reshape(-1)


def _sized(names: list[str], ends: Any) -> list[tuple[str, int, int]]:
    return [(name, int(end), int(size)) for name, end, size in zip(names, ends, np.diff(ends, prepend=0), strict=True)]


def is_milestone(name: str) -> bool:
    """Whether a name is a milestone's: a step's has its service before a dot."""
    return "." not in name


def of_steps(run: Mapping[str, Any], samples: Samples) -> NDArray[np.bool_]:
    """Which samples are of steps, not of milestones."""
    kinds = np.array([not is_milestone(name) for name in run["steps"]], np.bool_)
    found: NDArray[np.bool_] = kinds[samples["step"]]
    return found


def basis_of(name: str, targets: Mapping[str, Mapping[str, Any]]) -> str:
    """What answered a step: `target`, `stand-in` or `shaped`; a milestone is `mixed` where its services differ.

    Args:
        name: the step or milestone.
        targets: `targets` of run.json, each with its `basis`, and with the `steps` that it is said of where the
            stand-in answers the service's others. A service that is not among them is our own: `harness`.
    """
    if is_milestone(name):
        found = {str(target["basis"]) for target in targets.values()}
        return found.pop() if len(found) == 1 else "mixed"
    target = targets.get(name.partition(".")[0])
    if not target:
        return "harness"
    return str(target["basis"]) if name in target.get("steps", (name,)) else "stand-in"
