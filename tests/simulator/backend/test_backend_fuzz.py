"""Bytes that nobody meant, in both directions of device management: good messages cut off, flipped and mixed up.

What a device reads ends in a result, a refusal or something broken; what the service is asked ends in an answer of the
protocol, and the next good request is answered. The good messages are those of one device's life with the service.

By hand besides, on 2026-11-25: ten minutes of atheris (guided by the coverage of simulator.backend and
simulator.protocols) on the same two sides, every kind of request and every answer, from these messages: 10,694,514
executions, none of which raised anything else or was answered by another code.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cache
from hashlib import sha256
from itertools import count
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from management_bench import NOW, SETTINGS, Bench, policy_request, private_keys

from simulator.backend.core import SERVICE_OF, Core
from simulator.backend.store import Store
from simulator.protocols import identity, oauth, updates
from simulator.protocols import management as m
from simulator.protocols import management_pb2 as pb
from simulator.protocols.messages import Broken, Exchange, Refused, Request, Response
from simulator.protocols.policy import SHA256_RSA, PolicySigner
from simulator.protocols.updates import UpdateClient

URL = "http://127.0.0.1:8080/devicemanagement/data/api"
# What the protocol may answer: policy facts 1.4. Anything else is a mistake of ours.
ANSWERS = {200, 400, 401, 402, 403, 404, 405, 406, 409, 410, 412, 413, 417, 418, 419, 429, 902, 903, 904, 905, 906, 907}
MACHINE = m.Machine(serial="5CD1", hwid="HWID", brand_code="ABCD", state_key=b"k" * 32)


@dataclass(frozen=True)
class Said:
    """One good exchange, and what the service answered."""

    exchange: Exchange[Any]
    response: Response


class Life:
    """A device and its user from state determination to a remote command, against a service of its own."""

    def __init__(self) -> None:
        self.bench = Bench()
        self.said: list[Said] = []
        key = self.bench.service.verification_key_der
        who = m.Identity(URL, "device-1", "agent", "platform")
        self.ask(m.state_retrieval(who, MACHINE))
        registered = self.ask(m.register_device(who, MACHINE, oauth_token="it@city.example", flavor=0))
        device = replace(who, dm_token=registered.dm_token)
        trust = m.Trust(registered.dm_token, who.device_id, verification_key=key)
        for reason in (m.PolicyReason.DEVICE_ENROLLMENT, m.PolicyReason.BROWSER_START):
            trust = self.ask(m.fetch_device_policy(device, reason=reason, trust=trust, state_keys=(b"k" * 32,))).trust
        fetch = m.fetch_device_policy(device, reason=m.PolicyReason.SCHEDULED, trust=trust)
        answer = pb.DeviceManagementResponse.FromString(self.bench.service.handle(fetch.request, NOW).body)
        self.ask(m.api_authorization(device))
        self.ask(m.push_token(device, "0" * 32, m.PushKind.DEVICE, expiration_ms=int(NOW * 1000) + 10**9))
        self.bench.service.queue_command("device-1", "DEVICE_REBOOT", "{}", NOW)
        orders = m.remote_commands(device, reason=m.CommandReason.REASON_STARTUP, trust=trust)
        self.ask(orders)
        commands = pb.DeviceManagementResponse.FromString(self.said[-1].response.body).remote_command_response
        self.signed = (fetch, orders)
        self.good = {
            "policy_answer": answer.policy_response.responses[0].policy_data,
            "command_answer": commands.secure_commands[0].data,
        }
        fault = m.Invalid("bad_signature", policy_type="google/chromeos/device", policy_token="t")
        self.ask(m.validation_report(device, fault))
        someone = replace(who, device_id="user-1")
        user = self.ask(m.register_user(someone, oauth_token="taro@city.example"))
        someone = replace(someone, dm_token=user.dm_token)
        trust = m.Trust(user.dm_token, "user-1", username="taro@city.example", verification_key=key)
        self.ask(m.fetch_user_policy(someone, reason=m.PolicyReason.SIGNIN, trust=trust))
        other = replace(who, device_id="device-2")
        machine = replace(MACHINE, serial="5CD2")
        dismissed = self.ask(m.register_device(other, machine, oauth_token="it@city.example", flavor=0))
        self.ask(m.unregister(replace(other, dm_token=dismissed.dm_token)))
        self.device = device
        self.probe_token = self.bench.register("probe", "5CD9")

    def ask(self, exchange: Exchange[Any]) -> Any:
        """Ask, keep what was said, and read the answer, which must be good."""
        response = self.bench.service.handle(exchange.request, NOW)
        self.said.append(Said(exchange, response))
        return exchange.read(response)


@cache
def life() -> Life:
    """One for all tests: what goes wrong in it is what they are about."""
    return Life()


@st.composite
def bent(draw: st.DrawFn, good: bytes) -> bytes:
    """Good bytes, bent: cut off, a bit flipped, some bytes put in or taken out, or a stretch of it said twice."""
    body = bytearray(good)
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(body)))
        kind = draw(st.sampled_from(["cut", "flip", "insert", "remove", "twice"]))
        if kind == "cut":
            del body[at:]
        elif kind == "flip" and body:
            body[at % len(body)] ^= 1 << draw(st.integers(0, 7))
        elif kind == "insert":
            body[at:at] = draw(st.binary(min_size=1, max_size=8))
        elif kind == "remove":
            del body[at : at + draw(st.integers(1, 8))]
        elif kind == "twice":
            body += body[at:]
    return bytes(body)


def quietly(read: Callable[[Response], object], response: Response) -> None:
    """Read, and take the two ways in which an exchange may end badly; anything else is a defect."""
    with suppress(Refused, Broken):
        read(response)


# ---------------------------------------------------------------------------------------------------- what devices read


@settings(max_examples=1500, deadline=None)
@given(st.data())
def test_a_bent_answer_ends_in_a_result_or_in_trouble_with_a_reason(data: st.DataObject) -> None:
    """Every exchange of a device's life, its own answer bent or that of another, and any status."""
    said = data.draw(st.sampled_from(life().said), label="exchange")
    other = data.draw(st.sampled_from(life().said), label="answer of")
    body = data.draw(bent(other.response.body), label="body")
    status = data.draw(st.sampled_from([200, 200, 200, 400, 410, 503, 902]), label="status")
    quietly(said.exchange.read, Response(status, other.response.headers, body))


