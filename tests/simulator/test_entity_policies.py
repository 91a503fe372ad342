"""Policies of extensions and of device-local accounts on a device: when each is fetched, what is kept (facts 3 b, c).

The server's answers are made by hand and signed with its own policy key: the wire format is what is agreed on.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from itertools import pairwise

import pytest
from one_device import BOOT_S, TYPING_S, Asked, Bend, Life, drawn, live

from reports.record import OUTCOMES
from simulator.backend.management import Management
from simulator.journeys import STEPS
from simulator.memory import UTC_0
from simulator.protocols import management_pb2 as pb
from simulator.protocols import push
from simulator.protocols.messages import REASONS, Response
from simulator.protocols.policy import SHA256_RSA
from simulator.rehearsal import Stage

HOUR = 3600
BROWSER_S, SESSION_S = BOOT_S + 5, BOOT_S + 5 + TYPING_S
EXTENSION, SIGNIN = "google/chrome/extension", "google/chromeos/signinextension"
DEVICE, ACCOUNT = "google/chromeos/device", "google/chromeos/publicaccount"
FILE, OTHER = b'{"Answer": {"Value": 42}}', b'{"Answer": {"Value": 43}}'
URL = "http://files.city.example/extension.json"


def _signed(stage: Stage, data: pb.PolicyData) -> pb.PolicyFetchResponse:
    """A blob with the signature of the server's policy key."""
    service = stage.core.services["management"]
    assert isinstance(service, Management)
    blob = pb.PolicyFetchResponse(policy_data=data.SerializeToString(), policy_data_signature_type=SHA256_RSA)
    blob.policy_data_signature = service._keys.signer.sign(blob.policy_data)
    return blob


def _with_extension(
    policy_type: str, hash_of: Callable[[float], bytes] = lambda now: sha256(FILE).digest(), username: str | None = None
) -> Bend:
    """A server that has a policy of that type for extension `abc`."""

    def bend(stage: Stage, asked: Asked, answer: Response) -> Response:
        types = [fetch.policy_type for fetch in asked.message.policy_request.requests]
        if answer.status != 200 or policy_type not in types:
            return answer
        message = pb.DeviceManagementResponse.FromString(answer.body)
        # whose it is and for which registration stands in the client's own policy
        data = pb.PolicyData.FromString(message.policy_response.responses[-1].policy_data)
        told = pb.ExternalPolicyData(download_url=URL, secure_hash=hash_of(asked.at))
        data.policy_type, data.settings_entity_id, data.policy_value = policy_type, "abc", told.SerializeToString()
        data.timestamp = round(asked.at * 1000) + 1
        data.username = username or data.username
        message.policy_response.responses.append(_signed(stage, data))
        return replace(answer, body=message.SerializeToString())

    return bend


def _with_accounts(accounts: Callable[[float], tuple[str, ...]], *, refresh_ms: int | None = None) -> Bend:
    """A server whose device policy names accounts; without `refresh_ms` it has no policy for any of them."""

    def bend(stage: Stage, asked: Asked, answer: Response) -> Response:
        if answer.status != 200 or not asked.message.HasField("policy_request"):
            return answer
        message = pb.DeviceManagementResponse.FromString(answer.body)
        (*_, fetch) = asked.message.policy_request.requests
        own = message.policy_response.responses[-1]
        data = pb.PolicyData.FromString(own.policy_data)
        if fetch.policy_type == DEVICE:
            values = pb.ChromeDeviceSettingsProto.FromString(data.policy_value)
            for account in accounts(asked.at):
                values.device_local_accounts.account.add(account_id=account)
            data.policy_value = values.SerializeToString()
        elif fetch.policy_type == ACCOUNT and refresh_ms is not None:
            settings = pb.CloudPolicySettings()
            settings.PolicyRefreshRate.value = refresh_ms
            data = pb.PolicyData(
                policy_type=ACCOUNT,
                settings_entity_id=fetch.settings_entity_id,
                username=fetch.settings_entity_id,
                timestamp=round(asked.at * 1000) + 1,
                device_id=asked.query["deviceid"],
                public_key_version=1,
                policy_value=settings.SerializeToString(),
            )
            assert stage.player.devices[0].trust is not None
            data.request_token = stage.player.devices[0].trust.dm_token
            own.Clear()
        else:
            return answer
        signed = _signed(stage, data)
        own.policy_data, own.policy_data_signature = signed.policy_data, signed.policy_data_signature
        own.policy_data_signature_type = SHA256_RSA
        return replace(answer, body=message.SerializeToString())

    return bend


