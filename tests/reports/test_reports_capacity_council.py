"""The council's page of a search: it says what is borne, whether that is enough, and never more than was found."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from lxml import html

from reports.capacity_council import capacity_council, enough_of
from reports.messages import Say
from reports.runfolder import RunData, open_run
from tests.reports.made_levels import BOUNDS, conclude, play, whole_search

Made = tuple[RunData, dict[str, Any]]
OWN = {"identity": {"url": "https://idp.example", "basis": "target"}}
MORNING = {"edges_s": [0.0, 1.0], "counts": [1000.0]}
"""Planned starts that are no plateau: all within a second."""


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """A search whose limit lies at 2,500 devices, of which a thousand are eight starts a second."""
    folder = tmp_path_factory.mktemp("search")
    whole_search(folder)
    return open_run(folder / "level-01000-1"), conclude(folder)


def seen(made: Made, lang: Any = "en", *, start: int = 1000, run: dict[str, Any] | None = None, **changes: Any) -> Any:
    """The page's mood, its heading, its sentence, its tiles and all its words, with the search and its run changed."""
    first, whole = made
    first = replace(first, run=first.run | (run or {}))
    whole = whole | {"bounds": whole["bounds"] | {"start": start}} | changes
    (sheet,) = html.document_fromstring(capacity_council(first, whole, Say(lang))).find_class("sheet")
    words = " ".join(" ".join(sheet.itertext()).split())
    tiles = [" ".join(one.text_content().split()) for one in sheet.xpath(".//dl/div/dt")]
    sentence = "".join(one.text_content() for one in sheet.find_class("sentence"))
    return sheet.get("class").split()[-1], sheet.xpath("string(.//h1)"), sentence, tiles, words


@pytest.mark.parametrize(
    ("start", "mood", "said", "then"),
    [
        (1000, "pass", ("that is within what they bear", "耐えられる範囲内です"), "Plan with "),
        (2500, "unknown", ("too near the limit", "言い切れません"), "Do not count on more than "),
        (4000, "fail", ("more than they bear", "範囲を超えています"), "strengthened, then search again"),
    ],
)
def test_whether_it_is_enough(found: Made, start: int, mood: str, said: tuple[str, str], then: str) -> None:
    """By the lower end of the band, which is what to plan with; between its ends it is not said to be enough. What gave
    in is named where it is a server's of theirs."""
    result = found[1]["result"]
    assert result["low"] < 2500 < result["high"]
    low, high = (f"{result[key]:,.0f} devices" for key in ("low", "high"))
    ours, theirs = ({"metric": name, "kind": "full", "sure": 0.97} for name in ("backend_cpu_share", "cpu_ratio"))
    gave_in = {"found": [ours, theirs]}
    how = {"run": {"planned": MORNING, "targets": OWN}, "start": start, "gave_in": gave_in}
    shown, head, sentence, tiles, words = seen(found, **how)
    assert (shown, head) == (mood, f"The tested systems bear about {result['capacity']:,.0f} devices.")
    assert sentence.startswith(f"The question was about {start:,} devices: ")
    assert said[0] in sentence
    assert tiles == [low, f"{start:,} devices", high]
    assert then in words
    assert ("Plan with " in words) == (mood == "pass")
    assert f"It rests on {result['runs']} tests with 1,000 devices to 3,375 devices" in words
    for text in ("Tested were: sign-in", "at the pace of a real morning", "stood out: cpu_ratio"):
        assert text in words, text
    japanese = seen(found, "ja", **how)[2]
    assert f"想定は {start:,} 台で" in japanese
    assert said[1] in japanese


def test_a_constant_rate_is_told_as_one(found: Made) -> None:
    """Eight people a second for a thousand devices, so about 20 at 2,500; no fleet of that size is claimed."""
    per_s = f"{found[1]['result']['capacity'] * 0.008:.3g}"
    assert per_s in ("19.8", "19.9", "20", "20.1", "20.2")
    _, head, sentence, tiles, words = seen(found)
    assert head == f"The stand-ins bear about {per_s} people a second."
    assert sentence == "The question was about 8 people a second: that is within what they bear."
    assert all(one.endswith(" people a second") for one in tiles)
    assert "(1,000 of them were asked about): they stand for that rate" in words
    assert not re.search(r"\d devices", words)
    assert "毎秒 8 人" in seen(found, "ja")[2]


