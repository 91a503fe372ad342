"""Answers to a Chromebook's update check, both directions, and what a device remembers of them: Omaha v3.

Reading follows update_engine (omaha_parser_xml.cc, omaha_request_action.cc) with its error codes; writing is the
stand-in's. Pure, and nothing here decides who is offered what.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from urllib.parse import urlsplit

from simulator.protocols.omaha import Element, NotOmaha, elements, escape
from simulator.protocols.payload import DIGEST, BadUpdate, PayloadFacts

_POLL_MIN_S, _POLL_MAX_S = 45 * 60, 4 * 3600  # next_update_check_policy_impl.cc
_DAY_S = 86400
_EPOCH_S = 1167638400  # 2007-01-01 00:00 in Los Angeles, from which Omaha counts days; winter time all year here

_DAYSTART = "response/daystart"
_APP = "response/app"
_CHECK = "response/app/updatecheck"
_URL = "response/app/updatecheck/urls/url"
_MANIFEST = "response/app/updatecheck/manifest"
_PACKAGE = "response/app/updatecheck/manifest/packages/package"
_ACTION = "response/app/updatecheck/manifest/actions/action"
_WANTED = frozenset((_DAYSTART, _APP, _CHECK, _URL, _MANIFEST, _PACKAGE, _ACTION))


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateClient:
    """One device's update_engine: what it is, and what it remembers of the last answer.

    Attributes:
        appid: the board's app id, a GUID in braces; board, hwid, version, track, cpu: as lsb-release, crossystem and
            uname say; version is the running one.
        market_segment: consumer, education, enterprise or unknown; empty: not sent.
        installdate: days since 2007-01-01 in Los Angeles, a multiple of 7; -1: unknown.
        cohort, cohortname, cohorthint: as the server named them; empty: never, or taken back.
        midnight: the server's last midnight in Unix seconds, from which the days since the last ping count; None: it
            never pinged.
    """

    appid: str
    board: str
    hwid: str
    version: str
    track: str = "stable-channel"
    cpu: str = "x86_64"
    market_segment: str = "enterprise"
    installdate: int = -1
    cohort: str = ""
    cohortname: str = ""
    cohorthint: str = ""
    midnight: float | None = None


@dataclass(frozen=True, slots=True)
class NoUpdate:
    """Nothing to install. `client` is who to be from now on, `poll_s` the interval the server wishes, 0 for none."""

    client: UpdateClient
    poll_s: int


@dataclass(frozen=True, slots=True)
class Offer:
    """A release to install: its version, where its payload is and what that must be; the rest as in NoUpdate."""

    client: UpdateClient
    poll_s: int
    version: str
    url: str
    payload: PayloadFacts


@dataclass(slots=True)
class _App:
    """One <app> of an answer while it is read."""

    attributes: dict[str, str]
    check: dict[str, str] = field(default_factory=dict)
    version: str = ""
    codebases: list[str] = field(default_factory=list)
    packages: list[dict[str, str]] = field(default_factory=list)
    postinstall: dict[str, str] | None = None


def read_answer(body: bytes, client: UpdateClient, now: float) -> Offer | NoUpdate:
    """What an answer tells that device at that Unix second. Raises: BadUpdate for one that a device turns down."""
    try:
        found = elements(body, _WANTED)
    except NotOmaha as fault:
        raise BadUpdate("undecodable", fault.errorcode, str(fault)) from fault
    daystart, apps = _collect(found)
    if not apps:
        raise BadUpdate("missing_part", 34, "no <app>")
    app = next((one for one in apps if one.attributes.get("appid") == client.appid), apps[0])
    learnt = _learn(client, now, daystart, app)
    poll_s = _whole(app.check.get("PollInterval", ""))
    poll_s = min(max(poll_s, _POLL_MIN_S), _POLL_MAX_S) if poll_s else 0
    status = app.check.get("status", "")
    if status == "noupdate":
        return NoUpdate(learnt, poll_s)
    if status != "ok":
        raise BadUpdate("bad_value", 34, f"updatecheck status {status!r}")
    if app.postinstall is None:
        raise BadUpdate("missing_part", 34, "no postinstall action")
    if app.postinstall.get("noupdate") == "true":
        return NoUpdate(learnt, poll_s)
    if not app.version:
        raise BadUpdate("missing_part", 34, "no version in <manifest>")
    return Offer(learnt, poll_s, app.version, *_payload(app, app.postinstall))


def _collect(found: list[Element]) -> tuple[dict[str, str], list[_App]]:
    """The last <daystart>, and each <app> with what hangs under it."""
    daystart: dict[str, str] = {}
    apps: list[_App] = []
    for path, attributes in found:
        if path == _DAYSTART:
            daystart = attributes
        elif path == _APP:
            apps.append(_App(attributes))
        elif path == _CHECK:
            apps[-1].check = attributes
        elif path == _URL:
            apps[-1].codebases.append(attributes.get("codebase", ""))
        elif path == _MANIFEST:
            apps[-1].version = attributes.get("version", "")
        elif path == _PACKAGE:
            apps[-1].packages.append(attributes)
        elif attributes.get("event") == "postinstall":
            apps[-1].postinstall = attributes
    return daystart, apps


def _learn(client: UpdateClient, now: float, daystart: dict[str, str], app: _App) -> UpdateClient:
    """The client as the answer leaves it: a cohort that is absent stays, an empty one is taken back."""
    elapsed = daystart.get("elapsed_seconds", "")
    return replace(
        client,
        cohort=app.attributes.get("cohort", client.cohort),
        cohortname=app.attributes.get("cohortname", client.cohortname),
        cohorthint=app.attributes.get("cohorthint", client.cohorthint),
        midnight=now - int(elapsed) if _is_whole(elapsed) else client.midnight,
        market_segment="" if app.check.get("_disable_dms") == "true" else client.market_segment,
    )


def _payload(app: _App, postinstall: dict[str, str]) -> tuple[str, PayloadFacts]:
    """Where the first package is and what it must be (omaha_request_action.cc ParsePackage)."""
    if not app.packages or not app.codebases:
        raise BadUpdate("missing_part", 34, "no package" if app.codebases else "no url")
    package = app.packages[0]
    urls = (base + package.get("name", "") for base in app.codebases)
    url = next((url for url in urls if _is_web(url)), "")
    size = _whole(package.get("size", ""))
    sha256 = _hex(package.get("hash_sha256", ""))
    if not package.get("name") or not size or not sha256 or not url:
        raise BadUpdate("bad_value", 34, "package without name, size, hash_sha256 or a usable codebase")
    return url, PayloadFacts(
        size=size,
        sha256=sha256,
        metadata_size=_whole(_first(postinstall.get("MetadataSize", ""))),
        metadata_signature=_first(postinstall.get("MetadataSignatureRsa", "")),
        public_key=postinstall.get("PublicKeyRsa", ""),
    )


def _is_web(url: str) -> bool:
    """Whether the wire can go there: http or https, a host, a port that is one, printable ASCII."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return False
    printable = url.isascii() and url.isprintable() and " " not in url
    return printable and parts.scheme in ("http", "https") and bool(parts.hostname) and port != 0


