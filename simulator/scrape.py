"""Scrapes the servers' own metrics while levels are played: `python -P -m simulator.scrape`, a child of the search.

Told on its standard input where; prints one JSON line a scrape. The guard is asked as for any target. What a metric
says is not known here.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

import uvloop

from reports.servermetrics import kept, read_exposition
from scenarios.targets import Targets
from simulator.children import Child
from simulator.engine import Sockets
from simulator.errors import UserError
from simulator.protocols.forms import page_request
from simulator.protocols.messages import Trouble, settle

EVERY_S = 2.0
TIMEOUT_S = 10.0
_EXPECTED = "expected metrics in Prometheus' text format, from a host that is loopback or in [authorisation]"


def is_url(source: str) -> bool:
    """Whether metrics are to be scraped there; anything else is a file."""
    return source.startswith(("http://", "https://"))


def start_scraping(url: str, targets: Targets, hear: Callable[[float, Mapping[str, float], int], None]) -> Child:
    """Scrape until the child is ended.

    Args:
        targets: whose authorisation counts.
        hear: takes Unix seconds, the metrics of each scrape and how many of it were left out, in a thread of its own.
    Raises: UserError when the first scrape finds nothing.
    """
    told = {"url": url, "targets": targets.model_dump_json(by_alias=True)}

    def heard(line: dict[str, Any]) -> None:
        hear(line["utc"], line["metrics"], line["left_out"])

    child = Child("scrape", ["simulator.scrape"], first=told, hear=heard)
    if said := child.ready.get("fault"):
        child.end()
        raise UserError(f"--server-metrics {url}: {said}; {_EXPECTED}")
    return child


async def _scrape(url: str, targets: Targets) -> None:
    sockets = Sockets(targets, provider_urls=())
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_reader(sys.stdin.fileno(), ended.set)
    wire, first = sockets.wire(None), True
    known: set[str] = set()
    try:
        while not ended.is_set():
            said: dict[str, Any]
            try:
                answer = settle(await wire.send(page_request(url), timeout_s=TIMEOUT_S))
                found = read_exposition(answer.body.decode(errors="replace"))
                metrics = kept(found, known)
                said = {"utc": round(time.time(), 3), "metrics": metrics, "left_out": len(found) - len(metrics)}
                fault = "" if found else "no metrics in the answer"
            except Trouble as trouble:
                said, fault = {}, trouble.detail or str(trouble)
            if first:
                print(json.dumps({"fault": fault} if fault else {"scrapes": url}), flush=True)
                first = False
                if fault:
                    return
            if not fault:
                print(json.dumps(said), flush=True)
            try:
                await asyncio.wait_for(ended.wait(), EVERY_S)
            except TimeoutError:
                continue
    finally:
        loop.remove_reader(sys.stdin.fileno())
        await sockets.close()


if __name__ == "__main__":
    asked = json.loads(sys.stdin.readline())
    uvloop.run(_scrape(asked["url"], Targets.model_validate_json(asked["targets"])))
