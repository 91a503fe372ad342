"""Policy keys that were made elsewhere, as a file has them: for clients that trust no verification key but their own.

A stock Chromium trusts one verification key only, and nobody but its maker can sign with it. A policy key comes with
what that key signed beforehand, for one domain after another.
"""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from simulator.protocols.policy import PolicySigner


class WrongKeys(ValueError):  # noqa: N818 - a user's mistake, told in one line
    """The keys are not what they should be; the message says which and why."""


@dataclass(frozen=True, slots=True)
class ImportedKey:
    """One policy key.

    Attributes:
        private_der: PKCS #8, DER.
        signature: of {public key, domain} by the clients' verification key (PolicyFetchResponse field 7).
    """

    private_der: bytes
    signature: bytes


def read_policy_keys(text: str, domain: str) -> tuple[ImportedKey, ...]:
    """The keys for one domain, in the order of their versions, from 1.

    Args:
        text: JSON: {"keys": {"1": {"private_key_pkcs8": base64 of DER, "verification_signatures": {domain: base64}}}}.
    Raises: WrongKeys, one line: where, and what was expected.
    """
    try:
        told = json.loads(text)
    except (ValueError, RecursionError) as fault:
        raise WrongKeys(f"{fault}; expected JSON") from None
    keys = told.get("keys") if isinstance(told, dict) else None
    if not isinstance(keys, dict) or not keys:
        raise WrongKeys('expected an object with "keys": {"1": {...}, "2": {...}}')
    versions = [str(version) for version in range(1, len(keys) + 1)]
    if missing := [version for version in versions if version not in keys]:
        raise WrongKeys(f'keys: no "{missing[0]}"; expected {len(keys)} versions from "1"')
    return tuple(_read_key(f"keys.{version}", keys[version], domain) for version in versions)


def _read_key(where: str, told: object, domain: str) -> ImportedKey:
    key: Mapping[str, Any] = told if isinstance(told, dict) else {}
    signatures = key.get("verification_signatures")
    if not isinstance(signatures, dict):
        raise WrongKeys(f"{where}.verification_signatures: expected an object of domains")
    if domain not in signatures:
        known = ", ".join(map(str, signatures)) or "none"
        raise WrongKeys(f"{where}.verification_signatures: none for domain {domain}; there are {known}")
    private = _bytes(f"{where}.private_key_pkcs8", key.get("private_key_pkcs8"))
    try:
        PolicySigner(private)
    except ValueError:
        raise WrongKeys(f"{where}.private_key_pkcs8: expected a private RSA key, PKCS #8, DER") from None
    return ImportedKey(private, _bytes(f"{where}.verification_signatures.{domain}", signatures[domain]))


def _bytes(where: str, told: object) -> bytes:
    try:
        if isinstance(told, str) and told:
            return b64decode(told, validate=True)
    except ValueError:
        pass
    raise WrongKeys(f"{where}: expected base64")
