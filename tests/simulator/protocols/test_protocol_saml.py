"""The redirect binding in both directions, careful parsing, and the metadata."""

from __future__ import annotations

import zlib
from base64 import b64decode, b64encode

import pytest
from cryptography import x509
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from simulator.backend.idp_key import signing_key
from simulator.backend.store import Store
from simulator.protocols.saml import (
    AuthnRequest,
    BadAssertion,
    Provider,
    parse,
    provider_metadata,
    read_request,
    read_time,
    redirect_url,
    service_metadata,
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


def stored(data: bytes) -> bytes:
    """Raw DEFLATE by hand: one final stored block (RFC 1951 3.2.4): 01, length, its complement, the bytes."""
    return b"\x01" + len(data).to_bytes(2, "little") + (len(data) ^ 0xFFFF).to_bytes(2, "little") + data


def unquoted(text: str) -> str:
    """Percent-decoding by hand."""
    first, *rest = text.split("%")
    return first + "".join(chr(int(part[:2], 16)) + part[2:] for part in rest)


def test_read_request() -> None:
    """A request deflated by hand is read; a comment in the issuer does not cut it short."""
    assert read_request(b64encode(stored(XML)).decode()) == REQUEST


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


def test_metadata() -> None:
    """Both documents say what the other side has to know, and the certificate in it is the one."""
    certificate = signing_key(Store(":memory:"))[1]
    names = {"md": "urn:oasis:names:tc:SAML:2.0:metadata", "ds": "http://www.w3.org/2000/09/xmldsig#"}
    root = etree.fromstring(provider_metadata(Provider("https://idp/&", "https://idp/sso?a&b", certificate)))
    assert root.get("entityID") == "https://idp/&"
    sso = root.find("md:IDPSSODescriptor/md:SingleSignOnService", names)
    assert sso is not None
    assert sso.get("Location") == "https://idp/sso?a&b"
    assert sso.get("Binding") == "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect"
    der = b64decode(root.findtext(".//ds:X509Certificate", "", names))
    assert x509.load_der_x509_certificate(der) == certificate
    root = etree.fromstring(service_metadata("google.com/a/x", "https://sp/SSO"))
    acs = root.find("md:SPSSODescriptor/md:AssertionConsumerService", names)
    assert root.get("entityID") == "google.com/a/x"
    assert acs is not None
    assert acs.get("Location") == "https://sp/SSO"
    assert acs.get("Binding") == "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST"
