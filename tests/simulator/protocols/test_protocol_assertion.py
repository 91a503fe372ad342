"""The signed assertion in both directions, judged by another path: cryptography and canonical XML by hand."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA1, SHA256
from cryptography.x509.oid import NameOID
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree

from simulator.backend.idp_key import signing_key
from simulator.backend.store import Store
from simulator.protocols.assertion import SKEW_S, Assertion, read_response, write_response
from simulator.protocols.saml import BadAssertion
from simulator.protocols.saml_metadata import Provider

NOW = 1_767_323_045.0  # 2026-01-02T03:04:05Z
ACS, AUDIENCE, IDP = "https://sp.example/SSO", "google.com/a/city.example", "https://idp.example/metadata"
TOLD = Assertion(
    id="_a1",
    issuer=IDP,
    name_id="taro@city.example",
    in_response_to="_r1",
    recipient=ACS,
    audience=AUDIENCE,
    issued_s=NOW,
    not_before_s=NOW,
    not_on_or_after_s=NOW + 60,
    session_index="s1",
)
Key = tuple[RSAPrivateKey, x509.Certificate]
DS = "http://www.w3.org/2000/09/xmldsig#"
EXCLUSIVE = "http://www.w3.org/2001/10/xml-exc-c14n#"
SHA256_URI, RSA_SHA256_URI = (
    "http://www.w3.org/2001/04/xmlenc#sha256",
    "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256",
)

# Exclusive canonical XML, written by hand: attributes in order, every element closed, namespaces where first used.
ASSERTION = (
    '<saml:Assertion xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion" ID="_a1" IssueInstant="2026-01-02T03:04:05Z"'
    ' Version="2.0"><saml:Issuer>https://idp.example/metadata</saml:Issuer>{signature}<saml:Subject>'
    '<saml:NameID Format="urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress">taro@city.example</saml:NameID>'
    '<saml:SubjectConfirmation Method="urn:oasis:names:tc:SAML:2.0:cm:bearer"><saml:SubjectConfirmationData'
    ' InResponseTo="_r1" NotOnOrAfter="2026-01-02T03:05:05Z" Recipient="https://sp.example/SSO">'
    "</saml:SubjectConfirmationData></saml:SubjectConfirmation></saml:Subject>"
    '<saml:Conditions NotBefore="2026-01-02T03:04:05Z" NotOnOrAfter="2026-01-02T03:05:05Z"><saml:AudienceRestriction>'
    "<saml:Audience>google.com/a/city.example</saml:Audience></saml:AudienceRestriction></saml:Conditions>"
    '<saml:AuthnStatement AuthnInstant="2026-01-02T03:04:05Z" SessionIndex="s1"><saml:AuthnContext>'
    "<saml:AuthnContextClassRef>urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport"
    "</saml:AuthnContextClassRef></saml:AuthnContext></saml:AuthnStatement></saml:Assertion>"
)
SIGNED_INFO = (
    f'<ds:SignedInfo xmlns:ds="{DS}"><ds:CanonicalizationMethod Algorithm="{EXCLUSIVE}"></ds:CanonicalizationMethod>'
    '<ds:SignatureMethod Algorithm="{method}"></ds:SignatureMethod><ds:Reference URI="#_a1"><ds:Transforms>'
    f'<ds:Transform Algorithm="{DS}enveloped-signature"></ds:Transform>'
    f'<ds:Transform Algorithm="{EXCLUSIVE}"></ds:Transform></ds:Transforms>'
    f'<ds:DigestMethod Algorithm="{SHA256_URI}"></ds:DigestMethod>'
    "<ds:DigestValue>{digest}</ds:DigestValue></ds:Reference></ds:SignedInfo>"
)
RESPONSE = (
    '<samlp:Response xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" ID="_p1" Version="2.0"'
    ' IssueInstant="2026-01-02T03:04:05Z" Destination="https://sp.example/SSO"><samlp:Status><samlp:StatusCode'
    ' Value="urn:oasis:names:tc:SAML:2.0:status:Success"/></samlp:Status>{assertion}</samlp:Response>'
)


@pytest.fixture(scope="module")
def key() -> Key:
    return signing_key(Store(":memory:"))


@pytest.fixture(scope="module")
def other_key() -> Key:
    return signing_key(Store(":memory:"))


@pytest.fixture(scope="module")
def signed(key: Key) -> bytes:
    return by_hand(key).encode()


def by_hand(key: Key, assertion: str = ASSERTION, *, sha1: bool = False) -> str:
    """A Response around an assertion signed without any XML library."""
    digest = b64encode(sha256(assertion.format(signature="").encode()).digest()).decode()
    method = f"{DS}rsa-sha1" if sha1 else RSA_SHA256_URI
    info = SIGNED_INFO.format(method=method, digest=digest)
    value = b64encode(key[0].sign(info.encode(), PKCS1v15(), SHA1() if sha1 else SHA256())).decode()
    signature = f'<ds:Signature xmlns:ds="{DS}">{info}<ds:SignatureValue>{value}</ds:SignatureValue></ds:Signature>'
    return RESPONSE.format(assertion=assertion.format(signature=signature))


def read(key: Key, xml: str | bytes, *, now: float = NOW, audience: str = AUDIENCE, acs_url: str = ACS) -> Assertion:
    raw = xml if isinstance(xml, bytes) else xml.encode()
    provider = Provider(IDP, {"redirect": "https://idp.example/sso"}, (key[1],))
    return read_response(
        b64encode(raw).decode(), provider, audience=audience, acs_url=acs_url, asked=lambda id_: id_ == "_r1", now=now
    )


def part_of(refused: Callable[[], object]) -> str:
    with pytest.raises(BadAssertion) as caught:
        refused()
    assert caught.value.reason in (f"assertion_{caught.value.part}", "bad_assertion")
    return caught.value.part


def test_written_signature_by_another_path(key: Key) -> None:
    """What is written verifies with cryptography over lxml's canonical XML: the digest of the assertion without its
    signature, then RSA-SHA256 over SignedInfo; the certificate goes along; the signature stands after the issuer."""
    root = etree.fromstring(b64decode(write_response(TOLD, "_p1", *key)))
    (assertion,) = root.findall("{urn:oasis:names:tc:SAML:2.0:assertion}Assertion")
    assert [child.tag.rpartition("}")[2] for child in assertion] == [
        "Issuer",
        "Signature",
        "Subject",
        "Conditions",
        "AuthnStatement",
    ]
    signature = assertion[1]
    info = etree.tostring(signature[0], method="c14n", exclusive=True)
    names = {"ds": DS}
    value = b64decode(signature.findtext("ds:SignatureValue", "", names))
    public = key[1].public_key()
    assert isinstance(public, RSAPublicKey)
    public.verify(value, info, PKCS1v15(), SHA256())
    assert RSA_SHA256_URI.encode() in info
    digest = b64decode(signature.findtext(".//ds:DigestValue", "", names))
    reference = signature.find(".//ds:Reference", names)
    sent = b64decode(signature.findtext(".//ds:X509Certificate", "", names))
    assert x509.load_der_x509_certificate(sent) == key[1]
    assert reference is not None
    assert reference.get("URI") == "#_a1"
    assertion.remove(signature)
    canonical = etree.tostring(assertion, method="c14n", exclusive=True)
    assert canonical.startswith(b'<saml:Assertion xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion" ID="_a1"')
    assert sha256(canonical).digest() == digest


def test_written_content(key: Key) -> None:
    """What is written is, without its signature, the assertion worked out by hand."""
    root = etree.fromstring(b64decode(write_response(TOLD, "_p1", *key)))
    (assertion,) = root.findall("{urn:oasis:names:tc:SAML:2.0:assertion}Assertion")
    assertion.remove(assertion[1])
    assert etree.tostring(assertion, method="c14n", exclusive=True).decode() == ASSERTION.format(signature="")


def test_signed_by_hand_is_read(key: Key) -> None:
    """A response signed without any XML library is accepted as what it says."""
    assert read(key, by_hand(key)) == TOLD


def test_both_ways(key: Key) -> None:
    """What is written is read, awkward characters included."""
    told = replace(TOLD, name_id="o'\"<taro>&@city.example", session_index="\"'<&>")
    assert read(key, b64decode(write_response(told, "_p1", *key))) == told


@pytest.mark.parametrize(
    ("old", "new", "part"),
    [
        ("https://idp.example/metadata</saml:Issuer>{", "https://evil.example</saml:Issuer>{", "issuer"),
        ('Recipient="https://sp.example/SSO"', 'Recipient="https://other.example/SSO"', "recipient"),
        ('InResponseTo="_r1"', 'InResponseTo="_r2"', "in_response_to"),
        ('InResponseTo="_r1" ', "", "in_response_to"),
        ("<saml:Audience>google.com/a/city", "<saml:Audience>google.com/a/other", "audience"),
        ("cm:bearer", "cm:holder-of-key", "subject"),
        (">taro@city.example<", "><", "subject"),
        ('<saml:AuthnStatement AuthnInstant="2026-01-02T03:04:05Z" SessionIndex="s1">', "<saml:Other>", "statement"),
        ('NotOnOrAfter="2026-01-02T03:05:05Z" Recipient', 'NotOnOrAfter="2026-01-02T03:03:05Z" Recipient', "expired"),
        ('NotBefore="2026-01-02T03:04:05Z"', 'NotBefore="2026-01-02T03:05:06Z"', "not_yet"),
        ('NotOnOrAfter="2026-01-02T03:05:05Z" Recipient', "Recipient", "subject"),
    ],
)
def test_wrong_though_signed(key: Key, old: str, new: str, part: str) -> None:
    """A good signature over the wrong thing is refused, by the name of what is wrong."""
    assert old in ASSERTION
    wrong = ASSERTION.replace(old, new)
    if part == "statement":
        wrong = wrong.replace("</saml:AuthnStatement>", "</saml:Other>")
    assert part_of(lambda: read(key, by_hand(key, wrong))) == part


@pytest.mark.parametrize(
    ("old", "new", "part"),
    [
        ("taro@city.example", "hanako@city.example", "signature"),
        ('ID="_a1"', 'ID="_a2"', "signature"),
        ("status:Success", "status:Responder", "status"),
        ('Destination="https://sp.example/SSO"', 'Destination="https://other.example/SSO"', "destination"),
        ("samlp:Response", "samlp:Answer", "response"),
        ('ID="_p1" Version="2.0"', 'ID="_p1" Version="1.1"', "response"),
        ("saml:Assertion", "saml:EncryptedAssertion", "encrypted"),
        ("saml:Assertion", "saml:Advice", "response"),
        ("2001/04/xmlenc#sha256", "2000/09/xmldsig#sha1", "algorithm"),
        ("xmldsig-more#rsa-sha256", "xmldsig-more#rsa-md5", "algorithm"),
        ("enveloped-signature", "base64", "signature"),
        (EXCLUSIVE, "http://example/unknown", "signature"),
    ],
)
def test_forged_or_bent(key: Key, old: str, new: str, part: str) -> None:
    """What is changed after the signing is refused."""
    xml = by_hand(key)
    assert old in xml
    assert part_of(lambda: read(key, xml.replace(old, new))) == part


def test_not_signed_by_the_provider(key: Key, other_key: Key) -> None:
    """Another's signature, none, and one by a broken hash are refused, a certificate in the document or not."""
    assert part_of(lambda: read(key, by_hand(other_key))) == "signature"
    assert part_of(lambda: read(key, b64decode(write_response(TOLD, "_p1", *other_key)))) == "signature"
    assert part_of(lambda: read(key, RESPONSE.format(assertion=ASSERTION.format(signature="")))) == "unsigned"
    assert part_of(lambda: read(key, by_hand(key, sha1=True))) == "algorithm"


