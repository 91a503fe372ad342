"""The metadata of both sides: written, read, and read as real providers write it."""

from __future__ import annotations

from base64 import b64decode, b64encode

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from simulator.backend.idp_key import signing_key
from simulator.backend.store import Store
from simulator.protocols.saml_metadata import Provider, provider_metadata, read_provider, service_metadata

CERTIFICATE = signing_key(Store(":memory:"))[1]
OTHER = signing_key(Store(":memory:"))[1]
REDIRECT = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect"
POST = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST"


def base64_of(certificate: x509.Certificate) -> str:
    return b64encode(certificate.public_bytes(Encoding.DER)).decode()


def lines_of(certificate: x509.Certificate) -> str:
    """Base64 in lines of 64 with blanks around, as many providers have it."""
    text = base64_of(certificate)
    return "\n      " + "\n      ".join(text[at : at + 64] for at in range(0, len(text), 64)) + "\n    "


# As AD FS and Shibboleth write theirs: another prefix, roles besides, an encryption key, a key of no use in particular,
# bindings of other protocols first.
DOCUMENT = f"""<?xml version="1.0" encoding="UTF-8"?>
<!-- made by a provider -->
<EntityDescriptor xmlns="urn:oasis:names:tc:SAML:2.0:metadata" xmlns:d="http://www.w3.org/2000/09/xmldsig#"
    entityID="http://idp.city.example/adfs/services/trust">
  <SPSSODescriptor protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol">
    <KeyDescriptor use="signing"><d:KeyInfo><d:X509Data><d:X509Certificate>AAAA</d:X509Certificate></d:X509Data>
    </d:KeyInfo></KeyDescriptor>
    <AssertionConsumerService Binding="{POST}" Location="https://idp.city.example/adfs/ls/" index="0"/>
  </SPSSODescriptor>
  <IDPSSODescriptor protocolSupportEnumeration="urn:mace:shibboleth:1.0 urn:oasis:names:tc:SAML:2.0:protocol">
    <KeyDescriptor use="encryption"><d:KeyInfo><d:X509Data><d:X509Certificate>BBBB</d:X509Certificate></d:X509Data>
    </d:KeyInfo></KeyDescriptor>
    <KeyDescriptor use="signing"><d:KeyInfo><d:X509Data><d:X509Certificate>{lines_of(CERTIFICATE)}</d:X509Certificate>
    </d:X509Data></d:KeyInfo></KeyDescriptor>
    <KeyDescriptor><d:KeyInfo><d:X509Data><d:X509Certificate>{base64_of(OTHER)}</d:X509Certificate></d:X509Data></d:KeyInfo>
    </KeyDescriptor>
    <SingleLogoutService Binding="{REDIRECT}" Location="https://idp.city.example/logout"/>
    <SingleSignOnService Binding="urn:mace:shibboleth:1.0:profiles:AuthnRequest" Location="https://idp.city.example/old"/>
    <SingleSignOnService Binding="{POST}" Location="https://idp.city.example/post?a=1&amp;b=2"/>
    <SingleSignOnService Binding="{REDIRECT}" Location="https://idp.city.example/sso"/>
    <SingleSignOnService Binding="{REDIRECT}" Location="https://idp.city.example/second"/>
  </IDPSSODescriptor>
</EntityDescriptor>
"""


def test_read_as_written_by_real_providers() -> None:
    """The provider's name, its first address for each binding, and the keys it may sign with; the rest is let be."""
    provider = read_provider(DOCUMENT.encode())
    assert provider.entity_id == "http://idp.city.example/adfs/services/trust"
    assert provider.sso_urls == {
        "redirect": "https://idp.city.example/sso",
        "post": "https://idp.city.example/post?a=1&b=2",
    }
    assert provider.certificates == (CERTIFICATE, OTHER)


def test_inside_an_aggregate() -> None:
    """One provider in an EntitiesDescriptor is read like one alone, as Keycloak once wrapped it."""
    entity = DOCUMENT.partition("-->")[2]
    wrapped = f'<EntitiesDescriptor xmlns="urn:oasis:names:tc:SAML:2.0:metadata">{entity}</EntitiesDescriptor>'
    assert read_provider(wrapped.encode()) == read_provider(DOCUMENT.encode())
    two = wrapped.replace(entity, entity + entity)
    with pytest.raises(ValueError, match="describes 2 identity providers"):
        read_provider(two.encode())


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("<?xml", "{", "not XML"),
        ("<!-- made by a provider -->", "<!DOCTYPE a>", "not XML"),
        ("IDPSSODescriptor", "RoleDescriptor", "no identity provider"),
        ("shibboleth:1.0 urn:oasis:names:tc:SAML:2.0:protocol", "shibboleth:1.0", "no identity provider"),
        ("entityID=", "ID=", "no entityID"),
        ("SingleSignOnService", "ArtifactResolutionService", "no SingleSignOnService"),
        (base64_of(OTHER), "AAAA", "certificate that cannot be read"),
        ("X509Certificate", "X509SKI", "no certificate"),
    ],
)
def test_what_is_no_metadata(old: str, new: str, said: str) -> None:
    """Each fault is told in a few words."""
    assert old in DOCUMENT
    with pytest.raises(ValueError, match=said):
        read_provider(DOCUMENT.replace(old, new).encode())


def test_a_federations_aggregate() -> None:
    """A document of megabytes is not gone through."""
    with pytest.raises(ValueError, match="not a federation"):
        read_provider(DOCUMENT.encode() + b" " * 2_000_000)


@given(st.binary())
def test_anything_else(document: bytes) -> None:
    """Whatever comes instead is a ValueError."""
    with pytest.raises(ValueError, match="it "):
        read_provider(document)


def test_both_ways() -> None:
    """What is written of a provider is read."""
    provider = Provider(
        "https://idp/&", {"redirect": "https://idp/sso?a&b", "post": "https://idp/p"}, (CERTIFICATE, OTHER)
    )
    assert read_provider(provider_metadata(provider)) == provider


def test_provider_metadata() -> None:
    """What a service provider has to know of the stand-in's identity provider, and the certificate in it is the one."""
    names = {"md": "urn:oasis:names:tc:SAML:2.0:metadata", "ds": "http://www.w3.org/2000/09/xmldsig#"}
    root = etree.fromstring(
        provider_metadata(Provider("https://idp/&", {"redirect": "https://idp/s?a&b"}, (CERTIFICATE,)))
    )
    assert root.get("entityID") == "https://idp/&"
    sso = root.find("md:IDPSSODescriptor/md:SingleSignOnService", names)
    assert sso is not None
    assert (sso.get("Location"), sso.get("Binding")) == ("https://idp/s?a&b", REDIRECT)
    der = b64decode(root.findtext(".//ds:X509Certificate", "", names))
    assert x509.load_der_x509_certificate(der) == CERTIFICATE


def test_service_metadata() -> None:
    """What an identity provider has to know of a service provider."""
    root = etree.fromstring(service_metadata("google.com/a/x", "https://sp/acs?a&b"))
    acs = root.find("md:SPSSODescriptor/md:AssertionConsumerService", {"md": "urn:oasis:names:tc:SAML:2.0:metadata"})
    assert root.get("entityID") == "google.com/a/x"
    assert acs is not None
    assert (acs.get("Location"), acs.get("Binding")) == ("https://sp/acs?a&b", POST)
