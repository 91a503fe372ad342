"""The city's own service provider, played by the device: it asks the identity provider and checks what comes back.

Nothing is to be changed at the identity provider for this. The assertion is verified and thrown away: it is posted to
nobody, and no address of the service provider is ever asked. No clock, no chance.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from simulator.protocols.assertion import read_response
from simulator.protocols.forms import NextPage, SamlPost, fields_request, page_request, read_page
from simulator.protocols.login import Accept, expect_post_to
from simulator.protocols.messages import Exchange
from simulator.protocols.pages import origin_of
from simulator.protocols.saml import AuthnRequest, BadAssertion, post_fields, redirect_url
from simulator.protocols.saml_metadata import Provider


@dataclass(frozen=True, slots=True)
class ServiceProvider:
    """A service provider as its identity provider knows it, and the identity provider.

    Attributes:
        provider: whose assertions it takes.
        entity_id, acs_url: its name, and where it has assertions posted.
        binding: how it asks, a name of saml_metadata.BINDINGS that the provider offers.
        name_id_format: what it wants users to be called by; "" leaves that to the provider.
        relay_state: what it sends along; "" for nothing.
        key: signs its requests; None leaves them unsigned.
    """

    provider: Provider
    entity_id: str
    acs_url: str
    binding: str
    name_id_format: str
    relay_state: str
    key: RSAPrivateKey | None


def read_key(pem: str) -> RSAPrivateKey:
    """The key of a PEM text. Raises: ValueError: it is not an RSA private key without a passphrase."""
    try:
        key = load_pem_private_key(pem.encode(), None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, RSAPrivateKey):
        raise ValueError("not the PEM of an RSA private key without a passphrase")
    return key


def ask_provider(service: ServiceProvider, request_id: str, now: float) -> Exchange[NextPage]:
    """Bring the service provider's request to the identity provider, as a browser would.

    Args:
        request_id: its ID, good once. now: Unix seconds.
    Raises when read: as forms.read_page.
    """
    url = service.provider.sso_urls[service.binding]
    wanted = AuthnRequest(request_id, service.entity_id, url, service.acs_url, now, service.name_id_format)
    if service.binding == "redirect":
        request = page_request(redirect_url(wanted, service.relay_state, service.key))
    else:
        fields = post_fields(wanted, service.relay_state, service.key)
        request = fields_request(url, fields, origin_of(service.acs_url))
    return Exchange("identity.login_page", request, read_page)


def expect_assertion(service: ServiceProvider, request_id: str, utc: Callable[[], float]) -> Accept:
    """An Accept for what the service provider would take as the answer to that request.

    Args:
        utc: Unix seconds when it is called.
    Raises when called: BadAssertion, as assertion.read_response.
    """

    def accept(post: SamlPost) -> None:
        fields = dict(post.fields)
        expect_post_to(service.acs_url)(post)
        if fields.get("RelayState", "") != service.relay_state:
            raise BadAssertion("response", "another RelayState than was sent")
        read_response(
            fields["SAMLResponse"],
            service.provider,
            audience=service.entity_id,
            acs_url=service.acs_url,
            asked=lambda id_: id_ == request_id,
            now=utc(),
        )

    return accept
