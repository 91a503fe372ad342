"""What runs, series and searches say in English, said by who says it: a Japanese page has it in Japanese."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from itertools import chain, combinations, permutations
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from reports import baselines, compare, gave_in, objectives, scalability
from reports.messages import Say
from reports.objectives import NOT_OK, Evidence, Objective, judge, read_objectives
from reports.percentiles import Ranked
from reports.record import OUTCOMES, SAMPLE
from reports.repeat import OneRun, judge_series, why_stopped
from reports.runfolder import RunData
from reports.summary import _barred, summarise
from scenarios.targets import PushTarget, Services, Targets
from simulator import levels, limits, series
from simulator.accounts import listed_accounts
from simulator.arguments import CapacityOptions, RunOptions
from simulator.carried import uncarried
from simulator.composition import KNOWN, What, compose
from simulator.errors import UserError
from simulator.fleet import make_fleet
from simulator.levels import Search
from simulator.limits import Needs
from simulator.machine import Machine
from simulator.plan import limits_missed
from simulator.protection import Protection
from simulator.protocols.messages import REASONS
from simulator.whatifs import NotPlayedError
from tests.leave import leave
from tests.reports import made_run

ROOT = Path(__file__).parents[2]
SLOTS = ROOT / "tests" / "data" / "scenarios" / "slots.toml"
JAPANESE = re.compile("[぀-ヿ一-鿿]")
# Names, options and units stand alone between Japanese; two plain words in a row are left over from a sentence.
ENGLISH_LEFT = re.compile(r"(?<![\w.\-/\[=])[A-Za-z]{2,}[,;:]? [a-z]{2,}\b(?![=_.])")
LEAVE = leave("2026-04-01T06:00:00+09:00", "2026-04-01T09:00:00+09:00", 1)
MACHINE = Machine(cores=2, memory_bytes=2**30, soft_files=1024, files=2_000, ports=28_232, processes=20)
NEEDS = Needs(devices=10**5, engines=1, lines=10**5, http=40_000, http_one_server=30_000, broker=False)


def said_in_japanese(text: str) -> None:
    """It is, with all its figures and nothing of the sentence left in English."""
    japanese = Say("ja").heard(text)
    assert JAPANESE.search(japanese), text
    assert not ENGLISH_LEFT.search(re.sub("`.*?`", "", japanese)), japanese
    figures = re.compile(r"\d[\d,.:]*\d|\d")
    assert set(figures.findall(text)) <= set(figures.findall(japanese)) | {"100"}, japanese


def sentences_of(function: Any) -> int:
    """How many sentences a generator of them can say."""
    return len(re.findall(r"\byield\b", inspect.getsource(function)))


def asked() -> Iterator[Objective]:
    """An objective of every measure, with and without a window, and on every choice of outcomes."""
    times = [Objective("ready", measure, 2.0, 95.0) for measure in ("latency", "service", "done_by", "done_within")]
    counted = [Objective("all", "errors", 0.1)] + [
        Objective("all", "errors", 0.1, outcomes=some)
        for count in range(1, len(NOT_OK) + 1)
        for some in permutations(NOT_OK, count)
    ]
    for one in (*times, *counted):
        for window in ((None, None), (30_000.0, None), (None, 30_600.0), (30_000.0, 30_600.0)):
            yield replace(one, from_s=window[0], until_s=window[1])


def test_the_name_of_every_objective_is_said_in_japanese() -> None:
    """None is missing here; a percentile's word for its measure is the field's own."""
    assert {one.measure for one in asked()} == set(objectives._LIMITS)
    for one in asked():
        said_in_japanese(one.name)
    assert Say("ja").heard("all refused or unknown") == "all 拒否・結果不明の割合"


def test_the_objectives_that_ship_are_said_in_japanese() -> None:
    """By the scenarios' own files."""
    for path in (ROOT / "scenarios").glob("*.toml"):
        scenario = compose(What(path.stem)).scenario
        for one in read_objectives({"objectives": [row.model_dump(by_alias=True) for row in scenario.objectives]}):
            said_in_japanese(one.name)


def ranked(*seconds: float) -> Ranked:
    """Times of which the infinite ones did not end ok."""
    times = np.array(seconds)
    return Ranked(times, np.isfinite(times))


def judged() -> Iterator[dict[str, Any]]:
    """Objectives judged every way that there is."""
    latency = Objective("ready", "latency", 2.0, 95.0)
    last = Objective("ready", "done_within", 2.0, 100.0)
    yield judge(latency, None)
    yield judge(latency, Evidence(1, 0))
    for values in ((1.0,) * 9, (1.0,) * 200, (3.0,) * 200, (*((1.0,) * 100), *((np.inf,) * 100))):
        found = ranked(*values)
        yield judge(latency, Evidence(len(values), int(np.isinf(values).sum()), found))
    yield judge(latency, Evidence(200, 0, ranked(*np.linspace(1.0, 2.05, 200))))
    yield judge(last, Evidence(2, 1, done=ranked(1.0, np.inf)))
    yield judge(last, Evidence(2, 0, done=ranked(1.0, 1.5)))
    for some in chain.from_iterable(combinations(NOT_OK, count) for count in range(1, 5)):
        yield judge(Objective("all", "errors", 0.1, outcomes=some), Evidence(1_312, 400))
    for trustworthy in (True, False):
        yield judge(latency, None, barred=_barred(trustworthy, True))


