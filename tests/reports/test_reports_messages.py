"""The texts of the pages: both languages say everything, about the same figures."""

import re
from pathlib import Path

import pytest

from reports.messages import ENGLISH, Say, texts
from reports.messages.heard import HEARD
from reports.sections import SECTIONS

ROOT = Path(__file__).parents[2]
PLACEHOLDER = re.compile(r"\{[^}]*\}")
JAPANESE = re.compile("[぀-ヿ一-鿿]")


@pytest.mark.parametrize("key", texts())
def test_both_languages_say_it_with_the_same_figures(key: str) -> None:
    """Neither text is empty, and each placeholder stands in both, under a plain name."""
    english, japanese = texts()[key]
    assert english.strip()
    assert japanese.strip()
    assert set(PLACEHOLDER.findall(english)) == set(PLACEHOLDER.findall(japanese))
    assert all(re.fullmatch(r"\{\w+\}", one) for one in PLACEHOLDER.findall(english + japanese))
    assert not JAPANESE.search(english)


@pytest.mark.parametrize(("english", "japanese"), HEARD)
def test_what_runs_say_has_its_japanese(english: str, japanese: str) -> None:
    """A sentence of a run, filled with figures, reads the same figures in Japanese."""
    names = PLACEHOLDER.findall(english)
    assert sorted(names) == sorted(PLACEHOLDER.findall(japanese))
    filled = {name[1:-1]: str(number + 11) for number, name in enumerate(names)}
    outcomes = {"outcomes": "refused or unknown"} if "{outcomes}" in names else {}
    said = {"outcomes": "拒否・結果不明"} if outcomes else {}
    assert Say("ja").heard(english.format_map(filled | outcomes)) == japanese.format_map(filled | said)
    assert ENGLISH.heard(english) == english


def test_what_nobody_knows_stays_as_it_was_written() -> None:
    """A user's question, a server's text."""
    assert Say("ja").heard("Does OUR morning hold?") == "Does OUR morning hold?"


def test_the_shipped_questions_have_their_japanese() -> None:
    """Title and question of every scenario that ships."""
    for path in (ROOT / "scenarios").glob("*.toml"):
        for text in re.findall(r'^(?:title|question) = "(.*)"$', path.read_text("utf-8"), re.MULTILINE):
            assert JAPANESE.search(Say("ja").heard(text)), (path.name, text)


def test_templates_have_no_text_of_their_own() -> None:
    """Between the tags and the expressions of a template stands no word: all are in the catalogue."""
    for path in (ROOT / "reports" / "templates").rglob("*.j2"):
        text = re.sub(r"\{#.*?#\}|\{%.*?%\}|\{\{.*?\}\}", "", path.read_text("utf-8"), flags=re.DOTALL)
        text = re.sub(r"<!doctype[^>]*>|<[^>]*>|[–,:.·;]|\bMiB\b|\bp95\b|\bfleetrush\b", "", text, flags=re.DOTALL)
        assert not re.findall(r"[A-Za-z]+", text), path.name


def test_every_key_is_used() -> None:
    """A text that nothing shows is none; keys made of parts are found by their first."""
    sources = [p.read_text("utf-8") for p in (ROOT / "reports").rglob("*") if p.suffix in (".py", ".j2", ".js")]
    sources = [text for text in sources if "Key -> (English, Japanese)" not in text]
    said = "\n".join(sources)
    made_of_parts = set(re.findall(r'["\'](\w+\.)["\'] ?~|f["\'](\w+\.\w*?_?)\{', said))
    stems = tuple(stem for pair in made_of_parts for stem in pair if stem)
    for key in texts():
        head, _, tail = key.partition(".")
        titled = tail == "title" and head in SECTIONS
        assert f'"{key}"' in said or titled or key.startswith(stems), key
