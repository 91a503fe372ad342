"""What may be shown of a page or a message: no name, no address of a person, no token. Text in, text out."""

from __future__ import annotations

import re
from collections.abc import Iterable

LONGEST = 600
# Of a longer text the rest is not even looked at: a server's page may have megabytes.
_READ = 10 * LONGEST
_EMAIL = re.compile(r"[\w.+-]+@[\w-]+(\.[\w-]+)+")
# Base64, base64url, hex and percent-encoded blobs: no word of any language is written like that.
_BLOB = re.compile(r"[A-Za-z0-9+/=_%~-]{24,}")
_MIXED = re.compile(r"(?=.*[0-9])(?=.*[A-Za-z])|^[0-9]+$|[A-Z][a-z]+[A-Z]")
# What stands behind a name that calls it a secret.
_NAMED = re.compile(r"(?i)\b(code|token|session|ticket|state|password|passwd|otp|secret|id)(\s*[:=]\s*)(\S+)")


def redacted(text: str, persons: Iterable[str] = (), *, longest: int = LONGEST) -> str:
    """White space folded, persons, e-mail addresses, tokens and encoded blobs blotted out, cut to a bounded length.

    Args:
        persons: user names, addresses and display names; a part before an @ counts as well.
    """
    said = " ".join(text.split())
    if len(said) > _READ:
        # a word that is cut would not be known for what it is
        said = said[:_READ].rpartition(" ")[0]
    known = {part for person in persons for part in (person, person.partition("@")[0]) if len(part) > 2}
    for name in sorted(known, key=len, reverse=True):
        said = re.sub(re.escape(name), "(user)", said, flags=re.IGNORECASE)
    said = _EMAIL.sub("(address)", said)
    said = _NAMED.sub(r"\1\2(hidden)", said)
    said = _BLOB.sub(lambda found: "(hidden)" if _MIXED.search(found[0]) else found[0], said)
    return said if len(said) <= longest else said[: longest - 3] + "..."
