"""A targets file whose provider lies at an address that needs leave, and the authorisation that gives it."""

from __future__ import annotations

TARGETS = """
[targets.identity]
url = "{url}"
staging = {staging}
[authorisation]
hosts = ["127.0.0.2"]
owner = "City of Example"
approved_by = "T. Sato"
from = {first}
until = {until}
max_rate_per_s = {rate}
"""


def leave(first: str, until: str, rate: int, *, url: str = "http://127.0.0.2:8080", staging: bool = False) -> str:
    """The file. The second loopback address stands in for a foreign host; `first` and `until` are ISO instants."""
    return TARGETS.format(url=url, staging=str(staging).lower(), first=first, until=until, rate=rate)