def response_signed(key: Key, xml: str, *, id_: str = "_p1") -> str:
    """The same Response with a signature of its own after its first tag, made with lxml and cryptography alone."""
    digest = b64encode(sha256(etree.tostring(etree.fromstring(xml), method="c14n", exclusive=True)).digest()).decode()
    info = SIGNED_INFO.format(method=RSA_SHA256_URI, digest=digest).replace('URI="#_a1"', f'URI="#{id_}"')
    value = b64encode(key[0].sign(info.encode(), PKCS1v15(), SHA256())).decode()
    signature = f'<ds:Signature xmlns:ds="{DS}">{info}<ds:SignatureValue>{value}</ds:SignatureValue></ds:Signature>'
    tag_end = xml.index(">") + 1
    return xml[:tag_end] + signature + xml[tag_end:]


def test_the_response_is_signed(key: Key, other_key: Key) -> None:
    """A signature of the response vouches for its assertion, with or without one of the assertion's own (Keycloak signs
    documents by default); where there are both, both have to be good."""
    bare = RESPONSE.format(assertion=ASSERTION.format(signature=""))
    assert read(key, response_signed(key, bare)) == TOLD
    assert read(key, response_signed(key, by_hand(key))) == TOLD
    assert part_of(lambda: read(key, response_signed(key, by_hand(other_key)))) == "signature"
    assert part_of(lambda: read(key, response_signed(other_key, by_hand(key)))) == "signature"
    changed = response_signed(key, bare).replace("taro@", "mayor@")
    assert part_of(lambda: read(key, changed)) == "signature"


