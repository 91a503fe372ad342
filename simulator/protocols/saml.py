"""SAML 2.0 web sign-in, its first half in both directions: the AuthnRequest by redirect and by post.

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

from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from lxml import etree
from signxml.algorithms import CanonicalizationMethod
from signxml.signer import XMLSigner

from simulator.protocols.messages import REASONS, Broken

SAML = "urn:oasis:names:tc:SAML:2.0:assertion"
SAMLP = "urn:oasis:names:tc:SAML:2.0:protocol"
DSIG = "http://www.w3.org/2000/09/xmldsig#"
POST_BINDING = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST"
REDIRECT_BINDING = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect"
EMAIL = "urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress"
RSA_SHA256 = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"

NAMES = {"saml": SAML, "samlp": SAMLP, "ds": DSIG}
_STRING = etree.XPath("string()")

# Of one message, in characters or bytes; real ones are a few thousand.
_MESSAGE_MAX = 256 * 1024


def reason_of(part: str) -> str:
    """The reason that a sample has for a BadAssertion of that part; bad_assertion for what cannot be read at all."""
    reason = f"assertion_{part}"
    return reason if reason in REASONS else "bad_assertion"


class BadAssertion(Broken):
    """A SAML message that is not accepted. `part` names the first thing wrong with it."""

    def __init__(self, part: str, detail: str = "") -> None:
        super().__init__(reason_of(part), f"{part}: {detail}"[:200] if detail else part)
        self.part = part


@dataclass(frozen=True, slots=True)
class AuthnRequest:
    """A service provider's request (SAML core 3.4.1). `issued_s`: Unix seconds; the URLs are absolute.

    `name_id_format` is what it wants the user to be called by; "" leaves that to the identity provider.
    """

    id: str
    issuer: str
    destination: str
    acs_url: str
    issued_s: float
    name_id_format: str = EMAIL


def redirect_url(request: AuthnRequest, relay_state: str, key: RSAPrivateKey | None = None) -> str:
    """Where to send a browser with this request: the redirect binding (SAML bindings 3.4.4.1).

    Args:
        relay_state: comes back with the answer; "" sends none.
        key: signs the query with RSA-SHA256; None leaves it unsigned.
    """
    # Raw DEFLATE: no zlib header, no checksum.
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    packed = packer.compress(_request_xml(request).encode()) + packer.flush()
    query = urlencode(
        {"SAMLRequest": b64encode(packed).decode()} | ({"RelayState": relay_state} if relay_state else {})
    )
    if key is not None:
        query += f"&{urlencode({'SigAlg': RSA_SHA256})}"
        signature = b64encode(key.sign(query.encode(), PKCS1v15(), SHA256())).decode()
        query += f"&{urlencode({'Signature': signature})}"
    return f"{request.destination}{'&' if '?' in request.destination else '?'}{query}"


def post_fields(
    request: AuthnRequest, relay_state: str, key: RSAPrivateKey | None = None
) -> tuple[tuple[str, str], ...]:
    """The form fields of this request in the post binding (SAML bindings 3.5.4); arguments as of redirect_url."""
    xml = _request_xml(request, signed=key is not None).encode()
    if key is not None:
        signer = XMLSigner(c14n_algorithm=CanonicalizationMethod.EXCLUSIVE_XML_CANONICALIZATION_1_0)
        root = signer.sign(etree.fromstring(xml), key=key, reference_uri=request.id, id_attribute="ID")
        xml = etree.tostring(root)
    fields = (("SAMLRequest", b64encode(xml).decode()),)
    return (*fields, ("RelayState", relay_state)) if relay_state else fields


def _request_xml(request: AuthnRequest, *, signed: bool = False) -> str:
    """The document; `signed` leaves a place for its signature, which the schema wants right after the issuer."""
    wanted = f" Format={quoteattr(request.name_id_format)}" if request.name_id_format else ""
    return (
        f'<samlp:AuthnRequest xmlns:samlp="{SAMLP}" xmlns:saml="{SAML}" ID={quoteattr(request.id)} Version="2.0"'
        f' IssueInstant="{written(request.issued_s)}" Destination={quoteattr(request.destination)}'
        f' ProtocolBinding="{POST_BINDING}" AssertionConsumerServiceURL={quoteattr(request.acs_url)}>'
        f"<saml:Issuer>{escape(request.issuer)}</saml:Issuer>"
        + (f'<ds:Signature xmlns:ds="{DSIG}" Id="placeholder"/>' if signed else "")
        + f'<samlp:NameIDPolicy{wanted} AllowCreate="true"/></samlp:AuthnRequest>'
    )


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
        "" if (policy := root.find("samlp:NameIDPolicy", NAMES)) is None else policy.get("Format", ""),
    )


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
