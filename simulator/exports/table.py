"""Accounts as CSV, in the columns that --accounts reads."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from io import StringIO

from simulator.exports.person import Person

COLUMNS = ("user", "password", "totp", "expendable")
USAGE = "for a provider that takes a list; fleetrush run --accounts {write} reads it too"


def write(people: Sequence[Person], domain: str) -> str:
    """One line a person (RFC 4180, but for Unix line ends); all are expendable, since they are made for this."""
    text = StringIO()
    lines = csv.writer(text, lineterminator="\n")
    lines.writerow(COLUMNS)
    lines.writerows((person.user, person.password, "", "yes") for person in people)
    return text.getvalue()
