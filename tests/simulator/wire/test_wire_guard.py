"""The guard: who may be reached, when, and how often."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from wire_servers import OK, answering, played, pooled, served

from simulator.protocols.messages import Request, Skipped
from simulator.wire.guard import Authorisation, Guard

NOW = datetime(2026, 4, 1, 9, 0, tzinfo=UTC)
LEAVE = {
    "hosts": ["idp.city.example", "*.staging.city.example", "192.0.2.7", "2001:db8:0::7"],
    "owner": "Maebashi City",
    "approved_by": "the head of IT",
    "from": "2026-04-01T09:00:00+00:00",
    "until": "2026-04-01T10:00:00+00:00",
    "max_rate_per_s": 5,
}


class Clock:
    """A clock that is set by hand."""

    def __init__(self, now: float) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


def guarded(now: datetime = NOW, **changes: object) -> tuple[Guard, Clock]:
    """A guard with the leave above, and its monotonic clock."""
    clock = Clock(0.0)
    return Guard(Authorisation.parse({**LEAVE, **changes}), wall=now.timestamp, clock=clock), clock


def refusal(guard: Guard, host: str, *addresses: str) -> str:
    """The reason why a connect is refused, or ""."""
    try:
        guard.check(host, addresses, 443)
    except Skipped as no:
        return no.reason
    return ""


@pytest.mark.parametrize("address", ["127.0.0.1", "127.255.255.254", "::1", "::ffff:127.0.0.1", "0:0:0:0:0:0:0:1"])
def test_loopback_is_free(address):
    """127/8 and ::1 need no leave, whatever the name that led there, and are not counted."""
    guard = Guard()
    for host in ("localhost", address, "idp.city.example", "accounts.google.com"):
        for _ in range(100):
            guard.check(host, [address], 80)


@pytest.mark.parametrize(
    "address",
    [
        "0.0.0.0",
        "128.0.0.1",
        "10.0.0.1",
        "192.168.1.1",
        "169.254.1.1",
        "8.8.8.8",
        "::",
        "fe80::1",
        "::ffff:10.0.0.1",
        "x",
    ],
)
def test_anything_else_needs_leave(address):
    """No other address is free: not private ones, not link-local ones, not "any"."""
    assert refusal(Guard(), "idp.city.example", address) == "guard_not_authorised"


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("idp.city.example", ""), ("IDP.City.Example.", ""), ("x.idp.city.example", "guard_not_authorised"),
        ("a.staging.city.example", ""), ("a.b.staging.city.example", ""),
        ("staging.city.example", "guard_not_authorised"), ("xstaging.city.example", "guard_not_authorised"),
        ("city.example", "guard_not_authorised"), ("192.0.2.7", ""), ("192.0.2.8", "guard_not_authorised"),
        ("2001:db8::7", ""), ("[2001:DB8::0:7]", ""), ("", "guard_not_authorised"),
        ("é" * 80, "guard_not_authorised"),
    ],
)  # fmt: skip
def test_hosts_that_leave_names(host, expected):
    """A leave holds for exactly the hosts it names, however they are spelt."""
    assert refusal(guarded()[0], host, "192.0.2.50") == expected


@pytest.mark.parametrize(
    ("after_s", "expected"),
    [(-1, "guard_not_authorised"), (0, ""), (3599, ""), (3600, "guard_not_authorised")],
)
def test_leave_holds_for_its_time(after_s, expected):
    """A leave holds from `from` up to, not including, `until`."""
    assert refusal(guarded(NOW + timedelta(seconds=after_s))[0], "idp.city.example", "192.0.2.7") == expected


@pytest.mark.parametrize(
    "host",
    ["google.com", "accounts.google.com", "m.google.com", "www.googleapis.com", "edgedl.gvt1.com", "www.gstatic.com",
     "login.microsoftonline.com", "x.windows.net", "outlook.office.com", "login.live.com", "city.okta.com",
     "www.cloudflare.com", "appleid.apple.com", "ACCOUNTS.GOOGLE.COM.", "accounts\u3002google\u3002com"],
)  # fmt: skip
def test_public_services_never(host):
    """A public service is refused, with its own reason, whoever gave leave; a leave that names one cannot be read."""
    leave = Authorisation((host.lower().rstrip("."), "*.com", host), "x", "y", NOW, NOW + timedelta(days=1), 1.0)
    assert refusal(Guard(leave, wall=NOW.timestamp), host, "192.0.2.7") == "guard_public_service"
    with pytest.raises(ValueError, match="public service"):
        Authorisation.parse({**LEAVE, "hosts": [host]})


@pytest.mark.parametrize("host", ["notgoogle.com", "google.com.city.example", "example.com", "mygstatic.com"])
def test_similar_names_are_not_public(host):
    """Only whole labels count."""
    assert refusal(Guard(), host, "192.0.2.7") == "guard_not_authorised"


def test_loopback_and_foreign_addresses_mixed():
    """Of a name with both, only loopback may be used without leave; with leave all; and check() wants all."""
    both = ("192.0.2.7", "127.0.0.1", "::1")
    assert Guard().allowed("idp.city.example", both, 443) == ("127.0.0.1", "::1")
    assert guarded()[0].allowed("idp.city.example", both, 443) == both
    assert refusal(Guard(), "idp.city.example", *both) == "guard_not_authorised"
    with pytest.raises(Skipped):
        Guard().allowed("idp.city.example", ("192.0.2.7",), 443)


@pytest.mark.parametrize(("address", "free"), [("127.0.0.2", False), ("127.0.0.1", True), ("::ffff:127.0.0.2", False)])
def test_loopback_that_a_leave_names(address, free):
    """A tunnel's end that the leave names is held to its time and its rate; every other loopback address stays free."""
    guard, _ = guarded(hosts=["127.0.0.2", "::ffff:127.0.0.2"])
    assert guard.is_free(address) is free
    expected = [""] * 6 if free else [""] * 5 + ["rate_cap"]
    assert [refusal(guard, address, address) for _ in range(6)] == expected
    late, _ = guarded(NOW + timedelta(hours=1), hosts=["127.0.0.2", "::ffff:127.0.0.2"])
    assert refusal(late, address, address) == ("" if free else "guard_not_authorised")


