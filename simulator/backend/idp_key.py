"""The identity provider's signing key and certificate: made once, kept in the store, read by both sides of SAML.

Nothing is signed here, and no clock is asked: the certificate has no well-defined end.
"""

from __future__ import annotations

from datetime import UTC, datetime

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_der_private_key,
)
from cryptography.x509.oid import NameOID

from simulator.backend.settings import BackendSettings
from simulator.backend.store import Store
from simulator.protocols.saml_metadata import Provider

SCHEMA = "CREATE TABLE IF NOT EXISTS idp_key (id INTEGER PRIMARY KEY CHECK (id = 1), key BLOB, certificate BLOB);"
# RFC 5280 4.1.2.5: the end of a certificate that has none.
_BEGIN = datetime(1970, 1, 1, tzinfo=UTC)
_END = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)


def signing_key(store: Store) -> tuple[RSAPrivateKey, x509.Certificate]:
    """The RSA-2048 key and its self-signed certificate, made when there is none yet."""
    store.ensure(SCHEMA)
    row = store.one("SELECT key, certificate FROM idp_key")
    if row is not None:
        # Our own, out of our own store: checking its arithmetic again takes 25 ms.
        key = load_der_private_key(row["key"], None, unsafe_skip_rsa_key_validation=True)
        assert isinstance(key, RSAPrivateKey)
        return key, x509.load_der_x509_certificate(row["certificate"])
    key = generate_private_key(65537, 2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "fleetrush identity provider")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(_BEGIN)
        .not_valid_after(_END)
        .sign(key, SHA256())
    )
    private = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    store.execute("INSERT INTO idp_key VALUES (1, ?, ?)", private, certificate.public_bytes(Encoding.DER))
    return key, certificate


def provider_of(store: Store, settings: BackendSettings) -> Provider:
    """The stand-in's identity provider as its service provider knows it."""
    base = f"{settings.idp_url}/idp"
    return Provider(f"{base}/metadata", {"redirect": f"{base}/sso"}, (signing_key(store)[1],))
