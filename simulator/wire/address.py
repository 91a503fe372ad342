"""Where a URL leads: its origin and what to ask for there, and which addresses a name has. It connects to nothing."""

from __future__ import annotations

import asyncio
import os
import re
import socket
import time
from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import quote, urljoin, urlsplit

from simulator.protocols.messages import Broken, Exhausted
from simulator.wire.guard import is_address, plain_host
from simulator.wire.refusals import exhausted

DEFAULT_PORTS = {"http": 80, "https": 443}
REMEMBER_S = 60.0
_MOST_NAMES = 1024
_NAME = re.compile(r"(?=.{1,253}$)[a-z0-9_-]+(\.[a-z0-9_-]+)*")
# What WHATWG's URL standard leaves alone in a path or a query; everything else a server wrote is percent-encoded.
_SAFE = "%/:=&?~+!$,;'@()*[]|"


class Origin(NamedTuple):
    """Scheme, host and port: what connections, TLS sessions and cookies are kept for."""

    scheme: str
    host: str
    port: int

    @property
    def authority(self) -> str:
        """As the Host header says it (RFC 9110 7.2): the port only where it is not the scheme's own."""
        port = "" if self.port == DEFAULT_PORTS[self.scheme] else f":{self.port}"
        return f"{self.netloc_host}{port}"

    @property
    def netloc(self) -> str:
        """host:port, always with the port."""
        return f"{self.netloc_host}:{self.port}"

    @property
    def netloc_host(self) -> str:
        """The host as a URL has it, an IPv6 address in brackets (RFC 3986 3.2.2)."""
        return f"[{self.host}]" if ":" in self.host else self.host


@lru_cache(maxsize=4096)
def _origin(base: str) -> Origin:
    parts = urlsplit(base)
    if parts.scheme not in DEFAULT_PORTS or parts.hostname is None:
        raise ValueError("not an http or https URL with a host")
    host = plain_host(parts.hostname)
    port = DEFAULT_PORTS[parts.scheme] if parts.port is None else parts.port
    if "%" in host or port == 0 or not (_NAME.fullmatch(host) or is_address(host)):
        raise ValueError("not a host and a port that can be reached")
    return Origin(parts.scheme, host, port)


@lru_cache(maxsize=1024)
def locate(url: str) -> tuple[Origin, str]:
    """The origin of an absolute URL, and the target to ask it for (path and query, RFC 9112 3.2.1).

    Raises: ValueError for what is not an http or https URL.
    """
    path_at = url.find("/", url.find("://") + 3)
    cut = len(url) if path_at < 0 else path_at
    for mark in "?#":
        at = url.find(mark, 0, cut)
        cut = cut if at < 0 else at
    origin = _origin(url[:cut])
    target = url[cut:].partition("#")[0]
    if not (target.isascii() and target.isprintable() and " " not in target):
        target = quote(target, safe=_SAFE)
    return origin, target if target.startswith("/") else "/" + target


def follow(url: str, location: str) -> str:
    """The absolute URL a Location header leads to (RFC 9110 10.2.2).

    Args:
        url: the one that answered.
        location: as it came, one character a byte (a header is latin-1, what servers put into it is often UTF-8).
    Raises: ValueError for what is not an http or https URL.
    """
    target = urljoin(url, quote(location.strip().encode("latin-1"), safe=_SAFE + "#"))
    locate(target)
    return target


class Resolver:
    """Names to addresses, each asked for once a minute at most. An address needs no asking.

    Args:
        hosts: name -> "address:port" that replaces asking; the port replaces the URL's.
    """

    def __init__(self, hosts: Mapping[str, str]) -> None:
        self._fixed = {plain_host(name): _fixed(name, told) for name, told in hosts.items()}
        self._known: dict[str, tuple[float, tuple[str, ...]]] = {}
        self._asking: dict[str, asyncio.Task[tuple[str, ...]]] = {}

    async def addresses(self, host: str, port: int) -> tuple[tuple[str, ...], int]:
        """The addresses and the port to connect to. Raises: Broken name_unknown, Exhausted."""
        if host in self._fixed:
            address, port = self._fixed[host]
            return (address,), port
        if is_address(host):
            return (host,), port
        known = self._known.get(host)
        if known is not None and known[0] > time.monotonic():
            return known[1], port
        asking = self._asking.get(host)
        if asking is None:
            asking = self._asking[host] = asyncio.get_running_loop().create_task(self._ask(host))
        # One device's timeout must not end the asking for all the others.
        return await asyncio.shield(asking), port

    async def close(self) -> None:
        """Stop asking."""
        asking = tuple(self._asking.values())
        for task in asking:
            task.cancel()
        await asyncio.gather(*asking, return_exceptions=True)

    async def _ask(self, host: str) -> tuple[str, ...]:
        try:
            found = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as problem:
            raise _unresolved(host, problem) from None
        finally:
            del self._asking[host]
        addresses = tuple(dict.fromkeys(str(entry[4][0]) for entry in found))
        if len(self._known) >= _MOST_NAMES:
            self._known.clear()
        self._known[host] = (time.monotonic() + REMEMBER_S, addresses)
        return addresses


def _fixed(name: str, told: str) -> tuple[str, int]:
    address, _, port = told.rpartition(":")
    address = address.strip("[]")
    if not is_address(address) or not port.isdecimal():
        raise ValueError(f'hosts.{name}: {told!r}; expected "address:port", such as "127.0.0.1:8080"')
    return address, int(port)


def _unresolved(host: str, problem: OSError | UnicodeError) -> Broken | Exhausted:
    # The C library says only "temporary failure" when it had no descriptor left to ask with: try for one ourselves.
    try:
        os.close(os.dup(0))
    except OSError as ours:
        found = exhausted(ours)
        if found is not None:
            return found
    if isinstance(problem, socket.gaierror) and problem.errno == socket.EAI_MEMORY:
        return Exhausted("harness_memory", f"resolving {host}")
    return Broken("name_unknown", f"{host}: {problem}")
