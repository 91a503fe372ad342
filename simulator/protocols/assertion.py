"""SAML 2.0 web sign-in, its second half in both directions: the Response by post, with a signed assertion in it.

The identity provider writes and signs, the service provider verifies and judges. No clock: `now` is an argument. What
an assertion says is believed only as far as its signature reaches; a replay is the caller's to find.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass
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
    parse,
    read_time,
    string_at,
    text_of,
    unbase64,
    written,
)
from simulator.protocols.saml_metadata import Provider

SUCCESS = "urn:oasis:names:tc:SAML:2.0:status:Success"
BEARER = "urn:oasis:names:tc:SAML:2.0:cm:bearer"
PASSWORD_CONTEXT = "urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport"

# How far two machines' clocks may be apart.
SKEW_S = 60
_BEARER = f"saml:Subject/saml:SubjectConfirmation[@Method='{BEARER}']/saml:SubjectConfirmationData"

# SHA-1 is not among them: it can be forged, and Google does not take it either.
_METHODS = frozenset(
    {
        SignatureMethod.RSA_SHA256,
        SignatureMethod.RSA_SHA384,
        SignatureMethod.RSA_SHA512,
        SignatureMethod.ECDSA_SHA256,
        SignatureMethod.ECDSA_SHA384,
        SignatureMethod.ECDSA_SHA512,
    }
)
_DIGESTS = frozenset({DigestAlgorithm.SHA256, DigestAlgorithm.SHA384, DigestAlgorithm.SHA512})
_METHOD_URIS = frozenset(method.value for method in _METHODS)
_DIGEST_URIS = frozenset(digest.value for digest in _DIGESTS)
# Where a signature may be, as signxml wants to be told: of the response, and of the assertion in it.
_RESPONSE, _ASSERTION = "./", f"./{{{SAML}}}Assertion/"


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

    Every signature that is there must be good, and the assertion has to lie under one: its own or the response's.

    Args:
        saml_response: the parameter, URL decoding done.
        provider: whose assertion it has to be.
        audience: the service provider's entity id. acs_url: where the response was posted.
        asked: whether a request of this ID was made, and is still open.
        now: Unix seconds.
    Raises:
        BadAssertion: encoding, xml, response, status, destination, encrypted, unsigned, algorithm, signature, issuer,
            subject, recipient, in_response_to, expired, not_yet, audience or statement: the first that is wrong.
    """
    root = parse(unbase64(saml_response))
    if root.tag != f"{{{SAMLP}}}Response" or root.get("Version") != "2.0":
        raise BadAssertion("response", "not a Response of SAML 2.0")
    codes = [code.get("Value", "") for code in root.iterfind("samlp:Status//samlp:StatusCode", NAMES)]
    if codes[:1] != [SUCCESS]:
        said = string_at(root, "samlp:Status/samlp:StatusMessage")
        raise BadAssertion("status", " ".join([*(code.rpartition(":")[2] for code in codes), said]).strip() or "none")
    if root.get("Destination", acs_url) != acs_url:
        raise BadAssertion("destination", f"{root.get('Destination')}, not {acs_url}")
    if root.find("saml:EncryptedAssertion", NAMES) is not None:
        raise BadAssertion("encrypted", "the provider has to leave assertions for this service provider unencrypted")
    assertions = root.findall("saml:Assertion", NAMES)
    if len(assertions) != 1:
        raise BadAssertion("response", f"{len(assertions)} assertions, not one")
    signed = _signed(root, assertions[0], provider)
    if (issuer := string_at(signed, "saml:Issuer")) != provider.entity_id:
        raise BadAssertion("issuer", f"{issuer}, not {provider.entity_id}")
    return _judge(signed, audience, acs_url, asked, now)


def _signed(root: etree._Element, assertion: etree._Element, provider: Provider) -> etree._Element:
    """The assertion as it was signed: nothing else of the document may be believed."""
    found = None
    for place, element in ((_RESPONSE, root), (_ASSERTION, assertion)):
        signature = element.find("ds:Signature", NAMES)
        if signature is None:
            continue
        _expect_algorithms(signature)
        covered = _verified(root, place, provider)
        # That something else stands in its place is a forgery, however good the signature (XML signature wrapping).
        if covered.tag != element.tag or not element.get("ID") or covered.get("ID") != element.get("ID"):
            raise BadAssertion("signature", "it does not cover what it stands in")
        found = covered if element is assertion else covered.find("saml:Assertion", NAMES)
    if found is None:
        raise BadAssertion("unsigned", "neither the response nor its assertion is signed")
    return found


