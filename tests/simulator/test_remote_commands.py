"""Remote commands on a device: what is fetched when, how each ends, and what the device does after (facts 2.8, 3 f)."""

from __future__ import annotations

import pytest
from one_device import BOOT_S, TYPING_S, Asked, Life, live

from simulator.protocols import management_pb2 as pb
from simulator.protocols.messages import Broken, Response
from simulator.rehearsal import Stage

IGNORED, FAILURE, SUCCESS = 0, 1, 2
STARTUP, UPLOAD, INVALIDATION = 2, 3, 5
AT = 1000.0


def _queue(kind: str, payload: str = "", at: float = AT) -> tuple[float, str, dict[str, object]]:
    return at, "queue_command", {"type": kind, "command": payload}


def _asked(life: Life) -> list[tuple[float, int, int | None, list[tuple[int, int]]]]:
    """Of each request: when, why, the last id if it names one, and (result, id) of what it hands in."""
    told = []
    for one in life.of("remote_commands"):
        asked = one.message.remote_command_request
        last = asked.last_command_unique_id if asked.HasField("last_command_unique_id") else None
        results = [(result.result, result.command_id) for result in asked.command_results]
        told.append((one.at, asked.reason, last, results))
    return told


@pytest.mark.parametrize(
    ("kind", "payload", "result", "said"),
    [
        ("DEVICE_SET_VOLUME", '{"volume": 50}', SUCCESS, ""),
        ("DEVICE_SET_VOLUME", '{"volume": 100}', SUCCESS, ""),
        ("DEVICE_SET_VOLUME", '{"volume": 101}', IGNORED, ""),
        ("DEVICE_SET_VOLUME", '{"volume": -1}', IGNORED, ""),
        ("DEVICE_SET_VOLUME", '{"volume": true}', IGNORED, ""),
        ("DEVICE_SET_VOLUME", "[]", IGNORED, ""),
        ("DEVICE_SET_VOLUME", "loud", IGNORED, ""),
        # no screen is attached: DeviceCommandScreenshotJob's result code for that is 2
        ("DEVICE_SCREENSHOT", '{"fileUploadUrl": "http://127.0.0.1/up"}', FAILURE, '{"result":2}'),
        ("DEVICE_SCREENSHOT", "{}", IGNORED, ""),
        ("DEVICE_FETCH_STATUS", "", SUCCESS, ""),
        ("DEVICE_RUN_DIAGNOSTIC_ROUTINE", "{}", FAILURE, ""),
        # a device client has no job for these
        ("COMMAND_ECHO_TEST", "", IGNORED, ""),
        ("BROWSER_CLEAR_BROWSING_DATA", "", IGNORED, ""),
    ],
)
def test_how_a_command_ends(kind: str, payload: str, result: int, said: str) -> None:
    """Fetched at the push, without any delay; its result goes up at once under its own id, SHA-256 and signed orders
    asked for; what began and ended is acknowledged, what could not even begin is not."""
    life = live(AT + 60, acts=[_queue(kind, payload)])
    last = None if result == IGNORED else 1
    assert _asked(life)[1:] == [(AT, INVALIDATION, None, []), (AT, UPLOAD, last, [(result, 1)])]
    handed_in = life.of("remote_commands")[-1].message.remote_command_request
    assert handed_in.command_results[0].payload == said
    assert handed_in.command_results[0].HasField("timestamp") == (result != IGNORED)
    assert (handed_in.signature_type, handed_in.send_secure_commands) == (2, True)
    assert handed_in.type == "google/ash/device/remotecommand"


def test_a_kind_that_nobody_knows_is_ignored_with_its_id() -> None:
    """An order of type 77, signed as it must be, is answered RESULT_IGNORED under its own id."""
    life = live(AT + 60, acts=[_queue("COMMAND_ECHO_TEST")])
    assert _asked(life)[-1][3] == [(IGNORED, 1)]


