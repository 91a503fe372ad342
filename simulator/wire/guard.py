"""Says whom the wire may reach: loopback freely, an authorised host while its time lasts, a public service never.

A loopback address that an authorisation names is held to it like any other: a tunnel's end, say, behind which somebody
else's system stands.

It judges names, addresses and rates, and nothing else: it opens no socket, resolves no name and sends nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any

from simulator.protocols.messages import Skipped

_SERVICES_BY_OWNER: dict[str, str] = {
    "Google": """google.com google.co.jp googleapis.com gstatic.com gvt1.com gvt2.com gvt3.com googleusercontent.com
        google-analytics.com googletagmanager.com googlesyndication.com doubleclick.net youtube.com ytimg.com ggpht.com
        googlevideo.com gmail.com googlemail.com withgoogle.com google.dev google goog chrome.com chromium.org
        android.com firebaseio.com firebaseapp.com web.app appspot.com run.app cloudfunctions.net""",
    "Microsoft": """microsoft.com microsoftonline.com microsoftonline-p.com msauth.net msftauth.net msftidentity.com
        windows.net windows.com windowsupdate.com azure.com azure.net azureedge.net azurefd.net azurewebsites.net
        office.com office.net office365.com outlook.com live.com live.net hotmail.com sharepoint.com onmicrosoft.com
        skype.com msn.com bing.com linkedin.com github.com githubusercontent.com github.io""",
    "identity services": """okta.com oktapreview.com okta-emea.com oktacdn.com auth0.com onelogin.com pingidentity.com
        pingone.com pingone.eu pingone.asia duosecurity.com jumpcloud.com hennge.com trustlogin.com gakunin.jp""",
    "other platforms": """apple.com icloud.com mzstatic.com cdn-apple.com amazon.com amazon.co.jp amazonaws.com
        amazoncognito.com awsapps.com facebook.com instagram.com whatsapp.com meta.com twitter.com x.com yahoo.com
        yahoo.co.jp line.me zoom.us slack.com dropbox.com box.com salesforce.com force.com wikipedia.org""",
    "delivery, names, certificates": """cloudflare.com cloudflare.net cloudflareaccess.com workers.dev pages.dev
        cloudfront.net fastly.com fastly.net fastlylb.net akamai.com akamai.net akamaiedge.net akamaihd.net edgekey.net
        edgesuite.net jsdelivr.net unpkg.com one.one quad9.net opendns.com letsencrypt.org digicert.com""",
}
# Each covers every name below it. Nobody here may load these, whoever signed for it.
PUBLIC_SERVICES = frozenset(name for names in _SERVICES_BY_OWNER.values() for name in names.split())

_KEYS = ("hosts", "owner", "approved_by", "from", "until", "max_rate_per_s")


def plain_host(host: str) -> str:
    """A host as it is compared: lower case, IDNA's ASCII form, no final dot, an address in its shortest spelling.

    Raises: ValueError for what cannot be a host name.
    """
    host = host.strip("[]")
    try:
        return str(ip_address(host))
    except ValueError:
        pass
    name = (host if host.isascii() else host.encode("idna").decode("ascii")).lower().rstrip(".")
    if not name:
        raise ValueError("an empty host name")
    return name


@lru_cache(maxsize=4096)
def is_address(host: str) -> bool:
    """Whether a host is an address already."""
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


@lru_cache(maxsize=4096)
def is_loopback(address: str) -> bool:
    """Whether a literal address is this machine's own: 127.0.0.0/8 (RFC 1122 3.2.1.3), it mapped, or ::1 (RFC 4291)."""
    try:
        ip: IPv4Address | IPv6Address = ip_address(address)
    except ValueError:
        return False
    if isinstance(ip, IPv6Address) and ip.ipv4_mapped is not None:
        ip = ip.ipv4_mapped
    return ip.is_loopback


def is_public_service(host: str) -> bool:
    """Whether a plain host is one of PUBLIC_SERVICES or lies below one."""
    labels = host.split(".")
    return any(".".join(labels[i:]) in PUBLIC_SERVICES for i in range(len(labels)))


@dataclass(frozen=True, slots=True)
class Authorisation:
    """Leave to load somebody's hosts, as the report prints it.

    `hosts` are exact names or addresses, or "*.name" for everything below a name. It holds from `from_` up to, not
    including, `until`. `max_rate_per_s` counts requests and connects, over all hosts together, of one Guard: who runs
    several engines gives each its share.
    """

    hosts: tuple[str, ...]
    owner: str
    approved_by: str
    from_: datetime
    until: datetime
    max_rate_per_s: float

    @classmethod
    def parse(cls, told: Mapping[str, Any]) -> Authorisation:
        """From a plain dict with the keys hosts, owner, approved_by, from, until (times with a zone), max_rate_per_s.

        Raises: ValueError that names every fault, one a line.
        """
        faults = [f"authorisation.{key}: not known; expected {', '.join(_KEYS)}" for key in told if key not in _KEYS]
        hosts = _hosts(told.get("hosts"), faults)
        owner, approved_by = (_text(told.get(key), key, faults) for key in ("owner", "approved_by"))
        from_, until = (_instant(told.get(key), key, faults) for key in ("from", "until"))
        rate = told.get("max_rate_per_s")
        if isinstance(rate, bool) or not isinstance(rate, int | float) or not 0 < rate < float("inf"):
            faults.append(f"authorisation.max_rate_per_s: {rate!r}; expected a number above 0")
        if from_ is not None and until is not None and until <= from_:
            faults.append(f"authorisation.until: {until} is not after from, {from_}")
        if faults or from_ is None or until is None or rate is None:
            raise ValueError("\n".join(faults))
        return cls(hosts, owner, approved_by, from_, until, float(rate))

    def covers(self, host: str) -> bool:
        """Whether a plain host is among `hosts`."""
        return any(host == one or (one.startswith("*.") and host.endswith(one[1:])) for one in self.hosts)


