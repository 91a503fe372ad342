"""SAML 2.0 web sign-in, its second half in both directions: the Response by post, with a signed assertion in it.

The identity provider writes and signs, the service provider verifies and judges. No clock: `now` is an argument. What
an assertion says is believed only as far as its signature reaches; a replay is the caller's to find.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from xml.sax.saxutils import escape, quoteattr

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from lxml import etree
from signxml.algorithms import CanonicalizationMethod, DigestAlgorithm, SignatureMethod
from signxml.exceptions import SignXMLException
from signxml.signer import XMLSigner
from signxml.verifier import SignatureConfiguration, VerifyResult, XMLVerifier

from simulator.protocols.saml import (
    DSIG,
    EMAIL,
    NAMES,
    SAML,
    SAMLP,
    BadAssertion,
    Provider,
    parse,
    read_time,
    string_at,
    text_of,
    unbase64,
    written,
)

SUCCESS = "urn:oasis:names:tc:SAML:2.0:status:Success"
BEARER = "urn:oasis:names:tc:SAML:2.0:cm:bearer"
PASSWORD_CONTEXT = "urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport"

# How far two machines' clocks may be apart.
SKEW_S = 60

_EXPECTED = SignatureConfiguration(
    location=f"./{{{SAML}}}Assertion/",
    signature_methods=frozenset({SignatureMethod.RSA_SHA256, SignatureMethod.RSA_SHA384, SignatureMethod.RSA_SHA512}),
    digest_algorithms=frozenset({DigestAlgorithm.SHA256, DigestAlgorithm.SHA384, DigestAlgorithm.SHA512}),
)


@dataclass(frozen=True, slots=True)
class Assertion:
    """What an identity provider asserts about one sign-in (SAML core 2.3.3, profiles 4.1.4.2). Times: Unix seconds."""

    id: str
    issuer: str
    name_id: str
    in_response_to: str
    recipient: str
    audience: str
    issued_s: float
    not_before_s: float
    not_on_or_after_s: float
    session_index: str


def write_response(assertion: Assertion, response_id: str, key: RSAPrivateKey, certificate: x509.Certificate) -> str:
    """A SAMLResponse parameter: base64 of a Response whose Assertion is signed (SAML bindings 3.5.4, core 5).

    Args:
        response_id: the ID of the Response around the assertion.
        key, certificate: RSA-SHA256, enveloped, exclusive canonical XML.
    """
    signer = XMLSigner(c14n_algorithm=CanonicalizationMethod.EXCLUSIVE_XML_CANONICALIZATION_1_0)
    signed = signer.sign(
        etree.fromstring(_assertion_xml(assertion)),
        key=key,
        cert=[certificate],
        reference_uri=assertion.id,
        id_attribute="ID",
    )
    xml = (
        f'<samlp:Response xmlns:samlp="{SAMLP}" xmlns:saml="{SAML}" ID={quoteattr(response_id)} Version="2.0"'
        f' IssueInstant="{written(assertion.issued_s)}" Destination={quoteattr(assertion.recipient)}'
        f" InResponseTo={quoteattr(assertion.in_response_to)}><saml:Issuer>{escape(assertion.issuer)}</saml:Issuer>"
        f'<samlp:Status><samlp:StatusCode Value="{SUCCESS}"/></samlp:Status>'
        f"{etree.tostring(signed, encoding='unicode')}</samlp:Response>"
    )
    return b64encode(xml.encode()).decode()


def _assertion_xml(assertion: Assertion) -> str:
    """An assertion with the place for its signature, which the schema wants right after the issuer."""
    issued, until = written(assertion.issued_s), written(assertion.not_on_or_after_s)
    return (
        f'<saml:Assertion xmlns:saml="{SAML}" ID={quoteattr(assertion.id)} IssueInstant="{issued}" Version="2.0">'
        f"<saml:Issuer>{escape(assertion.issuer)}</saml:Issuer>"
        f'<ds:Signature xmlns:ds="{DSIG}" Id="placeholder"/>'
        f'<saml:Subject><saml:NameID Format="{EMAIL}">{escape(assertion.name_id)}</saml:NameID>'
        f'<saml:SubjectConfirmation Method="{BEARER}"><saml:SubjectConfirmationData'
        f" InResponseTo={quoteattr(assertion.in_response_to)} Recipient={quoteattr(assertion.recipient)}"
        f' NotOnOrAfter="{until}"/></saml:SubjectConfirmation></saml:Subject>'
        f'<saml:Conditions NotBefore="{written(assertion.not_before_s)}" NotOnOrAfter="{until}">'
        f"<saml:AudienceRestriction><saml:Audience>{escape(assertion.audience)}</saml:Audience></saml:AudienceRestriction>"
        "</saml:Conditions>"
        f'<saml:AuthnStatement AuthnInstant="{issued}" SessionIndex={quoteattr(assertion.session_index)}>'
        f"<saml:AuthnContext><saml:AuthnContextClassRef>{PASSWORD_CONTEXT}</saml:AuthnContextClassRef>"
        "</saml:AuthnContext></saml:AuthnStatement></saml:Assertion>"
    )


def read_response(
    saml_response: str, provider: Provider, *, audience: str, acs_url: str, asked: Callable[[str], bool], now: float
) -> Assertion:
    """The assertion in a SAMLResponse parameter, verified (SAML profiles 4.1.4.3).

    Args:
        saml_response: the parameter, URL decoding done.
        provider: whose assertion it has to be.
        audience: the service provider's entity id. acs_url: where the response was posted.
        asked: whether a request of this ID was made, and is still open.
        now: Unix seconds.
    Raises:
        BadAssertion: encoding, xml, response, status, destination, signature, issuer, subject, recipient,
            in_response_to, expired, not_yet, audience or statement: the first that is wrong.
    """
    root = parse(unbase64(saml_response))
    if root.tag != f"{{{SAMLP}}}Response" or root.get("Version") != "2.0":
        raise BadAssertion("response", "not a Response of SAML 2.0")
    status = root.find("samlp:Status/samlp:StatusCode", NAMES)
    if status is None or status.get("Value") != SUCCESS:
        raise BadAssertion("status", "none" if status is None else status.get("Value", ""))
    if root.get("Destination", acs_url) != acs_url:
        raise BadAssertion("destination", root.get("Destination", ""))
    assertions = root.findall("saml:Assertion", NAMES)
    if len(assertions) != 1:
        raise BadAssertion("response", "not exactly one Assertion that can be read")
    assertion = _signed(root, provider, now)
    # Only what was signed is believed below; that something else stands in its place is a forgery all the same.
    if assertion.tag != assertions[0].tag or assertion.get("ID") != assertions[0].get("ID"):
        raise BadAssertion("signature", "it does not cover the assertion")
    if (issuer := string_at(assertion, "saml:Issuer")) != provider.entity_id:
        raise BadAssertion("issuer", issuer)
    return _judge(assertion, audience, acs_url, asked, now)


def _signed(root: etree._Element, provider: Provider, now: float) -> etree._Element:
    """What the assertion's signature covers, as it was signed."""
    config = replace(_EXPECTED, verification_time=datetime.fromtimestamp(now, UTC))
    try:
        result = XMLVerifier().verify(root, x509_cert=provider.certificate, id_attribute="ID", expect_config=config)
    # What signxml lets through of its own, of lxml's and of Python's on documents made to confuse it.
    except (SignXMLException, etree.LxmlError, UnsupportedAlgorithm, ValueError, TypeError, AttributeError) as error:
        raise BadAssertion("signature", str(error)) from None
    if not isinstance(result, VerifyResult) or result.signed_xml is None:
        raise BadAssertion("signature", "it does not cover XML")
    return result.signed_xml


