"""How a Chromebook asks for a system update, reports on it and fetches it: Omaha v3 as update_engine speaks it.

Requests in both directions; their answers are in update_answers. Pure: clock, identifiers and what a device remembers
come in as arguments. When a device checks, waits or gives up is not told here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache, partial
from urllib.parse import urlsplit

from simulator.protocols.messages import Exchange, Request, Response, Trouble, settle
from simulator.protocols.omaha import NO_VERSION, UPDATER, UPDATER_VERSION, NotOmaha, elements, text
from simulator.protocols.payload import BadUpdate, PayloadSink
from simulator.protocols.update_answers import NoUpdate, Offer, UpdateClient, read_answer

__all__ = [
    "CHECK_PATH",
    "DEFERRED",
    "DOWNLOAD_FINISHED",
    "DOWNLOAD_STARTED",
    "FAILED",
    "REBOOTED",
    "SUCCEEDED",
    "UPDATE_COMPLETE",
    "AskedApp",
    "NoUpdate",
    "Offer",
    "UpdateClient",
    "check",
    "check_errorcode",
    "download",
    "download_errorcode",
    "event",
    "read_request",
]

CHECK_PATH = "/service/update2"

# Event types and results (update_engine omaha_event.h).
UPDATE_COMPLETE, DOWNLOAD_STARTED, DOWNLOAD_FINISHED, REBOOTED = 3, 13, 14, 54
FAILED, SUCCEEDED, DEFERRED = 0, 1, 9

_DAY_S = 86400
_LONGEST_COHORT = 1024
_REDIRECTS = 10  # libcurl_http_fetcher.cc kDownloadMaxRedirects
_ANY_2XX = tuple(range(200, 300))
_DOWNLOAD_ERROR = 9  # kDownloadTransferError
_HTTP_ERRORS = 2000  # kOmahaRequestHTTPResponseBase


def check(
    url: str,
    client: UpdateClient,
    *,
    now: float,
    request_id: str,
    session_id: str,
    interactive: bool = False,
    target_version_prefix: str = "",
    previous_version: str = "",
) -> Exchange[Offer | NoUpdate]:
    """Ask whether there is an update (omaha_request_builder_xml.cc).

    Args:
        url: the base of the updates target; one with a path of its own, as nebraska's /update, is taken as it is.
        now: Unix seconds.
        request_id: a new lower-case UUID; session_id: one per check, its events and its download.
        previous_version: after the reboot into an update: the version before it; reported once, as event 54.
    Returns: an exchange whose `read` raises Refused, Broken, or BadUpdate for an answer that a device turns down.
    """
    prefix = f' targetversionprefix="{text(target_version_prefix)}"' if target_version_prefix else ""
    body = f"{_ping(client, now)}        <updatecheck{prefix}></updatecheck>\n"
    if previous_version:
        body += _event(REBOOTED, SUCCEEDED, f' previousversion="{text(previous_version, NO_VERSION)}"')
    request = _request(url, client, body, request_id=request_id, session_id=session_id, interactive=interactive)
    return Exchange("updates.check", request, partial(_read_check, client, now))


def event(
    url: str,
    client: UpdateClient,
    *,
    kind: int,
    result: int,
    errorcode: int = 0,
    request_id: str,
    session_id: str,
    interactive: bool = False,
) -> Exchange[None]:
    """Report on an update. A device goes on whatever the answer is, so the caller should too; the answer is not parsed.

    Args:
        kind: DOWNLOAD_STARTED, DOWNLOAD_FINISHED or UPDATE_COMPLETE.
        result: FAILED, SUCCEEDED or DEFERRED; errorcode goes out unless it SUCCEEDED.
    """
    code = "" if result == SUCCEEDED else f' errorcode="{errorcode}"'
    body = _event(kind, result, code)
    request = _request(url, client, body, request_id=request_id, session_id=session_id, interactive=interactive)
    return Exchange("updates.event", request, _read_event)


def download(offer: Offer, session_id: str, sink: PayloadSink | None = None) -> tuple[Exchange[None], PayloadSink]:
    """Fetch the payload, or what a sink of an interrupted download still misses.

    As in libcurl_http_fetcher.cc a resumed range is not shortened: it ends beyond the file, and the server must clamp.

    Args:
        session_id: that of the check.
        sink: of the interrupted download; None starts a new one.
    Returns: the exchange, and the sink to send it with. `read` raises Refused or Broken for what the status says, and
        BadUpdate unless all of the payload came, and came right.
    """
    sink = sink or PayloadSink(offer.payload)
    first = sink.received
    request = Request(
        "GET",
        offer.url,
        (
            ("Range", f"bytes={first}-{first + offer.payload.size - 1}"),
            ("Accept", "*/*"),
            ("X-Goog-SessionId", session_id),
        ),
        redirects=_REDIRECTS,
        browser=False,
    )

    def read(response: Response) -> None:
        settle(response, ok=(200, 206))
        sink.judge()

    return Exchange("updates.payload", request, read), sink


def check_errorcode(trouble: Trouble) -> int:
    """What a device reports in event 3/0 after a check that ended so (update_engine error_code.h)."""
    if isinstance(trouble, BadUpdate):
        return trouble.errorcode
    return _HTTP_ERRORS + (trouble.status if 0 <= trouble.status < 1000 else 999)


def download_errorcode(trouble: Trouble) -> int:
    """What a device reports in event 3/0 after a download that ended so."""
    return trouble.errorcode if isinstance(trouble, BadUpdate) else _DOWNLOAD_ERROR


@lru_cache(maxsize=64)
def _check_url(base: str) -> str:
    return base if urlsplit(base).path.strip("/") else base.rstrip("/") + CHECK_PATH


def _request(
    url: str, client: UpdateClient, body: str, *, request_id: str, session_id: str, interactive: bool
) -> Request:
    segment = f' market_segment="{text(client.market_segment)}"' if client.market_segment else ""
    version = text(client.version, NO_VERSION)
    installdate = f'installdate="{client.installdate}" ' if client.installdate >= 0 else ""
    document = (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<request requestid="{request_id}" sessionid="{session_id}" protocol="3.0" updater="{UPDATER}"'
        f' updaterversion="{UPDATER_VERSION}" installsource="{"ondemandupdate" if interactive else "scheduler"}"'
        ' ismachine="1" recoverykeyversion="" >\n'
        f'    <os version="Indy" platform="Chrome OS" sp="{text(client.version)}_{client.cpu}"{segment}></os>\n'
        f'    <app appid="{text(client.appid)}" {_cohorts(client)}version="{version}" track="{text(client.track)}"'
        f' board="{text(client.board)}" hardware_class="{text(client.hwid)}" delta_okay="true" extended_okay="false"'
        f" {installdate}>\n{body}    </app>\n</request>\n"
    )
    headers = (
        ("Accept", "*/*"),
        ("X-Goog-Update-AppId", client.appid),
        ("X-Goog-Update-Interactivity", "fg" if interactive else "bg"),
        ("X-Goog-Update-Updater", f"{UPDATER}-{UPDATER_VERSION}"),
        ("Content-Type", "text/xml"),
    )
    return Request("POST", _check_url(url), headers, document.encode("ascii"), redirects=_REDIRECTS, browser=False)


def _cohorts(client: UpdateClient) -> str:
    named = (("cohort", client.cohort), ("cohortname", client.cohortname), ("cohorthint", client.cohorthint))
    return "".join(
        f'{name}="{text(value)}" ' for name, value in named if 0 < len(value) <= _LONGEST_COHORT and value.isascii()
    )


def _event(kind: int, result: int, more: str) -> str:
    return f'        <event eventtype="{kind}" eventresult="{result}"{more}></event>\n'


def _ping(client: UpdateClient, now: float) -> str:
    """Days since the last ping, -1 for never; nothing on the same day, or when the clock was set back."""
    days = -1
    if client.midnight is not None:
        days = max(int(now - client.midnight), 0) // _DAY_S
    return f'        <ping active="1" a="{days}" r="{days}"></ping>\n' if days else ""


def _read_event(response: Response) -> None:
    settle(response, ok=_ANY_2XX)


def _read_check(client: UpdateClient, now: float, response: Response) -> Offer | NoUpdate:
    return read_answer(settle(response, ok=_ANY_2XX).body, client, now)


@dataclass(slots=True)
class AskedApp:
    """One <app> of a request, as a server needs it.

    Attributes:
        pings: whether it has a <ping>; checks: whether it has an <updatecheck>, and prefix is the version wanted.
        events: (type, result, errorcode) of each, 0 where it sent no number.
    """

    appid: str
    version: str
    board: str
    track: str
    cohort: str
    pings: bool = False
    checks: bool = False
    prefix: str = ""
    events: list[tuple[int, ...]] = field(default_factory=list)


_REQUEST = "request"
_APP = "request/app"
_CHECK = "request/app/updatecheck"
_PING = "request/app/ping"
_EVENT = "request/app/event"
_ASKED = frozenset((_REQUEST, _APP, _CHECK, _PING, _EVENT))


def read_request(body: bytes) -> tuple[str, list[AskedApp]]:
    """The session id and the apps of a request of any kind. Raises: NotOmaha."""
    found = elements(body, _ASKED)
    apps: list[AskedApp] = []
    for path, attributes in found:
        if path == _APP:
            apps.append(
                AskedApp(
                    appid=attributes.get("appid", ""),
                    version=attributes.get("version", ""),
                    board=attributes.get("board", ""),
                    track=attributes.get("track", ""),
                    cohort=attributes.get("cohort", ""),
                )
            )
        elif path == _CHECK:
            apps[-1].checks = True
            apps[-1].prefix = attributes.get("targetversionprefix", "")
        elif path == _PING:
            apps[-1].pings = True
        elif path == _EVENT:
            apps[-1].events.append(
                tuple(_number(attributes.get(name, "")) for name in ("eventtype", "eventresult", "errorcode"))
            )
    if not apps or found[0][1].get("protocol") != "3.0":
        raise NotOmaha(34, "no <app>, or not protocol 3.0")
    return found[0][1].get("sessionid", ""), apps


def _number(value: str) -> int:
    """An error code is printed as a signed 32 bit integer; 0 when the text is no such number."""
    return int(value) if re.fullmatch("-?[0-9]{1,10}", value) else 0
