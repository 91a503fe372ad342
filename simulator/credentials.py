"""With what devices enroll at a management server that the user named: tokens and keys out of files and environment.

They are handed on in memory and must never be printed or written.
"""

from __future__ import annotations

import os
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from scenarios.targets import ManagementTarget
from simulator.device import EnrollmentLogin

_SECTION = "targets.management"


def enrollment_login(target: ManagementTarget, faults: list[str]) -> EnrollmentLogin:
    """What the target says to enroll with; empty when it says nothing. A line for each fault goes to `faults`."""
    return EnrollmentLogin(
        oauth_token=_secret("oauth_token", target.oauth_token_file, target.oauth_token_env, faults),
        enrollment_token=_secret("enrollment_token", target.enrollment_token_file, target.enrollment_token_env, faults),
    )


def verification_key(target: ManagementTarget, faults: list[str]) -> bytes:
    """The key that vouches for the server's policy keys, DER; empty for none. A fault's line goes to `faults`."""
    if target.verification_key_file is None:
        return b""
    data = _content("verification_key_file", target.verification_key_file, faults)
    load = serialization.load_pem_public_key if data.startswith(b"-----") else serialization.load_der_public_key
    try:
        key = load(data)
    except ValueError:
        key = None
    if isinstance(key, rsa.RSAPublicKey):
        return key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    if data:
        expected = "an RSA public key, PEM or DER"
        faults.append(f"{_SECTION}.verification_key_file = {target.verification_key_file}: expected {expected}")
    return b""


def _secret(key: str, file: str | None, variable: str | None, faults: list[str]) -> str:
    """A token: one line without spaces, out of a file or an environment variable; empty when neither is said."""
    if file is not None:
        place, data = f"{_SECTION}.{key}_file = {file}", _content(f"{key}_file", file, faults)
        if not data:
            return ""
    elif variable is not None:
        place, data = f"{_SECTION}.{key}_env = {variable}", os.environ.get(variable, "").encode()
        if not data:
            faults.append(f"{place}: expected an environment variable that is set")
            return ""
    else:
        return ""
    token = data.decode("ascii", "replace").strip()
    if not token or not token.isascii() or len(token.split()) != 1:
        faults.append(f"{place}: expected one token in it, without spaces")
    return token


def _content(key: str, file: str, faults: list[str]) -> bytes:
    try:
        data = Path(file).read_bytes()
    except OSError as error:
        faults.append(f"{_SECTION}.{key} = {file}: cannot be read: {error.strerror}")
        return b""
    if not data:
        faults.append(f"{_SECTION}.{key} = {file}: expected a file that is not empty")
    return data
