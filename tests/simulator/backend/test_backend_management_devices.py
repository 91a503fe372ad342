"""Devices and the management service together, in memory: each checks what the other sends."""

from __future__ import annotations

from dataclasses import replace
from typing import TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from management_bench import NOW, SETTINGS, URL, Bench

from simulator.protocols import management as m
from simulator.protocols import push
from simulator.protocols.management_state import ACCOUNT, ENFORCED, FLAVORS
from simulator.protocols.messages import Exchange, Refused

T = TypeVar("T")
ENROLLER = "enroller@city.example"


class Device:
    """A device, or one of its users, that keeps what it learns."""

    def __init__(self, bench: Bench, device_id: str = "0f8fad5b-d9cb-469f-a165-70867728950e") -> None:
        self.bench = bench
        self.who = m.Identity(URL, device_id, "Google Chrome 126.0.6478.132(x)", "Linux,CrOS,b|x86_64,H|15886.44.0")
        self.machine = m.Machine(f"S-{device_id}", "HWID", "ABCD", device_id.encode().ljust(32, b"-")[:32])
        self.trust = m.Trust("", "")

    def ask(self, exchange: Exchange[T], now: float = NOW) -> T:
        """Have the service answer, and read it."""
        return exchange.read(self.bench.service.handle(exchange.request, now))

    def hold(self, registration: m.Registration, username: str = "") -> None:
        """Start to trust, after registration."""
        self.who = replace(self.who, dm_token=registration.dm_token)
        root = self.bench.service.verification_key_der
        self.trust = m.Trust(registration.dm_token, self.who.device_id, username, verification_key=root)

    def enroll(self, now: float = NOW) -> m.DevicePolicy:
        """State, registration, first policy."""
        state = self.ask(m.state_retrieval(self.who, self.machine), now)
        flavor = FLAVORS[state.mode, ACCOUNT]
        registered = m.register_device(self.who, self.machine, oauth_token=ENROLLER, flavor=flavor)
        self.hold(self.ask(registered, now))
        return self.fetch(m.PolicyReason.DEVICE_ENROLLMENT, now)

    def fetch(self, reason: int = m.PolicyReason.SCHEDULED, now: float = NOW) -> m.DevicePolicy:
        """The next policy, checked and kept."""
        critical = reason == m.PolicyReason.DEVICE_ENROLLMENT
        keys = [self.machine.state_key]
        exchange = m.fetch_device_policy(self.who, reason=reason, trust=self.trust, state_keys=keys, critical=critical)
        got = self.ask(exchange, now)
        self.trust = got.trust
        return got

    def sign_in(self, user: str) -> m.UserPolicy:
        """Registration and first policy of a user."""
        self.hold(self.ask(m.register_user(self.who, oauth_token=user)), user)
        got = self.ask(m.fetch_user_policy(self.who, reason=m.PolicyReason.SIGNIN, trust=self.trust))
        self.trust = got.trust
        return got


@pytest.fixture
def bench() -> Bench:
    """A service that nobody has asked yet."""
    return Bench()


def test_enrolled_signed_in_and_affiliated(bench: Bench) -> None:
    """A device enrolls, a user signs in on it, both policies hold, and both name one owner."""
    device = Device(bench)
    policy = device.enroll()
    assert (device.trust.domain, device.trust.key_version) == (SETTINGS.domain, 1)
    assert policy.settings.release_channel == "stable-channel"
    user = Device(bench, "7c9e6679-7425-40de-944b-e07fc1f90ae7").sign_in("taro@city.example")
    assert user.affiliation_ids == policy.affiliation_ids
    assert user.settings.offline_sign_in_s == 86_400
    assert device.ask(m.api_authorization(device.who)) == ""
    counts = bench.service.counts()
    assert (counts["devices"], counts["users"], counts["policies_signed"]) == (1, 1, 2)


def test_a_publish_is_applied_after_its_push(bench: Bench) -> None:
    """The push that a publish sends leads to a policy of exactly the published time, with the new value."""
    device = Device(bench)
    device.enroll()
    device.ask(m.push_token(device.who, "topic", m.PushKind.DEVICE, expiration_ms=int((NOW + 60) * 1000)))
    published_ms = bench.service.publish("device", {"device_policy_refresh_rate": 1_800_000}, NOW + 1)
    (told,) = bench.outbox
    news = push.read(told)
    assert (told.topic, news.kind, news.issued_ms) == (push.topic_of("topic"), push.DEVICE_POLICY, published_ms)
    assert device.trust.timestamp_ms < published_ms
    why = m.Invalidation(news.version, news.payload.encode())
    exchange = m.fetch_device_policy(
        device.who, reason=m.PolicyReason.INVALIDATION, trust=device.trust, invalidation=why
    )
    got = device.ask(exchange, NOW + 2)
    assert (got.trust.timestamp_ms, got.settings.refresh_ms) == (published_ms, 1_800_000)


