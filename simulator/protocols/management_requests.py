"""The envelope of the device management protocol: what every request carries, and how every answer is sorted.

Addresses, query, headers and status codes only. What a single request kind says is not known here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeVar
from urllib.parse import quote_plus

from google.protobuf.message import DecodeError

from simulator.protocols import management_pb2 as pb
from simulator.protocols.messages import Broken, Exchange, Refused, Request, Response, Trouble, settle

T = TypeVar("T")

# Chromium net/base/escape.cc: EscapeQueryParamValue leaves these alone besides letters and digits; a space becomes "+".
_KEPT = "!'()*-._~"

# A service of the browser asks, no page (seen on the wire of Chromium 156, after these two and before User-Agent).
_HEADERS = (
    ("Content-Type", "application/protobuf"),
    ("Sec-Fetch-Site", "none"),
    ("Sec-Fetch-Mode", "no-cors"),
    ("Sec-Fetch-Dest", "empty"),
)

# ui/base/device_form_factor.h: a Chromebook counts as a desktop; newest clients always say so.
FORM_FACTOR = pb.DeviceInfo(form_factor=pb.DeviceInfo.DESKTOP)

# HTTP status -> what the client makes of it (Chromium dmserver_job_configurations.cc and cloud_policy_constants.cc).
CLIENT_STATUS: Mapping[int, str] = {
    200: "SUCCESS",
    400: "REQUEST_INVALID",
    401: "SERVICE_MANAGEMENT_TOKEN_INVALID",
    402: "SERVICE_MISSING_LICENSES",
    403: "SERVICE_MANAGEMENT_NOT_SUPPORTED",
    404: "TEMPORARY_UNAVAILABLE",
    405: "SERVICE_INVALID_SERIAL_NUMBER",
    406: "SERVICE_DOMAIN_MISMATCH",
    409: "SERVICE_DEVICE_ID_CONFLICT",
    410: "SERVICE_DEVICE_NOT_FOUND",
    412: "SERVICE_ACTIVATION_PENDING",
    413: "REQUEST_TOO_LARGE",
    417: "SERVICE_CONSUMER_ACCOUNT_WITH_PACKAGED_LICENSE",
    418: "SERVICE_INVALID_PACKAGED_DEVICE_FOR_KIOSK",
    419: "SERVICE_ORG_UNIT_ENROLLMENT_LIMIT_EXCEEEDED",  # sic
    429: "SERVICE_TOO_MANY_REQUESTS",
    902: "SERVICE_POLICY_NOT_FOUND",
    903: "SERVICE_DEPROVISIONED",
    904: "SERVICE_ARC_DISABLED",
    905: "SERVICE_ENTERPRISE_ACCOUNT_IS_NOT_ELIGIBLE_TO_ENROLL",
    906: "SERVICE_ENTERPRISE_TOS_HAS_NOT_BEEN_ACCEPTED",
    907: "SERVICE_ILLEGAL_ACCOUNT_FOR_PACKAGED_EDU_LICENSE",
}
# Why a connection failed -> Chromium's net error, where the client asks again by itself (device_management_service.cc
# and net/base/net_error_list.h). Three more are of a network that changes or is gone, which devices here never see.
RETRIED: Mapping[str, int] = {
    "name_unknown": -105,  # NAME_NOT_RESOLVED
    "unreachable": -109,  # ADDRESS_UNREACHABLE
    "connect_timeout": -118,  # CONNECTION_TIMED_OUT
}
# Codes of the protocol's own beyond HTTP's: a server's well-formed no.
_OWN_REFUSALS = range(902, 908)


@dataclass(frozen=True, slots=True)
class Identity:
    """Who a client is to its management server.

    Attributes:
        url: where all requests go: the management target's base URL plus /devicemanagement/data/api.
        device_id: of this registration: a UUID in lower case; a device and each of its users have their own.
        agent: product, version and change, e.g. "Google Chrome 126.0.6478.132(<hash>)".
        platform: "<os>|<hardware>|<os version>".
        dm_token: what registration gave; empty before it.
    """

    url: str
    device_id: str
    agent: str
    platform: str
    dm_token: str = ""


def client_status(http_status: int) -> str:
    """The client's name for a status code, by which its timers decide when to come back."""
    return CLIENT_STATUS.get(http_status) or (
        "TEMPORARY_UNAVAILABLE" if 500 <= http_status < 600 else "HTTP_STATUS_ERROR"
    )


@lru_cache(maxsize=4096)
def _escaped(device_id: str) -> str:
    return quote_plus(device_id, safe=_KEPT)


@lru_cache(maxsize=512)
def _start(agent: str, critical: bool) -> str:
    said = "&critical=true" if critical else ""
    return f"&agent={quote_plus(agent, safe=_KEPT)}&apptype=Chrome{said}&deviceid="


