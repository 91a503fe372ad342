"""Tokens that prove themselves, and what is good only once."""

from __future__ import annotations

import hmac
import json
from base64 import urlsafe_b64decode
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.backend.store import Store
from simulator.backend.tokens import Opened, Tokens

SECRET = bytes(range(32))


STORE = Store(":memory:")


def tokens(store: Store = STORE) -> Tokens:
    return Tokens(store, "s", lambda n: SECRET[:n])


@pytest.fixture
def store() -> Iterator[Store]:
    opened = Store(":memory:")
    yield opened
    opened.close()


def test_token_by_hand() -> None:
    """A token is base64url of the JSON of expiry and fields, a dot, and HMAC-SHA256 over kind, body and binding."""
    body, _, mac = tokens().make("code", "a", until_s=10.9, bound="b").partition(".")
    assert body == "WzEwLCJhIl0"  # [10,"a"]
    assert urlsafe_b64decode(mac + "=") == hmac.digest(SECRET, b"code WzEwLCJhIl0 b", "sha256")


@given(kind=st.text(), fields=st.lists(st.text()), until_s=st.integers(1, 2**40), bound=st.text())
def test_opens_as_made(kind: str, fields: list[str], until_s: int, bound: str) -> None:
    """What went in comes out, until the second it expires; of URL-safe characters whatever was carried."""
    made = tokens()
    token = made.make(kind, *fields, until_s=until_s, bound=bound)
    assert set(token) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.")
    assert made.open(kind, token, until_s - 0.001, bound=bound) == Opened(tuple(fields), until_s)
    assert made.open(kind, token, until_s, bound=bound) is None
    assert made.open(kind + "x", token, 0, bound=bound) is None
    assert made.open(kind, token, 0, bound=bound + "x") is None


@given(st.text(), st.integers(0, 10), st.text(max_size=3))
def test_anything_else_does_not_open(text: str, at: int, junk: str) -> None:
    """Arbitrary text and a damaged token open as nothing."""
    made = tokens()
    token = made.make("k", "field", until_s=9)
    damaged = token[:at] + junk + token[at + 1 :]
    assert made.open("k", text, 0) is None
    assert damaged == token or made.open("k", damaged, 0) is None


def test_services_apart(store: Store) -> None:
    """One service's token is nothing to another over the same store."""
    ours, theirs = Tokens(store, "a", b"a".ljust), Tokens(store, "b", b"b".ljust)
    token = ours.make("k", until_s=9)
    assert ours.open("k", token, 0) is not None
    assert theirs.open("k", token, 0) is None


def test_secret_is_kept(tmp_path: Path) -> None:
    """Whoever comes later over the same store opens what was made before, whatever new chance would give."""
    with closing(Store(str(tmp_path / "b.sqlite"))) as store:
        token = Tokens(store, "s", b"a".ljust).make("k", until_s=9)
    with closing(Store(str(tmp_path / "b.sqlite"))) as store:
        assert Tokens(store, "s", b"b".ljust).open("k", token, 0) is not None


def test_spend_once(store: Store) -> None:
    """The first time is good; kinds are apart; what has expired is forgotten, what has not is remembered."""
    made = tokens(store)
    assert made.spend("code", "1", 100, now=0)
    assert not made.spend("code", "1", 100, now=0)
    assert made.spend("page", "1", 1000, now=0)
    assert not made.spend("code", "1", 100, now=100)
    made.spend("code", "2", 1000, now=200)
    assert not made.spend("page", "1", 1000, now=200)
    assert [row["id"] for row in store.all("SELECT id FROM spent ORDER BY kind, id")] == ["2", "1"]


def test_spent_before_a_restart(tmp_path: Path) -> None:
    """It stays spent in the next life."""
    for first in (True, False):
        with closing(Store(str(tmp_path / "b.sqlite"))) as store:
            assert tokens(store).spend("code", "1", 100, now=0) is first


@pytest.mark.parametrize("text", ["", ".", "..", "WzEwXQ", "WzEwXQ."])
def test_half_a_token(text: str) -> None:
    """A body without its signature is nothing."""
    assert json.loads(urlsafe_b64decode("WzEwXQ==")) == [10]
    assert tokens().open("k", text, 0) is None


def test_expire_kills_what_was_made_before(tmp_path: Path) -> None:
    """No older token of that kind opens any more, in the next life neither; other kinds and new tokens do."""
    with closing(Store(str(tmp_path / "b.sqlite"))) as store:
        made = tokens(store)
        old, other = made.make("access", "a", until_s=9), made.make("refresh", "a", until_s=9)
        for _ in range(2):
            made.expire("access")
            assert made.open("access", old, 0) is None
        assert made.open("refresh", other, 0) is not None
        new = made.make("access", "a", until_s=9)
        assert made.open("access", new, 0) is not None
        # other services over the same store have tokens of their own
        assert Tokens(store, "t", b"t".ljust).make("access", "a", until_s=9) != new
    with closing(Store(str(tmp_path / "b.sqlite"))) as store:
        again = tokens(store)
        assert again.open("access", old, 0) is None
        assert again.open("access", new, 0) is not None
