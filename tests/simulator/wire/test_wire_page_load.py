"""A page and what it links to over real connections: how many at once, what is cached, and what trouble in it does."""

from __future__ import annotations

import asyncio
from collections import Counter
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
from wire_servers import Side, played, pooled, served

from reports.record import OUTCOMES, SAMPLE
from simulator.agenda import Agenda, Start
from simulator.device import Device
from simulator.engine import RealClock, SocketWire
from simulator.journeys import JOURNEY_NAMES, STEPS, page_load
from simulator.protocols.messages import REASONS, Exchange, Request, Response
from simulator.tape import Tape
from simulator.traveller import Traveller
from simulator.wire.http import HttpPool
from simulator.world import World

PICTURES = 20


class Site:
    """A site whose page links to PICTURES pictures, a style sheet, and what the test adds.

    Args:
        extra: markup besides.
        gathered: the first so many assets are answered when all of them were asked for.

    Attributes:
        asked: how often each path was asked for. most: how many assets were asked for and unanswered at once.
    """

    def __init__(self, extra: str = "", *, gathered: int = 1) -> None:
        self.asked: Counter[str] = Counter()
        self.most = 0
        self._unanswered = 0
        self._gathered, self._enough = gathered, asyncio.Event()
        pictures = "".join(f'<img src="/{number}.png">' for number in range(PICTURES))
        self.page = f'<html><link rel="stylesheet" href="/a.css">{pictures}{extra}</html>'

    async def serve(self, side: Side) -> None:
        """Answer page and assets."""
        while True:
            path = (await side.request()).split(b" ", 2)[1].decode()
            self.asked[path] += 1
            if not path.startswith("/login"):
                self._unanswered += 1
                self.most = max(self.most, self._unanswered)
                if self._unanswered >= self._gathered:
                    self._enough.set()
                await self._enough.wait()
                self._unanswered -= 1
            await side.say(self._answer(path))

    def _answer(self, path: str) -> bytes:
        if path.startswith("/login"):
            return _answer(self.page, "text/html")
        if path == "/a.css":
            return _answer(".a{background:url(/bg.svg)} .b{background:url(/1.png)}", "text/css")
        if path == "/volatile.js":
            return _answer("x", "text/javascript", "Cache-Control: no-store\r\n")
        if path == "/broken.js":
            return b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"
        return _answer("x", "image/png")


def _answer(body: str, kind: str, more: str = "") -> bytes:
    return f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\n{more}Content-Length: {len(body)}\r\n\r\n{body}".encode()


def page(base: str, number: int) -> Exchange[int]:
    """The n-th page of a sign-in."""

    def read(response: Response) -> int:
        return response.status

    return Exchange("identity.login_page", Request("GET", f"{base}/login{number}"), read)


def traveller(pool: HttpPool, *, page_assets: bool = True) -> tuple[Traveller, Tape]:
    """A device on a sign-in over that pool, and the tape that records it."""
    plan: Any = SimpleNamespace(seed=1, page_assets=page_assets)
    loop = asyncio.get_running_loop()
    clock, tape = RealClock(loop.time(), 0.0), Tape(STEPS, JOURNEY_NAMES)
    world = World(plan, clock, Agenda(), tape)
    world.together = lambda ways: asyncio.gather(*ways)
    device = Device(0, SocketWire(pool.device(), cast(Any, None)))
    return Traveller(world, device, Start(0.0, 0, "sign_in", "follows"), 0.0), tape


def recorded(tape: Tape) -> Any:
    """The samples of assets."""
    samples = np.frombuffer(tape.take(), SAMPLE)
    return samples[samples["step"] == STEPS.index("identity.asset")]


@played
async def test_six_at_once() -> None:
    """All pictures, the sheet and what it asks for come, once each; six are under way at a time, as in a browser."""
    site = Site(gathered=page_load.AT_ONCE)
    async with served(site.serve) as peer, pooled() as pool:
        person, tape = traveller(pool)
        await page_load.ask(person, page(peer.url, 1), set())
    samples = recorded(tape)
    assert site.most == len(peer.sides) == page_load.AT_ONCE
    assert site.asked == Counter(
        {f"/{number}.png": 1 for number in range(PICTURES)} | {"/login1": 1, "/a.css": 1, "/bg.svg": 1}
    )
    assert samples.size == PICTURES + 2
    assert (samples["outcome"] == 0).all()
    # all of the first batch are due when the page was there; whoever waited for a turn was able later
    assert np.unique(samples["due"][:-1]).size == 1
    assert (samples["able"] >= samples["due"]).all()
    assert (samples["sent"] >= samples["able"]).all()


@played
async def test_a_second_page_finds_them_cached() -> None:
    """A second page of the same sign-in fetches nothing again but what may not be stored, and what did not come."""
    site = Site('<script src="/volatile.js"></script><script src="/broken.js"></script>')
    async with served(site.serve) as peer, pooled() as pool:
        person, tape = traveller(pool)
        cached: set[str] = set()
        for number in (1, 2):
            await page_load.ask(person, page(peer.url, number), cached)
    assert {path for path, count in site.asked.items() if count == 2} == {"/volatile.js", "/broken.js"}
    assert max(site.asked.values()) == 2
    refused = recorded(tape)
    refused = refused[refused["outcome"] != 0]
    assert [OUTCOMES[outcome] for outcome in refused["outcome"]] == ["refused"] * 2
    assert set(refused["status"].tolist()) == {404}


@played
async def test_a_foreign_origin_is_never_asked() -> None:
    """What leads to another origin is not fetched, though it is loopback and nobody would stop it."""
    foreign = Site()
    async with served(foreign.serve) as elsewhere:
        site = Site(f'<img src="{elsewhere.url}/x.png"><link rel="stylesheet" href="{elsewhere.url}/y.css">')
        async with served(site.serve) as peer, pooled() as pool:
            await page_load.ask(traveller(pool)[0], page(peer.url, 1), set())
        assert elsewhere.sides == []


@played
async def test_a_dead_asset_stops_nothing() -> None:
    """A connection that breaks in an asset is recorded as what it is, and the page is there all the same."""

    async def script(side: Side) -> None:
        request = await side.request()
        if b" /login1 " in request:
            await side.say(_answer('<html><img src="/gone.png"></html>', "text/html"))
            await side.request()
        side.reset()

    async with served(script) as peer, pooled() as pool:
        person, tape = traveller(pool)
        assert await page_load.ask(person, page(peer.url, 1), set()) == 200
    samples = recorded(tape)
    assert [REASONS[reason] for reason in samples["reason"]] == ["broken_after_sent"]


@played
async def test_switched_off() -> None:
    """Where the plan does not say so, a page is one request."""
    site = Site()
    async with served(site.serve) as peer, pooled() as pool:
        person, tape = traveller(pool, page_assets=False)
        await page_load.ask(person, page(peer.url, 1), set())
    assert site.asked == Counter({"/login1": 1})
    assert recorded(tape).size == 0
