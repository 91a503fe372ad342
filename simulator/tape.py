"""The engine's end of the record: packs samples into one buffer and keeps the first few examples of each trouble.

The only place that knows how a sample's names become numbers. It touches no disk, no pipe and no clock.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from reports.record import OUTCOMES, PACK, TRIGGERS
from simulator.protocols.messages import REASONS, Trouble
from simulator.redaction import redacted

EXAMPLES_EACH = 3
_MOST_BYTES = 0xFFFFFFFF

_OUTCOME = {name: index for index, name in enumerate(OUTCOMES)}
_TRIGGER = {name: index for index, name in enumerate(TRIGGERS)}
_REASON = {name: index for index, name in enumerate(REASONS)}


class Tape:
    """Samples and examples of one shard, in the order in which they ended.

    Args:
        steps: all step and milestone names; a sample's `step` is the index.
        journeys: all journey names; a sample's `journey` is the index.
    """

    def __init__(self, steps: Sequence[str], journeys: Sequence[str]) -> None:
        self._step = {name: index for index, name in enumerate(steps)}
        self._journey = {name: index for index, name in enumerate(journeys)}
        self._samples = bytearray()
        self._examples: list[dict[str, Any]] = []
        self._seen: Counter[tuple[str, str]] = Counter()
        self.count = 0

    def sample(
        self,
        step: str,
        *,
        due: float,
        able: float,
        sent: float,
        done: float,
        device: int,
        trigger: str,
        journey: str,
        trouble: Trouble | None = None,
        status: int = 0,
        bytes_in: int = 0,
        bytes_out: int = 0,
        action: int = 0,
        attempt: int = 1,
    ) -> None:
        """Record one step or milestone; without `trouble` it ended ok. Instants are run seconds."""
        outcome = reason = 0
        if trouble is not None:
            outcome, reason = _OUTCOME[trouble.outcome], _REASON[trouble.reason]
            status = status or trouble.status
        self._samples += PACK.pack(
            due, able, sent, done,
            device,
            bytes_in if bytes_in < _MOST_BYTES else _MOST_BYTES,
            bytes_out if bytes_out < _MOST_BYTES else _MOST_BYTES,
            self._step[step], status, reason, action,
            outcome, _TRIGGER[trigger], self._journey[journey], attempt if attempt < 255 else 255,
        )  # fmt: skip
        self.count += 1

    def example(self, step: str, trouble: Trouble, *, done: float, device: int, url: str) -> None:
        """Keep what happened, for a person, if it is one of the first of its (step, reason).

        The URL loses its query: identities and tokens travel there. A detail may hold a server's own words: they lose
        what looks like a person or a token.
        """
        key = (step, trouble.reason)
        self._seen[key] += 1
        if self._seen[key] <= EXAMPLES_EACH:
            self._examples.append(
                {
                    "step": step,
                    "reason": trouble.reason,
                    "outcome": trouble.outcome,
                    "status": trouble.status,
                    "detail": redacted(trouble.detail),
                    "url": url.partition("?")[0],
                    "device": device,
                    "at_s": round(done, 3),
                }
            )

    def take(self) -> bytes:
        """All samples since the last call, packed as SAMPLE records."""
        taken = bytes(self._samples)
        self._samples.clear()
        return taken

    def take_examples(self) -> list[dict[str, Any]]:
        """All examples since the last call."""
        taken, self._examples = self._examples, []
        return taken