def test_the_reason_of_every_judgement_is_said_in_japanese() -> None:
    """One run; the verdicts are all three."""
    rows = list(judged())
    assert {row["verdict"] for row in rows} == {"pass", "fail", "unknown"}
    assert len({re.sub(r"[\d,.]+", "#", row["reason"]) for row in rows}) >= 10 + 14
    for row in rows:
        said_in_japanese(row["reason"])


def run_of(value: float | None, **changes: Any) -> dict[str, Any]:
    """A run's summary with a time and an error share."""
    kept = {"window": None, "count": 300, "not_ok": 0, "verdict": "pass", "reason": "", "low": None, "high": None}
    rows = [
        {**kept, "name": "ready p95 latency", "measure": "latency", "percentile": 95.0, "unit": "s", "limit": 30.0},
        {**kept, "name": "all errors", "measure": "errors", "percentile": None, "unit": "share", "limit": 0.04},
    ]
    share = (value or 0) / 1000
    figures = {"s": {"value": value}, "share": {"value": share, "not_ok": round(300 * share)}}
    found = [{**row, "step": "ready", **figures[row["unit"]]} for row in rows]
    told = ("format", "scenario", "title", "question", "hash", "seed", "compression", "undecided")
    return {
        **dict.fromkeys(told, "x"),
        "partial": False,
        "ended": {"reason": "complete", "detail": ""},
        "harness": {"trustworthy": True, "reasons": [], "notes": []},
        "objectives": found,
        "verdict": "pass",
        **changes,
    }


def series_of(*summaries: dict[str, Any], ended: Any = None) -> dict[str, Any]:
    """These runs judged together."""
    runs = [OneRun(f"run-{number:02}", one) for number, one in enumerate(summaries, 1)]
    return judge_series({"planned": 3, "ended": ended or {"reason": "complete", "detail": ""}}, runs)


def test_a_series_is_said_in_japanese() -> None:
    """Every reason of its objectives, what is left out and why, and that it did not come to its end."""
    late = {"trustworthy": False, "reasons": ["starts were late"], "notes": []}
    whole = [series_of(*map(run_of, values)) for values in ((20, 21, 20), (60, 61, 60), (20, 50, 25), (20, None, 25))]
    whole += [series_of(run_of(20), run_of(20, harness=late), run_of(20, partial=True), run_of(20))]
    whole += [series_of(run_of(20), ended={"reason": "interrupted", "detail": "between two runs"})]
    told = {row["reason"] for one in whole for row in one["objectives"]}
    assert len({re.sub(r"\d+", "#", text) for text in told}) == 9
    told |= {text for one in whole for key in ("notes", "reasons") for text in one["harness"][key]}
    for text in told - {text for text in told if "starts were late" in text}:
        said_in_japanese(text)
    assert "信頼できません: starts were late" in Say("ja").heard(whole[4]["harness"]["reasons"][1])


@pytest.mark.parametrize("reason", ["interrupted", "aborted", "killed", "failed", "authorisation over"])
def test_why_a_series_ended_is_said_in_japanese(reason: str) -> None:
    """After a run that was cut short, with and without a detail of its own."""
    for detail in ("", "the [authorisation] ended at 2026-04-01T09:00:00+09:00; nothing was sent after it"):
        run = OneRun("run-02", run_of(20, partial=True, ended={"reason": reason, "detail": detail}))
        said_in_japanese(why_stopped(run)["detail"])
    said_in_japanese(reason)