def test_the_first_result_goes_alone() -> None:
    """Three orders in one answer: what ends first is told at once, the others with the next request; each request
    acknowledges what it tells, and nothing later."""
    acts = [_queue("DEVICE_SET_VOLUME", '{"volume": 5}', at) for at in (10.0, 11.0, 12.0)]
    told = _asked(live(BOOT_S + 30, acts=acts))
    assert told == [
        (BOOT_S + 5, STARTUP, None, []),
        (BOOT_S + 5, UPLOAD, 1, [(SUCCESS, 1)]),
        (BOOT_S + 5, UPLOAD, 3, [(SUCCESS, 2), (SUCCESS, 3)]),
    ]


@pytest.mark.parametrize(
    ("kind", "wait_s", "result"),
    [
        ("DEVICE_SET_VOLUME", 595.0, SUCCESS),
        ("DEVICE_SET_VOLUME", 605.0, IGNORED),  # ten minutes
        ("DEVICE_WIPE_USERS", 605.0, SUCCESS),  # 180 days
        ("DEVICE_REMOTE_POWERWASH", 605.0, SUCCESS),  # 5 years
    ],
)
def test_orders_expire(kind: str, wait_s: float, result: int) -> None:
    """By the age that the server tells; one that expired had been taken up, so it is acknowledged, with no start."""
    order = _queue(kind, '{"volume": 5}', at=10.0)
    life = live(10 + wait_s + 60, acts=[order], starts=[(0.0, "enroll"), (10 + wait_s - 5, "boot")])
    assert _asked(life)[1] == (10 + wait_s, UPLOAD, 1, [(result, 1)])
    stamp = life.of("remote_commands")[1].message.remote_command_request.command_results[0].timestamp
    assert (stamp == 0) == (result == IGNORED)


def test_an_order_is_obeyed_once() -> None:
    """The upload of a result is lost: the server gives the order again with the next one, the device drops it, and the
    lost result is not told again (remote_commands_service.cc)."""
    acts = [_queue("DEVICE_SET_VOLUME", '{"volume": 5}'), _queue("DEVICE_SET_VOLUME", '{"volume": 6}', AT + 100)]

    def lose(asked: Asked) -> Broken | None:
        is_first = asked.message.remote_command_request.command_results and asked.at == AT
        return Broken("broken_before_sent") if is_first else None

    told = _asked(live(AT + 200, acts=acts, meddle=lose))
    assert told[2:] == [
        (AT, UPLOAD, 1, [(SUCCESS, 1)]),
        (AT + 100, INVALIDATION, 1, []),
        (AT + 100, UPLOAD, 2, [(SUCCESS, 2)]),
    ]


def test_pushes_while_a_fetch_is_under_way_are_one_more_fetch() -> None:
    """Five pushes at one instant: one fetch, and one that follows it, never two at once."""
    acts = [_queue("DEVICE_SET_VOLUME", '{"volume": 5}') for _ in range(5)]
    told = _asked(live(AT + 60, acts=acts))
    fetches = [why for at, why, _, _ in told if at == AT and why == INVALIDATION]
    assert len(fetches) <= 2
    assert sorted(identifier for _, _, _, results in told for _, identifier in results) == [1, 2, 3, 4, 5]


def test_status_is_forced() -> None:
    """At once; but ten seconds after the one before at the earliest. The next one is three hours after that."""
    forced = [_queue("DEVICE_FETCH_STATUS", at=BOOT_S + 64), _queue("DEVICE_FETCH_STATUS", at=AT)]
    life = live(AT + 10_801, acts=forced)
    assert [one.at for one in life.of("status_upload")] == [BOOT_S + 60, BOOT_S + 70, AT, AT + 10_800]


