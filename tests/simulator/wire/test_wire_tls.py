"""TLS over the real wire: who is believed, what is resumed, and the same HTTP within."""

from __future__ import annotations

import asyncio
import ipaddress
import os
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from wire_servers import OK, Script, Side, answering, played, pooled, served, until

from simulator.protocols.messages import Broken, Request, Trouble, Unknown
from simulator.wire.tls import TlsSettings

NAME = "idp.city.invalid"


class Authority:
    """A certificate authority of our own, its certificate in a file."""

    def __init__(self, folder: Path, name: str) -> None:
        self.folder = folder
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        constraints = x509.BasicConstraints(ca=True, path_length=0)
        usage = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
        own = self.builder(self.subject, self.key).add_extension(constraints, True).add_extension(usage, True)
        self.file = folder / f"{name}.pem"
        self.file.write_bytes(own.sign(self.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))

    def builder(
        self, subject: x509.Name, key: ec.EllipticCurvePrivateKey, *, until_day: int = 1
    ) -> x509.CertificateBuilder:
        """A certificate to be, from three days ago until a day from now, or another day."""
        now = datetime.now(UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self.subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=3))
            .not_valid_after(now + timedelta(days=until_day))
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()), False)
        )

    def server(self, *names: str, until_day: int = 1) -> ssl.SSLContext:
        """A server's context with a certificate for these names and addresses."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, names[0])])
        general: list[x509.GeneralName] = []
        for name in names:
            try:
                general.append(x509.IPAddress(ipaddress.ip_address(name)))
            except ValueError:
                general.append(x509.DNSName(name))
        builder = self.builder(subject, key, until_day=until_day)
        certificate = builder.add_extension(x509.SubjectAlternativeName(general), False).sign(self.key, hashes.SHA256())
        file = self.folder / f"server-{names[0]}-{until_day}.pem"
        file.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
            + certificate.public_bytes(serialization.Encoding.PEM)
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(file)
        return context


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """The city's own."""
    return Authority(tmp_path_factory.mktemp("city"), "city")


def trusting(authority: Authority, port: int, *, verify: bool = True) -> dict[str, object]:
    """Pool options: the name leads to that port, and the authority is believed for it."""
    settings = TlsSettings(ca_file=str(authority.file), verify=verify)
    return {"hosts": {NAME: f"127.0.0.1:{port}"}, "tls": {f"{NAME}:443": settings, f"127.0.0.1:{port}": settings}}


@played
async def test_exchange_and_alpn(authority):
    """A trusted name is spoken to, with its name as SNI and http/1.1 as ALPN; small and large bodies arrive whole."""
    seen = []
    context = authority.server(NAME)
    context.set_alpn_protocols(["h2", "http/1.1"])
    context.sni_callback = lambda _ssl, name, _context: seen.append(name)
    body = bytes(range(256)) * 8000

    async def script(side: Side) -> None:
        seen.append(side.writer.get_extra_info("ssl_object").selected_alpn_protocol())
        request = await side.request()
        echo = request[request.index(b"\r\n\r\n") + 4 :]
        await side.say(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(echo) + echo)

    async with served(script, tls=context) as peer, pooled(**trusting(authority, peer.port)) as pool:
        response = await pool.device().send(Request("POST", f"https://{NAME}/x", (), body), timeout_s=20)
        assert response.body == body
        assert response.bytes_out == len(peer.requests[0])
        assert seen == [NAME, "http/1.1"]
        assert f"\r\nHost: {NAME}\r\n".encode() in peer.requests[0]


@played
async def test_address_in_the_certificate(authority):
    """An address is believed when the certificate names it."""
    async with (
        served(answering(OK), tls=authority.server("127.0.0.1")) as peer,
        pooled(**trusting(authority, peer.port)) as pool,
    ):
        response = await pool.device().send(Request("GET", f"https://127.0.0.1:{peer.port}/"), timeout_s=5)
        assert response.status == 200