def _file(now: float) -> Response:
    return Response(200, body=FILE)


def _downloads(life: Life) -> list[float]:
    return [at for at, url in life.other if url == URL]


def _reasons(life: Life, step: str) -> list[str]:
    own = life.samples[life.samples["step"] == STEPS.index(step)]
    return [REASONS[reason] for reason in own["reason"].tolist()]


# ---------------------------------------------------------------------------------------------------------- extensions


@pytest.mark.parametrize(("policy_type", "first"), [(EXTENSION, SESSION_S), (SIGNIN, BROWSER_S)])
def test_a_file_is_downloaded_once(policy_type: str, first: float) -> None:
    """With the user's policy, or the device's for the login screen: a plain GET at once, and never again while the hash
    is the same, whether policy is fetched again or the lid opened again."""
    life = live(
        9 * HOUR,
        push=False,
        starts=[(0.0, "enroll"), (BOOT_S, "boot"), (8 * HOUR, "boot")],
        bend=_with_extension(policy_type),
        files={URL: _file},
    )
    # at enrollment nothing is asked of the login screen's extensions
    assert _downloads(life) == [first]
    assert _reasons(life, "management.extension_policy") == ["none"]


def test_another_file_is_downloaded() -> None:
    """The policy names another hash from noon on: the next fetch of policy brings the new file."""
    noon = 4 * HOUR
    life = live(
        10 * HOUR,
        push=False,
        bend=_with_extension(EXTENSION, lambda now: sha256(FILE if now < noon else OTHER).digest()),
        files={URL: lambda now: Response(200, body=FILE if now < noon else OTHER)},
    )
    jitter = 300 * drawn("jitter of sync_user_policy")
    assert _downloads(life) == [SESSION_S, pytest.approx(SESSION_S + 2 * (3 * HOUR + jitter))]


@pytest.mark.parametrize(
    ("answer", "waits"),
    [
        (Response(404), [60, 120, 240]),  # a refusal is asked for three times more
        (Response(503), [15, 30, 60, 120, 240, 480, 960]),
        (Response(200, body=OTHER), [12 * HOUR]),
        (Response(200, body=bytes(5 * 1024 * 1024 + 1)), [12 * HOUR]),
    ],
)
def test_a_file_that_does_not_come(answer: Response, waits: list[float]) -> None:
    """Each wait is the facts' one or up to a fifth less; with push no policy fetch comes between and begins anew."""
    end = SESSION_S + (13 * HOUR if len(waits) == 1 else 0.5 * HOUR)
    life = live(end, bend=_with_extension(EXTENSION), files={URL: lambda now: answer})
    times = _downloads(life)
    got = [later - earlier for earlier, later in pairwise(times)]
    for wait, expected in zip(got, waits, strict=False):
        assert 0.8 * expected < wait <= expected
    assert len(got) == len(waits) or sum(waits) > 0.8 * 0.5 * HOUR
    # a 404 is given up for good
    assert answer.status != 404 or len(got) == 3


def test_a_bad_extension_policy_is_one_failed_step() -> None:
    """Somebody else's policy for the extension: recorded with its reason, nothing is downloaded, the user's own policy
    is in force."""
    life = live(2 * HOUR, bend=_with_extension(EXTENSION, username="nobody@city.example"), files={URL: _file})
    assert _downloads(life) == []
    assert _reasons(life, "management.extension_policy") == ["wrong_user"]
    assert _reasons(life, "management.user_policy") == ["none"]
    assert life.device is not None
    assert life.device.extensions is None


# ------------------------------------------------------------------------------------------------ device-local accounts