@lru_cache(maxsize=512)
def _end(platform: str, kind: str) -> str:
    return f"&platform={quote_plus(platform, safe=_KEPT)}&request={kind}"


def ask(
    step: str,
    who: Identity,
    kind: str,
    message: pb.DeviceManagementRequest | bytes,
    read: Callable[[Response], T],
    *,
    oauth_token: str | None = None,
    enrollment_token: str = "",
    critical: bool = False,
) -> Exchange[T]:
    """One exchange with the management server; repeated as device_management_service.cc does where no connection came.

    Args:
        step: the exchange's name in the record.
        who: the client; its DM token, when it has one and no OAuth token speaks for it, authorises.
        kind: the `request` parameter (Chromium dm_auth.cc and cloud_policy_constants.cc).
        message: the body; serialized already where many clients send the same one.
        read: how to read the answer.
        oauth_token: of the query; an empty one is sent as well (policy and status requests do), None is not.
        enrollment_token: speaks for a client that has neither.
        critical: whether the device waits for this in its first setup.
    """
    token = "" if oauth_token is None else f"&oauth_token={quote_plus(oauth_token, safe=_KEPT)}"
    start, device_id, end = _start(who.agent, critical), _escaped(who.device_id), _end(who.platform, kind)
    headers: tuple[tuple[str, str], ...] = _HEADERS
    if enrollment_token:
        headers = (("Authorization", f"GoogleEnrollmentToken token={enrollment_token}"), *headers)
    elif who.dm_token and not oauth_token:
        headers = (("Authorization", f"GoogleDMToken token={who.dm_token}"), *headers)

    def again(trouble: Trouble) -> Request | None:
        error = RETRIED.get(trouble.reason)
        if error is None:
            return None
        url = request.url.replace("?retry=false", f"?retry=true&lasterror={error}", 1)
        # the first try may have reached the server
        if not isinstance(message, bytes) and message.HasField("register_request"):
            message.register_request.reregister = True
            return Request("POST", url, headers, message.SerializeToString())
        return Request("POST", url, headers, body)

    body = message if isinstance(message, bytes) else message.SerializeToString()
    url = f"{who.url}?retry=false{start}{device_id}&devicetype=2{token}{end}"
    request = Request("POST", url, headers, body)
    return Exchange(step, request, read, again, "at_once" if kind == "policy" else "growing")


def answer(response: Response, part: str) -> pb.DeviceManagementResponse:
    """The decoded answer, which must have the part that belongs to the request.

    Raises:
        Refused: a 4xx, 429, 503, or one of the protocol's own codes 902 to 907.
        Broken: another status; a 200 that cannot be decoded ("undecodable") or lacks the part ("missing_part").
    """
    if response.status in _OWN_REFUSALS:
        raise Refused("http_status", _said(response), status=response.status)
    if response.status != 200:
        settle(response, detail=_said(response))
    message = _decoded(response.body)
    if message is None:
        raise Broken("undecodable", "RESPONSE_DECODING_ERROR", status=200)
    if not message.HasField(part):  # type: ignore[arg-type]  # the stub knows the names one by one
        raise Broken("missing_part", f"RESPONSE_DECODING_ERROR: no {part}", status=200)
    return message


def done(part: str) -> Callable[[Response], None]:
    """A reader for answers that only have to be there."""

    def read(response: Response) -> None:
        answer(response, part)

    return read


def text(value: object) -> str:
    """A string field as text. Raises: Broken when the bytes sent are not UTF-8, which a proto2 string may hold."""
    if isinstance(value, str):
        return value
    raise Broken("undecodable", "a string that is not UTF-8", status=200)


def texts(values: Sequence[object]) -> tuple[str, ...]:
    """As `text`, of a repeated field."""
    # a slice is made at once, where a loop over the field asks for one after the other
    return tuple(map(text, values[:]))


def _decoded(body: bytes) -> pb.DeviceManagementResponse | None:
    try:
        return pb.DeviceManagementResponse.FromString(body)
    except DecodeError:
        return None


def _said(response: Response) -> str:
    """What an answer other than 200 means, and the server's own line if it has one."""
    name = client_status(response.status)
    message = _decoded(response.body)
    if message is None:
        return name
    # Chromium device_management_service.cc: a 410 may ask for the deletion of the token.
    if response.status == 410 and pb.CBCM_DELETION_POLICY_PREFERENCE_DELETE_TOKEN in message.error_detail:
        name = "SERVICE_DEVICE_NEEDS_RESET"
    return f"{name}: {str(message.error_message)[:200]}" if message.error_message else name