def test_a_reboot_gives_notice_to_a_user() -> None:
    """With user_session_delay_s it waits that long while somebody is signed in; then the machine boots, and is told of
    the order again: booted after it was given, so that is its success."""
    life = live(AT + 400, acts=[_queue("DEVICE_REBOOT", '{"user_session_delay_s": 120}')])
    again = AT + 120 + 5 + 5
    assert _asked(life)[1:] == [
        (AT, INVALIDATION, None, []),
        (again, STARTUP, None, []),
        (again, UPLOAD, 1, [(SUCCESS, 1)]),
    ]
    # the person comes back to a policy that is cached: no second registration
    assert [one.at for one in life.of("user SIGNIN")] == [BOOT_S + 5 + TYPING_S, again + TYPING_S]
    assert len([one for one in life.of("register") if one.at > 1]) == 1


@pytest.mark.parametrize("said", ["-120", "1" + "0" * 400, '"120"', "null"])
def test_a_notice_that_is_none_is_not_given(said: str) -> None:
    """The machine boots at once; a number that nobody can wait for is no end of the run either."""
    life = live(AT + 60, acts=[_queue("DEVICE_REBOOT", f'{{"user_session_delay_s": {said}}}')])
    assert _asked(life)[2] == (AT + 10, STARTUP, None, [])


@pytest.mark.parametrize("answered", [True, False])
def test_a_powerwash_is_acknowledged_first(answered: bool) -> None:
    """Success goes up, then the machine is wiped, also where the acknowledgement got no answer: it comes back as a
    stranger, through state determination, to another registration and another user's client."""

    def deaf(asked: Asked) -> Broken | None:
        results = asked.message.remote_command_request.command_results
        return Broken("broken_before_sent") if results and not answered else None

    life = live(AT + 60, acts=[_queue("DEVICE_REMOTE_POWERWASH")], meddle=deaf)
    assert _asked(life)[2] == (AT, UPLOAD, 1, [(SUCCESS, 1)])
    acknowledged = life.asked.index(life.of("remote_commands")[2])
    assert life.asked[acknowledged + 1].kind == "device_state_retrieval"
    after = [one for one in life.asked[acknowledged + 1 :] if one.kind != "device_state_retrieval"]
    before = {one.query["deviceid"] for one in life.asked[: acknowledged + 1]}
    assert not before & {one.query["deviceid"] for one in after}
    kinds = ["register", "device DEVICE_ENROLLMENT", "api_authorization", "device BROWSER_START"]
    assert [one.kind for one in after][:4] == kinds
    assert _asked(life)[3][:3] == (AT + 5, STARTUP, None)


def test_users_are_wiped() -> None:
    """Success goes up; then the user of before is a stranger: signs in, and is registered under another id."""
    life = live(AT + 60, acts=[_queue("DEVICE_WIPE_USERS")])
    registrations = [one for one in life.of("register") if one.at > 1]
    assert [one.at for one in registrations] == [BOOT_S + 5 + TYPING_S, AT + TYPING_S]
    assert registrations[0].query["deviceid"] != registrations[1].query["deviceid"]
    assert not registrations[1].message.register_request.reregister


def test_orders_that_cannot_be_believed() -> None:
    """Two orders, one with a bent signature: the good one is obeyed, the other answered RESULT_IGNORED with id -1; the
    server sends it again and is not answered again."""

    def bend(_stage: Stage, asked: Asked, answer: Response) -> Response:
        if asked.kind != "remote_commands":
            return answer
        message = pb.DeviceManagementResponse.FromString(answer.body)
        for order in message.remote_command_response.secure_commands:
            command = pb.RemoteCommand.FromString(pb.PolicyData.FromString(order.data).policy_value)
            if command.command_id == 1:
                order.signature = bytes(len(order.signature))
        return Response(200, body=message.SerializeToString())

    acts = [_queue("DEVICE_SET_VOLUME", '{"volume": 5}', at) for at in (10.0, 11.0)]
    told = _asked(live(BOOT_S + 30, acts=acts, bend=bend))
    assert [why for _, why, _, _ in told] == [STARTUP, UPLOAD, UPLOAD]
    assert [result for _, _, _, results in told for result in results] == [(SUCCESS, 2), (IGNORED, -1)]
