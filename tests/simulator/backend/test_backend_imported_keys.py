"""Policy keys from a file: what a file must say, which key is in use when, and that both kinds of client accept it."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from management_bench import SETTINGS, Bench

from simulator.backend.imported_keys import WrongKeys, read_policy_keys
from simulator.backend.management_keys import PolicyKeys
from simulator.backend.store import Store
from simulator.protocols import management_pb2 as pb
from simulator.protocols.policy import SHA1_RSA, SHA256_RSA, PolicySigner, verified

TEXT = (Path(__file__).parents[2] / "data/chromium-test-keys.json").read_text()
TOLD = json.loads(TEXT)["keys"]
FIRST, SECOND = read_policy_keys(TEXT, "example.com")


def test_chromiums_published_keys_are_read_for_each_of_their_domains() -> None:
    """Two keys of 512 bits, by version, each with the signature of the domain asked for."""
    for domain in ("example.com", "chromepolicytest.com", "managedchrome.com"):
        keys = read_policy_keys(TEXT, domain)
        told = [
            (TOLD[version]["private_key_pkcs8"], TOLD[version]["verification_signatures"][domain]) for version in "12"
        ]
        assert [(b64encode(key.private_der).decode(), b64encode(key.signature).decode()) for key in keys] == told


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (lambda told: told.clear(), 'expected an object with "keys"'),
        (lambda told: told.update(keys=[]), 'expected an object with "keys"'),
        (lambda told: told.update(keys={}), 'expected an object with "keys"'),
        (lambda told: told["keys"].pop("1"), 'keys: no "1"; expected 1 versions from "1"'),
        (lambda told: told["keys"].update({"4": {}}), 'keys: no "3"; expected 3 versions from "1"'),
        (lambda told: told["keys"].update({"2": 7}), "keys.2.verification_signatures: expected an object of domains"),
        (
            lambda told: told["keys"]["2"]["verification_signatures"].pop("example.com"),
            "keys.2.verification_signatures: none for domain example.com; there are chromepolicytest.com, managed",
        ),
        (
            lambda told: told["keys"]["1"]["verification_signatures"].update({"example.com": "ü"}),
            "keys.1.verification_signatures.example.com: expected base64",
        ),
        (lambda told: told["keys"]["1"].pop("private_key_pkcs8"), "keys.1.private_key_pkcs8: expected base64"),
        (
            lambda told: told["keys"]["1"].update(private_key_pkcs8="AAAA"),
            "keys.1.private_key_pkcs8: expected a private RSA key, PKCS #8, DER",
        ),
    ],
)
def test_a_wrong_file_is_one_line(change: Callable[[Any], object], line: str) -> None:
    """Where, and what was expected."""
    told = json.loads(TEXT)
    change(told)
    with pytest.raises(WrongKeys, match=r"^[^\n]*$") as caught:
        read_policy_keys(json.dumps(told), "example.com")
    assert str(caught.value).startswith(line)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["1", "2", "keys", "x"]), inner),
    max_leaves=8,
)


@given(st.text(max_size=20) | JSON.map(json.dumps) | JSON.map(lambda keys: json.dumps({"keys": keys})))
def test_any_text_is_keys_or_a_line(text: str) -> None:
    """Nothing but WrongKeys comes of a file."""
    with pytest.raises(WrongKeys):
        read_policy_keys(text, "example.com")


def test_the_imported_keys_are_used_in_their_order() -> None:
    """Key 1, then 2 signed by 1, and no third; what vouches for each is the file's signature, and our own root's."""
    keys = PolicyKeys(Store(":memory:"), "example.com", (FIRST, SECOND))
    assert keys.signer.public_der == PolicySigner(FIRST.private_der).public_der
    for version, imported in ((1, FIRST), (2, SECOND)):
        news = keys.news(0, SHA256_RSA)
        assert news is not None
        assert news.new_public_key_verification_signature_deprecated == imported.signature
        vouched = news.new_public_key_verification_data
        assert verified(vouched, news.new_public_key_verification_data_signature, keys.verification_key, SHA256_RSA)
        assert pb.PublicKeyVerificationData.FromString(vouched).new_public_key_version == version
        if version == 1:
            assert keys.rotate() == 2
    news = keys.news(1, SHA1_RSA)
    assert news is not None
    first = PolicySigner(FIRST.private_der).public_der
    assert verified(news.new_public_key, news.new_public_key_signature, first, SHA1_RSA)
    with pytest.raises(ValueError, match="policy key 2 is the last of those imported"):
        keys.rotate()
    assert keys.version == 2


def test_a_restart_goes_on_with_them_and_with_no_others(tmp_path: Path) -> None:
    """The same file after a rotation: key 2 is in use. Other keys for the same database are refused."""
    path = str(tmp_path / "backend.sqlite")
    PolicyKeys(Store(path), "example.com", (FIRST, SECOND)).rotate()
    assert PolicyKeys(Store(path), "example.com", (FIRST, SECOND)).version == 2
    assert PolicyKeys(Store(path), "example.com").version == 2
    for others in ((SECOND, FIRST), (FIRST,)):
        with pytest.raises(WrongKeys, match="the database has another key"):
            PolicyKeys(Store(path), "example.com", others)


def test_a_fleet_of_ours_accepts_them_too() -> None:
    """A device that holds our root finds nothing wrong with a policy signed by an imported key."""
    bench = Bench(Store(":memory:"), settings=replace(SETTINGS, policy_keys=(FIRST, SECOND)))
    blob = bench.policy(bench.register())
    assert blob.new_public_key == PolicySigner(FIRST.private_der).public_der
    assert verified(blob.policy_data, blob.policy_data_signature, blob.new_public_key, SHA256_RSA)
