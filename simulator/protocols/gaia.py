"""What a device and a stand-in for Google's accounts both have to call by the same name: paths, headers, ids, bodies.

Names are FakeGaia's (Chromium google_apis/gaia/fake_gaia.cc), but for the service provider's own. No exchange and no
service is described here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from functools import lru_cache
from hashlib import sha256
from typing import Any, TypeVar
from urllib.parse import urlencode

from simulator.protocols.messages import Broken, Request, Response, is_unicode

# What is registered at an identity provider outlives the ports that a run picks: the stand-in has one name for ever,
# which no resolver knows (RFC 6761 6.4) and our wire leads to wherever the stand-in listens.
STAND_IN_HOST = "sp.fleetrush.invalid"
STAND_IN_URL = f"https://{STAND_IN_HOST}"

METADATA_PATH = "/metadata"
ACS_PATH = "/acs"
ENTRY_PATH = "/samlredirect"
CHALLENGE_PATH = "/_/embedded/signin/challenge"
CONTINUE_PATH = "/programmatic_auth_chromeos"
TOKEN_PATH = "/oauth2/v4/token"
USERINFO_PATH = "/oauth2/v1/userinfo"
MULTILOGIN_PATH = "/oauth/multilogin"
ACCOUNTS_PATH = "/ListAccounts"
SIGNIN_HEADER = "google-accounts-signin"
SAML_HEADER = "google-accounts-saml"
# Of the stand-in alone: what was wrong with an assertion, as BadAssertion.part.
BAD_ASSERTION_HEADER = "x-fleetrush-bad-assertion"
FORM = (("Content-Type", "application/x-www-form-urlencoded"),)
ANTI_HIJACK = ")]}'"

# Chrome's public OAuth client id. The secret is not Chrome's: nothing that needs that one may be asked.
CLIENT_ID = "77185425430.apps.googleusercontent.com"
CLIENT_SECRET = "fleetrush"
SOURCE = "ChromiumBrowser"

# Nothing in a name may end the header or the value that says who signed in.
_NAME = re.compile(r"[a-z0-9._%+'-]+")

_T = TypeVar("_T")


def service_of(base_url: str) -> tuple[str, str]:
    """Entity id and consumer service URL of the SAML service provider at a base URL."""
    return f"{base_url}{METADATA_PATH}", f"{base_url}{ACS_PATH}"


def address_in(domain: str, text: str) -> str:
    """The account of a domain that somebody is called by, an e-mail address in lower case; "" where it is none."""
    name, _, of = text.lower().partition("@")
    return f"{name}@{domain}" if of == domain and _NAME.fullmatch(name) else ""


@lru_cache(maxsize=8192)
def gaia_id_of(email: str) -> str:
    """A stand-in's id of an account: 21 digits like Google's, the same for the same address at any time."""
    return f"1{int.from_bytes(sha256(email.encode()).digest()[:8], 'big'):020d}"


def signin_header(email: str, gaia_id: str) -> str:
    """The value of the header that says who signed in."""
    return f'email="{email}", obfuscatedid="{gaia_id}", sessionindex=0'


def read_signin_header(value: str) -> tuple[str, str]:
    """E-mail and account id from that header, read as authenticator.js does: lower-cased as a whole, then parted."""
    parts = dict(part.strip().partition("=")[::2] for part in value.lower().split(","))
    email, gaia_id = parts.get("email", "").strip('"'), parts.get("obfuscatedid", "").strip('"')
    if not email or not gaia_id or "sessionindex" not in parts:
        raise Broken("missing_part", f"no {SIGNIN_HEADER} header with email, obfuscatedid and sessionindex")
    return email, gaia_id


def form_post(url: str, fields: dict[str, str]) -> Request:
    """A post of these fields, as Chrome's own calls make it: no page's."""
    return Request("POST", url, FORM, urlencode(fields).encode())


def write_accounts(emails: Iterable[str]) -> bytes:
    """The body of /ListAccounts: each account signed in, photo and the last flags left at their usual values."""
    rows = [
        ["gaia.l.a", 1, email.partition("@")[0], email, "", 1, 1, 0, 0, 1, gaia_id_of(email), 11, 12, 13, 0]
        for email in emails
    ]
    return json.dumps(["gaia.l.a.r", rows]).encode()


def read_accounts(response: Response) -> tuple[str, ...]:
    """The addresses in the body of /ListAccounts. Raises: Broken: undecodable, missing_part."""
    match _decoded(response.body, response.status):
        case ["gaia.l.a.r", [*rows]]:
            return tuple(_address(row, response.status) for row in rows)
    raise Broken("missing_part", "not a list of accounts", status=response.status)


def _address(row: object, status: int) -> str:
    match row:
        case ["gaia.l.a", _, _, str(email), *_]:
            return email
    raise Broken("missing_part", "not an account", status=status)


def _decoded(body: bytes, status: int) -> object:
    try:
        decoded: object = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Broken("undecodable", f"not JSON: {error}"[:120], status=status) from None
    return decoded


def json_object(response: Response, *, after: str = "") -> dict[str, Any]:
    """A JSON object in a body, past an anti-hijacking prefix. Raises: Broken: undecodable, missing_part."""
    said = _decoded(response.body.removeprefix(after.encode()), response.status)
    if not isinstance(said, dict):
        raise Broken("missing_part", "not a JSON object", status=response.status)
    return said


def member(said: dict[str, Any], name: str, kind: type[_T]) -> _T:
    """A member of an object, of that type and not the empty string. Raises: Broken: missing_part; bad_value."""
    value = said.get(name)
    if not isinstance(value, kind) or value == "":
        raise Broken("missing_part", f"no {name} in the answer")
    if isinstance(value, str) and not is_unicode(value):
        raise Broken("bad_value", f"a {name} that is not Unicode")
    return value
