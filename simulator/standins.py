"""Starts what stands in for services that nobody named: the broker and the embedded backend, as children.

It picks no scenario and sends no load; settings come in, addresses come out.
"""

from __future__ import annotations

import base64
import json
import tempfile
import urllib.request
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit

from scenarios.schema import Scenario
from simulator.children import Child, ChildFailed
from simulator.device import EnrollmentLogin
from simulator.enrollments_file import replace_file
from simulator.errors import UserError
from simulator.protocols.gaia import STAND_IN_HOST, STAND_IN_URL
from simulator.provider import NamedProvider

BROKERS: Mapping[str, str] = {"embedded": "simulator.backend.broker", "mosquitto": "simulator.backend.mosquitto"}
STAND_IN = "stand-in"
OPERATOR_TIMEOUT_S = 60.0
SECRET_SIZE = 32
# The ports of the stand-ins follow each other in this order where the first is given.
PORTS = ("management", "identity", "idp", "updates", "operator", "push")


@dataclass(frozen=True, slots=True)
class Place:
    """Where the stand-ins listen, each on a port of its own: the first of PORTS on `first_port`; 0: free ones."""

    host: str = "127.0.0.1"
    first_port: int = 0

    def port(self, service: str) -> int:
        """Of one service, 0 for a free one."""
        return self.first_port and self.first_port + PORTS.index(service)


@dataclass(frozen=True, slots=True)
class StandInSettings:
    """What the embedded backend is told. The secret goes through its standard input.

    `release` is the version that it offers from its first day on, with a payload of `payload_bytes`. `terms` are those
    of enrollment, by the backend's names of them (BackendSettings); `idp_metadata` and `takes_word` are its too.
    """

    domain: str
    password_secret: bytes
    password_cost: int
    lock_after: int
    token_life_s: int
    compression: float
    robot_accounts: bool
    update_share: float
    release: str
    payload_bytes: int
    idp_metadata: str = ""
    takes_word: bool = False
    terms: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        scenario: Scenario,
        password_secret: bytes,
        data: Path | None = None,
        provider: NamedProvider | None = None,
    ) -> StandInSettings:
        """Of a scenario: the release is newer than every device's system.

        Args:
            password_secret: what passwords follow from.
            data: where the backend keeps its database, if it does. One that knows passwords already keeps the secret
                that those followed from, beside it. Raises: UserError when that cannot be kept there.
            provider: the identity provider that the user named.
        """
        terms = scenario.backend.enrollment.model_dump(exclude_none=True)
        newest = max(int(model.os_version.partition(".")[0]) for model in scenario.organisation.models)
        return cls(
            domain=scenario.organisation.domain,
            password_secret=password_secret if data is None else _kept_secret(data, password_secret),
            password_cost=scenario.backend.password_cost,
            lock_after=scenario.sign_in.lock_after,
            token_life_s=scenario.sign_in.token_life_s,
            compression=scenario.day.compression,
            robot_accounts=scenario.backend.robot_accounts,
            update_share=scenario.updates.offered_share,
            release=f"{newest + 100}.1.0",
            payload_bytes=scenario.updates.payload_bytes,
            terms={**terms, "zero_touch": scenario.enrollment.way == "attestation"},
            idp_metadata=provider.metadata if provider else "",
            takes_word=provider is not None and provider.is_asked_by_devices,
        )


def _kept_secret(data: Path, new: bytes) -> bytes:
    """The secret of a database's passwords, of which the database itself has hashes only; `new` when it is new."""
    path = data / "password_secret"
    try:
        data.mkdir(mode=0o700, parents=True, exist_ok=True)
        with suppress(FileNotFoundError):
            secret = path.read_bytes()
            if len(secret) == SECRET_SIZE:
                return secret
            raise UserError(f"{path}: damaged: expected {SECRET_SIZE} bytes; restore it, or remove {data}")
        replace_file(path, new)
    except OSError as error:
        raise UserError(f"{data}: the backend's database cannot be kept there: {error.strerror}") from None
    return new


