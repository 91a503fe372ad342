"""SAML 2.0 web sign-in, its first half in both directions: the AuthnRequest by redirect, and both sides' metadata.

Also what every SAML document needs: its names, its times and careful parsing. Assertions are not judged here. No clock.
"""

from __future__ import annotations

import zlib
from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import urlencode
from xml.sax.saxutils import escape, quoteattr

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from lxml import etree

from simulator.protocols.messages import Broken

SAML = "urn:oasis:names:tc:SAML:2.0:assertion"
SAMLP = "urn:oasis:names:tc:SAML:2.0:protocol"
DSIG = "http://www.w3.org/2000/09/xmldsig#"
MD = "urn:oasis:names:tc:SAML:2.0:metadata"
POST_BINDING = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST"
REDIRECT_BINDING = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect"
EMAIL = "urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress"

NAMES = {"saml": SAML, "samlp": SAMLP}
_STRING = etree.XPath("string()")

# Of one message, in characters or bytes; real ones are a few thousand.
_MESSAGE_MAX = 256 * 1024


class BadAssertion(Broken):
    """A SAML message that is not accepted. `part` names the first thing wrong with it."""

    def __init__(self, part: str, detail: str = "") -> None:
        super().__init__("bad_assertion", f"{part}: {detail}"[:200] if detail else part)
        self.part = part


@dataclass(frozen=True, slots=True)
class AuthnRequest:
    """A service provider's request (SAML core 3.4.1). `issued_s`: Unix seconds; the URLs are absolute."""

    id: str
    issuer: str
    destination: str
    acs_url: str
    issued_s: float


@dataclass(frozen=True, slots=True)
class Provider:
    """An identity provider as a service provider knows it, from its metadata."""

    entity_id: str
    sso_url: str
    certificate: x509.Certificate


def redirect_url(request: AuthnRequest, relay_state: str) -> str:
    """Where to send a browser with this request: the redirect binding, unsigned (SAML bindings 3.4.4.1)."""
    xml = (
        f'<samlp:AuthnRequest xmlns:samlp="{SAMLP}" xmlns:saml="{SAML}" ID={quoteattr(request.id)} Version="2.0"'
        f' IssueInstant="{written(request.issued_s)}" Destination={quoteattr(request.destination)}'
        f' ProtocolBinding="{POST_BINDING}" AssertionConsumerServiceURL={quoteattr(request.acs_url)}>'
        f"<saml:Issuer>{escape(request.issuer)}</saml:Issuer>"
        f'<samlp:NameIDPolicy Format="{EMAIL}" AllowCreate="true"/></samlp:AuthnRequest>'
    )
    # Raw DEFLATE: no zlib header, no checksum.
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    packed = packer.compress(xml.encode()) + packer.flush()
    query = urlencode({"SAMLRequest": b64encode(packed).decode(), "RelayState": relay_state})
    return f"{request.destination}{'&' if '?' in request.destination else '?'}{query}"


def read_request(saml_request: str) -> AuthnRequest:
    """The request in a SAMLRequest parameter of the redirect binding, URL decoding done.

    Raises: BadAssertion: encoding, xml or request.
    """
    unpacker = zlib.decompressobj(wbits=-zlib.MAX_WBITS)
    try:
        xml = unpacker.decompress(unbase64(saml_request), _MESSAGE_MAX)
    except zlib.error as error:
        raise BadAssertion("encoding", str(error)) from None
    if not unpacker.eof:
        raise BadAssertion("encoding", "cut off, or too long")
    root = parse(xml)
    if root.tag != f"{{{SAMLP}}}AuthnRequest" or root.get("Version") != "2.0" or not root.get("ID"):
        raise BadAssertion("request", "not an AuthnRequest of SAML 2.0")
    return AuthnRequest(
        root.get("ID", ""),
        string_at(root, "saml:Issuer"),
        root.get("Destination", ""),
        root.get("AssertionConsumerServiceURL", ""),
        read_time(root.get("IssueInstant"), "request"),
    )


def provider_metadata(provider: Provider) -> bytes:
    """An identity provider's metadata document (SAML metadata 2.4.3)."""
    certificate = b64encode(provider.certificate.public_bytes(Encoding.DER)).decode()
    return (
        f'<md:EntityDescriptor xmlns:md="{MD}" entityID={quoteattr(provider.entity_id)}>'
        f'<md:IDPSSODescriptor protocolSupportEnumeration="{SAMLP}">'
        f'<md:KeyDescriptor use="signing"><ds:KeyInfo xmlns:ds="{DSIG}"><ds:X509Data><ds:X509Certificate>{certificate}'
        "</ds:X509Certificate></ds:X509Data></ds:KeyInfo></md:KeyDescriptor>"
        f"<md:NameIDFormat>{EMAIL}</md:NameIDFormat>"
        f'<md:SingleSignOnService Binding="{REDIRECT_BINDING}" Location={quoteattr(provider.sso_url)}/>'
        "</md:IDPSSODescriptor></md:EntityDescriptor>"
    ).encode()


def service_metadata(entity_id: str, acs_url: str) -> bytes:
    """A service provider's metadata document (SAML metadata 2.4.4)."""
    return (
        f'<md:EntityDescriptor xmlns:md="{MD}" entityID={quoteattr(entity_id)}>'
        f'<md:SPSSODescriptor protocolSupportEnumeration="{SAMLP}" WantAssertionsSigned="true">'
        f"<md:NameIDFormat>{EMAIL}</md:NameIDFormat>"
        f'<md:AssertionConsumerService Binding="{POST_BINDING}" Location={quoteattr(acs_url)} index="0"/>'
        "</md:SPSSODescriptor></md:EntityDescriptor>"
    ).encode()


def unbase64(text: str) -> bytes:
    """The bytes of a parameter; white space in it is allowed. Raises: BadAssertion: encoding."""
    if len(text) > _MESSAGE_MAX:
        raise BadAssertion("encoding", "too long")
    try:
        return b64decode("".join(text.split()), validate=True)
    except (Base64Error, ValueError) as error:
        raise BadAssertion("encoding", str(error)) from None


def parse(xml: bytes) -> etree._Element:
    """A document without a DTD, which is how XML is made to read files and to blow up. Raises: BadAssertion: xml."""
    try:
        root = etree.fromstring(xml, etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=False))
    except (etree.LxmlError, ValueError) as error:
        raise BadAssertion("xml", str(error)) from None
    if etree.ElementTree(root).docinfo.internalDTD is not None:
        raise BadAssertion("xml", "a DTD")
    return root


def text_of(element: etree._Element | None) -> str:
    """All text within, as canonical XML has it: a comment does not cut it short."""
    return "" if element is None else str(_STRING(element)).strip()


def string_at(root: etree._Element, path: str) -> str:
    """The text of the first element at a path of the NAMES' prefixes, "" where there is none."""
    return text_of(root.find(path, NAMES))


def written(unix_s: float) -> str:
    """Unix seconds as xs:dateTime in UTC, cut to the second (SAML core 1.3.3)."""
    return datetime.fromtimestamp(unix_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def read_time(text: str | None, part: str) -> float:
    """Unix seconds of an xs:dateTime in UTC (SAML core 1.3.3). Raises: BadAssertion: `part`."""
    try:
        moment = datetime.fromisoformat(text or "")
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        raise BadAssertion(part, f"a time that cannot be read: {text!r}") from None