@pytest.mark.parametrize(
    ("kind", "said"),
    [("name", "mismatch"), ("expired", "expired"), ("authority", "unable to get local issuer"), ("plain", "handshake")],
)
@played
async def test_not_believed(authority, tmp_path, kind, said):
    """A wrong name, an old certificate, another's authority and no TLS at all are broken, tls_failed, unsent."""
    believed = Authority(tmp_path, "other") if kind == "authority" else authority
    context = {
        "name": lambda: authority.server("www.city.invalid"),
        "expired": lambda: authority.server(NAME, until_day=-1),
        "authority": lambda: authority.server(NAME),
        "plain": lambda: None,
    }[kind]()

    async def plain(side: Side) -> None:
        await side.reader.read(1)
        await side.say(b"HTTP/1.1 400 The plain HTTP request was sent\r\n\r\n")

    script: Script = plain if kind == "plain" else answering(OK)
    async with served(script, tls=context) as peer, pooled(**trusting(believed, peer.port)) as pool:
        with pytest.raises(Broken) as caught:
            await pool.device().send(Request("GET", f"https://{NAME}/"), timeout_s=5)
        assert caught.value.reason == "tls_failed"
        assert said in str(caught.value)
        assert peer.requests == []
        await until(lambda: not pool.open_connections)


@played
async def test_verification_is_switched_off_for_one_target(authority, tmp_path):
    """verify=False takes an expired stranger with the wrong name, at that host and port alone."""
    stranger = Authority(tmp_path, "stranger").server("elsewhere.invalid", until_day=-1)
    async with (
        served(answering(OK), tls=stranger) as one,
        served(answering(OK), tls=stranger) as two,
        pooled(tls={f"127.0.0.1:{one.port}": TlsSettings(verify=False)}) as pool,
    ):
        line = pool.device()
        assert (await line.send(Request("GET", f"https://127.0.0.1:{one.port}/"), timeout_s=5)).status == 200
        with pytest.raises(Broken):
            await line.send(Request("GET", f"https://127.0.0.1:{two.port}/"), timeout_s=5)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@played
