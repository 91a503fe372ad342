"""Whom an exported account is for: a generated account, with the names and the mark that providers keep beside it."""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field

# What every exported account says of itself, to whoever meets it in a directory.
DESCRIPTION = "fleetrush test account"


@dataclass(frozen=True, slots=True)
class Person:
    """One person of the fleet.

    Attributes:
        user: the address, in lower case; what is typed at the login.
        given_name, family_name: in Latin letters. display_name: as the city writes it.
        mark: a UUID that no other account has: it follows from the secret and the address, so that whoever holds the
            secret tells an account of ours from another one of the same name.
    """

    user: str
    password: str = field(repr=False)
    given_name: str
    family_name: str
    display_name: str
    mark: str


def mark_of(secret: bytes, user: str) -> str:
    """A UUID (RFC 9562, version 8) from the secret and the address."""
    value = bytearray(hmac.digest(secret, b"mark " + user.encode(), "sha256")[:16])
    value[6] = value[6] & 0x0F | 0x80
    value[8] = value[8] & 0x3F | 0x80
    text = value.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