def test_each_account_has_its_own_clock() -> None:
    """Two accounts: one client each, asked for by its id with the device's own registration, at the boot and then at
    its own pace: an hour by its policy, plus its own jitter."""
    ids = ("lobby@public.city.example", "hall@public.city.example")
    life = live(6 * HOUR, bend=_with_accounts(lambda now: ids, refresh_ms=HOUR * 1000))
    assert life.device is not None
    assert life.device.identity is not None
    for account in ids:
        asked = [
            one
            for one in life.of("publicaccount")
            if one.message.policy_request.requests[0].settings_entity_id == account
        ]
        jitter = 300 * drawn(f"jitter of {account}")
        times = [BROWSER_S + number * (HOUR + jitter) for number in range(6)]
        assert [one.at for one in asked] == [pytest.approx(at) for at in times if at < 6 * HOUR]
        assert {one.query["deviceid"] for one in asked} == {life.device.identity.device_id}
        assert [one.kind.partition(" ")[2] for one in asked][:2] == ["BROWSER_START", "SCHEDULED"]
        later = asked[1].message.policy_request.requests[0]
        assert (later.public_key_version, later.timestamp) == (1, round(asked[0].at * 1000) + 1)


def test_an_account_without_policy_is_asked_for_once_a_day() -> None:
    """902 within the answer is an answer: nothing is wrong, and the next time is a day later."""
    account = "lobby@public.city.example"
    life = live(26 * HOUR, bend=_with_accounts(lambda now: (account,)))
    jitter = 300 * drawn(f"jitter of {account}")
    assert [one.at for one in life.of("publicaccount")] == [
        BROWSER_S,
        pytest.approx(BROWSER_S + 24 * HOUR + jitter),
    ]
    assert set(_reasons(life, "management.account_policy")) == {"none"}


def test_an_account_that_is_gone_is_asked_for_no_more() -> None:
    """Device policy names it in the morning, and no more from a push on."""
    at = 2 * HOUR

    def notify(stage: Stage, device: object) -> None:
        told = push.notify("token", push.News(push.DEVICE_POLICY, "x", round((UTC_0 + at) * 1000)))
        stage.player.world.heard(stage.player.devices[0], told)

    bend = _with_accounts(lambda now: ("lobby@public.city.example",) if now < at else (), refresh_ms=HOUR * 1000)
    life = live(8 * HOUR, bend=bend, on=[(at, notify)])
    assert len(life.of("publicaccount")) == 2
    assert max(one.at for one in life.of("publicaccount")) < at
    assert life.device is not None
    assert life.device.accounts is None


def test_an_account_in_trouble_climbs_its_own_ladder() -> None:
    """503 for one account: 5, 10, 20 minutes and its jitter; the device's own policy and the other account as ever."""
    ids = ("lobby@public.city.example", "hall@public.city.example")
    life = live(
        SESSION_S + HOUR,
        bend=_with_accounts(lambda now: ids, refresh_ms=6 * HOUR * 1000),
        meddle=lambda one: (
            Response(503)
            if one.kind.startswith("publicaccount")
            and one.message.policy_request.requests[0].settings_entity_id == ids[0]
            else None
        ),
    )
    jitter = 300 * drawn(f"jitter of {ids[0]}")
    times: dict[str, list[float]] = {account: [] for account in ids}
    for one in life.of("publicaccount"):
        times[one.message.policy_request.requests[0].settings_entity_id].append(one.at)
    first = BROWSER_S + 300 + jitter
    assert times[ids[0]][:3] == [BROWSER_S, pytest.approx(first), pytest.approx(first + 600 + jitter)]
    assert times[ids[1]] == [BROWSER_S]
    failed = life.samples[life.samples["outcome"] != OUTCOMES.index("ok")]
    assert {STEPS[step] for step in failed["step"].tolist()} == {"management.account_policy"}


