"""The stand-in's update service: answers checks, counts events, hands out payloads, and rolls releases out by share.

The wire names no device, so who is offered a release goes by cohort, as with the real server: the first check draws one
from its session id, the device sends it back from then on, and a release with share s is for the lowest s of them.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from dataclasses import dataclass
from sqlite3 import Row

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from simulator.backend.payloads import Payloads, serve
from simulator.backend.settings import BackendSettings, Chance
from simulator.backend.store import Store
from simulator.protocols.messages import Push, Request, Response
from simulator.protocols.omaha import NotOmaha
from simulator.protocols.payload import PayloadFacts
from simulator.protocols.update_answers import NO_UPDATE, AnsweredApp, offer, write_answer
from simulator.protocols.updates import CHECK_PATH, SUCCEEDED, UPDATE_COMPLETE, AskedApp, read_request

_PAYLOAD_PATH = "/payloads/"
_COHORTS = 1000
_COHORT = re.compile("1:([0-9]{1,3}):")
_VERSION = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9}){2,3}")
_LARGEST = 4 << 30

SCHEMA = """
CREATE TABLE IF NOT EXISTS update_key (
    one INTEGER PRIMARY KEY CHECK (one = 1), private_der BLOB NOT NULL, seed BLOB NOT NULL
);
CREATE TABLE IF NOT EXISTS update_releases (
    version TEXT PRIMARY KEY, cohorts INTEGER NOT NULL, name TEXT NOT NULL, size INTEGER NOT NULL, sha256 BLOB NOT NULL,
    metadata_size INTEGER NOT NULL, metadata_signature TEXT NOT NULL, public_key TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS update_events (
    type INTEGER, result INTEGER, errorcode INTEGER, count INTEGER NOT NULL, PRIMARY KEY (type, result, errorcode)
) WITHOUT ROWID;
"""
_COUNT_EVENT = "INSERT INTO update_events VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET count = count + excluded.count"


@dataclass(frozen=True, slots=True)
class _Release:
    """A release: `order` is its version as numbers, `cohorts` how many of them it is for, `check` its <updatecheck>."""

    version: str
    order: tuple[int, ...]
    cohorts: int
    name: str
    payload: PayloadFacts
    check: str


class Updates:
    """POST /service/update2 and GET /payloads/<name>. Releases and events survive a restart, the other counts do not.

    Args:
        store, settings, chance, outbox: as for every service. Nothing is pushed to devices about updates.
    """

    def __init__(self, store: Store, settings: BackendSettings, chance: Chance, outbox: list[Push]) -> None:
        self._store = store
        self._codebase = settings.updates_url + _PAYLOAD_PATH
        self._share = settings.update_share
        self._chance = chance
        self._payloads = Payloads(settings.payload_dir)
        self._counts = Counter(checks=0, offers=0, payload_requests=0, payload_bytes=0)
        store.ensure(SCHEMA)
        self._releases: list[_Release] = []
        self._load()

    def handle(self, request: Request, now: float) -> Response:
        """Answer one request; `now` in Unix seconds. Never raises, whatever bytes come."""
        path = "/" + request.url.split("/", 3)[-1].partition("?")[0]
        if path == CHECK_PATH:
            return self._answer(request.body, now) if request.method == "POST" else _plain(405, "POST only")
        if path.startswith(_PAYLOAD_PATH):
            release = next((one for one in self._releases if one.name == path[len(_PAYLOAD_PATH) :]), None)
            if release is not None:
                return self._payload(release, request) if request.method == "GET" else _plain(405, "GET only")
        return _plain(404, "no such thing here")

    def publish_release(self, version: str, size: int, share: float | None = None) -> None:
        """Offer a release from now on; a known version is taken over with the new size and share.

        Its payload is built here and now, about 10 ms a MiB, unless it is there already.

        Args:
            version: as 16181.61.0; only devices with a lower one are offered it.
            size: of its payload, bytes.
            share: of the devices, 0 to 1, to a thousandth; None: the settings' update_share.
        Raises: ValueError, one line for the operator.
        """
        share = self._share if share is None else share
        if not _VERSION.fullmatch(version):
            raise ValueError(f"version is {version!r}; expected numbers with dots between, as 16181.61.0")
        if not 0 <= share <= 1:
            raise ValueError(f"share is {share}; expected 0 to 1")
        if not 0 < size <= _LARGEST:
            raise ValueError(f"size is {size}; expected 1 to {_LARGEST} bytes")
        key, seed = self._key()
        seed = _payload_seed(seed, version, size)
        name = f"chromeos_{version}_fleet_stable-channel_full_mp.bin-{seed.hex()}.signed"
        known = next((one for one in self._releases if one.name == name), None)
        facts = known.payload if known is not None else self._payloads.make(name, size, seed, key)
        self._store.execute(
            "INSERT OR REPLACE INTO update_releases VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            version,
            round(share * _COHORTS),
            name,
            facts.size,
            facts.sha256,
            facts.metadata_size,
            facts.metadata_signature,
            facts.public_key,
        )
        self._load()

    def counts(self) -> dict[str, int]:
        """For the operator: checks, offers and payload traffic since the start; releases and events since ever."""
        events = self._store.all("SELECT type, result, SUM(count) AS count FROM update_events GROUP BY type, result")
        updated = sum(row["count"] for row in events if (row["type"], row["result"]) == (UPDATE_COMPLETE, SUCCEEDED))
        return {
            **self._counts,
            "releases": len(self._releases),
            "events": sum(row["count"] for row in events),
            "updated": updated,
        }

    def _answer(self, body: bytes, now: float) -> Response:
        try:
            session_id, apps = read_request(body)
        except NotOmaha as fault:
            return _plain(400, f"not an Omaha request: {fault}")
        for told, count in Counter(one for app in apps for one in app.events).items():
            self._store.execute(_COUNT_EVENT, *told, count)
        answer = write_answer(now, [self._app(app, session_id) for app in apps])
        return Response(200, (("content-type", "text/xml; charset=utf-8"),), answer)

    def _app(self, app: AskedApp, session_id: str) -> AnsweredApp:
        """Answer one <app>. The platform's has a plain GUID; MiniOS and DLCs hang a name on it, and never have news."""
        if not app.checks or "_" in app.appid:
            return AnsweredApp(app.appid, pinged=app.pings, events=len(app.events), check=NO_UPDATE * app.checks)
        self._counts["checks"] += 1
        cohort = _cohort(app.cohort, session_id)
        release = self._release_for(app, cohort)
        self._counts["offers"] += release is not None
        return AnsweredApp(
            app.appid,
            cohort=f"1:{cohort}:",
            cohortname=f"{app.board.partition('-')[0]}_{app.track.partition('-')[0]}",
            pinged=app.pings,
            events=len(app.events),
            check=release.check if release is not None else NO_UPDATE,
        )

    def _release_for(self, app: AskedApp, cohort: int) -> _Release | None:
        """The newest release that is newer than the device's version, fits the prefix it asked for, and is its turn."""
        has = _order(app.version) if _VERSION.fullmatch(app.version) else None
        return next(
            (
                release
                for release in self._releases
                if has is not None
                and release.order > has
                and cohort < release.cohorts
                and release.version.startswith(app.prefix)
            ),
            None,
        )

    def _payload(self, release: _Release, request: Request) -> Response:
        facts = release.payload
        view = self._payloads.view(release.name, facts.size)
        if view is None:  # the folder was emptied since: the same arguments make the same file
            key, seed = self._key()
            made = self._payloads.make(release.name, facts.size, _payload_seed(seed, release.version, facts.size), key)
            if made != facts:
                raise RuntimeError(f"the payload of {release.version} was rebuilt differently")
            return self._payload(release, request)
        answer = serve(view, request.header("range"))
        self._counts["payload_requests"] += 1
        self._counts["payload_bytes"] += len(answer.body)
        return answer

    def _key(self) -> tuple[rsa.RSAPrivateKey, bytes]:
        """The key that signs payloads and the seed of their data, made at the first call ever."""
        row = self._store.one("SELECT private_der, seed FROM update_key")
        if row is None:
            made = rsa.generate_private_key(public_exponent=65537, key_size=2048)
            der = made.private_bytes(
                serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
            self._store.execute("INSERT INTO update_key VALUES (1, ?, ?)", der, self._chance(32))
            return self._key()
        # Our own, out of our own store: checking its arithmetic again takes 25 ms.
        key = serialization.load_der_private_key(row["private_der"], None, unsafe_skip_rsa_key_validation=True)
        if not isinstance(key, rsa.RSAPrivateKey):
            raise RuntimeError("the update key is no RSA key")
        return key, row["seed"]

    def _load(self) -> None:
        """Take the releases from the store, the newest first."""
        rows = self._store.all("SELECT * FROM update_releases")
        self._releases = [self._taken(row) for row in rows]
        self._releases.sort(key=lambda release: release.order, reverse=True)

    def _taken(self, row: Row) -> _Release:
        payload = PayloadFacts(
            row["size"], row["sha256"], row["metadata_size"], row["metadata_signature"], row["public_key"]
        )
        check = offer(row["version"], self._codebase, row["name"], payload)
        return _Release(row["version"], _order(row["version"]), row["cohorts"], row["name"], payload, check)


def _order(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")))


def _cohort(told: str, session_id: str) -> int:
    """The cohort that the device was told before, or a new one, the same for every request of the session."""
    if match := _COHORT.fullmatch(told):
        return int(match[1])
    return int.from_bytes(hashlib.sha256(session_id.encode()).digest()[:8]) % _COHORTS


def _payload_seed(seed: bytes, version: str, size: int) -> bytes:
    """Of one payload: 16 bytes, which in hex are also the random part of its file's name, as in the real ones."""
    return hashlib.sha256(seed + f"/{version}/{size}".encode()).digest()[:16]


def _plain(status: int, line: str) -> Response:
    return Response(status, (("content-type", "text/plain; charset=utf-8"),), f"{line}\n".encode())
