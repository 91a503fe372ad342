"""Made runs of one morning held against each other: which are compared, what is found, and what everybody is told."""

import io
import json
import shutil
from pathlib import Path
from typing import Any

import made_run
import numpy as np
import pytest
from lxml import etree
from made_nights import LOGIN, Nights

from reports import difference
from reports.baselines import Against, choose
from reports.comparable import comparable_hash, differences
from reports.compare import judged_against
from reports.junit import junit
from reports.messages import Say
from reports.objectives import exit_code
from reports.page import page
from reports.runfolder import RunData, open_run, write_json
from reports.steps import Steps
from reports.summary import summarise
from reports.text import text
from simulator.conclusion import conclude, report_again
from simulator.errors import UserError


@pytest.fixture
def nights(tmp_path: Path) -> Nights:
    """An empty folder."""
    return Nights(tmp_path / "runs")


def judged(run: Path, *named: Path, any_run: bool = False) -> tuple[RunData, dict[str, Any]]:
    """A run held against what is named, as `report --baseline` does it."""
    data = open_run(run)
    steps = Steps(data.run, data.samples)
    summary = judged_against(data, steps, summarise(data, steps), Against(named, any_run))
    json.dumps(summary, allow_nan=False)
    return data, dict(summary)


def verdicts(summary: dict[str, Any]) -> dict[str, str]:
    """The verdict of each compared objective."""
    return {row["name"]: row["verdict"] for row in summary["comparison"]["objectives"]}


def test_equal_nights_are_the_same(nights: Nights) -> None:
    """Nothing is found, the exit code is as without a comparison, and each row says what it could have found."""
    nights.several(7)
    _, summary = judged(nights.play(), nights.folder)
    assert set(verdicts(summary).values()) == {"same"}
    assert exit_code(summary) == 0
    assert len(summary["comparison"]["baselines"]) == 7
    for row in summary["comparison"]["objectives"]:
        assert 0 < row["smallest_found"] < 0.1, row["name"]


def test_a_slower_step_is_a_regression_everywhere(nights: Nights) -> None:
    """10 % more for one step: exit code 1, one failing case in junit.xml, told on the page and the terminal."""
    nights.several(6)
    run = nights.play(slower={"identity.login": 1.1})
    data, summary = judged(run, nights.folder)
    worse = [name for name, verdict in verdicts(summary).items() if verdict == "regressed"]
    assert worse == ["identity.login p95 latency"]
    assert all(row["verdict"] == "pass" for row in summary["objectives"])
    assert (summary["verdict"], exit_code(summary)) == ("fail", 1)
    row = next(row for row in summary["comparison"]["objectives"] if row["name"] == worse[0])
    assert row["devices"]["change"] == pytest.approx(0.1, abs=0.03)
    assert row["devices"]["low"] < row["devices"]["change"] < row["devices"]["high"]
    suites = etree.fromstring(junit(summary, utc="2026-01-15T00:00:00Z", seconds=1, host="here"))
    assert [case.get("name") for case in suites.iter("testcase") if case.find("failure") is not None] == [
        "identity.login p95 latency no worse than in earlier runs"
    ]
    assert "WORSE" in text(data.run, summary)
    assert "Worse than before" in text(data.run, summary)
    for say, word in ((Say("en"), "Worse than before"), (Say("ja"), "以前より悪化")):
        shown = page(data, summary, say=say)
        assert word in shown
        assert say("compare.regressed") in shown