def test_stand_ins_are_no_city_s_systems(found: Made) -> None:
    """Said in the answer, in what it does not say and in what to do; so for a squeezed morning before anything else."""
    words = seen(found)[-1]
    assert "Answer · without the city's own systems The stand-ins bear" in words
    assert "None of the city's own systems was tested" in words
    assert "stood out" not in words
    assert "with the city's own systems before deciding anything" in words
    squeezed = seen(found, run={"planned": MORNING, "targets": OWN}, compression=60.0)[-1]
    assert "squeezed 60 times" in squeezed
    assert "at the pace of a real morning before anything is bought" in squeezed
    assert "need nothing more" not in squeezed


OURS = {"untrusted": ["starts were 80 ms late"]}
ENDS = {
    "not_reached": ([(10_000, 0.5, {})], {}, "pass", "bear at least 10,000 devices.", "systems need nothing more"),
    "below": ([(100, 9.0, {})] * 3, {}, "fail", "do not bear even 100 devices.", "Have the system that gave in"),
    "harness": (
        [(1500, 9.0, OURS), (1500, 9.0, OURS), *[(1400, 1.0, {})] * 3],
        {},
        "pass",
        "bear at least 1,400 devices.",
        "stronger test equipment",
    ),
    "harness_none": ([(100, 9.0, OURS)] * 2, {}, "untrusted", "This search gives no answer.", "stronger test"),
    "open": (
        [(1000, 0.5, {}), (3000, 8.0, {})],
        {"ended": {"reason": "time", "detail": ""}},
        "unknown",
        "It cannot be said yet.",
        "come to its end",
    ),
    "open_none": (
        [(1000, 0.5, OURS)],
        {"ended": {"reason": "interrupted", "detail": ""}},
        "unknown",
        "It cannot be said yet.",
        "No test so far can be used",
    ),
}


@pytest.mark.parametrize("name", ENDS)
def test_every_end_of_a_search_reads_truly(tmp_path: Path, name: str) -> None:
    """What was borne and what was not, no more; what was asked about (1,000) only where the levels tell."""
    levels, changes, mood, head, then = ENDS[name]
    for turn, (devices, login_s, more) in enumerate(levels):
        play(tmp_path, devices, login_s, turn=turn, planned=MORNING, targets=OWN, **more)
    whole = conclude(tmp_path, **changes)
    result = whole["result"]
    assert result["end"] == name.partition("_none")[0]
    made = open_run(tmp_path / whole["levels"][0]["folder"]), whole
    shown, heading, sentence, tiles, words = seen(made)
    assert (shown, heading.removeprefix("The tested systems ")) == (mood, head)
    assert then in words
    known = [result[key] for key in ("holds", "breaks", "saturated") if result[key] is not None]
    assert tiles == [f"{count:,} devices" for count in (1000, *known)]
    assert ("own limit first" in words) == (result["end"] == "harness")
    assert ("so far" in sentence) == (result["end"] == "open")
    assert "Plan with" not in words
    told = seen(made, "ja")
    assert told[0] == mood
    assert "{" not in told[-1] + words


@pytest.mark.parametrize(
    ("end", "levels", "band", "expected"),
    [
        ("found", (1050, 1100), (1000, 1080), "yes"),
        ("found", (1050, 1100), (999, 1080), "near"),
        ("found", (990, 1100), (900, 999), "no"),
        ("harness", (1000, None), (None, None), "yes"),
        ("harness", (999, None), (None, None), "unknown"),
        ("open", (999, 1001), (None, None), "unknown"),
        ("open", (500, 1000), (None, None), "no"),
        ("below", (None, 1000), (None, None), "no"),
    ],
)
def test_at_the_edges(
    end: str, levels: tuple[int | None, int | None], band: tuple[int | None, int | None], expected: str
) -> None:
    """Of 1,000 asked about, at exactly each bound."""
    result = {"end": end, "holds": levels[0], "breaks": levels[1], "low": band[0], "high": band[1]}
    assert enough_of({"result": result, "bounds": BOUNDS}) == expected
