"""The operator API: what whoever runs the backend may do to it while a fleet plays. JSON in, JSON out.

It checks the token and the shape of what comes, and leaves each act to the service it concerns; that only loopback may
call is the shell's to see to. It must never know how a service does an act.
"""

from __future__ import annotations

import hmac
import json
import math
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any, TypeVar

from simulator.backend.faults import FAULT_KEYS, Faults, Services, read_fault
from simulator.backend.identity import Identity
from simulator.backend.management import Management
from simulator.backend.management_calls import ERROR_DETAILS, REQUESTS
from simulator.backend.management_mistakes import MISTAKES
from simulator.backend.management_policies import TYPES
from simulator.backend.management_terms import CHANGEABLE
from simulator.backend.updates import Updates
from simulator.protocols.messages import Push, Request, Response
from simulator.protocols.oauth import MANAGEMENT_SCOPES

T = TypeVar("T")
Act = Callable[[dict[str, Any], float], Mapping[str, Any]]

_JSON = (("content-type", "application/json"),)
ENROLLER = "enroller"
# Whoever enrolls a device signs in for it; a fleet is given one token, which outlasts any run.
ENROLLER_S = 30 * 86_400
FAULTY = Services(
    names=frozenset({"management", "identity", "idp", "updates"}),
    requests=REQUESTS,
    policy_types=frozenset().union(*TYPES.values()),
    mistakes={kind: frozenset(names) for kind, names in MISTAKES.items()},
    error_details=frozenset(ERROR_DETAILS),
)