class StandIns:
    """A context: inside it the stand-ins run, and after it they are gone.

    Attributes:
        urls: base URLs of what was started: management, identity, idp, updates, operator, push.
        brokers: URLs of the brokers that were started, the first of them being the one in `urls`.

    Args:
        wanted: basis by service; a broker is started where push stands in, the backend always.
        broker: a row of BROKERS. brokers: how many of them share the push lines.
        push_url: the push service that the backend publishes to when it is not ours.
        data: where the backend keeps its database; a folder that is removed afterwards when None.
        place: where they listen. policy_keys: file of the keys that the backend signs policies with; None: its own.
    Raises:
        UserError: the broker asked for is not installed.
        ChildFailed: one did not start.
    """

    def __init__(
        self,
        settings: StandInSettings,
        *,
        wanted: Mapping[str, str],
        broker: str = "embedded",
        brokers: int = 1,
        push_url: str = "",
        data: Path | None = None,
        place: Place = Place(),
        policy_keys: Path | None = None,
    ) -> None:
        self._place, self._policy_keys = place, policy_keys
        self._settings = settings
        self._wanted = wanted
        self._broker, self._brokers = broker, brokers
        self._push_urls = [push_url]
        self._data = data
        self._health: Callable[[dict[str, Any]], None] = lambda row: None
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._told: dict[str, Any] = {}
        self.children: list[Child] = []
        self.urls: dict[str, str] = {}
        self.brokers: list[str] = []

    def __enter__(self) -> StandIns:
        try:
            if self._wanted.get("push") == STAND_IN:
                self.brokers = self._push_urls = [self._start_broker(number) for number in range(self._brokers)]
                self.urls["push"] = self.brokers[0]
            # Google's accounts stand in whatever is named: nobody may load those.
            self._start_backend()
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    @property
    def hosts(self) -> dict[str, str]:
        """Where the stand-in for Google's accounts is, which has a name of its own: as HttpPool's `hosts`."""
        return {STAND_IN_HOST: urlsplit(self.urls["identity"]).netloc}

    @property
    def operator_token(self) -> str:
        """What the operator API wants; empty without a backend."""
        return str(self._told.get("operator_token", ""))

    @property
    def verification_key(self) -> bytes:
        """The public key (DER) that vouches for the backend's policy keys; empty without a backend."""
        return base64.b64decode(self._told.get("verification_key", ""))

    def enrollment(self) -> EnrollmentLogin:
        """With what devices may be enrolled at the backend; nothing without one."""
        return EnrollmentLogin.told(self._operate("enrollment_token", {})) if self._told else EnrollmentLogin()

    def hear_health(self, health: Callable[[dict[str, Any]], None]) -> None:
        """From now on that callable takes the rows of each second: the backend's, and each embedded broker's."""
        self._health = health

    def dead(self) -> list[str]:
        """Names of the children that are gone."""
        return [child.name for child in self.children if not child.alive]

    def _start_broker(self, number: int) -> str:
        name = f"{self._broker} broker" + (f" {number + 1}" if self._brokers > 1 else "")
        # every further one takes a free port
        where = ["--host", self._place.host, "--port", str(0 if number else self._place.port("push"))]
        told = ["--health"] if self._broker == "embedded" else []

        def heard(line: dict[str, Any]) -> None:
            self._heard({"health": {**line["health"], "who": f"broker {number + 1}"}})

        try:
            child = Child(name, [BROKERS[self._broker], *where, *told], hear=heard)
        except ChildFailed as failed:
            if self._broker == "embedded":
                raise
            raise UserError(str(failed)) from None
        self.children.append(child)
        return str(child.ready["url"])

    def _start_backend(self) -> None:
        if self._data is None:
            self._folder = tempfile.TemporaryDirectory(prefix="fleetrush-")
            self._data = Path(self._folder.name)
        first = {
            "domain": self._settings.domain,
            "password_secret": base64.b64encode(self._settings.password_secret).decode(),
            "password_cost": self._settings.password_cost,
            "lock_after": self._settings.lock_after,
            "token_life_s": self._settings.token_life_s,
            "compression": self._settings.compression,
            "robot_accounts": self._settings.robot_accounts,
            "update_share": self._settings.update_share,
            **self._settings.terms,
            "identity_url": STAND_IN_URL,
            "idp_metadata": self._settings.idp_metadata,
            "takes_word": self._settings.takes_word,
        }
        argv = ["--data", str(self._data), "--push-url", *self._push_urls, "--settings", "-", "--health"]
        argv += ["--host", self._place.host]
        for service in PORTS[:-1]:
            argv += [f"--port-{service}", str(self._place.port(service))]
        if self._policy_keys is not None:
            argv += ["--policy-keys", str(self._policy_keys)]
        # The engines are the instrument, the backend is what they are held against: where they share cores, it waits.
        # The broker does little, and would hand its pushes on in bursts.
        child = Child("backend", ["simulator.backend", *argv], first=first, hear=self._heard, yields=True)
        self.children.append(child)
        self._told = child.ready
        for service in ("management", "identity", "idp", "updates", "operator"):
            self.urls[service] = child.ready[service]
        self._operate("publish_release", {"version": self._settings.release, "size": self._settings.payload_bytes})

    def _operate(self, act: str, told: dict[str, Any]) -> dict[str, Any]:
        """One call of the operator API."""
        request = urllib.request.Request(
            f"{self.urls['operator']}/operator/{act}",
            data=json.dumps(told).encode(),
            headers={"Authorization": f"Bearer {self.operator_token}", "Content-Type": "application/json"},
        )
        # no proxy: what the environment says of proxies is not for a loopback address
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=OPERATOR_TIMEOUT_S) as response:
            said: dict[str, Any] = json.load(response)
        return said

    def _heard(self, line: dict[str, Any]) -> None:
        if "health" in line:
            self._health(line["health"])

    def _end(self) -> None:
        # The backend publishes through the broker: it goes first.
        for child in reversed(self.children):
            child.end()
        if self._folder is not None:
            self._folder.cleanup()