def _judge(signed: etree._Element, audience: str, acs_url: str, asked: Callable[[str], bool], now: float) -> Assertion:
    bearer = signed.find(
        f"saml:Subject/saml:SubjectConfirmation[@Method='{BEARER}']/saml:SubjectConfirmationData", NAMES
    )
    conditions = signed.find("saml:Conditions", NAMES)
    name_id, id_ = string_at(signed, "saml:Subject/saml:NameID"), signed.get("ID", "")
    if bearer is None or not name_id or not id_:
        raise BadAssertion("subject", "no bearer's confirmation, no NameID or no ID")
    if bearer.get("Recipient") != acs_url:
        raise BadAssertion("recipient", bearer.get("Recipient", ""))
    if not asked(in_response_to := bearer.get("InResponseTo", "")):
        raise BadAssertion("in_response_to", in_response_to)
    until_s = read_time(bearer.get("NotOnOrAfter"), "subject")
    if conditions is None:
        raise BadAssertion("audience", "no Conditions")
    if conditions.get("NotOnOrAfter") is not None:
        until_s = min(until_s, read_time(conditions.get("NotOnOrAfter"), "subject"))
    issued_s = read_time(signed.get("IssueInstant"), "subject")
    from_s = issued_s if conditions.get("NotBefore") is None else read_time(conditions.get("NotBefore"), "subject")
    if now >= until_s + SKEW_S:
        raise BadAssertion("expired", written(until_s))
    if now < from_s - SKEW_S:
        raise BadAssertion("not_yet", written(from_s))
    audiences = [text_of(element) for element in conditions.findall("saml:AudienceRestriction/saml:Audience", NAMES)]
    if audience not in audiences:
        raise BadAssertion("audience", " ".join(audiences))
    statement = signed.find("saml:AuthnStatement", NAMES)
    if statement is None:
        raise BadAssertion("statement", "no AuthnStatement")
    session = statement.get("SessionIndex", "")
    issuer = string_at(signed, "saml:Issuer")
    return Assertion(id_, issuer, name_id, in_response_to, acs_url, audience, issued_s, from_s, until_s, session)
