"""Passwords that follow from a secret, and one-time codes against the vectors of their RFCs."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.protocols.account import Account, one_time_code, password_of, read_totp_secret, wrong_password

# RFC 6238 Appendix B and RFC 4226 Appendix D share this secret.
SECRET = b"12345678901234567890"
BASE32 = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"


@pytest.mark.parametrize(
    ("unix_s", "code"),
    [
        (59, "94287082"),
        (1111111109, "07081804"),
        (1111111111, "14050471"),
        (1234567890, "89005924"),
        (2000000000, "69279037"),
        (20000000000, "65353130"),
    ],
)
def test_codes_of_rfc_6238(unix_s: float, code: str) -> None:
    """Each SHA-1 row of RFC 6238 Appendix B, in eight digits, and its last six as devices type them."""
    assert one_time_code(SECRET, unix_s, digits=8) == code
    assert one_time_code(SECRET, unix_s) == code[2:]
    assert Account("taro", "p", BASE32).code(unix_s) == code[2:]


def test_codes_of_rfc_4226() -> None:
    """Each row of RFC 4226 Appendix D: the counter is the number of the half minute, all of it."""
    codes = "755224 287082 359152 969429 338314 254676 287922 162583 399871 520489"
    for count, code in enumerate(codes.split()):
        assert one_time_code(SECRET, 30 * count) == one_time_code(SECRET, 30 * count + 29.999) == code


def test_an_account_without_a_secret_has_no_code() -> None:
    """No secret, no code."""
    assert Account("taro", "p").code(59) is None


@pytest.mark.parametrize("text", [BASE32, BASE32.lower(), "GEZD GNBV GY3T QOJQ GEZD GNBV GY3T QOJQ"])
def test_secrets_as_providers_show_them(text: str) -> None:
    """In lower case and in groups it is the same secret."""
    assert read_totp_secret(text) == SECRET


@pytest.mark.parametrize(
    ("text", "secret"), [("MY", b"f"), ("MY======", b"f"), ("MZXW6===", b"foo"), ("MZXW6YQ", b"foob")]
)
def test_padding_may_be_left_out(text: str, secret: bytes) -> None:
    """The vectors of RFC 4648 10."""
    assert read_totp_secret(text) == secret


@pytest.mark.parametrize("text", ["", "  ", "1", "A", "MZXW6!", "漢"])
def test_what_is_no_secret(text: str) -> None:
    """Anything else is refused."""
    with pytest.raises(ValueError, match=r"^(not base32|empty)$"):
        read_totp_secret(text)


@given(
    st.binary(min_size=1, max_size=64),
    st.from_regex(r"[a-z]{2,12}\.[a-z]{2,12}\.[0-9]{4}@city\.example", fullmatch=True),
)
def test_passwords_pass_complexity_rules(secret: bytes, user: str) -> None:
    """17 characters, three kinds and a dash; no vowel, so no part of a name; nothing to quote anywhere."""
    password = password_of(secret, user)
    assert re.fullmatch(r"[A-Z][a-z][0-9]-[A-Za-z0-9]{13}", password)
    assert not set(password.lower()) & set("aeiouy01")
    assert password == password_of(secret, user)
    assert password not in (password_of(secret + b"x", user), password_of(secret, "x" + user))


def test_passwords_are_as_many_as_they_look() -> None:
    """10,000 users have 10,000 passwords, and each place takes every character of its alphabet."""
    passwords = [password_of(b"s", f"user{number}") for number in range(10_000)]
    assert len(set(passwords)) == 10_000
    assert [len({password[at] for password in passwords}) for at in range(17)] == [20, 19, 8, 1, *[47] * 13]


def test_a_wrong_password_is_wrong() -> None:
    """No password that we make is one that is typed wrong, and each wrong one is another."""
    wrong = [wrong_password(attempt) for attempt in range(1, 31)]
    assert len(set(wrong)) == 30
    assert not any(re.fullmatch(r"[A-Z][a-z][0-9]-.{13}", one) for one in wrong)


def test_no_secret_is_shown() -> None:
    """An account in a traceback or a log tells neither password nor secret."""
    assert repr(Account("taro", "hidden-1", "HIDDEN2")) == "Account(user='taro', expendable=False)"
