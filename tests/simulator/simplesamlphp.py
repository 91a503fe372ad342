"""A real SimpleSAMLphp (Debian's package) as a city's identity provider: on loopback, configured in a test's folder.

Its users are kept in a file that a test may change while it runs.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.error import URLError
from urllib.request import ProxyHandler, build_opener

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

ROOT = Path("/usr/share/simplesamlphp")
MISSING = "" if shutil.which("php") and ROOT.is_dir() else "simplesamlphp and php-cli are not installed"
# PHP's own server answers one request a process: enough of them that none waits for another's session.
WORKERS = 8
READY_S = 20.0

_CONFIG = """<?php
$config = [
    'baseurlpath' => '{url}/',
    'certdir' => '{folder}/',
    'loggingdir' => '{folder}/',
    'datadir' => '{folder}/',
    'tempdir' => '{folder}/temp',
    'metadatadir' => '{folder}/metadata/',
    'timezone' => 'UTC',
    'secretsalt' => 'no secret: this provider lives for one test',
    'auth.adminpassword' => '{admin}',
    'technicalcontact_name' => 'Test',
    'technicalcontact_email' => 'na@example.org',
    'logging.handler' => 'file',
    'logging.level' => SimpleSAML\\Logger::WARNING,
    'enable.saml20-idp' => true,
    'module.enable' => ['exampleauth' => true, 'core' => true, 'saml' => true],
    'store.type' => 'phpsession',
    'session.phpsession.savepath' => '{folder}/sessions',
    'metadata.sources' => [['type' => 'flatfile']],
];
"""
_USERS = """<?php
$config = ['users' => ['exampleauth:UserPass']];
foreach (json_decode(file_get_contents('{folder}/users.json'), true) as $user => $password) {{
    $config['users']["$user:$password"] = ['mail' => [$user]];
}}
"""
_HOSTED = """<?php
$email = 'urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress';
$metadata['__DYNAMIC:1__'] = [
    'host' => '__DEFAULT__',
    'privatekey' => 'idp.pem',
    'certificate' => 'idp.crt',
    'auth' => 'users',
    'NameIDFormat' => $email,
    'authproc' => [1 => ['class' => 'saml:AttributeNameID', 'attribute' => 'mail', 'Format' => $email]],
];
"""
_SERVICE = "$metadata['{entity_id}'] = ['AssertionConsumerService' => '{acs_url}'];\n"


class SimpleSamlPhp:
    """One provider, from its start to `stop`.

    Args:
        folder: an empty one, for its configuration, keys, sessions and logs.
        services: entity id -> consumer service URL of the service providers that it knows.
    """

    def __init__(self, folder: Path, services: Mapping[str, str]) -> None:
        self._folder = folder
        for name in ("metadata", "sessions", "temp"):
            (folder / name).mkdir()
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port: int = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.metadata_url = f"{self.url}/saml2/idp/metadata.php"
        words = {"folder": folder, "url": self.url, "admin": os.urandom(16).hex()}
        (folder / "config.php").write_text(_CONFIG.format(**words))
        (folder / "authsources.php").write_text(_USERS.format(**words))
        (folder / "metadata" / "saml20-idp-hosted.php").write_text(_HOSTED)
        known = (_SERVICE.format(entity_id=entity_id, acs_url=acs_url) for entity_id, acs_url in services.items())
        (folder / "metadata" / "saml20-sp-remote.php").write_text("<?php\n" + "".join(known))
        self._make_key()
        self.set_users({})
        self._log = (folder / "access.log").open("w")
        self._process = subprocess.Popen(
            ["php", "-d", "opcache.enable_cli=1", "-S", f"127.0.0.1:{self.port}", "-t", str(ROOT / "www")],
            env={**os.environ, "SIMPLESAMLPHP_CONFIG_DIR": str(folder), "PHP_CLI_SERVER_WORKERS": str(WORKERS)},
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        self.metadata = self._await_metadata()

    def set_users(self, users: Mapping[str, str]) -> None:
        """Let these addresses in, each with its password, and nobody else."""
        fresh = self._folder / "users.new"
        fresh.write_text(json.dumps(users))
        fresh.replace(self._folder / "users.json")

    def posted(self) -> int:
        """How many login forms were posted to it, by its own access log."""
        said = (self._folder / "access.log").read_text()
        return len(re.findall(r"\[200\]: POST /module\.php/core/loginuserpass\.php", said))

    def stop(self) -> None:
        """End it and its workers."""
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._log.close()

    def _make_key(self) -> None:
        key = generate_private_key(65537, 2048)
        name, now = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a city's provider")]), datetime.now(UTC)
        certificate = (
            x509.CertificateBuilder(name, name, key.public_key(), 1)
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=1))
            .sign(key, SHA256())
        )
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        (self._folder / "idp.pem").write_bytes(pem)
        (self._folder / "idp.crt").write_bytes(certificate.public_bytes(Encoding.PEM))

    def _await_metadata(self) -> bytes:
        opener, end = build_opener(ProxyHandler({})), time.monotonic() + READY_S
        while True:
            try:
                with opener.open(self.metadata_url, timeout=READY_S) as answer:
                    return bytes(answer.read())
            except URLError:
                # it listens when it is ready, and has no other way to tell
                if time.monotonic() > end or self._process.poll() is not None:
                    self.stop()
                    raise
                time.sleep(0.05)