def test_several_keys(key: Key, other_key: Key) -> None:
    """While a provider changes its key its metadata names both, and either is good."""
    for certificates in ((key[1], other_key[1]), (other_key[1], key[1])):
        provider = Provider(IDP, {}, certificates)
        response = b64encode(by_hand(key).encode()).decode()
        said = read_response(response, provider, audience=AUDIENCE, acs_url=ACS, asked=lambda id_: True, now=NOW)
        assert said == TOLD


def test_dates_of_a_certificate_say_nothing(key: Key) -> None:
    """A certificate that ran out years ago is good while the metadata names it (Metadata Interoperability 2.6.1)."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "old")])
    old = (
        x509.CertificateBuilder(name, name, key[0].public_key(), 1)
        .not_valid_before(datetime(2001, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(2002, 1, 1, tzinfo=UTC))
        .sign(key[0], SHA256())
    )
    assert read((key[0], old), by_hand(key)) == TOLD


def test_elliptic_curve(key: Key) -> None:
    """A provider may sign with an elliptic curve key."""
    curve = generate_private_key(SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "curve")])
    certificate = (
        x509.CertificateBuilder(name, name, curve.public_key(), 1)
        .not_valid_before(datetime(2001, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(2002, 1, 1, tzinfo=UTC))
        .sign(curve, SHA256())
    )
    method = "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256"
    digest = b64encode(sha256(ASSERTION.format(signature="").encode()).digest()).decode()
    info = SIGNED_INFO.format(method=method, digest=digest)
    r, s = decode_dss_signature(curve.sign(info.encode(), ECDSA(SHA256())))
    value = b64encode(r.to_bytes(32, "big") + s.to_bytes(32, "big")).decode()  # RFC 4051 2.3.6
    signature = f'<ds:Signature xmlns:ds="{DS}">{info}<ds:SignatureValue>{value}</ds:SignatureValue></ds:Signature>'
    provider = Provider(IDP, {}, (certificate,))
    response = b64encode(RESPONSE.format(assertion=ASSERTION.format(signature=signature)).encode()).decode()
    said = read_response(response, provider, audience=AUDIENCE, acs_url=ACS, asked=lambda id_: True, now=NOW)
    assert said == TOLD


def test_several_confirmations(key: Key) -> None:
    """One bearer's confirmation for us among others is enough (SAML profiles 4.1.4.3)."""
    start = ASSERTION.index("<saml:SubjectConfirmation ")
    end = ASSERTION.index("</saml:Subject>")
    ours = ASSERTION[start:end]
    theirs = ours.replace(ACS, "https://other.example/SSO")
    assert read(key, by_hand(key, ASSERTION.replace(ours, theirs + ours))) == TOLD
    assert part_of(lambda: read(key, by_hand(key, ASSERTION.replace(ours, theirs)))) == "recipient"