def test_our_own_server_says_it_the_same_way() -> None:
    """The backend's policies of extensions and of an account, unbent: each file comes with its policy, a changed one
    after its push, and nothing ends otherwise than well."""
    user, signin, account = "a" * 32, "b" * 32, "lobby@public.city.example"
    first, second = {"Answer": {"Value": 42}}, {"Answer": {"Value": 43}}
    named = {"device_local_accounts": {"account": [{"account_id": account}]}}
    life = live(
        1100.0,
        acts=[
            (10.0, "publish_extension_policy", {"policy": "user", "extension_id": user, "value": first}),
            (11.0, "publish_extension_policy", {"policy": "signin", "extension_id": signin, "value": first}),
            (12.0, "publish_policy", {"policy": "device", "value": named}),
            (1000.0, "publish_extension_policy", {"policy": "user", "extension_id": user, "value": second}),
        ],
    )
    downloads = [at for at, url in life.other if "/extensions/" in url]
    pushed = life.of("user INVALIDATION")[0].at
    assert downloads == [BROWSER_S, SESSION_S, pushed]
    assert 1000.02 <= pushed < 1010
    assert [one.at for one in life.of("publicaccount")] == [BROWSER_S]
    assert not life.samples["outcome"].any()
    assert life.device is not None
    assert life.device.extensions is not None
    assert set(life.device.extensions) == {(EXTENSION, user), (SIGNIN, signin)}
    assert all(file.stored for file in life.device.extensions.values())


def test_a_push_for_an_account_brings_its_policy_after_a_delay_of_its_own() -> None:
    """A publish for two accounts: each is fetched once, 20 ms to 10 s later and not together, with what its push told;
    the device's own policy is not. The next fetch tells of no push, and comes by the account's clock from there on."""
    ids, at = ("lobby@public.city.example", "hall@public.city.example"), 1000.0
    named = {"device_local_accounts": {"account": [{"account_id": account} for account in ids]}}
    hourly = {"PolicyRefreshRate": HOUR * 1000}
    life = live(
        at + 2 * HOUR,
        acts=[
            (12.0, "publish_policy", {"policy": "device", "value": named}),
            (at, "publish_policy", {"policy": "account", "value": hourly, "payload": "news"}),
        ],
    )
    issued_ms = round((UTC_0 + at) * 1000)
    pushed = life.of("publicaccount INVALIDATION")
    assert {one.message.policy_request.requests[0].settings_entity_id for one in pushed} == set(ids)
    assert len({one.at for one in pushed}) == len(pushed) == 2
    for one in pushed:
        fetch = one.message.policy_request.requests[0]
        assert at + 0.02 <= one.at <= at + 10
        assert (fetch.invalidation_version, fetch.invalidation_payload) == (issued_ms * 1000, b"news")
        again = [
            other
            for other in life.of("publicaccount SCHEDULED")
            if other.message.policy_request.requests[0].settings_entity_id == fetch.settings_entity_id
        ]
        jitter = 300 * drawn(f"jitter of {fetch.settings_entity_id}")
        assert again[0].at == pytest.approx(one.at + HOUR + jitter)
        assert not again[0].message.policy_request.requests[0].HasField("invalidation_version")
    assert not life.of("device INVALIDATION")
    assert not life.samples["outcome"].any()


@pytest.mark.parametrize("what", ["another account", "the same news again", "a lid closed in between"])
def test_a_push_that_concerns_no_account_is_dropped(what: str) -> None:
    """Of an account that the device has not, of news that it has heard, or with the lid closed within the delay: no
    fetch comes of it, and nothing is left waiting."""
    account, at = "lobby@public.city.example", 1000.0

    def notify(stage: Stage, device: object) -> None:
        kind = push.ACCOUNT_POLICY + ("hall@city.example" if what == "another account" else account)
        told = push.notify("token", push.News(kind, "x", round((UTC_0 + at) * 1000)))
        stage.player.world.heard(stage.player.devices[0], told)

    boots = [(0.0, "enroll"), (BOOT_S, "boot")]
    life = live(
        at + HOUR,
        bend=_with_accounts(lambda now: (account,), refresh_ms=6 * HOUR * 1000),
        on=[(at, notify), (at + 60, notify)] if what == "the same news again" else [(at, notify)],
        starts=[*boots, (at + 0.01, "boot")] if what == "a lid closed in between" else boots,
    )
    assert len(life.of("publicaccount INVALIDATION")) == (what == "the same news again")
    assert len(life.of("publicaccount BROWSER_START")) == 1 + (what == "a lid closed in between")
    assert life.device is not None
    assert not life.device.pushed
