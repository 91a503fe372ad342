"""The embedded backend without its sockets: one store, four services, the operator, and the faults between them.

Synchronous, with no clock and no chance of its own, so that a rehearsal calls it in memory. It must know no protocol:
it finds the service by the path and leaves the rest to it.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Protocol

from simulator.backend.faults import Faults
from simulator.backend.identity import Identity
from simulator.backend.idp import IdentityProvider
from simulator.backend.management import Management
from simulator.backend.operator import Operator
from simulator.backend.settings import BackendSettings, Chance
from simulator.backend.store import Store
from simulator.backend.updates import Updates
from simulator.protocols.messages import Push, Request, Response

# The first segment of the path says whose a request is, whatever port it came to.
SERVICE_OF = {
    "devicemanagement": "management",
    "samlredirect": "identity",
    "embedded": "identity",
    "_": "identity",
    "acs": "identity",
    "metadata": "identity",
    "programmatic_auth_chromeos": "identity",
    "oauth2": "identity",
    "oauth": "identity",
    "ListAccounts": "identity",
    "idp": "idp",
    "service": "updates",
    "payloads": "updates",
    "operator": "operator",
}
_PLAIN = (("content-type", "text/plain; charset=utf-8"),)
_NOT_FOUND = Response(404, _PLAIN, b"no service has this path\n")


class Service(Protocol):
    """One service of the backend."""

    def handle(self, request: Request, now: float) -> Response:
        """Answer one request; `now` in Unix seconds. Raises nothing, whatever bytes come."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What becomes of one request.

    Attributes:
        response: what to answer.
        delay_s: how long to wait before it.
        drop: close the connection instead.
        pushes: to send afterwards, in this order.
    """

    response: Response
    delay_s: float = 0.0
    drop: bool = False
    pushes: tuple[Push, ...] = ()


class Core:
    """All services over one store.

    Args:
        store: the backend's memory; what it holds from an earlier life is taken up.
        settings: public addresses, domain and costs.
        chance: the source of keys, tokens, ids and draws.

    Attributes:
        operator_token: what the operator API wants as its bearer token; another one in each life.
        verification_key: the public key (DER) that vouches for the policy keys.
        services: by the names of SERVICE_OF.
        requests, internal_errors: how many were handled, and how many of those met a mistake of ours.
    """

    def __init__(self, store: Store, settings: BackendSettings, chance: Chance) -> None:
        self._outbox: list[Push] = []
        self._faults = Faults(lambda: int.from_bytes(chance(7)) / 2**56)
        self.operator_token = base64.urlsafe_b64encode(chance(24)).decode()
        identity = Identity(store, settings, chance, self._outbox)
        self._management = management = Management(
            store,
            settings,
            chance,
            self._outbox,
            who_is=identity.who_is,
            robots=identity.robots if settings.robot_accounts else None,
            mistake=self._faults.mistake,
        )
        idp = IdentityProvider(store, settings, chance, self._outbox)
        updates = Updates(store, settings, chance, self._outbox)
        self.verification_key = management.verification_key_der
        self.requests = 0
        self.internal_errors = 0
        operator = Operator(
            token=self.operator_token,
            domain=settings.domain,
            management=management,
            identity=identity,
            updates=updates,
            faults=self._faults,
            outbox=self._outbox,
            counts={
                "backend": lambda: {"requests": self.requests, "internal_errors": self.internal_errors},
                "management": management.counts,
                "identity": identity.counts,
                "idp": idp.counts,
                "updates": updates.counts,
            },
        )
        self.services: dict[str, Service] = {
            "management": management,
            "identity": identity,
            "idp": idp,
            "updates": updates,
            "operator": operator,
        }

    def handle(self, request: Request, now: float) -> Answer:
        """Do what one request asks.

        Args:
            request: its URL is the absolute one that the client asked.
            now: Unix seconds.
        Raises:
            Exception: what a service raised, which is a mistake of ours; it is counted, its pushes are forgotten.
        """
        self.requests += 1
        path, _, query = ("/" + request.url.split("/", 3)[-1]).partition("?")
        name = SERVICE_OF.get(path.split("/", 2)[1])
        if name is None:
            return Answer(_NOT_FOUND)
        if name == "operator":
            return Answer(self._ask(name, request, now), pushes=self._collect())
        effect = self._faults.effect(name, path, query, now)
        if effect.status:
            # A detail is the management service's own to say: only an error of its has one.
            response = (
                self._management.refuse(effect.status, effect.error_detail)
                if effect.error_detail
                else Response(effect.status, _PLAIN, b"an injected fault\n")
            )
            return Answer(response, effect.delay_s, effect.drop)
        return Answer(self._ask(name, request, now), effect.delay_s, effect.drop, self._collect())

    def _ask(self, name: str, request: Request, now: float) -> Response:
        try:
            return self.services[name].handle(request, now)
        except Exception:
            self.internal_errors += 1
            self._outbox.clear()
            raise

    def _collect(self) -> tuple[Push, ...]:
        if not self._outbox:
            return ()
        pushes = tuple(self._outbox)
        self._outbox.clear()
        return pushes