async def test_sessions_are_resumed_by_their_own_device(authority, version):
    """A device's second connection resumes the session of its first, as the server sees it; another's does not."""
    context = authority.server(NAME)
    context.maximum_version = version
    reused = []

    async def script(side: Side) -> None:
        reused.append(side.writer.get_extra_info("ssl_object").session_reused)
        await side.request()
        await side.say(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok")

    async with served(script, tls=context) as peer, pooled(**trusting(authority, peer.port)) as pool:
        one, two = pool.device(), pool.device()
        for line in (one, one, two, one, two):
            await line.send(Request("GET", f"https://{NAME}/"), timeout_s=5)
            await until(lambda: not pool.open_connections)
    assert reused == [False, True, False, True, True]


@played
async def test_second_connection_resumes_while_the_first_is_open(authority):
    """Two requests at once, after a first one: the new connection resumes the session of the one still open."""
    reused = []
    both = asyncio.Event()

    async def script(side: Side) -> None:
        reused.append(side.writer.get_extra_info("ssl_object").session_reused)
        while True:
            await side.request()
            if len(side.peer.requests) == 3:
                both.set()
            if len(side.peer.requests) > 1:
                await both.wait()
            await side.say(OK)

    async with (
        served(script, tls=authority.server(NAME)) as peer,
        pooled(**trusting(authority, peer.port)) as pool,
    ):
        line, request = pool.device(), Request("GET", f"https://{NAME}/")
        await line.send(request, timeout_s=5)
        await asyncio.gather(line.send(request, timeout_s=5), line.send(request, timeout_s=5))
    assert reused == [False, True]


@played
async def test_handshake_that_never_ends(authority):
    """A server that takes the connect and never speaks TLS is broken, connect_timeout."""

    async def script(side: Side) -> None:
        await side.until_closed()

    async with served(script) as peer, pooled(connect_timeout_s=0.2, **trusting(authority, peer.port)) as pool:
        with pytest.raises(Broken) as caught:
            await pool.device().send(Request("GET", f"https://{NAME}/"), timeout_s=5)
        assert caught.value.reason == "connect_timeout"


@pytest.mark.parametrize("end", ["closes", "breaks the record"])
@played
async def test_trouble_after_the_handshake(authority, end):
    """Closed, or bytes that are no TLS record, after the request was out: unknown, broken after sent."""
    context = authority.server(NAME)

    async def script(side: Side) -> None:
        await side.request()
        if end == "breaks the record":
            os.write(side.writer.get_extra_info("socket").fileno(), b"\x17\x03\x03\x00\x20" + b"x" * 32)
            await side.until_closed()

    async with served(script, tls=context) as peer, pooled(**trusting(authority, peer.port)) as pool:
        with pytest.raises(Unknown) as caught:
            await pool.device().send(Request("POST", f"https://{NAME}/", (), b"x"), timeout_s=5)
        assert caught.value.reason == "broken_after_sent"


@played
async def test_body_until_the_connection_closes(authority):
    """A body that ends with the connection is whole after close_notify."""

    async def script(side: Side) -> None:
        await side.request()
        await side.say(b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 100_000)

    async with served(script, tls=authority.server(NAME)) as peer, pooled(**trusting(authority, peer.port)) as pool:
        response = await pool.device().send(Request("GET", f"https://{NAME}/"), timeout_s=5)
        assert response.body == b"x" * 100_000


async def _tunnel(side: Side, target: int) -> None:
    """Play a proxy: forward after CONNECT."""
    await side.request()
    reader, writer = await asyncio.open_connection("127.0.0.1", target)
    await side.say(b"HTTP/1.1 200 Connection established\r\n\r\n")

    async def pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        while data := await source.read(65536):
            sink.write(data)
        sink.close()

    try:
        await asyncio.gather(pump(side.reader, writer), pump(reader, side.writer))
    finally:
        writer.close()


@played
async def test_proxy(authority):
    """Through a proxy: https by CONNECT with TLS to the target itself, http in absolute form; a no is broken."""
    async with served(answering(OK), tls=authority.server("127.0.0.1")) as target:

        async def script(side: Side) -> None:
            if side.number == 1:
                await _tunnel(side, target.port)
            else:
                await answering(OK if side.number == 2 else b"HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n")(side)

        async with served(script) as proxy, pooled(**trusting(authority, target.port)) as pool:
            line = pool.device(proxy=proxy.url)
            for _ in range(2):
                response = await line.send(Request("GET", f"https://127.0.0.1:{target.port}/x"), timeout_s=5)
                assert response.body == b"ok"
            assert proxy.requests[0].startswith(b"CONNECT 127.0.0.1:%d HTTP/1.1\r\n" % target.port)
            assert [request.split(b"\r\n")[0] for request in target.requests] == [b"GET /x HTTP/1.1"] * 2
            await line.send(Request("GET", "http://127.0.0.1:81/y?z"), timeout_s=5)
            assert proxy.requests[1].startswith(b"GET http://127.0.0.1:81/y?z HTTP/1.1\r\nHost: 127.0.0.1:81\r\n")
            with pytest.raises(Trouble) as caught:
                await line.send(Request("GET", "https://127.0.0.1:82/"), timeout_s=5)
            assert (caught.value.reason, caught.value.status) == ("connect_failed", 403)
            for url, reason in (
                ("https://www.google.com/", "guard_public_service"),
                ("http://idp.city.example/", "guard_not_authorised"),
            ):
                with pytest.raises(Trouble) as caught:
                    await line.send(Request("GET", url), timeout_s=5)
                assert caught.value.reason == reason
            assert len(proxy.requests) == 3


@pytest.mark.parametrize("proxy", ["https://127.0.0.1:1/", "127.0.0.1:8080", "socks5://127.0.0.1:1"])
@played
async def test_proxies_that_are_none(proxy):
    """A proxy that is not an http:// URL is the user's mistake, told at once."""
    async with pooled() as pool:
        with pytest.raises(ValueError, match="http"):
            pool.device(proxy=proxy)


@pytest.mark.parametrize("told", ["example.com:80", "127.0.0.1", "127.0.0.1:x", ":80"])
@played
async def test_host_maps_that_are_none(told):
    """A host map must lead to an address and a port."""
    with pytest.raises(ValueError, match="address:port"):
        async with pooled(hosts={"a.invalid": told}):
            pass