def test_good_answers_are_read_whole() -> None:
    """The corpus is what it should be: every exchange of it was answered with 200, and no policy is read cut off."""
    assert {said.response.status for said in life().said} == {200}
    assert len(life().said) >= 12
    policy = next(said for said in life().said if said.exchange.step == "management.device_policy")
    for cut in range(0, len(policy.response.body), 7):
        with pytest.raises(Broken) as broken:
            policy.exchange.read(Response(200, (), policy.response.body[:cut]))
        assert broken.value.reason == ("undecodable" if cut else "missing_part")


@cache
def signer() -> PolicySigner:
    """The service's own policy key: what it signs gets past the signature, whatever it is."""
    return PolicySigner(private_keys()[1])


def policy_answer(data: bytes) -> bytes:
    """A policy answer with this as its policy data, rightly signed."""
    answer = pb.DeviceManagementResponse()
    blob = answer.policy_response.responses.add(policy_data=data, policy_data_signature=signer().sign(data, SHA256_RSA))
    blob.policy_data_signature_type = SHA256_RSA
    return answer.SerializeToString()


def command_answer(data: bytes) -> bytes:
    """An answer with one remote command, whose policy data are these, rightly signed."""
    answer = pb.DeviceManagementResponse()
    answer.remote_command_response.secure_commands.add(data=data, signature=signer().sign(data, SHA256_RSA))
    return answer.SerializeToString()


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_bent_content_that_is_rightly_signed_ends_so_too(data: st.DataObject) -> None:
    """What is wrong inside of what the server signed: policy data, the values in them, and remote commands."""
    fetch, orders = life().signed
    exchange, wrap = data.draw(st.sampled_from([(fetch, policy_answer), (orders, command_answer)]))
    part = exchange.read(Response(200, (), wrap(life().good[wrap.__name__])))
    assert part
    good = pb.PolicyData.FromString(life().good[wrap.__name__])
    if data.draw(st.booleans(), label="the value only"):
        good.policy_value = data.draw(bent(good.policy_value))
        told = good.SerializeToString()
    else:
        told = data.draw(bent(good.SerializeToString()))
    quietly(exchange.read, Response(200, (), wrap(told)))


CLIENT = UpdateClient(appid="{DEB6CEFD-4EEE-462F-AC21-52DF1E17B52F}", board="brya", hwid="H", version="1.2.3")
BASE = "http://127.0.0.1:8082"
OTHERS: list[Exchange[Any]] = [
    updates.check(BASE, CLIENT, now=NOW, request_id="r", session_id="s"),
    updates.event(BASE, CLIENT, kind=3, result=1, request_id="r", session_id="s"),
    identity.entry(BASE, "city.example"),
    oauth.token(BASE, "code", device_id="d"),
    oauth.access_token(BASE, "refresh", oauth.MANAGEMENT_SCOPES),
    oauth.userinfo(BASE, "token"),
    identity.multilogin(BASE, "token", "1"),
    identity.accounts(BASE),
]


