"""Accounts as LDIF (RFC 2849) for ldapadd, inetOrgPerson below a unit of their own, and the LDIF that removes them.

The unit is created with them, so no entry that was there before has one of their names.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Sequence

from simulator.exports.person import DESCRIPTION, Person

USAGE = "ldapadd -f {write} with your server's -H, -D and -y; remove with ldapmodify -f {remove}"

UNIT = "fleetrush"
_WIDTH = 76
# SAFE-STRING of RFC 2849: no control character, no first space, colon or less-than, and no last space either
_SAFE = re.compile(r"(?![ :<])[\x01-\x09\x0b\x0c\x0e-\x7f]*(?<! )")
# What a value in a distinguished name has escaped (RFC 4514 2.4)
_ESCAPED = re.compile(r'[\\"+,;<>=]|^[ #]| $')


def write(people: Sequence[Person], domain: str) -> str:
    """Entries of the unit and of each person; passwords are plain, the server hashes them as it is set to."""
    unit = _unit(domain)
    ours = (("dn", unit), ("objectClass", "organizationalUnit"), ("ou", UNIT), ("description", DESCRIPTION))
    records: list[tuple[tuple[str, str], ...]] = [ours]
    records += [
        (
            ("dn", _name(person, unit)),
            ("objectClass", "inetOrgPerson"),
            ("uid", person.user),
            ("cn", person.display_name),
            ("sn", person.family_name),
            ("givenName", person.given_name),
            ("displayName", person.display_name),
            ("mail", person.user),
            ("description", DESCRIPTION),
            ("userPassword", person.password),
        )
        for person in people
    ]
    return _text(records)


def remove(people: Sequence[Person], domain: str) -> str:
    """Changes that delete each person and then the unit, which a server refuses while anybody else is in it."""
    unit = _unit(domain)
    return _text([(("dn", name), ("changetype", "delete")) for name in (*(_name(one, unit) for one in people), unit)])


def _unit(domain: str) -> str:
    return ",".join((f"ou={UNIT}", *(f"dc={_escaped(label)}" for label in domain.split("."))))


def _name(person: Person, unit: str) -> str:
    return f"uid={_escaped(person.user)},{unit}"


def _escaped(text: str) -> str:
    return _ESCAPED.sub(lambda found: "\\" + found[0], text)


def _text(records: Sequence[Sequence[tuple[str, str]]]) -> str:
    blocks = ["version: 1", *("\n".join(_line(name, value) for name, value in record) for record in records)]
    return "\n\n".join(blocks) + "\n"


def _line(name: str, value: str) -> str:
    """One attribute, as base64 where it is not safe as it is, folded."""
    line = f"{name}: {value}" if _SAFE.fullmatch(value) else f"{name}:: {b64encode(value.encode()).decode()}"
    # a folded line goes on after one space
    parts = [line[:_WIDTH], *(line[at : at + _WIDTH - 1] for at in range(_WIDTH, len(line), _WIDTH - 1))]
    return "\n ".join(parts)
