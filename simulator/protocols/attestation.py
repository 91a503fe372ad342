"""Enrollment by attestation, both directions: a machine's certified enrollment key, what it signs, how that is checked.

The authority is simulated: a real one is Google's, and certifies only a key that a security chip vouches for. Keys are
of P-256, which Chromium prefers where the chip has it (enrollment_handler.cc, OnGetFeaturesReady). Chance and time are
arguments: the same ones give the same bytes.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from google.protobuf.message import DecodeError

from simulator.protocols import management_pb2 as pb

Data = pb.CertificateBasedDeviceRegistrationData

SECRET_SIZE = 32
# ChromeOS attestation_service.cc: kChallengeSignatureNonceSize, for all chips.
NONCE_SIZE = 20

_CURVE = ec.SECP256R1()
_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551  # of P-256 (FIPS 186-5)
_SIGNATURE = ec.ECDSA(hashes.SHA256(), deterministic_signing=True)
_VERIFY = ec.ECDSA(hashes.SHA256())
# The authority outlives every run; a machine's certificate is fresh for each try (Chromium forces a new key).
_AUTHORITY_FROM, _AUTHORITY_UNTIL = datetime(2020, 1, 1, tzinfo=UTC), datetime(2120, 1, 1, tzinfo=UTC)
_LIFE = timedelta(days=1)
_SLACK = timedelta(minutes=5)


class NotAttested(ValueError):  # noqa: N818 - a verdict about what a client sent
    """A signed registration that the authority does not stand behind."""


@dataclass(frozen=True, slots=True)
class EnrollmentCertificate:
    """A machine's enrollment key and the chain that certifies it, as PEM: its own certificate, then the authority's."""

    key: ec.EllipticCurvePrivateKey
    pem_chain: bytes


class Authority:
    """The simulated attestation authority.

    Args:
        secret: SECRET_SIZE random bytes, from which its key follows.
    """

    def __init__(self, secret: bytes) -> None:
        self._key = _key(secret)
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "fleetrush simulated attestation authority")])
        public = self._key.public_key()
        builder = self._builder(self._name, public, 1, _AUTHORITY_FROM, _AUTHORITY_UNTIL)
        self._certificate = self._signed(builder.add_extension(x509.BasicConstraints(True, 0), critical=True))
        self._pem = self._certificate.public_bytes(Encoding.PEM)

    def certify(self, serial: str, chance: bytes, now_ms: int) -> EnrollmentCertificate:
        """A new enrollment key for a machine, certified for a day.

        Args:
            serial: number of the machine, 1 to 64 characters. chance: SECRET_SIZE random bytes, from which the key
                follows. now_ms: Unix milliseconds.
        """
        key = _key(chance)
        now = _instant(now_ms)
        name = x509.Name([x509.NameAttribute(NameOID.SERIAL_NUMBER, serial)])
        number = int.from_bytes(chance[:8], "big") | 1
        leaf = self._signed(self._builder(name, key.public_key(), number, now - _SLACK, now + _LIFE))
        return EnrollmentCertificate(key, leaf.public_bytes(Encoding.PEM) + self._pem)

    def check(self, signed: pb.SignedData, now_ms: int) -> Data:
        """What a machine signed, if this authority certified its key for the machine that it names.

        Raises: NotAttested, with what is wrong.
        """
        length = len(signed.data) - signed.extra_data_bytes
        try:
            message = Data.FromString(signed.data[: max(0, length)])
            with warnings.catch_warnings():
                warnings.simplefilter("error")  # what the library merely frowns upon is no certificate of ours
                leaf, *rest = x509.load_pem_x509_certificates(message.device_certificate)
        except (DecodeError, ValueError, x509.InvalidVersion, UserWarning):
            raise NotAttested("no certificate that can be read") from None
        if message.certificate_type != Data.ENTERPRISE_ENROLLMENT_CERTIFICATE or rest != [self._certificate]:
            raise NotAttested("no enrollment certificate of this authority")
        try:
            leaf.verify_directly_issued_by(self._certificate)
        except (ValueError, TypeError, InvalidSignature):
            raise NotAttested("the certificate is not this authority's") from None
        if not leaf.not_valid_before_utc <= _instant(now_ms) <= leaf.not_valid_after_utc:
            raise NotAttested("the certificate has expired")
        key = leaf.public_key()
        assert isinstance(key, ec.EllipticCurvePublicKey)  # this authority certifies no other
        try:
            key.verify(signed.signature, signed.data, _VERIFY)
        except InvalidSignature:
            raise NotAttested("the signature does not fit the certificate") from None
        named = leaf.subject.get_attributes_for_oid(NameOID.SERIAL_NUMBER)
        if [attribute.value for attribute in named] != [message.device_register_request.machine_id]:
            raise NotAttested("the certificate is another machine's")
        return message

    def _builder(
        self, subject: x509.Name, key: ec.EllipticCurvePublicKey, number: int, since: datetime, until: datetime
    ) -> x509.CertificateBuilder:
        builder = x509.CertificateBuilder(issuer_name=self._name, subject_name=subject, public_key=key)
        return builder.serial_number(number).not_valid_before(since).not_valid_after(until)

    def _signed(self, builder: x509.CertificateBuilder) -> x509.Certificate:
        return builder.sign(self._key, hashes.SHA256(), ecdsa_deterministic=True)


def signed(request: pb.DeviceRegisterRequest, certificate: EnrollmentCertificate, nonce: bytes) -> pb.SignedData:
    """A registration signed by a machine's enrollment key (Chromium tpm_enrollment_key_signing_service.cc).

    Args:
        nonce: NONCE_SIZE random bytes, which the chip appends before it signs.
    """
    data = Data(
        certificate_type=Data.ENTERPRISE_ENROLLMENT_CERTIFICATE,
        device_certificate=certificate.pem_chain,
        device_register_request=request,
    )
    whole = data.SerializeToString() + nonce
    signature = certificate.key.sign(whole, _SIGNATURE)
    return pb.SignedData(data=whole, signature=signature, extra_data_bytes=len(nonce))


def _key(secret: bytes) -> ec.EllipticCurvePrivateKey:
    return ec.derive_private_key(1 + int.from_bytes(secret, "big") % (_ORDER - 1), _CURVE)


def _instant(unix_ms: int) -> datetime:
    return datetime.fromtimestamp(unix_ms / 1000, UTC)