def _expect_algorithms(signature: etree._Element) -> None:
    """Tell weak algorithms by their name; the verification itself would call them bad signatures."""
    method = signature.find("ds:SignedInfo/ds:SignatureMethod", NAMES)
    digests = signature.findall("ds:SignedInfo/ds:Reference/ds:DigestMethod", NAMES)
    used = [(method, _METHOD_URIS), *((digest, _DIGEST_URIS) for digest in digests)]
    for element, known in used:
        name = "" if element is None else element.get("Algorithm", "")
        if name not in known:
            raise BadAssertion(
                "algorithm", f"{name.rpartition('#')[2] or 'none'}: set the provider to RSA with SHA-256"
            )


def _verified(root: etree._Element, place: str, provider: Provider) -> etree._Element:
    """What the signature at a place covers, as it was signed with one of the provider's keys."""
    problem: Exception | None = None
    for certificate in provider.certificates:
        config = SignatureConfiguration(
            location=place,
            signature_methods=_METHODS,
            digest_algorithms=_DIGESTS,
            # A certificate's dates say nothing here: see Provider.
            verification_time=certificate.not_valid_before_utc,
        )
        try:
            result = XMLVerifier().verify(root, x509_cert=certificate, id_attribute="ID", expect_config=config)
        # What signxml lets through of its own, of lxml's and of Python's on documents made to confuse it.
        except (
            SignXMLException,
            etree.LxmlError,
            UnsupportedAlgorithm,
            ValueError,
            TypeError,
            AttributeError,
        ) as error:
            problem = error
            continue
        if not isinstance(result, VerifyResult) or result.signed_xml is None:
            raise BadAssertion("signature", "it does not cover XML")
        return result.signed_xml
    raise BadAssertion("signature", str(problem))


def _judge(signed: etree._Element, audience: str, acs_url: str, asked: Callable[[str], bool], now: float) -> Assertion:
    """What a signed assertion says, if it is for us, for this request, and for now."""
    name_id, id_ = string_at(signed, "saml:Subject/saml:NameID"), signed.get("ID", "")
    bearers = signed.findall(_BEARER, NAMES)
    if signed.find("saml:Subject/saml:EncryptedID", NAMES) is not None:
        raise BadAssertion("encrypted", "the user's name is: the provider has to leave it plain")
    if not bearers or not name_id:
        raise BadAssertion("subject", "no bearer's confirmation or no NameID")
    bearer = next((data for data in bearers if data.get("Recipient") == acs_url), None)
    if bearer is None:
        raise BadAssertion("recipient", f"{bearers[0].get('Recipient', 'none')}, not {acs_url}")
    if not asked(in_response_to := bearer.get("InResponseTo", "")):
        raise BadAssertion("in_response_to", in_response_to or "none")
    conditions = signed.find("saml:Conditions", NAMES)
    if conditions is None:
        raise BadAssertion("audience", "no Conditions")
    issued_s = read_time(signed.get("IssueInstant"), "subject")
    from_s, until_s = _span(conditions, issued_s, read_time(bearer.get("NotOnOrAfter"), "subject"))
    if now >= until_s + SKEW_S:
        raise BadAssertion("expired", f"{written(until_s)}; here it is {written(now)}")
    if now < from_s - SKEW_S:
        raise BadAssertion("not_yet", f"{written(from_s)}; here it is {written(now)}")
    _expect_audience(conditions, audience)
    statement = signed.find("saml:AuthnStatement", NAMES)
    if statement is None:
        raise BadAssertion("statement", "no AuthnStatement")
    session, issuer = statement.get("SessionIndex", ""), string_at(signed, "saml:Issuer")
    return Assertion(id_, issuer, name_id, in_response_to, acs_url, audience, issued_s, from_s, until_s, session)


def _span(conditions: etree._Element, issued_s: float, confirmed_until_s: float) -> tuple[float, float]:
    """From when to before when an assertion holds, Unix seconds: the narrowest of what it says."""
    begin, end = conditions.get("NotBefore"), conditions.get("NotOnOrAfter")
    return (
        issued_s if begin is None else read_time(begin, "subject"),
        confirmed_until_s if end is None else min(confirmed_until_s, read_time(end, "subject")),
    )


def _expect_audience(conditions: etree._Element, audience: str) -> None:
    """Each restriction has to name us (SAML core 2.5.1.4), and the profile wants one (profiles 4.1.4.2)."""
    named = [
        [text_of(element) for element in restriction.iterfind("saml:Audience", NAMES)]
        for restriction in conditions.iterfind("saml:AudienceRestriction", NAMES)
    ]
    if not named or not all(audience in names for names in named):
        raise BadAssertion(
            "audience", f"{' '.join(name for names in named for name in names) or 'none'}, not {audience}"
        )