def _hosts(told: object, faults: list[str]) -> tuple[str, ...]:
    if not isinstance(told, list | tuple) or not told or not all(isinstance(host, str) for host in told):
        faults.append(f"authorisation.hosts: {told!r}; expected a list of host names or addresses")
        return ()
    hosts = []
    for host in told:
        below = host.removeprefix("*.")
        try:
            name = plain_host(below)
        except ValueError:
            name = ""
        if not name or "*" in name or (below != host and "." not in name):
            faults.append(f'authorisation.hosts: {host!r}; expected a name, an address, or "*.name.example"')
        elif is_public_service(name):
            faults.append(f"authorisation.hosts: {host!r} is a public service, and no authorisation covers those")
        hosts.append(host[: len(host) - len(below)] + name)
    return tuple(hosts)


def _text(told: object, key: str, faults: list[str]) -> str:
    if isinstance(told, str) and told.strip():
        return told.strip()
    faults.append(f"authorisation.{key}: {told!r}; expected who, as text")
    return ""


def _instant(told: object, key: str, faults: list[str]) -> datetime | None:
    try:
        instant = datetime.fromisoformat(told) if isinstance(told, str) else told
    except ValueError:
        instant = None
    if isinstance(instant, datetime) and instant.tzinfo is not None:
        return instant
    faults.append(f"authorisation.{key}: {told!r}; expected a time with its zone, such as 2026-04-01T08:00:00+09:00")
    return None


class Guard:
    """Asked at every connect, after name resolution.

    Args:
        authorisation: leave to reach more than loopback, or None.
        wall: Unix seconds now, for the authorisation's time.
        clock: monotonic seconds now, for its rate.
    """

    def __init__(
        self,
        authorisation: Authorisation | None = None,
        wall: Callable[[], float] = time.time,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.authorisation = authorisation
        self._wall = wall
        self._clock = clock
        self._tokens = 1.0 if authorisation is None else max(1.0, authorisation.max_rate_per_s)
        self._filled_at = clock()

    def is_free(self, address: str) -> bool:
        """Whether a literal address needs no leave: loopback, unless the authorisation names it."""
        leave = self.authorisation
        return is_loopback(address) and not (leave is not None and leave.covers(plain_host(address)))

    def check(self, host: str, addresses: Sequence[str], port: int) -> None:
        """Whether a connect may go to any one of these addresses; it counts once against the rate.

        Raises: as `allowed` and `spend` do; also when only some of the addresses are allowed.
        """
        if not addresses or not all(map(self.is_free, addresses)):
            self._judge(host, port)
            self.spend(host, port)

    def allowed(self, host: str, addresses: Sequence[str], port: int) -> tuple[str, ...]:
        """Those of a host's addresses a connect may go to; nothing is counted.

        No address at all means that somebody else (a proxy) resolves the name: then the name alone is judged.
        Raises: Skipped guard_public_service or guard_not_authorised when there is none.
        """
        own = tuple(filter(self.is_free, addresses))
        try:
            if len(own) < len(addresses) or not addresses:
                self._judge(host, port)
        except Skipped:
            if own:
                return own
            raise
        return tuple(addresses)

    def spend(self, host: str, port: int) -> None:
        """Count one request to a host that is not free; the authorisation must still hold.

        Raises: Skipped guard_public_service, guard_not_authorised or rate_cap.
        """
        rate = self._judge(host, port).max_rate_per_s
        now = self._clock()
        # One second's worth may come at once, so that a cap of 5/s does not forbid five devices of the same instant.
        self._tokens = min(max(rate, 1.0), self._tokens + (now - self._filled_at) * rate)
        self._filled_at = now
        if self._tokens < 1.0:
            raise Skipped("rate_cap", f"{rate:g} requests/s are authorised for {host}")
        self._tokens -= 1.0

    def _judge(self, host: str, port: int) -> Authorisation:
        try:
            name = plain_host(host)
        except ValueError:
            raise Skipped("guard_not_authorised", f"{host!r} is no host name") from None
        if is_public_service(name):
            raise Skipped("guard_public_service", f"{name}:{port} is a public service and is never loaded")
        leave = self.authorisation
        if leave is None or not leave.covers(name):
            raise Skipped("guard_not_authorised", f"{name}:{port} is not loopback and no [authorisation] names it")
        if not leave.from_.timestamp() <= self._wall() < leave.until.timestamp():
            raise Skipped("guard_not_authorised", f"the [authorisation] holds from {leave.from_} until {leave.until}")
        return leave