def test_a_wiped_device_comes_back_and_the_old_registration_ends(bench: Bench) -> None:
    """After a wipe the server knows the machine by its state key and enforces enrollment; the old token is refused."""
    device = Device(bench)
    device.enroll()
    before, old = device.who, device.trust
    device.who = replace(before, device_id="11111111-2222-4333-8444-555555555555", dm_token="")
    state = device.ask(m.state_retrieval(device.who, device.machine))
    assert (state.mode, state.domain) == (ENFORCED, SETTINGS.domain)
    device.enroll()
    with pytest.raises(Refused) as caught:
        device.ask(m.fetch_device_policy(before, reason=m.PolicyReason.SCHEDULED, trust=old))
    assert (caught.value.status, m.client_status(caught.value.status)) == (410, "SERVICE_DEVICE_NOT_FOUND")


def test_a_user_whom_the_server_forgot_gets_the_same_token(bench: Bench) -> None:
    """After 410 a user's client registers again with its old id and token, and that token must come back."""
    user = Device(bench)
    user.sign_in("taro@city.example")
    before = user.who
    user.ask(m.unregister(user.who))
    again = user.ask(m.register_user(user.who, oauth_token="taro@city.example"))
    assert again.dm_token == before.dm_token


def test_an_order_is_obeyed_and_reported(bench: Bench) -> None:
    """Queued, fetched with its signature checked, ended, and not given again."""
    device = Device(bench)
    device.enroll()
    bench.service.queue_command(device.who.device_id, "DEVICE_FETCH_STATUS", "{}", NOW)
    ask = m.remote_commands(device.who, reason=m.CommandReason.REASON_INVALIDATION, trust=device.trust)
    (command,) = device.ask(ask, NOW + 3)
    assert (command.kind, command.age_ms) == (m.CommandKind.DEVICE_FETCH_STATUS, 3000)
    ended = m.CommandResult(m.CommandEnd.RESULT_SUCCESS, command.command_id, int(NOW * 1000))
    after = m.remote_commands(
        device.who,
        reason=m.CommandReason.REASON_UPLOAD_EXECUTION_RESULTS,
        trust=device.trust,
        last_id=command.command_id,
        results=[ended],
    )
    assert device.ask(after) == ()
    assert bench.service.counts()["command_results"] == 1


def test_a_turned_down_policy_can_be_reported(bench: Bench) -> None:
    """A device that trusts another city's root turns the policy down, and its report arrives."""
    device = Device(bench)
    device.enroll()
    astray = m.Trust(device.who.dm_token, device.who.device_id, verification_key=device.trust.public_key)
    with pytest.raises(m.Invalid) as caught:
        device.ask(m.fetch_device_policy(device.who, reason=m.PolicyReason.SCHEDULED, trust=astray))
    assert caught.value.reason == "bad_key_signature"
    device.ask(m.validation_report(device.who, caught.value))
    assert bench.service.counts()["validation_reports"] == 1


ACTS = st.lists(
    st.one_of(
        st.tuples(st.just("fetch"), st.integers(0, 2)),
        st.tuples(st.just("publish"), st.integers(0, 3)),
        st.tuples(st.just("disable"), st.integers(0, 2)),
        st.tuples(st.just("enable"), st.integers(0, 2)),
        st.tuples(st.just("rotate"), st.just(0)),
    ),
    max_size=12,
)


@settings(max_examples=30, deadline=None)
@given(acts=ACTS)
def test_devices_follow_whatever_the_operator_does(acts: list[tuple[str, int]]) -> None:
    """In any order of publishes, locks and new keys each fetch is valid and shows the state of the moment; a device
    that fetches twice in a row gets the same policy, and nothing is signed for that."""
    bench = Bench()
    devices = [Device(bench, f"device-{n}") for n in range(3)]
    for device in devices:
        device.enroll()
    rate, disabled, rotations = 10_800_000, [False] * 3, 0
    for act, n in acts:
        if act == "publish":
            rate = 1_800_000 + n * 60_000
            bench.service.publish("device", {"device_policy_refresh_rate": rate}, NOW)
        elif act == "rotate" and rotations < 2:
            rotations += 1
            bench.service.rotate_key()
        elif act in ("disable", "enable"):
            disabled[n] = act == "disable"
            bench.service.disable(f"device-{n}", "lost" if disabled[n] else None, NOW)
        elif act == "fetch":
            got = devices[n].fetch()
            assert (got.settings.refresh_ms, got.disabled) == (rate, disabled[n])
            signed = bench.service.counts()["policies_signed"]
            assert devices[n].fetch() == got
            assert bench.service.counts()["policies_signed"] == signed
    for device in devices:
        assert device.fetch().trust.key_version == rotations + 1