def test_both_looks_and_all_objectives_are_paid_for(nights: Nights) -> None:
    """The p of an objective is twice that of its better look (there are two), times the objectives still open (Holm);
    what could have been found is the better look's at the first step of that correction."""
    earlier, run = nights.several(6), nights.play(slower={"identity.login": 1.06})
    _, summary = judged(run, nights.folder)
    figures, devices = [], []
    for path in (run, *earlier):
        samples = np.load(path / "samples.npy")
        rows = samples[samples["step"] == LOGIN]
        took = (rows["done"] - rows["due"])[np.argsort(rows["device"])]
        figures.append(float(np.log(np.sort(took)[-(-took.size * 95 // 100) - 1])))
        devices.append(np.log(took))
    looks = [difference.of_figures(figures[0], figures[1:]), difference.of_devices(devices[0], devices[1:])]
    ps = [look.p for look in looks if look is not None and look.p is not None]
    rows = summary["comparison"]["objectives"]
    row = next(row for row in rows if row["name"] == "identity.login p95 latency")
    assert row["p"] == min(one["p"] for one in rows)
    assert row["p"] == pytest.approx(min(1, 2 * min(ps) * len(rows)), rel=0.01)
    smallest = min(look.smallest(0.05 / len(rows) / 2) or 1 for look in looks if look is not None)
    assert row["smallest_found"] == pytest.approx(np.expm1(smallest), rel=1e-3)


def test_what_no_objective_asks_for_is_shown_and_never_gated(nights: Nights) -> None:
    """A step that is twice as slow, without an objective: among the others, with its change, and exit code 0."""
    nights.several(6)
    _, summary = judged(nights.play(slower={"updates.check": 2.0}), nights.folder)
    assert exit_code(summary) == 0
    shown = {row["step"]: row for row in summary["comparison"]["others"]}
    assert shown["updates.check"]["change"] == pytest.approx(1.0, abs=0.15)
    assert {row["step"] for row in summary["objectives"] if row["measure"] == "latency"}.isdisjoint(shown)


def test_an_improvement_is_told_and_never_gated(nights: Nights) -> None:
    """A third less."""
    nights.several(6)
    _, summary = judged(nights.play(slower={"identity.login": 0.67}), nights.folder)
    assert verdicts(summary)["identity.login p95 latency"] == "better"
    assert exit_code(summary) == 0


def test_a_slow_tail_is_found_where_the_typical_device_is_not_slower(nights: Nights) -> None:
    """Every tenth device takes three times as long: the median of the devices stays, the p95 does not."""
    nights.several(6)
    run = nights.play()
    samples = np.load(run / "samples.npy")
    slow = (samples["step"] == LOGIN) & (samples["device"] % 10 == 0)
    samples["done"][slow] += 2 * (samples["done"] - samples["due"])[slow]
    data = RunData(run, open_run(run).run, samples)
    steps = Steps(data.run, samples)
    summary = judged_against(data, steps, summarise(data, steps), Against((nights.folder,)))
    row = next(row for row in summary["comparison"]["objectives"] if row["step"] == "identity.login")
    assert row["verdict"] == "regressed"
    assert row["devices"]["low"] < 0 < row["change"]


def test_a_slow_tail_is_not_made_up_for_by_the_typical_device(nights: Nights) -> None:
    """Nine of ten devices become faster, for sure; the p95 is worse all the same."""
    nights.several(6)
    run = nights.play()
    samples = np.load(run / "samples.npy")
    login = samples["step"] == LOGIN
    factor = np.where(samples["device"] % 10 == 0, 3.0, 0.7)
    samples["done"][login] = (samples["due"] + factor * (samples["done"] - samples["due"]))[login]
    data = RunData(run, open_run(run).run, samples)
    steps = Steps(data.run, samples)
    summary = judged_against(data, steps, summarise(data, steps), Against((nights.folder,)))
    row = next(row for row in summary["comparison"]["objectives"] if row["step"] == "identity.login")
    assert row["devices"]["high"] < 0
    assert row["verdict"] == "regressed"


def test_more_errors_are_a_regression(nights: Nights) -> None:
    """One of 388 logins after six nights without any is chance; thirty are not."""
    nights.several(6)
    lenient = [{"step": "identity.login", "error_share_at_most": 0.5}]
    folded = {**made_run.run_json()["scenario"]["folded"], "objectives": lenient}
    scenario = {**made_run.run_json()["scenario"], "folded": folded}
    for broken, verdict in ((1, "same"), (30, "regressed")):
        _, summary = judged(nights.play(broken=broken, scenario=scenario), nights.folder)
        assert verdicts(summary) == {"identity.login errors": verdict}


def test_windows_outcomes_and_times_of_day(nights: Nights) -> None:
    """Errors are compared as the objective counts them; a window has no typical device of the whole morning; a time of
    day has no ratio, and is told."""
    share = {"step": "identity.login", "error_share_at_most": 0.5}
    asked = [
        share | {"outcomes": ["unknown"]},
        share | {"outcomes": ["refused"]},
        {"step": "ready", "percentile": 50.0, "latency_s_at_most": 30.0, "from": "08:00", "until": "08:40"},
        {"step": "ready", "done_share": 0.95, "done_by": "09:00"},
    ]
    scenario = made_run.run_json()["scenario"]
    scenario = {**scenario, "folded": {**scenario["folded"], "objectives": asked}}
    for _ in range(5):
        nights.play(scenario=scenario)
    _, summary = judged(nights.play(broken=40, scenario=scenario), nights.folder)
    unknown, refused, window = summary["comparison"]["objectives"]
    assert (unknown["name"], unknown["verdict"]) == ("identity.login unknown", "regressed")
    assert unknown["change"] == pytest.approx(40 / 388, abs=1e-6)
    assert (refused["verdict"], refused["change"]) == ("same", 0.0)
    assert (window["verdict"], window["devices"]) == ("same", None)
    assert "a time of day is held against its limit alone: ready on 95 % of devices" in summary["comparison"]["notices"]


def test_a_percentile_among_errors_is_a_regression(nights: Nights) -> None:
    """Its p95 has no figure any more: whatever it was, it is worse."""
    nights.several(6)
    _, summary = judged(nights.play(broken=40), nights.folder)
    row = next(row for row in summary["comparison"]["objectives"] if row["name"] == "identity.login p95 latency")
    assert (row["verdict"], row["value"], row["change"]) == ("regressed", None, None)


def test_with_few_runs_the_tolerance_decides(nights: Nights) -> None:
    """Three earlier nights: what 1.3 times as slow a step means depends on the scenario's tolerance."""
    nights.several(3)
    folded = {**made_run.run_json()["scenario"]["folded"], "compare": {"tolerance": 0.5}}
    tolerant = {**made_run.run_json()["scenario"], "folded": folded}
    for changes, factor, verdict in (
        ({}, 1.3, "regressed"),
        ({}, 1.05, "same"),
        ({"scenario": tolerant}, 1.3, "same"),
        ({"scenario": tolerant}, 1.8, "regressed"),
    ):
        run = nights.play(slower={"identity.login": factor}, **changes)
        _, summary = judged(run, *sorted(nights.folder.iterdir())[:3])
        assert verdicts(summary)["identity.login p95 latency"] == verdict, (changes, factor)
        assert exit_code(summary) == (1 if verdict == "regressed" else 0)
        assert "too few to tell how much runs differ" in " ".join(summary["comparison"]["notices"])
        assert all(row["p"] is None for row in summary["comparison"]["objectives"] if row["unit"] == "s")


def test_no_baseline_yet_passes_with_a_notice(nights: Nights) -> None:
    """The first run of a pipeline, whose folder is empty, holds the run itself alone, or is not there."""
    run = nights.play()
    for folder in (nights.folder, nights.folder / "nothing"):
        data, summary = judged(run, folder)
        assert exit_code(summary) == 0
        assert summary["comparison"]["objectives"] == []
        assert "no baseline yet" in text(data.run, summary)
        suites = etree.fromstring(junit(summary, utc="2026-01-15T00:00:00Z", seconds=1, host="here"))
        assert "no baseline yet" in (suites.find(".//skipped").get("message") or "")
        assert "no baseline yet" in page(data, summary)


def test_which_runs_are_left_out(nights: Nights) -> None:
    """Those that cannot be trusted, were cut short, were played otherwise or never judged: each told with its reason.
    The run itself and what was played after it do not count; a run that is named itself does, whenever it was."""
    good = nights.play()
    left = {
        nights.play(untrusted=["engine 1 lost"]).name: "it cannot be trusted",
        nights.play(partial=True).name: "it did not come to its end",
        nights.play(broker="mosquitto").name: "it was not played alike: broker",
        (killed := nights.play()).name: "it was never judged: `fleetrush report` does it",
    }
    (killed / "summary.json").unlink()
    broken = nights.play()
    (broken / "run.json").write_text("{")
    run, later = nights.play(), nights.play()
    chosen = choose(run, Against((nights.folder,)))
    assert good in chosen.paths
    assert run not in chosen.paths
    assert later not in chosen.paths
    told = {path.name: why for path, why in chosen.left_out}
    assert left.items() <= told.items()
    assert "run.json: cannot be read" in told[broken.name]
    assert later in choose(run, Against((later,))).paths
    assert not choose(run, Against((run,))).paths


def test_any_run_is_taken_when_it_is_wished(nights: Nights) -> None:
    """With a notice that names in what they differ."""
    other = nights.play(broker="mosquitto")
    run = nights.play()
    assert not choose(run, Against((other,))).paths
    forced = choose(run, Against((other,), any_run=True))
    assert forced.paths == (other,)
    assert any("broker" in notice for notice in forced.notices)


@pytest.mark.parametrize(("before", "now", "told"), [(0.0, 0.05, False), (0.0, 0.3, True), (0.25, 0.3, False)])
def test_a_machine_that_others_used_more_is_told(nights: Nights, before: float, now: float, told: bool) -> None:
    """Half a core is not yet taken, so the run is trusted and compared; that a tenth more was taken is said with it."""
    for _ in range(5):
        nights.play(others_cores=before)
    _, summary = judged(nights.play(others_cores=now), nights.folder)
    assert summary["harness"]["trustworthy"]
    assert set(verdicts(summary).values()) == {"same"}
    notice = f"others took up to {now:.2f} cores of this machine in this run and {before:.2f} in the earlier ones"
    assert any(notice in said for said in summary["comparison"]["notices"]) is told


@pytest.mark.parametrize("change", [{"untrusted": ["engine 1 lost"]}, {"partial": True}])
def test_a_run_that_decides_nothing_is_not_compared(nights: Nights, change: dict[str, Any]) -> None:
    """However slow it was: its exit code is what it was, and the reason is told."""
    nights.several(5)
    _, summary = judged(nights.play(slower={"identity.login": 3.0}, **change), nights.folder)
    assert exit_code(summary) in (3, 4)
    assert summary["comparison"]["objectives"] == []
    assert any("not compared" in notice for notice in summary["comparison"]["notices"])


def test_a_report_made_again_keeps_what_was_found(nights: Nights, capsys: pytest.CaptureFixture[str]) -> None:
    """Without --baseline, and though the earlier runs are gone: exit code, terminal and every file are those of the
    first; another baseline finds what it finds."""
    nights.several(6)
    run, out = nights.play(slower={"identity.login": 1.1}), io.StringIO()
    assert conclude(run, out, against=Against((nights.folder,))) == 1
    first = {path.name: path.read_bytes() for path in run.iterdir()}
    assert b"no worse than in earlier runs" in first["junit.xml"]
    for path in nights.folder.iterdir():
        if path != run:
            shutil.rmtree(path)
    assert report_again([run]) == 1
    assert capsys.readouterr().out == out.getvalue()
    assert {path.name: path.read_bytes() for path in run.iterdir()} == first
    as_slow = nights.play(slower={"identity.login": 1.1})
    _, summary = judged(run, as_slow)
    assert (exit_code(summary), summary["comparison"]["baselines"]) == (0, [as_slow.name])


def test_what_was_said_of_a_run_that_still_played_is_not_kept(nights: Nights) -> None:
    """`report --baseline` looked at it too early: the end of the run, which names no baseline, says nothing of one."""
    nights.several(1)
    run = nights.play(partial=True)
    data, summary = judged(run, nights.folder)
    assert summary["comparison"]["notices"][-1] == "not compared: this run did not come to its end"
    write_json(run / "summary.json", summary)
    whole = RunData(run, {**data.run, "partial": False}, data.samples)
    steps = Steps(whole.run, whole.samples)
    told = judged_against(whole, steps, summarise(whole, steps), None)
    assert exit_code(told) == 0
    assert "comparison" not in told


def test_a_summary_that_is_none_loses_no_comparison_unsaid(nights: Nights) -> None:
    """What was compared cannot be read any more: one line that names the file, not a verdict without it."""
    run = nights.play()
    (run / "summary.json").write_text("{")
    with pytest.raises(UserError, match=r"summary\.json: not JSON"):
        report_again([run])


def folded(**changes: Any) -> dict[str, Any]:
    """A run.json whose scenario says something else."""
    scenario = made_run.run_json()["scenario"]
    return made_run.run_json(scenario={**scenario, "folded": {**scenario["folded"], **changes}})


@pytest.mark.parametrize(
    "other",
    [
        folded(objectives=[], undecided="pass", title="Another", question="?", compare={"tolerance": 1}, name="x"),
        made_run.run_json(engines=4, command="fleetrush run other", t0_utc="2030-01-01T00:00:00Z"),
        made_run.run_json(versions={"fleetrush": "0.1.7", "python": "3.13"}),
    ],
)
def test_what_may_differ(other: dict[str, Any]) -> None:
    """How a run is judged, when it was played, by how many engines, by which build of a release."""
    assert comparable_hash(other) == comparable_hash(made_run.run_json())
    assert differences(other, made_run.run_json()) == []


OTHERWISE = {
    "scenario.updates": folded(updates={"offered_share": 0.2}),
    "scenario.seed": folded(seed=2),
    "scenario.day": folded(day={"compression": 1.0}),
    "answered by": made_run.run_json(targets={"identity": {"url": "https://idp", "basis": "target"}}),
    "broker": made_run.run_json(broker="mosquitto"),
    "accounts": made_run.run_json(accounts={"accounts": 50, "people": 2600, "reused": True}),
    "enrolled before": made_run.run_json(enrolled_before=2680),
    "release of fleetrush": made_run.run_json(versions={"fleetrush": "0.2.0"}),
    "machine": made_run.run_json(machine={"cores": 64}),
}


@pytest.mark.parametrize("name", OTHERWISE)
def test_what_must_not_differ(name: str) -> None:
    """Each changes the hash, and is named."""
    run = made_run.run_json()
    assert comparable_hash(OTHERWISE[name]) != comparable_hash(run)
    assert name in differences(run, OTHERWISE[name])


def test_the_machine_counts_only_where_something_stood_in() -> None:
    """Against the city's own systems any machine that can be trusted sends the same; and their address may change."""
    named = {one: {"url": f"https://{one}", "basis": "target"} for one in ("management", "identity", "updates", "push")}
    moved = {one: {"url": f"https://new-{one}", "basis": "target"} for one in named}
    ours = made_run.run_json(targets=named)
    assert comparable_hash(ours) == comparable_hash(made_run.run_json(targets=moved, machine={"cores": 64}))
