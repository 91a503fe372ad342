"""A page with all that it links to, as a browser loads it: the page, then its assets, then what its style sheets want.

Whatever its assets do, the page is there: they stop no journey.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

from simulator.protocols import assets
from simulator.protocols.messages import Exchange
from simulator.traveller import Traveller

T = TypeVar("T")

# What a browser asks one origin for at once over HTTP/1.1 (Chromium client_socket_pool_manager.cc).
AT_ONCE = 6


async def ask(traveller: Traveller, exchange: Exchange[T], cached: set[str]) -> T:
    """Ask for a page; fetch what it links to where the plan says so.

    Args:
        cached: URLs of assets that need not be fetched again; grows.
    Raises: Stopped when the page itself did not end ok.
    """
    if not traveller.plan.page_assets:
        return await traveller.ask(exchange)
    linked = await traveller.ask(assets.with_assets(exchange))
    page_url, tried = linked.assets.page_url, set(cached)
    sheets = await _load(traveller, linked.assets.own, page_url, tried, cached)
    # one level: what a style sheet imports may import no further
    await _load(traveller, (url for sheet in sheets for url in sheet.assets.own), page_url, tried, cached)
    return linked.page


async def _load(
    traveller: Traveller, urls: Iterable[str], page_url: str, tried: set[str], cached: set[str]
) -> list[assets.Fetched]:
    wanted = [url for url in dict.fromkeys(urls) if url not in tried]
    if not wanted:
        return []
    tried.update(wanted)
    fetched = await traveller.load([assets.asset(url, page_url) for url in wanted], at_once=AT_ONCE)
    cached.update(one.url for one in fetched if one.kept)
    return fetched
