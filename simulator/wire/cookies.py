"""One device's cookies (RFC 6265, the part that servers of ours need). It sends nothing and reads no clock.

Left out: SameSite (each step here is a top-level navigation or the device's own call), the public suffix list.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from email.utils import mktime_tz, parsedate_tz

from simulator.wire.guard import is_address

MOST_COOKIES = 300
MOST_BYTES = 4096
_FOREVER = float("inf")


@dataclass(frozen=True, slots=True)
class _Cookie:
    name: str
    value: str
    domain: str
    path: str
    host_only: bool
    secure: bool
    expires: float

    def fits(self, host: str, path: str) -> bool:
        """RFC 6265 5.4, the parts about the domain and the path."""
        at_home = host == self.domain or (not self.host_only and host.endswith("." + self.domain))
        below = path == self.path or path.startswith(self.path if self.path.endswith("/") else self.path + "/")
        return at_home and below


class CookieJar:
    """The cookies of one device.

    Args:
        secure_over_http: keep `Secure` cookies that come over plain http, as if they were not. Keycloak marks its
            cookies Secure even when it is reached by http, and a test instance often is: with False nobody could ever
            sign in there. What came over TLS goes back over TLS alone, whatever is said here.
    """

    __slots__ = ("_cookies", "_secure_over_http")

    def __init__(self, *, secure_over_http: bool = True) -> None:
        self._cookies: dict[tuple[str, str, str], _Cookie] = {}
        self._secure_over_http = secure_over_http

    def store(self, host: str, target: str, *, https: bool, lines: Iterable[str], now: float) -> None:
        """Take the Set-Cookie lines of one response (RFC 6265 5.2 and 5.3).

        Args:
            host: the host asked; target: its path, perhaps with a query; https: whether that went over TLS.
            now: Unix seconds.
        """
        for line in lines:
            cookie = _read(line, host, target.partition("?")[0], now)
            if cookie is None or (cookie.secure and not https and not self._secure_over_http):
                continue
            cookie = cookie if https else replace(cookie, secure=False)
            key = (cookie.domain, cookie.path, cookie.name)
            if cookie.expires <= now:
                self._cookies.pop(key, None)
                continue
            if key not in self._cookies and len(self._cookies) >= MOST_COOKIES:
                del self._cookies[next(iter(self._cookies))]
            self._cookies[key] = cookie

    def header(self, host: str, target: str, *, https: bool, now: float) -> str:
        """The Cookie header's value for a request (RFC 6265 5.4): longer paths first, then the older; "" if none."""
        if not self._cookies:
            return ""
        path = target.partition("?")[0]
        sent = [c for c in self._cookies.values() if c.expires > now and (https or not c.secure) and c.fits(host, path)]
        sent.sort(key=lambda cookie: -len(cookie.path))
        return "; ".join(f"{cookie.name}={cookie.value}" if cookie.name else cookie.value for cookie in sent)


def _read(line: str, host: str, path: str, now: float) -> _Cookie | None:
    pair, *rest = line.split(";")
    name, equals, value = pair.partition("=")
    if not equals:
        name, value = "", pair
    name, value = name.strip(" \t"), value.strip(" \t")
    if not (name or value) or len(name) + len(value) > MOST_BYTES:
        return None
    said = {}
    for attribute in rest:
        key, _, told = attribute.partition("=")
        said[key.strip(" \t").lower()] = told.strip(" \t")
    domain = said.get("domain", "").removeprefix(".").lower()
    if domain and not _may_set(host, domain):
        return None
    cookie_path = said.get("path", "")
    if not cookie_path.startswith("/"):
        cookie_path = path[: path.rfind("/")] or "/"
    return _Cookie(name, value, domain or host, cookie_path, not domain, "secure" in said, _expires(said, now))


def _may_set(host: str, domain: str) -> bool:
    """RFC 6265 5.1.3; and a name without a dot, such as "com", owns nobody else's cookies."""
    if host == domain:
        return True
    return "." in domain and host.endswith("." + domain) and not is_address(host)


def _expires(said: dict[str, str], now: float) -> float:
    """Unix seconds; Max-Age before Expires, and neither if it cannot be read (RFC 6265 5.2.1, 5.2.2, 5.3)."""
    age = said.get("max-age", "")
    if age.removeprefix("-").isdecimal() and age.isascii():
        return now + float(age) if float(age) > 0 else -_FOREVER
    date = parsedate_tz(said.get("expires", ""))
    if date is None:
        return _FOREVER
    try:
        return mktime_tz(date)
    except (ValueError, OverflowError):
        return _FOREVER
