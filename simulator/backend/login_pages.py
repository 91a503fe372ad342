"""The HTML of a sign-in: the identity provider's login form, its pages that post on or say no, and the service's own.

Shaped like Keycloak's pages, in names, fields and size, because a form client has to manage those. Text only: what is
true, allowed or signed is decided elsewhere.
"""

from __future__ import annotations

from html import escape
from urllib.parse import urlencode

WRONG = "Invalid username or password."
LOCKED = "Account is temporarily disabled; contact your administrator or retry later."

_HEAD = """<!DOCTYPE html>
<html class="login-pf" lang="en" dir="ltr">
<head>
    <meta charset="utf-8">
    <meta http-equiv="Content-Type" content="text/html; charset=UTF-8" />
    <meta name="robots" content="noindex, nofollow">
    <meta name="color-scheme" content="light dark">
    <meta name="viewport" content="width=device-width,initial-scale=1"/>
    <title>{title}</title>
    <link rel="icon" href="/idp/resources/icon.svg" />
    <link rel="stylesheet" href="/idp/resources/login.css" />
    <script src="/idp/resources/login.js" defer></script>
    <style>
        body {{ font-family: system-ui, sans-serif; margin: 0; background: #f0f2f5; color: #151515; }}
        .login-pf-page {{ max-width: 26rem; margin: 12vh auto 0; padding: 2rem; background: #fff; }}
        .pf-v5-c-form__group {{ margin-bottom: 1.25rem; }}
        .pf-v5-c-form__label-text {{ display: block; font-weight: 600; margin-bottom: .35rem; }}
        .pf-v5-c-form-control > input {{ width: 100%; box-sizing: border-box; padding: .6rem; }}
        .pf-m-error {{ color: #b1380b; display: block; margin-top: .35rem; }}
        .pf-m-primary {{ width: 100%; padding: .7rem; border: 0; background: #06c; color: #fff; font-size: 1rem; }}
    </style>
</head>
"""
_LOGIN = """<body id="keycloak-bg" class="" data-page-id="login-login">
<div id="kc-header" class="login-pf-page-header"><div id="kc-header-wrapper"><img src="/idp/resources/logo.svg" alt=""/>{realm}</div></div>
<div class="login-pf-page">
    <header class="login-pf-header"><h1 id="kc-page-title">Sign in to your account</h1></header>
    <div id="kc-content"><div id="kc-content-wrapper"><div id="kc-form"><div id="kc-form-wrapper">
    <form id="kc-form-login" class="pf-v5-c-form" onsubmit="login.disabled = true; return true;" action="{action}" method="post" novalidate="novalidate">
        <div class="pf-v5-c-form__group">
            <label for="username" class="pf-v5-c-form__label"><span class="pf-v5-c-form__label-text">Username or email</span></label>
            <span class="pf-v5-c-form-control">
                <input id="username" name="username" value="{user}" type="text" autocomplete="username" autofocus aria-invalid="{invalid}"/>
            </span>
            {error}
        </div>
        <div class="pf-v5-c-form__group">
            <label for="password" class="pf-v5-c-form__label"><span class="pf-v5-c-form__label-text">Password</span></label>
            <span class="pf-v5-c-form-control">
                <input id="password" name="password" value="" type="password" autocomplete="current-password" aria-invalid="{invalid}"/>
            </span>
        </div>
        <div class="pf-v5-c-form__group">
            <input id="rememberMe" name="rememberMe" type="checkbox"/> <label for="rememberMe">Remember me</label>
        </div>
        <input type="hidden" id="id-hidden-input" name="credentialId" />
        <div class="pf-v5-c-form__group">
            <button class="pf-v5-c-button pf-m-primary" name="login" id="kc-login" type="submit">Sign In</button>
        </div>
    </form>
    </div></div></div></div>
</div>
</body>
</html>
"""  # noqa: E501 - the markup's own lines
_ERROR = '<span id="input-error" class="pf-m-error" aria-live="polite">{text}</span>'
_POST = (
    '<HTML><HEAD><TITLE>Authentication Redirect</TITLE></HEAD><BODY Onload="document.forms[0].submit()">'
    '<FORM METHOD="POST" ACTION="{action}">'
    '<INPUT TYPE="HIDDEN" NAME="SAMLResponse" VALUE="{response}"/>'
    '<INPUT TYPE="HIDDEN" NAME="RelayState" VALUE="{relay}"/>'
    "<NOSCRIPT><P>JavaScript is disabled. We strongly recommend to enable it. Click the button below to continue.</P>"
    '<INPUT TYPE="SUBMIT" VALUE="CONTINUE" /></NOSCRIPT></FORM></BODY></HTML>'
)
_MESSAGE = """<body class=""><div class="login-pf-page"><h1 id="kc-page-title">{title}</h1>
<div id="kc-error-message" role="alert"><p class="instruction">{text}</p></div></div></body></html>
"""
_SETUP = """<body><main><h1>Sign in</h1><form method="post" action="/_/embedded/lookup/accountlookup">
<label>Email <input name="identifier" type="email" autocomplete="username"></label><button type="submit">Next</button>
</form></main></body></html>
"""


def login_page(realm: str, authenticate_url: str, query: dict[str, str], *, user: str = "", error: str = "") -> str:
    """The login form.

    Args:
        realm: whose page it is.
        authenticate_url, query: where the form is posted; another one in each page.
        user, error: what was typed and what was wrong with it, on a page that comes again.
    """
    return _HEAD.format(title=f"Sign in to {escape(realm)}") + _LOGIN.format(
        realm=escape(realm),
        action=escape(f"{authenticate_url}?{urlencode(query)}"),
        user=escape(user),
        invalid="true" if error else "",
        error=_ERROR.format(text=escape(error)) if error else "",
    )


def post_page(acs_url: str, saml_response: str, relay_state: str) -> str:
    """The page whose form posts the assertion on by itself (SAML bindings 3.5.4); upper-case tags, as Keycloak's."""
    return _POST.format(action=escape(acs_url), response=escape(saml_response), relay=escape(relay_state))


def message_page(title: str, text: str) -> str:
    """A page that says something and leads nowhere."""
    return _HEAD.format(title=escape(title)) + _MESSAGE.format(title=escape(title), text=escape(text))


def setup_page() -> str:
    """The page that asks for an address first."""
    return _HEAD.format(title="Sign in") + _SETUP
