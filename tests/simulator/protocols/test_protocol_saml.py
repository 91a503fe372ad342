"""The request by redirect and by post, signed and not, and careful parsing."""

from __future__ import annotations

import zlib
from base64 import b64decode, b64encode
from dataclasses import replace
from hashlib import sha256

import pytest
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from simulator.protocols.saml import (
    AuthnRequest,
    BadAssertion,
    parse,
    post_fields,
    read_request,
    read_time,
    reason_of,
    redirect_url,
    text_of,
    written,
)

# 2026-01-02T03:04:05Z: 56 years with 14 leap days, one day, 3 h 4 min 5 s.
ISSUED_S = (56 * 365 + 14 + 1) * 86400 + 3 * 3600 + 4 * 60 + 5
XML = (
    b'<p:AuthnRequest xmlns:p="urn:oasis:names:tc:SAML:2.0:protocol" ID="_1" Version="2.0"'
    b' IssueInstant="2026-01-02T03:04:05Z" Destination="https://idp.example/sso"'
    b' AssertionConsumerServiceURL="https://sp.example/SSO">'
    b'<a:Issuer xmlns:a="urn:oasis:names:tc:SAML:2.0:assertion">google.com/a/<!-- c -->city.example</a:Issuer>'
    b"</p:AuthnRequest>"
)
REQUEST = AuthnRequest(
    "_1", "google.com/a/city.example", "https://idp.example/sso", "https://sp.example/SSO", float(ISSUED_S)
)
KEY = generate_private_key(65537, 2048)


def stored(data: bytes) -> bytes:
    """Raw DEFLATE by hand: one final stored block (RFC 1951 3.2.4): 01, length, its complement, the bytes."""
    return b"\x01" + len(data).to_bytes(2, "little") + (len(data) ^ 0xFFFF).to_bytes(2, "little") + data


def unquoted(text: str) -> str:
    """Percent-decoding by hand."""
    first, *rest = text.split("%")
    return first + "".join(chr(int(part[:2], 16)) + part[2:] for part in rest)


def test_read_request() -> None:
    """A request deflated by hand is read; a comment in the issuer does not cut it short."""
    assert read_request(b64encode(stored(XML)).decode()) == replace(REQUEST, name_id_format="")


def test_redirect_url() -> None:
    """Base64 of raw DEFLATE, escaped; then RelayState (SAML bindings 3.4.4.1)."""
    url = redirect_url(REQUEST, "https://sp.example/next?a=1&b=2")
    to, query = url.split("?")
    first, second = query.split("&")
    assert to == "https://idp.example/sso"
    assert second == "RelayState=https%3A%2F%2Fsp.example%2Fnext%3Fa%3D1%26b%3D2"
    name, value = first.split("=")
    packed = b64decode(unquoted(value), validate=True)
    assert name == "SAMLRequest"
    with pytest.raises(zlib.error):
        zlib.decompress(packed)  # no zlib header
    root = etree.fromstring(zlib.decompress(packed, wbits=-15))
    assert dict(root.attrib) == {
        "ID": "_1",
        "Version": "2.0",
        "IssueInstant": "2026-01-02T03:04:05Z",
        "Destination": "https://idp.example/sso",
        "ProtocolBinding": "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST",
        "AssertionConsumerServiceURL": "https://sp.example/SSO",
    }
    assert root.tag == "{urn:oasis:names:tc:SAML:2.0:protocol}AuthnRequest"
    assert [child.tag.rpartition("}")[2] for child in root] == ["Issuer", "NameIDPolicy"]
    assert root[0].text == "google.com/a/city.example"
    assert root[1].get("Format") == "urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress"


def test_signed_redirect_url() -> None:
    """The signature is RSA-SHA256 over the query as it is sent, SigAlg last (SAML bindings 3.4.4.1); a RelayState that
    is not sent is not signed either."""
    for relay_state, names in (("r&1", ["SAMLRequest", "RelayState"]), ("", ["SAMLRequest"])):
        query = redirect_url(REQUEST, relay_state, KEY).partition("?")[2]
        signed, _, signature = query.partition("&Signature=")
        assert [pair.partition("=")[0] for pair in signed.split("&")] == [*names, "SigAlg"]
        assert signed.endswith("&SigAlg=http%3A%2F%2Fwww.w3.org%2F2001%2F04%2Fxmldsig-more%23rsa-sha256")
        KEY.public_key().verify(b64decode(unquoted(signature)), signed.encode(), PKCS1v15(), SHA256())


def test_post_fields() -> None:
    """The post binding: base64 of the document, not deflated, and RelayState (SAML bindings 3.5.4)."""
    fields = dict(post_fields(replace(REQUEST, name_id_format=""), "r"))
    assert fields["RelayState"] == "r"
    root = etree.fromstring(b64decode(fields["SAMLRequest"]))
    assert root.get("AssertionConsumerServiceURL") == "https://sp.example/SSO"
    assert dict(root[1].attrib) == {"AllowCreate": "true"}
    assert [name for name, _ in post_fields(REQUEST, "")] == ["SAMLRequest"]