def test_every_audience_restriction_counts(key: Key) -> None:
    """Within a restriction any audience may be ours; each restriction has to name us (SAML core 2.5.1.4)."""
    audience = "<saml:Audience>google.com/a/city.example</saml:Audience>"
    other = "<saml:Audience>https://other.example</saml:Audience>"
    apart = f"{audience}</saml:AudienceRestriction><saml:AudienceRestriction>{other}"
    assert read(key, by_hand(key, ASSERTION.replace(audience, other + audience))) == TOLD
    assert part_of(lambda: read(key, by_hand(key, ASSERTION.replace(audience, apart)))) == "audience"


def test_a_refusal_carries_the_providers_words(key: Key) -> None:
    """A status other than success is told with its codes and its message (SAML core 3.2.2)."""
    denied = (
        '<samlp:StatusCode Value="urn:oasis:names:tc:SAML:2.0:status:Responder"><samlp:StatusCode'
        ' Value="urn:oasis:names:tc:SAML:2.0:status:AuthnFailed"/></samlp:StatusCode>'
        "<samlp:StatusMessage>No such user</samlp:StatusMessage>"
    )
    success = '<samlp:StatusCode Value="urn:oasis:names:tc:SAML:2.0:status:Success"/>'
    with pytest.raises(BadAssertion) as caught:
        read(key, by_hand(key).replace(success, denied))
    assert (caught.value.reason, caught.value.detail) == (
        "assertion_status",
        "status: Responder AuthnFailed No such user",
    )


