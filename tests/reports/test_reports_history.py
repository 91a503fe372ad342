"""The course of made runs: what is grouped, what changed, what the page and Otava are given."""

import csv
import io
import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import made_run
import numpy as np
import pytest
from lxml import html

from reports.history import history
from reports.history_page import history_page, history_text
from reports.messages import Say
from reports.otava import configuration, name_of, table
from reports.runfolder import write_json
from reports.summary import summarise

LOGIN = "identity.login p95 latency"
DONE = "ready on 95 % of devices"
WORSE_FROM, UNTRUSTED, KILLED = 14, 5, 9


def night(folder: Path, at: int, figures: dict[str, float], *, trusted: bool = True, **changes: Any) -> Path:
    """A run's folder with its two JSON files; `figures` are the values of objectives."""
    utc = datetime(2026, 1, 1, 22, tzinfo=UTC) + timedelta(days=at)
    path = folder / f"{utc:%Y%m%dT%H%M%SZ}-morning_peak"
    path.mkdir(parents=True)
    run = made_run.run_json(t0_utc=utc.isoformat(), **changes)
    rows = [
        {
            "name": name,
            "unit": "share" if name.endswith("errors") else "clock" if name == DONE else "s",
            "limit": 31_800.0 if name == DONE else 2.0,
            "value": value,
            "low": None if value is None else value - 10 if name == DONE else value * 0.97,
            "high": None if value is None else value + 10 if name == DONE else value * 1.03,
        }
        for name, value in figures.items()
    ]
    harness = {"trustworthy": trusted, "reasons": []}
    write_json(path / "run.json", {"format": 1, **run})
    write_json(
        path / "summary.json",
        {"scenario": "morning_peak", "partial": False, "harness": harness, "objectives": rows},
    )
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """24 nights: from one on, logins take 12 % longer; one cannot be trusted, one was killed and never judged."""
    chance = np.random.default_rng(2)
    for at in range(24):
        level = 0.5 * (1.12 if at >= WORSE_FROM else 1.0)
        login = 5.0 if at == UNTRUSTED else float(level * chance.normal(1, 0.01))
        figures = {"ready p95 latency": float(chance.normal(9, 0.1)), LOGIN: login, "all errors": 0.0}
        path = night(tmp_path, at, figures, trusted=at != UNTRUSTED)
        if at == KILLED:
            (path / "summary.json").unlink()
    return tmp_path


def test_a_change_is_found_where_it_was_made(folder: Path) -> None:
    """One objective changed, once, since the right night, by about 12 %; what does not count moved nothing."""
    (group,) = history(folder)
    assert len(group.runs) == 23
    assert [run.counted for run in group.runs].count(False) == 1
    changed = {trend.name: trend.changes for trend in group.trends}
    assert {name: len(changes) for name, changes in changed.items()} == {
        "ready p95 latency": 0,
        LOGIN: 1,
        "all errors": 0,
    }
    (change,) = changed[LOGIN]
    assert change.since.utc.startswith(f"2026-01-{WORSE_FROM + 1:02}")
    assert change.point.change == pytest.approx(0.12, abs=0.01)
    trend = next(trend for trend in group.trends if trend.name == LOGIN)
    assert max(point.value for point in trend.points) == 5.0
    levels = trend.levels()
    assert [round(mean, 2) for _, _, mean in levels] == [0.5, 0.56]
    assert levels[1][0] == change.since


def test_runs_that_were_not_played_alike_are_apart(folder: Path) -> None:
    """Another fleet or another release has a course of its own, the latest first; another limit has not."""
    night(folder, 40, {LOGIN: 0.9}, devices=100, enrolled_before=100)
    scenario = made_run.run_json()["scenario"]
    stricter = {**scenario, "folded": {**scenario["folded"], "objectives": []}}
    night(folder, 50, {LOGIN: 0.56}, scenario=stricter)
    groups = history(folder)
    assert [len(group.runs) for group in groups] == [24, 1]
    assert [trend.name for trend in groups[0].trends] == [LOGIN]


def test_a_repeated_run_and_a_stranger(folder: Path, tmp_path: Path) -> None:
    """Runs one folder deeper belong to it; what is no run of ours does not."""
    night(
        folder / "20260201T000000Z-morning_peak-repeat", 31, {LOGIN: 0.5, "ready p95 latency": 9.0, "all errors": 0.0}
    )
    (folder / "notes").mkdir()
    (folder / "notes" / "run.json").write_text("[]")
    (group,) = history(folder)
    assert len(group.runs) == 24
    assert history(tmp_path / "nothing") == ()


def test_a_figure_that_is_none_is_left_out(folder: Path) -> None:
    """A percentile among the outcomes other than ok has no place on the axis, and no row in the CSV."""
    night(folder, 60, {"ready p95 latency": 9.0, LOGIN: None, "all errors": 0.2})
    (group,) = history(folder)
    assert {trend.name: len(trend.points) for trend in group.trends} == {
        "ready p95 latency": 24,
        LOGIN: 23,
        "all errors": 24,
    }
    assert len(list(csv.DictReader(io.StringIO(table(group))))) == 22