def test_signed_post_fields() -> None:
    """A signed document has its signature after the issuer, and it is good by another path: the digest of the document
    without it, then RSA-SHA256 over SignedInfo."""
    root = etree.fromstring(b64decode(dict(post_fields(REQUEST, "", KEY))["SAMLRequest"]))
    assert [child.tag.rpartition("}")[2] for child in root] == ["Issuer", "Signature", "NameIDPolicy"]
    signature, names = root[1], {"ds": "http://www.w3.org/2000/09/xmldsig#"}
    info = etree.tostring(signature[0], method="c14n", exclusive=True)
    KEY.public_key().verify(b64decode(signature.findtext("ds:SignatureValue", "", names)), info, PKCS1v15(), SHA256())
    reference = signature.find(".//ds:Reference", names)
    assert reference is not None
    assert reference.get("URI") == "#_1"
    root.remove(signature)
    digest = b64decode(signature.findtext(".//ds:DigestValue", "", names))
    assert digest == sha256(etree.tostring(root, method="c14n", exclusive=True)).digest()


def test_redirect_url_with_a_query() -> None:
    """A destination that has a query keeps it."""
    request = AuthnRequest("_1", "i", "https://idp.example/sso?tenant=1", "https://sp.example/SSO", 0.0)
    assert redirect_url(request, "").startswith("https://idp.example/sso?tenant=1&SAMLRequest=")


@given(
    st.text(alphabet=st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"], exclude_characters="\ufffe\uffff"))
)
def test_request_both_ways(text: str) -> None:
    """What is written is read, whatever characters an issuer has."""
    issuer = " ".join(text.split())
    request = AuthnRequest("_1", issuer, "https://idp.example/?a=\"<'&", "https://sp.example/", 5.0)
    query = redirect_url(request, "r").rpartition("SAMLRequest=")[2].partition("&")[0]
    assert read_request(unquoted(query)) == request


@pytest.mark.parametrize(
    ("saml_request", "part"),
    [
        ("", "encoding"),
        ("*", "encoding"),
        (b64encode(XML).decode(), "encoding"),
        (b64encode(zlib.compress(XML)).decode(), "encoding"),
        (b64encode(stored(XML)[:-1]).decode(), "encoding"),
        (b64encode(stored(b"<a")).decode(), "xml"),
        (b64encode(stored(b"<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>")).decode(), "xml"),
        (b64encode(stored(b"<a/>")).decode(), "request"),
        (b64encode(stored(XML.replace(b'"2.0"', b'"1.1"'))).decode(), "request"),
        (b64encode(stored(XML.replace(b"2026-01-02T", b"yesterday"))).decode(), "request"),
    ],
)
def test_bad_request(saml_request: str, part: str) -> None:
    """Each fault is named by its part."""
    with pytest.raises(BadAssertion) as caught:
        read_request(saml_request)
    assert (caught.value.reason, caught.value.part) == ("bad_assertion", part)


def test_each_part_has_its_reason() -> None:
    """What is wrong with an assertion is a reason of its own in a sample; what cannot be read at all is one for all."""
    assert BadAssertion("audience").reason == reason_of("audience") == "assertion_audience"
    assert BadAssertion("xml").reason == reason_of("no such part") == "bad_assertion"


def test_inflation_is_bounded() -> None:
    """A few kilobytes that would blow up to a hundred megabytes are refused before they do."""
    packer = zlib.compressobj(wbits=-15)
    bomb = packer.compress(b" " * 100_000_000) + packer.flush()
    assert len(bomb) < 150_000
    with pytest.raises(BadAssertion):
        read_request(b64encode(bomb).decode())


@given(st.text() | st.binary().map(lambda data: b64encode(stored(data)).decode()))
def test_arbitrary_requests(text: str) -> None:
    """Whatever comes is a request or BadAssertion."""
    with pytest.raises(BadAssertion):
        read_request(text)


def test_external_entities_are_not_read() -> None:
    """A document with a DTD is refused as a whole."""
    with pytest.raises(BadAssertion):
        parse(b'<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>')


def test_text_past_a_comment() -> None:
    """A comment does not end a text: admin@x<!---->.evil is one name."""
    assert text_of(parse(b"<n> taro@city.example<!---->.evil </n>")) == "taro@city.example.evil"


@pytest.mark.parametrize(
    ("text", "unix_s"),
    [
        ("2026-01-02T03:04:05Z", ISSUED_S),
        ("2026-01-02T03:04:05.250Z", ISSUED_S + 0.25),
        ("2026-01-02T03:04:05", ISSUED_S),
        ("2026-01-02T12:04:05+09:00", ISSUED_S),
    ],
)
def test_times(text: str, unix_s: float) -> None:
    """xs:dateTime in UTC, with fractions as Keycloak writes them and with an offset all the same."""
    assert read_time(text, "x") == unix_s


def test_written_time() -> None:
    """Seconds, in UTC, with a Z."""
    assert written(ISSUED_S + 0.9) == "2026-01-02T03:04:05Z"
