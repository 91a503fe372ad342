"""One request to the management service, taken apart: the envelope, who asks, and the ways to say no.

Nothing is looked up here, and nothing is remembered.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import unquote_plus

from google.protobuf.message import DecodeError

from simulator.protocols import management_pb2 as pb
from simulator.protocols.messages import Request, Response

# Every `request` parameter that there is (policy facts 1.3).
REQUESTS = frozenset(
    {
        *("register", "certificate_based_register", "token_based_register", "register_browser"),
        *("register_policy_agent", "register_profile", "unregister"),
        *("policy", "policy_validation_report", "remote_commands", "api_authorization", "fm_registration_token_upload"),
        *("enterprise_check", "enterprise_psm_check", "device_state_retrieval", "device_initial_enrollment_state"),
        *("status_upload", "chrome_os_user_report", "chrome_desktop_report", "chrome_profile_report"),
        *("cert_upload", "gcm_id_update", "upload_euicc_info", "browser_public_key_upload", "app_install_report"),
        *("client_cert_provisioning", "generate_chrome_profile_challenge"),
        *("device_attribute_update_permission", "device_attribute_update"),
        *("check_user_account", "check_android_management", "public_saml_user_request", "promotion_eligibility"),
        *("active_directory_enroll_play_user", "active_directory_play_activity", "active_directory_user_signin"),
    }
)
# What a 410 says besides: what the client is to do with its DM token. Without, it keeps it, marked as worth nothing.
ERROR_DETAILS: Mapping[str, pb.DeviceManagementErrorDetail.ValueType] = {
    "delete_token": pb.CBCM_DELETION_POLICY_PREFERENCE_DELETE_TOKEN,
    "invalidate_token": pb.CBCM_DELETION_POLICY_PREFERENCE_INVALIDATE_TOKEN,
}
_TYPE = (("content-type", "application/x-protobuffer"),)
_LARGEST_BODY = 4 << 20


class Refusal(Exception):  # noqa: N818 - an answer, not an error of ours
    """The service says no: with an HTTP status of the protocol, and a line for the client's log."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


@dataclass(frozen=True, slots=True)
class Call:
    """A well-formed request.

    Attributes:
        kind: the `request` parameter. device_id: 1 to 64 printable ASCII characters.
        oauth_token: of the query. dm_token, enrollment_token, third_party: from the Authorization header.
        message: the body. body: the same as it came.
        now_ms: when, Unix milliseconds.
    """

    kind: str
    device_id: str
    oauth_token: str
    dm_token: str
    enrollment_token: str
    third_party: str
    message: pb.DeviceManagementRequest
    body: bytes
    now_ms: int

    def require(self, part: str) -> None:
        """Raises: Refusal 400 unless the body has this part."""
        if not self.message.HasField(part):  # type: ignore[arg-type]  # the stub knows the names one by one
            raise Refusal(400, f"no {part}")


def read_call(request: Request, now_ms: int) -> Call:
    """Take a request apart (the checks are those of Chromium's embedded_policy_test_server.cc).

    Raises: Refusal 400, or 413 for a body beyond 4 MiB.
    """
    if request.method != "POST":
        raise Refusal(400, "the management service takes POST only")
    if len(request.body) > _LARGEST_BODY:
        raise Refusal(413, "the body is too large")
    # Escapes are undone only where there may be some that matter: agent and platform, the longest, are not looked at.
    query = {pair.partition("=")[0]: pair.partition("=")[2] for pair in request.url.partition("?")[2].split("&")}
    device_id = unquote_plus(query.get("deviceid", ""))
    if query.get("devicetype") != "2" or query.get("apptype") != "Chrome":
        raise Refusal(400, "devicetype must be 2 and apptype Chrome")
    if not 1 <= len(device_id) <= 64 or not (device_id.isascii() and device_id.isprintable()):
        raise Refusal(400, "deviceid must have 1 to 64 printable ASCII characters")
    try:
        message = pb.DeviceManagementRequest.FromString(request.body)
    except DecodeError:
        raise Refusal(400, "the body is not a DeviceManagementRequest") from None
    scheme, _, rest = request.header("authorization").partition(" ")
    token = rest.strip().removeprefix("token=")
    return Call(
        kind=unquote_plus(query.get("request", "")),
        device_id=device_id,
        oauth_token=unquote_plus(query.get("oauth_token", "")),
        dm_token=token if scheme == "GoogleDMToken" else "",
        enrollment_token=token if scheme == "GoogleEnrollmentToken" else "",
        third_party=rest.strip() if scheme == "GoogleDM3PAuth" else "",
        message=message,
        body=request.body,
        now_ms=now_ms,
    )


def good_text(value: object) -> str:
    """A string field as text. Raises: Refusal 400 when it is not UTF-8, which a proto2 string may hold."""
    if isinstance(value, str):
        return value
    raise Refusal(400, "a string that is not UTF-8")


def answered(message: pb.DeviceManagementResponse) -> Response:
    """The answer to a call that was granted."""
    return Response(200, _TYPE, message.SerializeToString())


def refused(status: int, message: str, error_detail: str = "") -> Response:
    """The answer to a call that was not; `error_detail` is one of ERROR_DETAILS, or empty."""
    said = pb.DeviceManagementResponse(error_message=message)
    if error_detail:
        said.error_detail.append(ERROR_DETAILS[error_detail])
    return Response(status, _TYPE, said.SerializeToString())
