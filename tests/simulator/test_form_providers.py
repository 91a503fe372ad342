"""Two hundred sign in through the pages of Keycloak, Shibboleth, AD FS and LemonLDAP::NG, in both ways."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
import uvloop
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from form_providers import ADFS, FLOWS, KEYCLOAK, LEMONLDAP, SHIBBOLETH, FormProviders, serving
from sign_in_runs import PEOPLE, THEIRS, WAYS, city_in

from scenarios.targets import Targets
from simulator.engine import Sockets
from simulator.protocols import identity
from simulator.protocols.forms import LoginForm
from simulator.protocols.messages import Exchange, Refused
from simulator.protocols.service_provider import ServiceProvider, ask_provider

# Pages without a password on the way: the first one, and the two of Shibboleth's localStorage.
PAGES = {KEYCLOAK: 1, SHIBBOLETH: 3, ADFS: 1, LEMONLDAP: 1}


@pytest.mark.parametrize("way", list(WAYS))
def test_everybody_signs_in(tmp_path: Path, way: str) -> None:
    """A quarter of the people at each provider, none refused, nothing sent that a real one would not have taken; the
    city's own service provider signs its requests, and sends them by post."""
    key = generate_private_key(65537, 2048).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (tmp_path / "portal.pem").write_bytes(key)
    signing = 'binding = "post"\nkey_file = "portal.pem"\n' if way == "played" else ""
    city = city_in(tmp_path)
    with serving(city.users) as server:
        done = city.fleetrush("run", way, f"{server.url}/metadata", server.metadata, "--out", "runs", more=signing)
        assert done.returncode in (0, 3)
        assert server.odd == []
        # the one that goes first has the first provider's pages
        assert server.done == {flow: PEOPLE // 4 + (flow == FLOWS[0]) for flow in FLOWS}
        assert server.signed == (PEOPLE + 1 if signing else 0)
        # the pages of all but Keycloak post the assertion by a script of the provider's
        assert server.scripts == PEOPLE // 4 * 3
    city.expect_everybody_signed_in("runs", way, assets=3 / 4, page_factor=sum(PAGES.values()) / len(PAGES))


@pytest.mark.parametrize(
    ("flow", "said"),
    [
        (KEYCLOAK, "Invalid username or password."),
        (SHIBBOLETH, "The password you entered was incorrect."),
        (ADFS, "Incorrect user ID or password."),
        (LEMONLDAP, "Authentication portal"),
    ],
)
def test_wrong_password(flow: str, said: str) -> None:
    """Over real sockets each provider's page for a wrong password is a refusal in its own words."""
    with serving({"taro@city.example": "right"}) as server:
        server.flows = (flow,)
        refused = uvloop.run(_refused(server))
    assert (refused.reason, refused.status) == ("login_page_again", 200)
    assert said in refused.detail
    assert (server.odd, dict(server.wrong)) == ([], {flow: 1})


async def _refused(server: FormProviders) -> Refused:
    """Sign in with a wrong password, up to the refusal."""
    sockets = Sockets(Targets())
    wire = sockets.wire(None)
    service = ServiceProvider(server.provider, *THEIRS, "redirect", "", "", None)
    asking: Exchange[object] = ask_provider(service, "_r", time.time())
    try:
        while True:
            page = asking.read(await wire.send(asking.request, timeout_s=10))
            assert isinstance(page, LoginForm)
            asking = identity.submit(page, "taro@city.example", "wrong")
    except Refused as refused:
        return refused
    finally:
        await sockets.close()
