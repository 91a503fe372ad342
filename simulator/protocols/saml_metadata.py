"""SAML 2.0 metadata of both sides, in both directions: what an identity and a service provider know of each other.

No request and no assertion here, and nothing is fetched. Signatures and dates of metadata are not looked at: whoever
names a file or an address vouches for it.
"""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass
from xml.sax.saxutils import quoteattr

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from lxml import etree

from simulator.protocols.saml import (
    DSIG,
    EMAIL,
    POST_BINDING,
    REDIRECT_BINDING,
    SAMLP,
    BadAssertion,
    parse,
    text_of,
    unbase64,
)

MD = "urn:oasis:names:tc:SAML:2.0:metadata"
BINDINGS = {"redirect": REDIRECT_BINDING, "post": POST_BINDING}
"""What the bindings of a request are called in a targets file."""

_NAMES = {"md": MD, "ds": DSIG}
# Of one provider; a federation's aggregate has megabytes and many providers.
_DOCUMENT_MAX = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Provider:
    """An identity provider as a service provider knows it.

    Attributes:
        entity_id: what it calls itself.
        sso_urls: where it takes requests, by the names of BINDINGS.
        certificates: of the keys that it may sign with. They are boxes for keys: that the metadata names them makes
            them good, whatever their dates and issuers (SAML V2.0 Metadata Interoperability Profile 2.6.1).
    """

    entity_id: str
    sso_urls: dict[str, str]
    certificates: tuple[x509.Certificate, ...]


def read_provider(document: bytes) -> Provider:
    """The one identity provider of a metadata document (SAML metadata 2.4.3).

    Raises: ValueError: what is wrong with the document, in half a line.
    """
    if len(document) > _DOCUMENT_MAX:
        raise ValueError(
            f"it has {len(document):,} bytes: give the metadata of one identity provider, not a federation's"
        )
    try:
        root = parse(document)
    except BadAssertion:
        raise ValueError("it is not XML") from None
    found = [role for role in root.iter(f"{{{MD}}}IDPSSODescriptor") if _speaks_saml2(role)]
    if len(found) != 1:
        raise ValueError(
            f"it describes {len(found) or 'no'} identity provider{'s' if len(found) > 1 else ''} of SAML 2.0"
        )
    role, entity = found[0], found[0].getparent()
    entity_id = "" if entity is None else entity.get("entityID", "")
    sso_urls = {
        name: service.get("Location", "")
        for name, binding in BINDINGS.items()
        for service in reversed(role.findall("md:SingleSignOnService", _NAMES))
        if service.get("Binding") == binding and service.get("Location")
    }
    certificates = tuple(_certificate(element) for element in _signing(role))
    if not entity_id or not sso_urls:
        raise ValueError("it has no entityID, or no SingleSignOnService by redirect or post")
    if not certificates:
        raise ValueError("it has no certificate of a signing key")
    return Provider(entity_id, sso_urls, certificates)


def provider_metadata(provider: Provider) -> bytes:
    """An identity provider's metadata document (SAML metadata 2.4.3)."""
    keys = (b64encode(certificate.public_bytes(Encoding.DER)).decode() for certificate in provider.certificates)
    return (
        f'<md:EntityDescriptor xmlns:md="{MD}" entityID={quoteattr(provider.entity_id)}>'
        f'<md:IDPSSODescriptor protocolSupportEnumeration="{SAMLP}">'
        + "".join(
            f'<md:KeyDescriptor use="signing"><ds:KeyInfo xmlns:ds="{DSIG}"><ds:X509Data><ds:X509Certificate>{key}'
            "</ds:X509Certificate></ds:X509Data></ds:KeyInfo></md:KeyDescriptor>"
            for key in keys
        )
        + f"<md:NameIDFormat>{EMAIL}</md:NameIDFormat>"
        + "".join(
            f'<md:SingleSignOnService Binding="{BINDINGS[name]}" Location={quoteattr(url)}/>'
            for name, url in provider.sso_urls.items()
        )
        + "</md:IDPSSODescriptor></md:EntityDescriptor>"
    ).encode()


def service_metadata(entity_id: str, acs_url: str) -> bytes:
    """A service provider's metadata document (SAML metadata 2.4.4)."""
    return (
        f'<md:EntityDescriptor xmlns:md="{MD}" entityID={quoteattr(entity_id)}>'
        f'<md:SPSSODescriptor protocolSupportEnumeration="{SAMLP}" AuthnRequestsSigned="false"'
        ' WantAssertionsSigned="true">'
        f"<md:NameIDFormat>{EMAIL}</md:NameIDFormat>"
        f'<md:AssertionConsumerService Binding="{POST_BINDING}" Location={quoteattr(acs_url)} index="0"'
        ' isDefault="true"/></md:SPSSODescriptor></md:EntityDescriptor>'
    ).encode()


def _speaks_saml2(role: etree._Element) -> bool:
    return SAMLP in role.get("protocolSupportEnumeration", "").split()


def _signing(role: etree._Element) -> list[etree._Element]:
    """The certificates of keys for signing: those that say so, and those that say nothing (SAML metadata 2.4.1.1)."""
    keys = [key for key in role.findall("md:KeyDescriptor", _NAMES) if key.get("use", "signing") == "signing"]
    return [element for key in keys for element in key.findall("ds:KeyInfo/ds:X509Data/ds:X509Certificate", _NAMES)]


def _certificate(element: etree._Element) -> x509.Certificate:
    try:
        return x509.load_der_x509_certificate(unbase64(text_of(element)))
    except (BadAssertion, ValueError):
        raise ValueError("it has a certificate that cannot be read") from None
