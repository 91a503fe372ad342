"""The backend's core in memory: whose a request is, what faults do to it, what a mistake of ours leaves behind."""

from __future__ import annotations

import json
from itertools import count
from pathlib import Path

import pytest

from simulator.backend.core import SERVICE_OF, Answer, Core
from simulator.backend.settings import BackendSettings, Chance
from simulator.backend.store import Store
from simulator.draw import bits
from simulator.protocols.messages import Push, Request, Response

URL = "http://127.0.0.1:8080"
SETTINGS = BackendSettings(
    management_url=URL,
    identity_url=URL,
    idp_url=URL,
    updates_url=URL,
    push_url="mqtt://127.0.0.1:1883",
    password_secret=b"a test's own",
)


class Recorder:
    """A service that says its name and keeps what it was asked."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.asked: list[tuple[Request, float]] = []

    def handle(self, request: Request, now: float) -> Response:
        """Answer with the name."""
        self.asked.append((request, now))
        return Response(200, (), self.name.encode())


def chance(seed: int) -> Chance:
    """Seeded bytes, as a rehearsal has."""
    numbers = count()
    return lambda n: b"".join(bits(seed, -1, "chance", next(numbers)).to_bytes(8, "little") for _ in range(n))[:n]


@pytest.fixture(scope="module")
def made() -> Core:
    """A core whose four services are recorders; keys are made once."""
    core = Core(Store(":memory:"), SETTINGS, chance(1))
    for name in set(SERVICE_OF.values()) - {"operator"}:
        core.services[name] = Recorder(name)
    return core


@pytest.fixture
def core(made: Core) -> Core:
    """The same without faults and memories."""
    operate(made, "clear_faults", {})
    for service in made.services.values():
        if isinstance(service, Recorder):
            service.asked.clear()
    return made


def ask(core: Core, path: str, now: float = 1000.0, method: str = "GET") -> Answer:
    """One request of a client."""
    return core.handle(Request(method, URL + path), now)


def operate(core: Core, act: str, body: dict[str, object], now: float = 1000.0) -> Answer:
    """One call of the operator."""
    headers = (("Authorization", f"Bearer {core.operator_token}"),)
    return core.handle(Request("POST", f"{URL}/operator/{act}", headers, json.dumps(body).encode()), now)


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/devicemanagement/data/api?request=policy", "management"),
        ("/samlredirect?domain=city.example&continue=http://127.0.0.1/idp/", "identity"),
        ("/embedded/setup/v2/chromeos", "identity"),
        ("/_/embedded/lookup/accountlookup", "identity"),
        ("/acs", "identity"),
        ("/metadata", "identity"),
        ("/programmatic_auth_chromeos?hl=ja", "identity"),
        ("/oauth2/v4/token", "identity"),
        ("/oauth2/v1/userinfo", "identity"),
        ("/oauth/multilogin?source=ChromiumAccountReconcilor", "identity"),
        ("/ListAccounts", "identity"),
        ("/idp/sso", "idp"),
        ("/service/update2", "updates"),
        ("/payloads/full.bin", "updates"),
    ],
)
def test_the_path_says_whose_a_request_is(core: Core, path: str, name: str) -> None:
    """Each path of the four services reaches its own, unchanged, with the time it came."""
    assert ask(core, path, 123.5) == Answer(Response(200, (), name.encode()))
    service = core.services[name]
    assert isinstance(service, Recorder)
    assert service.asked == [(Request("GET", URL + path), 123.5)]


@pytest.mark.parametrize(
    "path", ["", "/", "/?/idp/sso", "/nobody", "//operator/state", "/operators", "/%6fperator/state", "/idpx"]
)
def test_a_path_of_nobodys_is_not_found(core: Core, path: str) -> None:
    """Nothing but the exact first segment counts."""
    assert ask(core, path).response.status == 404


def test_an_injected_error_stands_in_the_services_place(core: Core) -> None:
    """The service is not asked, others are."""
    operate(core, "inject_fault", {"where": "identity", "kind": "error", "status": 503})
    assert ask(core, "/acs").response.status == 503
    assert core.services["identity"].asked == []  # type: ignore[attr-defined]
    assert ask(core, "/idp/sso").response.status == 200


def test_a_dropped_or_late_answer_was_worked_for(core: Core) -> None:
    """The service did its work: only the answer is late (by the sum) or lost."""
    operate(core, "inject_fault", {"where": "/acs", "kind": "drop", "for_s": 10})
    operate(core, "inject_fault", {"where": "identity", "kind": "delay", "high_s": 2})
    operate(core, "inject_fault", {"where": "identity", "kind": "freeze", "for_s": 5})
    answer = ask(core, "/acs", 1001)
    assert (answer.response.body, answer.delay_s, answer.drop) == (b"identity", 6.0, True)
    assert ask(core, "/ListAccounts", 1001) == Answer(Response(200, (), b"identity"), delay_s=6.0)
    assert ask(core, "/acs", 1010) == Answer(Response(200, (), b"identity"), delay_s=2.0)


def test_the_operator_never_suffers(core: Core) -> None:
    """Even a fault on every path leaves the call that clears it alone."""
    operate(core, "inject_fault", {"where": "/", "kind": "drop"})
    operate(core, "inject_fault", {"where": "/", "kind": "error", "status": 500})
    assert ask(core, "/idp/sso").drop
    assert operate(core, "clear_faults", {}).response.body == b'{"cleared": 2}'


def test_a_mistake_of_ours_is_counted_and_tells_nobody(core: Core, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a service raises comes out, is counted, and the pushes of the half-done work are not sent with the next."""

    class Mistaken:
        def handle(self, request: Request, now: float) -> Response:
            core._outbox.append(Push("push/a", b"half done"))
            raise ZeroDivisionError

    monkeypatch.setitem(core.services, "identity", Mistaken())
    before = core.internal_errors
    with pytest.raises(ZeroDivisionError):
        ask(core, "/acs")
    assert core.internal_errors == before + 1
    assert ask(core, "/idp/sso").pushes == ()


def test_pushes_leave_with_the_answer_that_caused_them(core: Core, monkeypatch: pytest.MonkeyPatch) -> None:
    """In order, once."""
    pushes = (Push("push/a", b"1"), Push("push/b", b"2"))

    class Telling:
        def handle(self, request: Request, now: float) -> Response:
            core._outbox.extend(pushes)
            return Response(200)

    monkeypatch.setitem(core.services, "management", Telling())
    assert ask(core, "/devicemanagement/data/api").pushes == pushes
    assert ask(core, "/idp/sso").pushes == ()


def test_chance_is_the_one_handed_in(tmp_path: Path) -> None:
    """The same chance gives the same token, another one another; a second life keeps the key."""
    path = str(tmp_path / "backend.sqlite")
    first, second, third = (Core(Store(path), SETTINGS, chance(seed)) for seed in (1, 1, 2))
    assert first.operator_token == second.operator_token != third.operator_token
    assert len(first.operator_token) == 32
    assert first.verification_key == second.verification_key == third.verification_key
