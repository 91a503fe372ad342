"""What a person answers at a provider's login: a name, a password, a one-time code. Pure: secrets and time come in.

Nothing here knows a page, a file or a device.
"""

from __future__ import annotations

import hmac
from base64 import b32decode
from dataclasses import dataclass, field

# Three kinds of characters and a fourth that forms, files and shells take as it is: enough for a provider that demands
# three of four (Active Directory's complexity rule). No vowels, so that no name lies in a password (the same rule), and
# nothing that is mistaken for something else.
_UPPER = "BCDFGHJKLMNPQRSTVWXZ"
_LOWER = "bcdfghjkmnpqrstvwxz"
_DIGITS = "23456789"
_ANY = _UPPER + _LOWER + _DIGITS
_PASSWORD_LENGTH = 17

_CODE_DIGITS = 6
_CODE_STEP_S = 30


@dataclass(frozen=True, slots=True)
class Account:
    """One account at the identity provider.

    Attributes:
        user: the name that is typed.
        totp: the base32 secret of its one-time codes, "" where it has none.
        expendable: it may be locked: wrong passwords are played on no other.
    """

    user: str
    password: str = field(repr=False)
    totp: str = field(default="", repr=False)
    expendable: bool = False

    def code(self, unix_s: float) -> str | None:
        """The one-time code of an instant, None without a secret for it."""
        return one_time_code(read_totp_secret(self.totp), unix_s) if self.totp else None


def password_of(secret: bytes, user: str) -> str:
    """The password of a generated user: 17 characters, 80 bits, that whoever holds the secret can tell."""
    number = int.from_bytes(hmac.digest(secret, user.encode(), "sha256"), "big")
    drawn = []
    for alphabet in (_UPPER, _LOWER, _DIGITS, "-", *[_ANY] * (_PASSWORD_LENGTH - 4)):
        number, at = divmod(number, len(alphabet))
        drawn.append(alphabet[at])
    return "".join(drawn)


def wrong_password(attempt: int) -> str:
    """What is typed instead of a password, another one each time; it follows from no secret."""
    return f"not-the-password-{attempt}"


def read_totp_secret(text: str) -> bytes:
    """The bytes of a base32 secret (RFC 4648 6), in whatever case, spaces between groups, padded or not.

    Raises: ValueError for anything else, and for an empty one.
    """
    bare = text.replace(" ", "").rstrip("=").upper()
    try:
        secret = b32decode(bare + "=" * (-len(bare) % 8))
    except ValueError:
        raise ValueError("not base32") from None
    if not secret:
        raise ValueError("empty")
    return secret


def one_time_code(secret: bytes, unix_s: float, *, digits: int = _CODE_DIGITS) -> str:
    """The code of an instant (RFC 6238 4 on HMAC-SHA-1, steps of 30 s; truncation of RFC 4226 5.3)."""
    mac = hmac.digest(secret, int(unix_s // _CODE_STEP_S).to_bytes(8, "big"), "sha1")
    at = mac[-1] & 15
    number = int.from_bytes(mac[at : at + 4], "big") & 0x7FFFFFFF
    return f"{number % 10**digits:0{digits}}"