class Operator:
    """The operator API as a service.

    Every act takes a JSON object; whatever it does not know is refused with a line that says so.

    Args:
        token: the bearer token that every call must bring.
        domain: the enrolment domain.
        management, identity, updates, faults: what the acts act upon.
        outbox: where the services put pushes; counted to say how many devices were told.
        counts: for the state, by name.
    """

    def __init__(
        self,
        *,
        token: str,
        domain: str,
        management: Management,
        identity: Identity,
        updates: Updates,
        faults: Faults,
        outbox: list[Push],
        counts: Mapping[str, Callable[[], Mapping[str, int]]],
    ) -> None:
        self._authorization = f"Bearer {token}".encode()
        self._domain = domain
        self._management, self._identity, self._updates = management, identity, updates
        self._faults, self._outbox, self._counts = faults, outbox, counts
        # What is done, and what it may be told; each may be told a `payload` too, as all acts of a scenario are.
        self.acts: dict[tuple[str, str], tuple[Act, frozenset[str]]] = {
            ("GET", "state"): (self._state, frozenset()),
            ("POST", "publish_policy"): (self._publish_policy, frozenset({"policy", "value"})),
            ("POST", "publish_extension_policy"): (
                self._publish_extension_policy,
                frozenset({"policy", "extension_id", "value"}),
            ),
            ("POST", "queue_command"): (self._queue_command, frozenset({"device_id", "type", "command"})),
            ("POST", "lock_device"): (self._lock_device, frozenset({"device_id", "message"})),
            ("POST", "delete_device"): (self._delete_device, frozenset({"device_id", "error_detail"})),
            ("POST", "publish_release"): (self._publish_release, frozenset({"version", "size", "share"})),
            ("POST", "rotate_key"): (self._rotate_key, frozenset()),
            ("POST", "enrollment_token"): (self._enrollment_token, frozenset()),
            ("POST", "set_enrollment"): (self._set_enrollment, frozenset(CHANGEABLE)),
            ("POST", "session"): (self._session, frozenset({"user"})),
            ("POST", "expire_tokens"): (self._expire_tokens, frozenset({"refresh"})),
            ("POST", "inject_fault"): (self._inject_fault, FAULT_KEYS),
            ("POST", "clear_faults"): (self._clear_faults, frozenset()),
        }

    def handle(self, request: Request, now: float) -> Response:
        """Answer one call: 200 with what was done, 400 with {"error": ...}, 401, 404."""
        if not hmac.compare_digest(request.header("authorization").encode(), self._authorization):
            return _answer(401, {"error": "the operator API wants its bearer token"})
        name = request.url.split("/", 4)[-1].partition("?")[0]
        found = self.acts.get((request.method, name))
        if found is None:
            known = ", ".join(f"{method} /operator/{act}" for method, act in self.acts)
            return _answer(404, {"error": f"no such call; there are {known}"})
        act, keys = found
        try:
            body = json.loads(request.body or b"{}")
            if not isinstance(body, dict):
                raise ValueError("expected a JSON object")
            if unknown := sorted(set(body) - keys - {"payload"}):
                raise ValueError(f"no {unknown[0]!r} is taken; expected {', '.join(sorted(keys)) or 'nothing'}")
            return _answer(200, act(body, now))
        except (ValueError, RecursionError) as fault:
            return _answer(400, {"error": f"{name}: {fault}"})

    def _state(self, _body: dict[str, Any], now: float) -> Mapping[str, Any]:
        """What each service counts, and the faults in force (until: Unix seconds, null until they are cleared)."""
        faults = [asdict(fault) for fault in self._faults.in_force(now)]
        for fault in faults:
            if fault["until"] == math.inf:
                fault["until"] = None
        return {**{name: dict(count()) for name, count in self._counts.items()}, "faults": faults}

    def _publish_policy(self, body: dict[str, Any], now: float) -> Mapping[str, Any]:
        """{"policy": "device" | "user" | "account", "value": {name: value, ...}, "payload": what its pushes carry}."""
        published_ms = self._management.publish(
            _take(body, "policy", str), _take(body, "value", dict), now, payload=_take(body, "payload", str, "")
        )
        return {"published_ms": published_ms, "told": len(self._outbox)}

    def _publish_extension_policy(self, body: dict[str, Any], now: float) -> Mapping[str, Any]:
        """{"policy": "user" | "signin" | "browser": whose, "extension_id": "...", "value": its JSON, null for none}."""
        value = None if body.get("value", _MISSING) is None else _take(body, "value", dict)
        published_ms = self._management.publish_extension(
            _take(body, "policy", str),
            _take(body, "extension_id", str),
            value,
            now,
            payload=_take(body, "payload", str, ""),
        )
        return {"published_ms": published_ms, "told": len(self._outbox)}

    def _queue_command(self, body: dict[str, Any], now: float) -> Mapping[str, Any]:
        """{"device_id": one device's; all else, "type": RemoteCommand type, "command": its JSON payload}."""
        queued = self._management.queue_command(
            _device(body), _take(body, "type", str), _take(body, "command", str, ""), now
        )
        return {"queued": queued, "told": len(self._outbox)}

    def _lock_device(self, body: dict[str, Any], now: float) -> Mapping[str, Any]:
        """{"device_id": one device's; all else, "message": for whoever holds it; unlocked without one}."""
        message = _take(body, "message", str) if "message" in body else None
        return {"changed": self._management.disable(_device(body), message, now), "told": len(self._outbox)}

    def _delete_device(self, body: dict[str, Any], _now: float) -> Mapping[str, Any]:
        """{"device_id": one device's or browser's; all devices else, "error_detail": what its 410 says besides}."""
        return {"deleted": self._management.delete(_device(body), _take(body, "error_detail", str, ""))}

    def _publish_release(self, body: dict[str, Any], now: float) -> Mapping[str, Any]:
        """{"version": "...", "size": of its payload, "share": of the devices, 0 to 1; else the settings'}."""
        share = _take(body, "share", float) if "share" in body else None
        self._updates.publish_release(_take(body, "version", str), _take(body, "size", int), share)
        return {"published_ms": int(now * 1000)}

    def _rotate_key(self, _body: dict[str, Any], _now: float) -> Mapping[str, Any]:
        return {"key_version": self._management.rotate_key()}

    def _inject_fault(self, body: dict[str, Any], now: float) -> Mapping[str, Any]:
        """See read_fault."""
        fault = read_fault({key: value for key, value in body.items() if key != "payload"}, FAULTY, now)
        self._faults.inject(fault)
        return {"until": None if fault.until == math.inf else fault.until}

    def _clear_faults(self, _body: dict[str, Any], _now: float) -> Mapping[str, Any]:
        return {"cleared": self._faults.clear()}

    def _session(self, body: dict[str, Any], now: float) -> Mapping[str, Any]:
        """{"user": an address}: the tokens that a sign-in on an earlier day left: one refreshes, one has died."""
        refresh_token, access_token = self._identity.mint_session(_take(body, "user", str), now)
        return {"refresh_token": refresh_token, "access_token": access_token}

    def _expire_tokens(self, body: dict[str, Any], _now: float) -> Mapping[str, Any]:
        """{"refresh": whether refresh tokens die with the access tokens; else they live}."""
        self._identity.expire_tokens(refresh=_take(body, "refresh", bool, False))
        return {}

    def _enrollment_token(self, _body: dict[str, Any], now: float) -> Mapping[str, Any]:
        """With what devices are enrolled: an access token of the enrolment account, the enrollment token, and the
        secret of the simulated authority that certifies machines (hex)."""
        user = f"{ENROLLER}@{self._domain}"
        return {
            "access_token": self._identity.mint_access(user, " ".join(MANAGEMENT_SCOPES), now, ENROLLER_S),
            "user": user,
            "enrollment_token": self._management.enrollment_token,
            "attestation_secret": self._management.attestation_secret.hex(),
        }

    def _set_enrollment(self, body: dict[str, Any], _now: float) -> Mapping[str, Any]:
        """{"licenses": for how many devices, "serial_prefix": of the city's machines, "approval": whether new machines
        wait for somebody}: those that are said, from now on and after a restart."""
        terms = self._management.terms
        terms.change({name: value for name, value in body.items() if name in CHANGEABLE})
        return {name: getattr(terms, name) for name in CHANGEABLE}


_MISSING: Any = object()


def _take(body: dict[str, Any], key: str, kind: type[T], default: T = _MISSING) -> T:
    """A value of the body; a whole number passes for a float. Raises ValueError: it is missing or of another type."""
    value = body.get(key, default)
    if kind is float and type(value) is int:
        value = float(value)
    if type(value) is not kind:
        raise ValueError(f"{key} is {'missing' if value is _MISSING else repr(value)}; expected {kind.__name__}")
    return value


def _device(body: dict[str, Any]) -> str | None:
    return _take(body, "device_id", str) if "device_id" in body else None


def _answer(status: int, value: Mapping[str, Any]) -> Response:
    return Response(status, _JSON, json.dumps(value).encode())