def test_signature_wrapping(key: Key) -> None:
    """A good assertion hidden elsewhere does not vouch for a forged one in its place (XSW, Somorovsky 2012)."""
    good = by_hand(key)
    start, end = good.index("<saml:Assertion"), good.index("</samlp:Response>")
    original = good[start:end]
    sign_start, sign_end = original.index("<ds:Signature "), original.index("</ds:Signature>") + len("</ds:Signature>")
    signature, bare = original[sign_start:sign_end], original[:sign_start] + original[sign_end:]
    evil = bare.replace("taro@", "mayor@").replace('ID="_a1"', 'ID="_e1"')
    hidden = f"<samlp:Extensions>{original}</samlp:Extensions>"
    in_object = signature.replace("</ds:Signature>", f"<ds:Object>{bare}</ds:Object></ds:Signature>")
    carrying = evil.replace("<saml:Subject>", f"{in_object}<saml:Subject>")
    pointing = evil.replace("<saml:Subject>", f"{signature}<saml:Subject>")
    wrapped = {
        evil + original: "response",
        original + evil: "response",
        hidden + evil: "unsigned",
        hidden + pointing: "signature",
        carrying: "signature",
        carrying.replace('ID="_e1"', 'ID="_a1"'): "signature",
    }
    for forged, part in wrapped.items():
        xml = good[:start] + forged + good[end:]
        assert part_of(lambda xml=xml: read(key, xml)) == part


def test_response_wrapping(key: Key) -> None:
    """Nor does a good response vouch for a forged one around it, inside its signature or beside it, whatever its ID."""
    bare = RESPONSE.format(assertion=ASSERTION.format(signature=""))
    good = response_signed(key, bare)
    start, end = good.index("<ds:Signature"), good.index("</ds:Signature>") + len("</ds:Signature>")
    signature, original = good[start:end], good[:start] + good[end:]
    evil = bare.replace("taro@", "mayor@").replace('ID="_a1"', 'ID="_e1"')
    assert original == bare
    for forged_id in ("_e0", "_p1"):
        forged = evil.replace('ID="_p1"', f'ID="{forged_id}"')
        inside = signature.replace("</ds:Signature>", f"<ds:Object>{bare}</ds:Object></ds:Signature>")
        beside = f"{signature}<samlp:Extensions>{bare}</samlp:Extensions>"
        for more in (inside, beside, signature):
            tag_end = forged.index(">") + 1
            xml = forged[:tag_end] + more + forged[tag_end:]
            assert part_of(lambda xml=xml: read(key, xml)) == "signature"


@pytest.mark.parametrize(
    ("now", "part"),
    [
        (NOW - SKEW_S - 1, "not_yet"),
        (NOW - SKEW_S, ""),
        (NOW + 60 + SKEW_S - 1, ""),
        (NOW + 60 + SKEW_S, "expired"),
    ],
)
def test_time(key: Key, now: float, part: str) -> None:
    """Good from NotBefore to just before NotOnOrAfter, with a minute's grace on both sides."""
    xml = by_hand(key)
    if part:
        assert part_of(lambda: read(key, xml, now=now)) == part
    else:
        assert read(key, xml, now=now) == TOLD


def test_meant_for_another(key: Key) -> None:
    """An assertion for another service is refused here."""
    xml = by_hand(key).replace(' Destination="https://sp.example/SSO"', "")
    assert part_of(lambda: read(key, xml, audience="google.com/a/other.example")) == "audience"
    assert part_of(lambda: read(key, xml, acs_url="https://other.example/SSO")) == "recipient"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300, deadline=None)
@given(at=st.integers(min_value=0), junk=st.binary(max_size=12), cut=st.integers(min_value=0, max_value=40))
def test_mutations(key: Key, signed: bytes, at: int, junk: bytes, cut: int) -> None:
    """However a response is damaged, it says what was signed or it is BadAssertion."""
    at %= len(signed)
    with suppress(BadAssertion):
        assert read(key, signed[:at] + junk + signed[at + cut :]) == TOLD


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text() | st.binary().map(lambda data: b64encode(data).decode()))
def test_arbitrary_responses(key: Key, text: str) -> None:
    """Whatever comes in a SAMLResponse parameter ends as BadAssertion."""
    provider = Provider(IDP, {"redirect": "https://idp.example/sso"}, (key[1],))
    with pytest.raises(BadAssertion):
        read_response(text, provider, audience=AUDIENCE, acs_url=ACS, asked=lambda _: True, now=NOW)
