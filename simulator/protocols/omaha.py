"""The XML of the Omaha protocol, version 3: attribute text out, wanted elements in. No element has a meaning here.

Expat reads it, as in update_engine (omaha_parser_xml.cc), so that what is well-formed for a device is so here; and any
entity declaration ends the reading, which also leaves nothing to expand or to fetch.
"""

from __future__ import annotations

from collections.abc import Container
from functools import lru_cache
from xml.parsers import expat

UPDATER = "ChromeOSUpdateEngine"
UPDATER_VERSION = "0.1.0.0"
NO_VERSION = "0.0.0.0"

Element = tuple[str, dict[str, str]]

_DEEPEST = 6  # names on the longest path that anybody wants
_ESCAPES = str.maketrans({'"': "&quot;", "'": "&apos;", "&": "&amp;", "<": "&lt;", ">": "&gt;"})


class NotOmaha(Exception):  # noqa: N818 - what the other side sent, not an error of ours
    """A body that is no Omaha document, with the update_engine ErrorCode for it: 30, 31, 34 or 46."""

    def __init__(self, errorcode: int, detail: str) -> None:
        super().__init__(detail)
        self.errorcode = errorcode


def escape(value: str, default: str = "") -> str:
    """Attribute text; the default when the value is not 7-bit ASCII (XmlEncodeWithDefault)."""
    return value.translate(_ESCAPES) if value.isascii() else default


# The same for what a whole fleet has in common. Not for what somebody else sent: that could fill the memory.
text = lru_cache(maxsize=8192)(escape)


def elements(body: bytes, wanted: Container[str]) -> list[Element]:
    """The wanted elements of a document in order: (path of names without the first slash, attributes).

    Raises: NotOmaha.
    """
    if not body:
        raise NotOmaha(30, "an empty body")
    found: list[Element] = []
    names: list[str] = []
    depth = 0

    def start(name: str, attributes: dict[str, str]) -> None:
        nonlocal depth
        depth += 1
        if depth <= _DEEPEST:
            names.append(name)
            path = "/".join(names)
            if path in wanted:
                found.append((path, attributes))

    def end(_: str) -> None:
        nonlocal depth
        if depth <= _DEEPEST:
            names.pop()
        depth -= 1

    parser = expat.ParserCreate()
    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.EntityDeclHandler = _refuse_entity
    try:
        parser.Parse(body, True)
    except (expat.ExpatError, ValueError, LookupError) as fault:  # the last two: an encoding that Python cannot give it
        raise NotOmaha(31, f"not XML: {fault}") from fault
    return found


def _refuse_entity(*_: object) -> None:
    raise NotOmaha(46, "an entity declaration")
