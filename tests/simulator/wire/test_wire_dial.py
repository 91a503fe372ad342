"""From where a push line is dialed, and when lines that rest look after their pings."""

from __future__ import annotations

import asyncio
import socket

from simulator.wire.dial import Dialer
from simulator.wire.guard import Guard
from simulator.wire.pings import Pings

PATIENCE_S = 20


def test_source_addresses_take_turns() -> None:
    """What the server sees: the IPv4 ones in turn for an IPv4 target; the system's own choice where none is named."""

    async def seen(*sources: str) -> list[str]:
        dialer, found = Dialer(guard=Guard(), tls={}, hosts={}, sources=sources), []
        with socket.create_server(("127.0.0.1", 0)) as server:
            for _ in range(4):
                with await dialer.dial("127.0.0.1", server.getsockname()[1], tls=False):
                    taken, peer = server.accept()
                    taken.close()
                    found.append(peer[0])
        await dialer.close()
        return found

    assert asyncio.run(seen("127.0.0.5", "::1", "127.0.0.6")) == ["127.0.0.5", "127.0.0.6"] * 2
    assert asyncio.run(seen()) == ["127.0.0.1"] * 4
    assert asyncio.run(seen("::1")) == ["127.0.0.1"] * 4


class Resting:
    """A line that wants to look again so many times."""

    def __init__(self, name: str, looks: int, every_s: float, log: list[str], over: asyncio.Event) -> None:
        self.name, self.left, self.every_s, self.log, self.over = name, looks, every_s, log, over

    def ping_if_due(self) -> float:
        """As Pinging says."""
        self.log.append(self.name)
        self.left -= 1
        if self.left:
            return self.every_s
        self.over.set()
        return 0.0


def test_lines_look_in_their_time_and_no_more_when_over() -> None:
    """A line that comes later and is due sooner goes first; one that is over looks no more; none does after stop()."""

    async def play() -> list[str]:
        log: list[str] = []
        pings, slow, quick = Pings(), asyncio.Event(), asyncio.Event()
        pings.watch(Resting("slow", 1, 0.1, log, slow), 0.2)
        pings.watch(Resting("quick", 3, 0.01, log, quick), 0.01)
        pings.watch(Resting("never", 1, 0.1, log, asyncio.Event()), 3600)
        await asyncio.wait_for(asyncio.gather(slow.wait(), quick.wait()), PATIENCE_S)
        # armed for the one that is left, then for nobody
        pings.watch(Resting("stopped", 1, 0.1, log, asyncio.Event()), 0.0)
        pings.stop()
        await asyncio.sleep(0)
        return log

    assert asyncio.run(play()) == ["quick", "quick", "quick", "slow"]
