"""How a Chromebook's browser names itself to servers: the `agent` and `platform` of device management, the User-Agent.

Names only, from the versions and the machine that they are told; nothing is drawn here.
"""

from __future__ import annotations

from functools import lru_cache
from hashlib import sha1

# What every Chromebook tells since Chrome 107, whatever its processor and version (chromium.org, User-Agent Reduction).
_SYSTEM = "X11; CrOS x86_64 14541.0.0"
# A release branch has a few thousand commits at most.
_BRANCH_COMMITS = 3000


@lru_cache(maxsize=256)
def agent_of(chrome_version: str) -> str:
    """The `agent` of its management requests: product, version, last change.

    The form is Chromium's, device_management_service_configuration.cc and build/util/lastchange.py: the commit, the
    branch named like the version's third part, and the commit's position in it. Which commit a version was built from
    is not known here: its hash and position are made from the version, so that they are the same for all its devices.
    """
    digest = sha1(chrome_version.encode(), usedforsecurity=False)
    branch = chrome_version.split(".")[2]
    position = 1 + int.from_bytes(digest.digest()[:4], "big") % _BRANCH_COMMITS
    return f"Google Chrome {chrome_version}({digest.hexdigest()}-refs/branch-heads/{branch}@{{#{position}}})"


@lru_cache(maxsize=256)
def platform_of(board: str, arch: str, hwid: str, os_version: str) -> str:
    """The `platform` of its management requests: system and board, processor and hardware class, platform version.

    Chromium device_management_service_configuration.cc, GetPlatformParameter.
    """
    return f"Linux,CrOS,{board}|{arch},{hwid}|{os_version}"


@lru_cache(maxsize=256)
def user_agent_of(chrome_version: str) -> str:
    """The User-Agent of all that its browser asks for: of the version only the first number is told."""
    major = chrome_version.partition(".")[0]
    return f"Mozilla/5.0 ({_SYSTEM}) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{major}.0.0.0 Safari/537.36"
