"""Who has told nothing for too long, by the time in which whoever listens ran itself. Pure: it is told the time.

Where a whole machine pauses everybody is silent, the listener too: then nobody is accused.
"""

from __future__ import annotations

# Between two looks, which are a quarter of a second apart while the listener runs, no more than this counts.
LONGEST_TURN_S = 1.0


class Silence:
    """Watches whoever was heard, from then on.

    Args:
        limit_s: how long one may tell nothing.
    """

    def __init__(self, limit_s: float) -> None:
        self.limit_s = limit_s
        self._looked: float | None = None
        self._awake_s = 0.0
        self._heard: dict[int, float] = {}

    def heard(self, who: int) -> None:
        """That one told something, or begins to be watched."""
        self._heard[who] = self._awake_s

    def forget(self, who: int) -> None:
        """That one is watched no more."""
        self._heard.pop(who, None)

    def too_long(self, now: float) -> list[int]:
        """Who has been silent for longer than the limit; each is named once, and watched no more.

        Args:
            now: the monotonic second.
        """
        if self._looked is not None:
            self._awake_s += min(now - self._looked, LONGEST_TURN_S)
        self._looked = now
        found = [who for who, at in self._heard.items() if self._awake_s - at > self.limit_s]
        for who in found:
            self.forget(who)
        return found
