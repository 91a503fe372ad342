"""A user's report: which browser profile there is on the device (Chromium components/enterprise/browser/reporting).

What a device knows comes in; nothing is measured or drawn here.
"""

from __future__ import annotations

from dataclasses import dataclass

from simulator.protocols import management_pb2 as pb
from simulator.protocols.management_requests import Identity, ask, done
from simulator.protocols.messages import Exchange

# Where Chrome lies on a Chromebook (ChromeOS chromeos-chrome ebuild).
_CHROME = "/opt/google/chrome"


@dataclass(frozen=True, slots=True)
class UserReport:
    """What a user's report says.

    Attributes:
        profile: the folder of the user's profile. name: as the profile shows it.
        fetched_ms: when policy was fetched last, Unix milliseconds.
        affiliated: whether user and device belong to the same owner.
    """

    profile: str
    name: str
    fetched_ms: int
    affiliated: bool


def user_report(who: Identity, told: UserReport) -> Exchange[None]:
    """Report on the user's browser; a Chromebook leaves out version and channel (browser_report_generator.cc).

    Args:
        who: the user.
    """
    message = pb.DeviceManagementRequest()
    report = message.chrome_os_user_report_request.browser_report
    report.executable_path = _CHROME
    profile = report.chrome_user_profile_infos.add(id=told.profile, name=told.name, is_detail_available=True)
    profile.policy_fetched_timestamps.add(timestamp=told.fetched_ms)
    profile.affiliation.is_affiliated = told.affiliated
    read = done("chrome_os_user_report_response")
    return ask("management.user_report", who, "chrome_os_user_report", message, read)
