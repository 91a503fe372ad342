"""What the identity provider's login page links to: a style sheet, what that sheet asks for, a script, pictures.

Small and cacheable, so that fetching them is really played; what a city's own pages weigh is measured at the city's.
"""

from __future__ import annotations

from simulator.protocols.messages import Response

PREFIX = "/idp/resources/"

_SHEET = """@import "fields.css";
.login-pf-page-header { background: url(backdrop.svg) no-repeat; min-height: 3rem; }
@font-face { font-family: "Realm"; src: url("realm.woff2") format("woff2"), url("realm.ttf") format("truetype"); }
"""
_FIELDS = ".pf-v5-c-form-control > input:focus { outline: 2px solid #06c; }\n"
_SCRIPT = 'document.documentElement.classList.replace("no-js", "js");\n'
_PICTURE = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24"><path d="{path}" fill="#06c"/></svg>\n'
# Not a font: nobody draws with it.
_FONT = b"wOF2" + bytes(4092)

_KINDS = {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml", "woff2": "font/woff2"}
_FILES: dict[str, bytes] = {
    "login.css": _SHEET.encode(),
    "fields.css": _FIELDS.encode(),
    "login.js": _SCRIPT.encode(),
    "logo.svg": _PICTURE.format(path="M4 4h16v16H4z").encode(),
    "icon.svg": _PICTURE.format(path="M12 2l10 20H2z").encode(),
    "backdrop.svg": _PICTURE.format(path="M0 0h24v24H0z").encode(),
    "realm.woff2": _FONT,
}


def asset(path: str) -> Response | None:
    """The file at a path below PREFIX; None where there is none."""
    name = path.removeprefix(PREFIX)
    body = _FILES.get(name) if path.startswith(PREFIX) else None
    if body is None:
        return None
    kind = _KINDS[name.rpartition(".")[2]]
    return Response(200, (("content-type", kind), ("cache-control", "public, max-age=2592000")), body)
