"""The city's own service provider, played by a device: what it asks, and what it takes for an answer."""

from __future__ import annotations

import zlib
from base64 import b64decode, b64encode
from dataclasses import replace
from urllib.parse import parse_qs, parse_qsl, urlsplit

import pytest
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from lxml import etree

from simulator.backend.idp_key import signing_key
from simulator.backend.store import Store
from simulator.protocols.assertion import Assertion, write_response
from simulator.protocols.forms import NextPage, SamlPost
from simulator.protocols.login import accepting, expect_post_to, service_of_step
from simulator.protocols.messages import Exchange, Request, Response
from simulator.protocols.saml import BadAssertion
from simulator.protocols.saml_metadata import Provider
from simulator.protocols.service_provider import ServiceProvider, ask_provider, expect_assertion

NOW = 1_767_323_045.0  # 2026-01-02T03:04:05Z
KEY = signing_key(Store(":memory:"))
OTHER = signing_key(Store(":memory:"))
ACS = "https://portal.city.example/acs"
IDP = Provider(
    "https://idp.city.example/",
    {"redirect": "https://idp.city.example/sso?tenant=1", "post": "https://idp.city.example/post"},
    (KEY[1],),
)
PORTAL = ServiceProvider(IDP, "https://portal.city.example", ACS, "redirect", "", "of the portal", None)
TOLD = Assertion(
    id="_a1",
    issuer=IDP.entity_id,
    name_id="4711",
    in_response_to="_r1",
    recipient=ACS,
    audience=PORTAL.entity_id,
    issued_s=NOW,
    not_before_s=NOW,
    not_on_or_after_s=NOW + 60,
    session_index="s1",
)


def posted(told: Assertion = TOLD, *, by: object = KEY, action: str = ACS, relay: str = "of the portal") -> SamlPost:
    """The provider's last page."""
    response = write_response(told, "_p1", *by)  # type: ignore[misc]
    return SamlPost(action, (("SAMLResponse", response), ("RelayState", relay)), "utf-8", "https://idp.city.example")


def reason_of(post: SamlPost, *, request_id: str = "_r1", now: float = NOW) -> str:
    with pytest.raises(BadAssertion) as caught:
        expect_assertion(PORTAL, request_id, lambda: now)(post)
    assert caught.value.outcome == "failed"
    return caught.value.reason


def test_asks_by_redirect() -> None:
    """The request that this service provider would send, in its name, to the provider's address."""
    exchange = ask_provider(PORTAL, "_r1", NOW)
    assert (exchange.step, exchange.request.method) == ("identity.login_page", "GET")
    assert exchange.request.redirects > 0
    parts = urlsplit(exchange.request.url)
    assert f"{parts.scheme}://{parts.netloc}{parts.path}" == "https://idp.city.example/sso"
    query = parse_qs(parts.query)
    assert (query["tenant"], query["RelayState"]) == (["1"], ["of the portal"])
    root = etree.fromstring(zlib.decompress(b64decode(query["SAMLRequest"][0]), wbits=-15))
    assert (root.get("ID"), root.get("AssertionConsumerServiceURL")) == ("_r1", ACS)
    assert root.get("IssueInstant") == "2026-01-02T03:04:05Z"
    assert root[0].text == "https://portal.city.example"
    assert dict(root[1].attrib) == {"AllowCreate": "true"}


def test_asks_by_post_and_signs() -> None:
    """By post the form goes to the provider's other address, as from the service provider's page; a key signs it."""
    key = generate_private_key(65537, 2048)
    request = ask_provider(replace(PORTAL, binding="post", key=key), "_r1", NOW).request
    assert (request.method, request.url) == ("POST", "https://idp.city.example/post")
    assert request.header("Origin") == "https://portal.city.example"
    fields = dict(parse_qsl(request.body.decode()))
    assert fields["RelayState"] == "of the portal"
    root = etree.fromstring(b64decode(fields["SAMLRequest"]))
    names = {"ds": "http://www.w3.org/2000/09/xmldsig#"}
    info = root.find("ds:Signature/ds:SignedInfo", names)
    assert info is not None
    value = b64decode(root.findtext("ds:Signature/ds:SignatureValue", "", names))
    canonical = etree.tostring(info, method="c14n", exclusive=True)
    key.public_key().verify(value, canonical, PKCS1v15(), SHA256())
    assert "Signature" in parse_qs(urlsplit(ask_provider(replace(PORTAL, key=key), "_r1", NOW).request.url).query)


def test_takes_what_is_its_own() -> None:
    """A good answer to its own request is taken, whatever the user is called in it."""
    expect_assertion(PORTAL, "_r1", lambda: NOW)(posted())


def test_refuses_all_else() -> None:
    """Each wrong answer has its own reason, as the stand-in's service provider would give it."""
    assert reason_of(posted(), now=NOW + 121) == "assertion_expired"
    assert reason_of(posted(), now=NOW - 61) == "assertion_not_yet"
    assert reason_of(posted(), request_id="_r2") == "assertion_in_response_to"
    assert reason_of(posted(replace(TOLD, audience="https://other.example"))) == "assertion_audience"
    assert reason_of(posted(replace(TOLD, recipient="https://other.example/acs"))) == "assertion_destination"
    assert reason_of(posted(by=OTHER)) == "assertion_signature"
    assert reason_of(posted(action="https://accounts.google.com/acs")) == "assertion_destination"
    assert reason_of(posted(relay="another")) == "bad_assertion"
    encrypted = b64encode(
        b64decode(dict(posted().fields)["SAMLResponse"]).replace(b":Assertion", b":EncryptedAssertion")
    )
    hidden = replace(posted(), fields=(("SAMLResponse", encrypted.decode()), ("RelayState", "of the portal")))
    assert reason_of(hidden) == "assertion_encrypted"


def test_the_exchange_ends_as_the_assertion_is() -> None:
    """The page with the assertion ends its exchange: what was wrong with it is how that ended; other pages pass."""
    post = posted()
    page: list[NextPage] = [post]
    asking: Exchange[NextPage] = Exchange("identity.login", Request("GET", ACS), lambda response: page[0])
    assert accepting(asking, expect_post_to(ACS)).read(Response(200)) == post
    with pytest.raises(BadAssertion) as caught:
        accepting(asking, expect_post_to("https://sp.fleetrush.invalid/acs")).read(Response(200))
    assert caught.value.reason == "assertion_destination"


def test_whose_step_it_is() -> None:
    """A named identity provider answers its own pages; Google's accounts, which are nobody's target, the rest."""
    assert service_of_step("identity.login") == service_of_step("identity.login_page") == "identity"
    assert service_of_step("identity.token") == ""
    assert service_of_step("management.register") == "management"