def _first(listed: str) -> str:
    """The first of a list with colons between, one for each package."""
    return listed.split(":", 1)[0].strip()


def _is_whole(value: str) -> bool:
    return 0 < len(value) <= 18 and value.isascii() and value.isdecimal()


def _whole(value: str) -> int:
    """A number without sign; 0 when the text is none."""
    return int(value) if _is_whole(value) else 0


def _hex(value: str) -> bytes:
    """A SHA-256 from 64 hex digits; empty when the text is none."""
    try:
        digest = bytes.fromhex(value)
    except ValueError:
        return b""
    return digest if len(digest) == DIGEST and len(value) == 2 * DIGEST else b""


@dataclass(frozen=True, slots=True)
class AnsweredApp:
    """One <app> of an answer: who is answered, in which cohort (empty: not told), and which parts were asked for."""

    appid: str
    cohort: str = ""
    cohortname: str = ""
    pinged: bool = False
    events: int = 0
    check: str = ""


NO_UPDATE = '<updatecheck status="noupdate"/>'


def offer(version: str, codebase: str, name: str, payload: PayloadFacts) -> str:
    """The <updatecheck> that offers a full payload, at codebase + name; the codebase ends in a slash."""
    package = escape(name)
    sha256 = base64.b64encode(payload.sha256).decode()
    return (
        f'<updatecheck status="ok"><urls><url codebase="{escape(codebase)}"/></urls>'
        f'<manifest version="{escape(version)}"><actions><action event="update" run="{package}"/>'
        f'<action event="postinstall" ChromeOSVersion="{escape(version)}" IsDeltaPayload="false" MaxDaysToScatter="0"'
        f' MetadataSize="{payload.metadata_size}" MetadataSignatureRsa="{payload.metadata_signature}"'
        f' PublicKeyRsa="{payload.public_key}" sha256="{sha256}"/></actions>'
        f'<packages><package name="{package}" size="{payload.size}" hash_sha256="{payload.sha256.hex()}"'
        f' fp="1.{payload.sha256.hex()}" required="true"/></packages></manifest></updatecheck>'
    )


def write_answer(now: float, apps: Iterable[AnsweredApp]) -> bytes:
    """The whole answer at that Unix second."""
    days, seconds = divmod(int(now) - _EPOCH_S, _DAY_S)
    parts = [
        '<?xml version="1.0" encoding="UTF-8"?>\n<response protocol="3.0" server="fleetrush">'
        f'<daystart elapsed_days="{days}" elapsed_seconds="{seconds}"/>'
    ]
    for app in apps:
        cohort = f' cohort="{escape(app.cohort)}" cohortname="{escape(app.cohortname)}"' if app.cohort else ""
        parts.append(f'<app appid="{escape(app.appid)}"{cohort} status="ok">')
        if app.pinged:
            parts.append('<ping status="ok"/>')
        parts.append('<event status="ok"/>' * app.events)
        parts.append(app.check)
        parts.append("</app>")
    parts.append("</response>\n")
    return "".join(parts).encode("ascii")