def test_what_otava_is_given(folder: Path) -> None:
    """A row for each run that counts, in order: ISO times with their offset, numbers in every cell; the configuration
    names file and columns as its documentation has them."""
    (group,) = history(folder)
    rows = list(csv.DictReader(io.StringIO(table(group))))
    assert len(rows) == 22
    assert [row["time"] for row in rows] == sorted(row["time"] for row in rows)
    for row in rows:
        assert datetime.fromisoformat(row["time"]).tzinfo is not None
        assert 0.4 < float(row[LOGIN]) < 0.7
    told = json.loads(configuration([(group, "runs/x.csv")]))["tests"][name_of(group)]
    assert (told["type"], told["file"], told["time_column"]) == ("csv", "runs/x.csv", "time")
    for name, metric in told["metrics"].items():
        assert metric["column"] in rows[0], name
        assert metric["direction"] == -1
    assert set(told["attributes"]) <= set(rows[0])


@pytest.mark.parametrize("lang", ["en", "ja"])
def test_the_page_tells_the_change(folder: Path, lang: str) -> None:
    """Since when, from what to what, by how much; in words too; one chart an objective; nothing from a network."""
    groups = history(folder)
    say = Say(lang)
    shown = history_page(groups, say)
    assert say("history.title") in shown
    assert "2026-01-15 22:00" in shown
    assert shown.count("<figure") == 3
    assert "+12." in shown or "+11." in shown
    assert say("history.not_counted", runs="1") in shown
    assert not re.findall(r"""(?:src|href)=["'](?!#)|url\(""", shown.split("<script")[0])


def test_the_terminal_tells_the_change(folder: Path) -> None:
    """One line a change; too few runs and no change are told apart."""
    told = history_text(history(folder))
    assert f"  {LOGIN}: 50" in told
    assert "since 20260115T220000Z-morning_peak" in told
    night(folder / "few", 0, {LOGIN: 0.5}, devices=7)
    assert "Too few runs to see a change" in history_text(history(folder / "few"))


def test_a_judged_run_has_what_a_history_reads(tmp_path: Path) -> None:
    """The figures come from summary.json as it is written."""
    data = made_run.write(tmp_path, made_run.morning(300), made_run.run_json())
    summary = summarise(data)
    write_json(data.path / "summary.json", summary)
    (group,) = history(tmp_path)
    known = {row["name"]: row["value"] for row in summary["objectives"]}
    assert {trend.name: trend.points[0].value for trend in group.trends} == known


def test_the_runs_of_series_are_runs_of_their_mornings(folder: Path) -> None:
    """Two series of three, whose runs have the same names: six more points, each at its own time and under the name of
    its series; one of them cannot be trusted and counts nowhere; page, terminal and Otava's table tell them apart."""
    figures = {"ready p95 latency": 9.0, LOGIN: 0.55, "all errors": 0.0}
    for first, series in ((30, "20260131T220000Z-morning_peak-repeat"), (40, "20260210T220000Z-morning_peak-repeat")):
        for number in (1, 2, 3):
            path = night(folder, first + number, figures, trusted=(first, number) != (40, 2))
            (folder / series).mkdir(exist_ok=True)
            path.rename(folder / series / f"run-0{number}")
    (group,) = history(folder)
    ours = [
        f"{series}/run-0{number}"
        for series in ("20260131T220000Z-morning_peak-repeat", "20260210T220000Z-morning_peak-repeat")
        for number in (1, 2, 3)
    ]
    assert [run.name for run in group.runs][-6:] == ours
    assert [run.utc for run in group.runs] == sorted(run.utc for run in group.runs)
    assert [run.counted for run in group.runs][-6:] == [True, True, True, True, False, True]
    for trend in group.trends:
        assert [point.run.name for point in trend.points][-6:] == ours
    rows = list(csv.DictReader(io.StringIO(table(group))))
    assert [row["run"] for row in rows][-5:] == [name for name in ours if name != ours[4]]
    assert len({row["time"] for row in rows}) == len(rows) == 22 + 5
    specs = json.loads(html.document_fromstring(history_page((group,))).get_element_by_id("charts").text)
    dots = [row for rows in specs["trend-0-1"]["datasets"].values() for row in rows if row.get("run") in ours]
    assert {row["run"]: row["at"] for row in dots} == {name: 23 + at for at, name in enumerate(ours)}
    # the folder of a series has a history as well
    assert [run.name for run in history(folder / ours[0].partition("/")[0])[0].runs] == ["run-01", "run-02", "run-03"]


def test_a_time_of_day_is_drawn_and_told_as_one(tmp_path: Path) -> None:
    """Done at 08:41, from the ninth night on at 08:44: three minutes later, not half a percent of the time since
    midnight; and the axis has clocks around it, the limit of 08:50 among them, not midnight."""
    chance = np.random.default_rng(3)
    for at in range(16):
        night(tmp_path, at, {DONE: 31_260.0 + (180 if at >= 8 else 0) + float(chance.normal(0, 5))})
    groups = history(tmp_path)
    assert re.search(
        r"  ready on 95 % of devices: 08:4\d:\d\d -> 08:4\d:\d\d \(\+1[78]\d s\) since", history_text(groups)
    )
    page = html.document_fromstring(history_page(groups))
    (drawn,) = page.find_class("still")
    words = list(drawn.itertext())
    assert "08:40" in words
    assert "00:00" not in words
    specs = json.loads(page.get_element_by_id("charts").text)
    assert {"limit": 31_800_000.0} in [row for rows in specs["trend-0-0"]["datasets"].values() for row in rows]