def test_a_run_without_a_summary_is_said_in_japanese(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the series writes it."""
    monkeypatch.setattr(series, "play_apart", lambda what, options: (None, 70))
    told: dict[str, Any] = {"planned": 3, "runs": []}
    assert series._play(What(), RunOptions(), tmp_path, told) == 70
    said_in_japanese(told["ended"]["detail"])


def test_why_a_run_was_stopped_is_said_in_japanese(tmp_path: Path) -> None:
    """A target that gave in, by each reason it can have, and an authorisation that ended."""
    (tmp_path / "targets.toml").write_text(LEAVE)
    targets = compose(What(targets_file=tmp_path / "targets.toml"), judged=False).targets
    for reason in REASONS[1:]:
        rows = np.zeros(1200, SAMPLE)
        rows["outcome"], rows["reason"], rows["done"] = OUTCOMES.index("failed"), REASONS.index(reason), 11.5
        protection = Protection(("identity.login",), targets)
        protection.take(rows)
        stopped = protection.verdict(12.0, 0.0)
        assert stopped is not None
        said_in_japanese(stopped[1])
    over = Protection((), targets).verdict(0.0, datetime.fromisoformat("2026-04-01T09:00:00+09:00").timestamp())
    assert over is not None
    for text in over:
        said_in_japanese(text)


def test_what_a_machine_does_not_carry_is_said_in_japanese() -> None:
    """Every line of the limits, all missed at once."""
    lines = list(limits.missed(NEEDS, MACHINE))
    assert len(lines) == sentences_of(limits.missed)
    for line in lines:
        said_in_japanese(line)


def test_why_a_level_cannot_be_played_is_said_in_japanese(tmp_path: Path) -> None:
    """What a plan breaks beside the machine's limits: source addresses, the authorised rate."""
    (tmp_path / "targets.toml").write_text(LEAVE)
    composition = compose(What(targets_file=tmp_path / "targets.toml"))
    push = PushTarget(url="mqtt://127.0.0.1:1883", source_addresses=("192.0.2.1",))
    named = replace(composition, targets=composition.targets.model_copy(update={"targets": Services(push=push)}))
    assert isinstance(named.targets, Targets)
    for line in (*limits_missed(composition, 1), *limits_missed(named, 1)):
        said_in_japanese(line)
    assert any("max_rate_per_s" in line for line in limits_missed(composition, 1))
    assert any("source_addresses:" in line for line in limits_missed(named, 1))


def test_what_fewer_or_more_devices_break_is_said_in_japanese(tmp_path: Path) -> None:
    """The samples that an objective needs, in all and in its window, the accounts, and what a server is told."""
    accounts = tmp_path / "accounts.csv"
    accounts.write_text("user,password,totp,expendable\na@city.example,x,,\n")
    lines: list[str] = []
    with pytest.raises(UserError) as few:
        compose(What(devices=20))
    lines += few.value.lines
    scenario = compose(What()).scenario
    lines += uncarried(scenario.model_copy(update={"devices": 1}), KNOWN)
    for name in ("sign_in_peak", "after_holiday"):
        other = compose(What(name)).scenario
        with pytest.raises(UserError) as short:
            listed_accounts(accounts, other, make_fleet(other.organisation, other.devices, other.seed), reuse=False)
        lines += short.value.lines
    (tmp_path / "targets.toml").write_text('[targets.management]\nurl = "http://127.0.0.1:1"\n')
    with pytest.raises(UserError) as untold:
        compose(What(targets_file=tmp_path / "targets.toml"))
    lines += untold.value.lines
    kinds = (
        "percentile that",
        "share that",
        "are due",
        "expendable",
        "accounts for",
        "enroll there",
        "registered there",
    )
    assert all(any(kind in line for line in lines) for kind in kinds), lines
    for line in lines:
        said_in_japanese(line.replace(str(tmp_path), "/x"))


def test_why_a_what_if_was_not_measured_is_said_in_japanese(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No time left, a run that recorded nothing, a plan that cannot be carried."""
    what = What(str(SLOTS), devices=200)
    told = []
    for minutes, missed in ((0.0, ""), (9.0, ""), (9.0, next(limits.missed(NEEDS, MACHINE)))):
        monkeypatch.setattr(levels, "play_apart", lambda *args, **options: (None, 1))
        monkeypatch.setattr(levels, "limits_missed", lambda *args, missed=missed: [missed] if missed else [])
        search = Search(what, compose(what), CapacityOptions(base=tmp_path, minutes=minutes))
        with pytest.raises(NotPlayedError) as why:
            search.measure("twice_devices")
        told.append(str(why.value))
    assert [text[:6] for text in told] == ["--time", "its ru", "open f"]
    for text in told:
        said_in_japanese(text)


def test_a_comparison_is_said_in_japanese() -> None:
    """Its reasons, and how runs differ."""
    for verdict in ("regressed", "better", "same", "undecided"):
        for runs in (2, 8):
            said_in_japanese(compare._reason(verdict, 0.01, runs, 0.1))
    differ = "scenario.waves, release of fleetrush, enrolled before, answered by, machine"
    said_in_japanese(baselines._why_not(Path("x"), differ.split(", ")))
    said_in_japanese("compared all the same with runs that differ in scenario.day, the address of identity")
    said_in_japanese(
        "a time of day is held against its limit alone: ready on 95 % of devices, due from 08:00, x errors"
    )


def test_what_a_search_refuses_to_tell_is_said_in_japanese() -> None:
    """What gave in, and how throughput grows: every refusal in their code."""
    code = inspect.getsource(gave_in) + inspect.getsource(scalability)
    refused = re.findall(r'"refused": f?"(.+?)"\}', code)
    assert len(refused) == code.count('"refused": ') >= 6
    for text in refused:
        said_in_japanese(re.sub(r"\{.*?\}", "7", text))


def test_the_notes_of_a_run_are_said_in_japanese() -> None:
    """A stand-in on our cores, a target on this machine, no engine that told how it fared."""
    urls = {name: {"url": "http://127.0.0.1:8000", "basis": "target"} for name in ("identity", "push")}
    samples = made_run.rows("identity.login", 9, done=1.0)
    notes = {
        note
        for targets in (urls, made_run.run_json()["targets"])
        for note in summarise(RunData(Path("x"), made_run.run_json(targets=targets), samples))["harness"]["notes"]
    }
    assert len(notes) == 3
    for note in notes:
        said_in_japanese(note)
