"""Identity providers that no client without JavaScript can drive, recognised by their marks, and what to do instead.

Asked only about the page on which a sign-in got stuck: a page with a passkey button may have a working form beside it.
Marks: sign-in facts 3.5 and 3.7, and the services' own documentation of how their pages are embedded.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from simulator.protocols.messages import Response

_ELSEWHERE = "point fleetrush at a staging provider with a login form, or federate a test domain to one"
_POLICY = "exempt the test accounts from it in the provider's policy"


@dataclass(frozen=True, slots=True)
class Scripted:
    """A provider, or a part of one, that needs JavaScript: its name and what whoever runs the test can do."""

    name: str
    advice: str


# Name, hosts (and whatever lies below them), marks in the page, advice. The first that fits counts.
_KNOWN: tuple[tuple[str, str, str, str], ...] = (
    (
        "Microsoft Entra ID",
        "microsoftonline.com login.microsoft.com login.windows.net login.live.com",
        r"urlGetCredentialType|Converged(SignIn|TFA|ProofUp|Error)|[\"']?sFTName[\"']?\s*:",
        _ELSEWHERE,
    ),
    (
        "Okta's sign-in widget",
        "okta.com oktapreview.com okta-emea.com",
        r"okta-sign-in|okta-login-container|OktaSignIn|OktaUtil",
        _ELSEWHERE,
    ),
    ("Google's own sign-in pages", "accounts.google.com", r"AccountsSignInUi|IdentifierFrontendUi", _ELSEWHERE),
    ("Duo", "duosecurity.com", r"duo_iframe|duosecurity\.com|data-sig-request", _POLICY),
    (
        "a captcha",
        "challenges.cloudflare.com hcaptcha.com recaptcha.net",
        r"g-recaptcha|recaptcha/(api|enterprise)|h-captcha|hcaptcha\.com|cf-turnstile",
        _POLICY,
    ),
    (
        "a passkey (WebAuthn)",
        "",
        r"navigator\.credentials\.(get|create)|publicKeyCredential|authenticateByWebAuthn|webauthnAuthenticate",
        "give the test accounts a password alone as their way to sign in",
    ),
)
_ROWS = tuple(
    (Scripted(name, advice), tuple(hosts.split()), re.compile(marks.encode(), re.IGNORECASE))
    for name, hosts, marks, advice in _KNOWN
)


def recognised_page(response: Response) -> Scripted | None:
    """Which of them a page is, by its marks; None when it is none that is known."""
    return next((scripted for scripted, _, marks in _ROWS if marks.search(response.body)), None)


def recognised_host(host: str) -> Scripted | None:
    """Which of them a host belongs to; None when to none."""
    for scripted, hosts, _ in _ROWS:
        if any(host == one or host.endswith(f".{one}") for one in hosts):
            return scripted
    return None
