"""Every text that a page shows, by key, in English and Japanese.

A table is a file of this folder: key -> (English, Japanese), with the same {placeholders} in both. TABLES lists them.
No figure is computed or formatted here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import Any, Final, Literal

from reports.messages.capacity import CAPACITY
from reports.messages.capacity_council import CAPACITY_COUNCIL
from reports.messages.compare import COMPARE
from reports.messages.council import COUNCIL
from reports.messages.distrust import DISTRUST, sentence
from reports.messages.heard import HEARD, OUTCOMES
from reports.messages.history import HISTORY
from reports.messages.honesty import HONESTY
from reports.messages.page import PAGE
from reports.messages.series import SERIES
from reports.messages.todo import TODO
from reports.messages.verdict import VERDICT

Lang = Literal["en", "ja"]
Table = Mapping[str, tuple[str, str]]

LANGUAGES: Final[tuple[Lang, ...]] = ("en", "ja")
TABLES: Final[tuple[Table, ...]] = (
    VERDICT,
    TODO,
    PAGE,
    COUNCIL,
    HONESTY,
    CAPACITY,
    CAPACITY_COUNCIL,
    COMPARE,
    HISTORY,
    SERIES,
)
"""To add texts: a file with a table, and a row here."""

_PLACEHOLDER: Final = re.compile(r"\{(\w+)\}")
_ONE_OUTCOME: Final = f"(?:{'|'.join(OUTCOMES)})"
_SHAPES: Final = {
    "outcomes": f"{_ONE_OUTCOME}(?: or {_ONE_OUTCOME})*",
    "step": r"\S+(?: \(caught up\))?",
    "from": r"[\d:.]+",
    "until": r"[\d:.]+",
}
"""Placeholders of a heard sentence that stand for this alone; others for any text."""


class Say:
    """The texts of one language.

    Args:
        lang: one of LANGUAGES.
    """

    def __init__(self, lang: Lang) -> None:
        self.lang = lang
        self._at = LANGUAGES.index(lang)

    def __call__(self, key: str, **values: object) -> str:
        """The text of a key, its placeholders filled. Raises KeyError for a key or placeholder that is not there."""
        return _TEXTS[key][self._at].format_map(values)

    def heard(self, text: str) -> str:
        """A sentence of run.json or summary.json, which are in English, as this language has it.

        What no row of HEARD or DISTRUST knows (a user's own question, what a server said) stays as it was written.
        """
        if not self._at:
            return text
        for pattern, said in _patterns():
            if found := pattern.fullmatch(text):
                return said.format_map({name: self._part(name, part) for name, part in found.groupdict().items()})
        return text

    def _part(self, name: str, text: str) -> str:
        """What stood for a placeholder of a heard sentence."""
        if name == "outcomes":
            return "・".join(OUTCOMES[one] for one in text.split(" or "))
        # an objective's name has a comma before its window
        return "、".join(map(self.heard, re.split(r", (?!due )", text))) if name == "names" else self.heard(text)

    def many(self, names: list[str]) -> str:
        """A list in words."""
        if len(names) < 2:
            return names[0] if names else self("list.none")
        return self("list.and", first=self("list.comma").join(names[:-1]), last=names[-1])


ENGLISH: Final = Say("en")

_TEXTS: Final[dict[str, tuple[str, str]]] = {key: both for table in TABLES for key, both in table.items()}


@cache
def _patterns() -> list[tuple[re.Pattern[str], str]]:
    remedies = [remedy for _, remedy in DISTRUST.values()]
    known = [*HEARD, *remedies, *map(sentence, DISTRUST)]
    return [(re.compile(_pattern(english), re.DOTALL), japanese) for english, japanese in known]


def _pattern(english: str) -> str:
    parts = _PLACEHOLDER.split(english)
    return "".join(
        f"(?P<{part}>{_SHAPES.get(part, '.+?')})" if at % 2 else re.escape(part) for at, part in enumerate(parts)
    )


def texts() -> dict[str, tuple[Any, ...]]:
    """All texts by key, in the order of LANGUAGES; raises ValueError where two tables share a key."""
    if len(_TEXTS) != sum(len(table) for table in TABLES):
        raise ValueError("two tables of messages share a key")
    return dict(_TEXTS)
