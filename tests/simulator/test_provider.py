"""What is known of a named identity provider before any load: from a file or the wire, and each mistake in a line."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1
from cryptography.hazmat.primitives.asymmetric.ec import generate_private_key as curve_key
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
)

from scenarios.targets import Targets, read_targets
from simulator.backend.idp_key import signing_key
from simulator.backend.store import Store
from simulator.errors import Unreachable, UserError
from simulator.protocols.saml_metadata import Provider, provider_metadata, read_provider
from simulator.provider import named_provider

CERTIFICATE = signing_key(Store(":memory:"))[1]
BOTH = {"redirect": "https://idp.city.example/sso", "post": "https://idp.city.example/post"}
PORTAL = '[targets.identity.service_provider]\nentity_id = "portal"\nacs_url = "https://portal.city.example/acs"\n'


def metadata(**sso_urls: str) -> bytes:
    return provider_metadata(Provider("https://idp.city.example/", sso_urls or BOTH, (CERTIFICATE,)))


def targets(folder: Path, url: str = "https://idp.city.example", more: str = "") -> Targets:
    """A targets file's: the provider at an address, and what else its table says."""
    (folder / "targets.toml").write_text(f'[targets.identity]\nurl = "{url}"\n{more}')
    return read_targets(folder / "targets.toml")


@contextmanager
def serving(status: int, body: bytes) -> Iterator[tuple[str, list[str]]]:
    """A server that answers every path so: its address, and what was asked."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Keep silent."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", asked
        finally:
            server.shutdown()
            thread.join()


def line_of(named: Targets) -> str:
    with pytest.raises(UserError) as caught:
        named_provider(named)
    (line,) = caught.value.lines
    return line


def pem(encryption: KeySerializationEncryption) -> bytes:
    return generate_private_key(65537, 2048).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption)


def test_nothing_named() -> None:
    """Without an identity target there is nothing to know."""
    assert named_provider(Targets()) is None


def test_from_a_file(tmp_path: Path) -> None:
    """A file beside the targets file is enough, and nobody is asked."""
    (tmp_path / "idp.xml").write_bytes(metadata())
    named = named_provider(targets(tmp_path, more='metadata = "idp.xml"\n'))
    assert named is not None
    assert read_provider(named.metadata.encode()).sso_urls == BOTH
    assert (named.sp_key, named.is_asked_by_devices) == ("", False)


def test_from_the_provider(tmp_path: Path) -> None:
    """The target's own address is asked for its metadata, once, unless another is given."""
    with serving(200, metadata()) as (url, asked):
        named = named_provider(targets(tmp_path, f"{url}/realms/city/protocol/saml/descriptor"))
        assert named is not None
        assert asked == ["/realms/city/protocol/saml/descriptor"]
        named = named_provider(targets(tmp_path, more=f'metadata = "{url}/metadata?entity=1"\n'))
        assert named is not None
        assert asked[1:] == ["/metadata?entity=1"]


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (200, b"<html><body>Welcome</body></html>", "it describes no identity provider of SAML 2.0"),
        (200, b"{}", "it is not XML"),
        (404, b"", "HTTP 404"),
    ],
)
def test_no_metadata_there(tmp_path: Path, status: int, body: bytes, said: str) -> None:
    """What answers with something else is a mistake in the targets file: where, what came, what to do."""
    with serving(status, body) as (url, _):
        line = line_of(targets(tmp_path, url))
    assert line.startswith(f"targets.identity: {url}: {said}")
    assert line.endswith("as [targets.identity] metadata = FILE or URL")


def test_nobody_there(tmp_path: Path) -> None:
    """A provider that is down, or answers with a 500, is unreachable: no mistake of the user's."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        with pytest.raises(Unreachable, match="connect_refused"):
            named_provider(targets(tmp_path, f"http://127.0.0.1:{closed.getsockname()[1]}"))
    with serving(500, b"") as (url, _), pytest.raises(Unreachable, match="HTTP 500"):
        named_provider(targets(tmp_path, url))


@pytest.mark.parametrize("command", ["run", "check"])
def test_down_at_the_start(tmp_path: Path, command: str) -> None:
    """Exit 3 in one line, and no run folder."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        target = f"identity=http://127.0.0.1:{closed.getsockname()[1]}"
        fleetrush = str(Path(sys.executable).with_name("fleetrush"))
        done = subprocess.run(
            [fleetrush, command, "--target", target],
            capture_output=True,
            text=True,
            cwd=tmp_path,
            timeout=60,
            check=False,
        )
    assert done.returncode == 3
    assert done.stderr.startswith("fleetrush: the identity provider cannot be reached: http://127.0.0.1:")
    assert len(done.stderr.splitlines()) == 1
    assert not list(tmp_path.iterdir())


def test_the_guard_is_asked(tmp_path: Path) -> None:
    """Metadata of a host that no authorisation names is not fetched."""
    assert "192.0.2.1:443 is not loopback and no [authorisation] names it" in line_of(
        targets(tmp_path, "https://192.0.2.1/metadata")
    )


def test_a_binding_that_is_not_offered(tmp_path: Path) -> None:
    """Whoever asks, the provider has to take requests that way: told before anything is sent to it."""
    (tmp_path / "post.xml").write_bytes(metadata(post=BOTH["post"]))
    (tmp_path / "redirect.xml").write_bytes(metadata(redirect=BOTH["redirect"]))
    assert line_of(targets(tmp_path, more='metadata = "post.xml"\n')) == (
        "targets.identity: https://idp.city.example/ takes requests by post; Google asks by redirect"
    )
    by_post = targets(tmp_path, more=f'metadata = "redirect.xml"\n{PORTAL}binding = "post"\n')
    assert line_of(by_post) == (
        "targets.identity.service_provider.binding = 'post': https://idp.city.example/ takes requests by redirect"
    )
    named = named_provider(targets(tmp_path, more=f'metadata = "redirect.xml"\n{PORTAL}'))
    assert named is not None
    assert named.is_asked_by_devices


def test_the_key_of_the_service_provider(tmp_path: Path) -> None:
    """An RSA key without a passphrase signs requests; any other file is told in a line that shows none of it."""
    (tmp_path / "idp.xml").write_bytes(metadata())
    named_with_key = targets_with_key(tmp_path, pem(NoEncryption()))
    named = named_provider(named_with_key)
    assert named is not None
    assert named.sp_key.startswith("-----BEGIN PRIVATE KEY-----")
    curve = curve_key(SECP256R1()).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    for wrong in (b"hello", pem(BestAvailableEncryption(b"x")), curve):
        line = line_of(targets_with_key(tmp_path, wrong))
        assert line == (
            f"targets.identity.service_provider.key_file = {str(tmp_path / 'sp.pem')!r}:"
            " not the PEM of an RSA private key without a passphrase"
        )


def targets_with_key(folder: Path, key: bytes) -> Targets:
    (folder / "sp.pem").write_bytes(key)
    return targets(folder, more=f'metadata = "idp.xml"\n{PORTAL}key_file = "sp.pem"\n')