@settings(max_examples=500, deadline=None)
@given(
    st.sampled_from(OTHERS),
    st.sampled_from([200, 200, 302, 400, 403, 500, 503]),
    st.one_of(st.binary(max_size=300), st.text(max_size=100).map(str.encode), st.sampled_from([b"{}", b"[]", b"null"])),
    st.lists(st.tuples(st.sampled_from(["location", "set-cookie", "content-type"]), st.text(max_size=30)), max_size=3),
)
def test_other_services_answers_end_so_too(
    exchange: Exchange[Any], status: int, body: bytes, headers: list[tuple[str, str]]
) -> None:
    """Updates, and every request of a sign-in that needs nothing of the one before."""
    quietly(exchange.read, Response(status, tuple(headers), body, BASE))


# -------------------------------------------------------------------------------------------- what the service is asked


def served(request: Request) -> Response:
    """An answer of the protocol, decodable whatever was asked; a good request right after it is answered as ever."""
    service = life().bench.service
    response = service.handle(request, NOW)
    assert response.status in ANSWERS
    pb.DeviceManagementResponse.FromString(response.body)
    probe = policy_request("google/chromeos/device")
    assert life().bench.send("policy", probe, device_id="probe", token=life().probe_token).status == 200
    return response


@cache
def asked() -> list[Request]:
    """The requests of a life but for the one that ends a registration: its answer is another each time."""
    return [said.exchange.request for said in life().said if said.exchange.step != "management.unregister"]


@settings(max_examples=1500, deadline=None)
@given(st.data())
def test_a_bent_body_is_answered_by_the_protocol(data: st.DataObject) -> None:
    """Each request of a device's life with its body bent, or with the body of another kind."""
    said, other = (data.draw(st.sampled_from(asked())) for _ in range(2))
    body = data.draw(bent(other.body))
    served(replace(said, body=body))


@settings(max_examples=1000, deadline=None)
@given(st.data())
def test_a_bent_query_or_header_is_answered_by_the_protocol(data: st.DataObject) -> None:
    """Parameters doubled, dropped, renamed and filled with anything; every kind with every kind of authorisation."""
    said = data.draw(st.sampled_from(asked()))
    pairs = said.url.partition("?")[2].split("&")
    pairs = data.draw(st.lists(st.sampled_from(pairs), max_size=12))
    pairs += data.draw(
        st.lists(st.sampled_from(sorted(life().bench.service.kinds)).map("request={}".format), max_size=1)
    )
    pairs += data.draw(st.lists(st.text(max_size=12), max_size=2))
    schemes = st.sampled_from(
        ["GoogleDMToken token=", "GoogleEnrollmentToken token=", "GoogleDM3PAuth ", "", "Bearer "]
    )
    tokens = st.one_of(st.just(life().device.dm_token), st.text(max_size=20))
    headers = (("Authorization", data.draw(schemes) + data.draw(tokens)),)
    url = f"{URL}?{'&'.join(pairs)}"
    served(Request(data.draw(st.sampled_from(["POST", "POST", "GET", "PUT"])), url, headers, said.body))


@cache
def core() -> Core:
    """All services of a backend."""
    numbers = count()
    settings = replace(SETTINGS, **dict.fromkeys(("management_url", "identity_url", "idp_url", "updates_url"), BASE))
    return Core(Store(":memory:"), settings, lambda size: sha256(str(next(numbers)).encode()).digest()[:size])


@settings(max_examples=500, deadline=None)
@given(
    st.sampled_from(["GET", "POST", "PUT", "HEAD", ""]),
    st.one_of(
        st.sampled_from(sorted(SERVICE_OF)),
        st.sampled_from(OTHERS).map(lambda exchange: exchange.request.url.split("/", 3)[3]),
    ),
    st.text(max_size=30),
    st.sampled_from(["", "text/xml", "application/json", "application/x-www-form-urlencoded", "x"]),
    st.one_of(st.binary(max_size=200), st.text(max_size=100).map(str.encode)),
)
def test_no_service_of_the_backend_makes_a_mistake(method: str, path: str, more: str, media: str, body: bytes) -> None:
    """Any method, path, query and body at any of the services is answered, and none of it is a mistake of ours."""
    headers = (("Content-Type", media), ("Cookie", more), ("Authorization", f"Bearer {more}"))
    answer = core().handle(Request(method, f"{BASE}/{path}{more}", headers, body), NOW)
    assert 200 <= answer.response.status < 500 or answer.response.status in ANSWERS
    assert core().internal_errors == 0