def test_names_that_somebody_else_resolves():
    """Behind a proxy there is no address: the name alone is judged, and localhost is the proxy's, not ours."""
    for host in ("localhost", "other.example"):
        with pytest.raises(Skipped):
            guarded()[0].allowed(host, (), 443)
        assert refusal(guarded()[0], host) == "guard_not_authorised"
    assert guarded()[0].allowed("idp.city.example", (), 443) == ()


def test_rate():
    """At 5/s one second's worth may come at once, then one each 0.2 s; more than a second's worth is never saved up."""
    guard, clock = guarded()
    reasons = [refusal(guard, "idp.city.example", "192.0.2.7") for _ in range(7)]
    assert reasons == [""] * 5 + ["rate_cap"] * 2
    clock.now = 0.25
    assert [refusal(guard, "idp.city.example", "192.0.2.7") for _ in range(2)] == ["", "rate_cap"]
    clock.now = 1000.0
    assert [refusal(guard, "192.0.2.7", "192.0.2.7") for _ in range(6)] == [""] * 5 + ["rate_cap"]
    assert refusal(guard, "localhost", "127.0.0.1") == ""


def test_slow_rate():
    """At one in ten seconds the first is free, the second ten seconds later."""
    guard, clock = guarded(max_rate_per_s=0.1)
    assert refusal(guard, "192.0.2.7", "192.0.2.7") == ""
    for now, expected in ((9.9, "rate_cap"), (10.1, "")):
        clock.now = now
        assert refusal(guard, "192.0.2.7", "192.0.2.7") == expected


def test_parse():
    """A leave as a plain dict, times as text or as datetimes, becomes what it says."""
    leave = Authorisation.parse({**LEAVE, "from": NOW})
    assert leave == Authorisation(
        ("idp.city.example", "*.staging.city.example", "192.0.2.7", "2001:db8::7"),
        "Maebashi City", "the head of IT", NOW, NOW + timedelta(hours=1), 5.0,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"hosts": []}, "authorisation.hosts"), ({"hosts": "a.example"}, "authorisation.hosts"),
        ({"hosts": ["*"]}, "authorisation.hosts"), ({"hosts": ["*.com"]}, "authorisation.hosts"),
        ({"hosts": ["a.*.example"]}, "authorisation.hosts"), ({"hosts": [""]}, "authorisation.hosts"),
        ({"owner": " "}, "authorisation.owner"), ({"approved_by": None}, "authorisation.approved_by"),
        ({"from": "2026-04-01T09:00:00"}, "authorisation.from"), ({"until": "tomorrow"}, "authorisation.until"),
        ({"until": "2026-04-01T09:00:00Z"}, "authorisation.until"), ({"max_rate_per_s": 0}, "max_rate_per_s"),
        ({"max_rate_per_s": True}, "max_rate_per_s"), ({"max_rate_per_s": float("nan")}, "max_rate_per_s"),
        ({"max_rate_per_s": "5"}, "max_rate_per_s"), ({"max_rate": 5}, "authorisation.max_rate: not known"),
    ],
)  # fmt: skip
def test_faults(changes, fault):
    """Each fault is told with its key; all of them at once."""
    with pytest.raises(ValueError, match=fault.replace(".", r"\.")):
        Authorisation.parse({**LEAVE, **changes})
    with pytest.raises(ValueError, match="authorisation") as caught:
        Authorisation.parse({})
    assert len(str(caught.value).splitlines()) == 6


@played
async def test_wire_counts_every_request():
    """Over a kept connection too, each request to a host with a leave counts, and after `until` none is sent."""
    wall, clock = Clock(NOW.timestamp()), Clock(0.0)
    leave = Authorisation.parse({**LEAVE, "hosts": ["127.0.0.9"], "max_rate_per_s": 3})
    async with served(answering(OK), host="127.0.0.9") as peer, pooled(guard=Guard(leave, wall, clock)) as pool:
        line, request = pool.device(), Request("GET", f"http://127.0.0.9:{peer.port}/")
        for _ in range(3):
            await line.send(request, timeout_s=5)
        with pytest.raises(Skipped, match="rate_cap"):
            await line.send(request, timeout_s=5)
        clock.now = 10.0
        await line.send(request, timeout_s=5)
        wall.now += 3600
        with pytest.raises(Skipped, match="guard_not_authorised"):
            await line.send(request, timeout_s=5)
        assert (len(peer.sides), len(peer.requests)) == (1, 4)
