"""Series of made runs held against earlier ones, each as one; and the council's sheet of a series."""

from __future__ import annotations

import io
import json
import math
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
from reports.student import quantile
from simulator.series_conclusion import conclude_series

P95 = "identity.login p95 latency"


@pytest.fixture
def nights(tmp_path: Path) -> Nights:
    """An empty folder."""
    return Nights(tmp_path / "runs")


def concluded(folder: Path, *named: Path) -> tuple[int, dict[str, Any], str]:
    """The exit code of a series, its summary, and what the terminal is told."""
    out = io.StringIO()
    code = conclude_series(folder, out, "en", Against(named) if named else None)
    return code, json.loads((folder / "summary.json").read_text()), out.getvalue()


def several(nights: Nights, count: int, *, spread: float = 0.0) -> list[Path]:
    """So many series of earlier nights, each night up to so far off, and judged as it would have been."""
    made = []
    for night in np.linspace(-spread, spread, count):
        made.append(nights.repeat(night=math.exp(night)))
        concluded(made[-1])
    return made


def logarithms(folder: Path) -> list[np.ndarray]:
    """The logarithm of each login's latency, by device, of each run of a series."""
    found = []
    for path in sorted(folder.glob("run-*/samples.npy")):
        rows = np.load(path)
        rows = rows[rows["step"] == LOGIN]
        found.append(np.log((rows["done"] - rows["due"])[np.argsort(rows["device"])]))
    return found


def test_a_series_is_one_more_observation(nights: Nights) -> None:
    """By hand: the mean of its runs' p95 on the logarithm, against the mean of six earlier series' means, in the band
    of one more such mean (Student's t, five degrees of freedom); the device's look and Holm as of single runs."""
    earlier, new = several(nights, 6, spread=0.05), nights.repeat(night=1.02)
    code, summary, told = concluded(new, nights.folder)
    comparison = summary["comparison"]
    assert comparison["baselines"] == [path.name for path in earlier]
    row = next(row for row in comparison["objectives"] if row["name"] == P95)
    rank = -(-95 * logarithms(new)[0].size // 100) - 1
    means = [np.mean([np.sort(run)[rank] for run in logarithms(path)]) for path in (new, *earlier)]
    change, spread = means[0] - np.mean(means[1:]), np.std(means[1:], ddof=1)
    reach = quantile(0.975, 5) * spread * math.sqrt(1 + 1 / 6)
    ends = [row[key] for key in ("change", "low", "high")]
    assert ends == pytest.approx(np.expm1([change, change - reach, change + reach]), abs=2e-5)
    devices = [np.mean(logarithms(path), axis=0) for path in (new, *earlier)]
    look = difference.of_devices(devices[0], devices[1:])
    assert look is not None
    assert row["devices"]["change"] == pytest.approx(np.expm1(look.value), abs=1e-5)
    figure = difference.of_figures(means[0], means[1:])
    assert figure is not None
    assert row["p"] == pytest.approx(min(1.0, 2 * min(figure.p, look.p) * len(comparison["objectives"])), rel=0.02)
    assert (code, row["verdict"]) == (0, "same")
    assert "against earlier runs (6):" in told
    assert "a series counts once" in told


def test_a_night_is_no_regression_and_a_slower_step_is(nights: Nights) -> None:
    """Nights differ by 10 %, runs of one night by 1 %: a night as any other passes, though its three runs agree that
    it is slower than the mean; one that is half as slow again fails, for people and pipelines alike."""
    several(nights, 6, spread=0.1)
    code, summary, _ = concluded(nights.repeat(night=math.exp(0.09)), nights.folder)
    assert {row["verdict"] for row in summary["comparison"]["objectives"]} == {"same"}
    assert (code, summary["verdict"]) == (0, "pass")
    worse = nights.repeat(night=1.5)
    code, summary, told = concluded(worse, nights.folder)
    verdicts = {row["name"]: row["verdict"] for row in summary["comparison"]["objectives"]}
    assert [name for name, verdict in verdicts.items() if verdict == "regressed"] == [P95]
    assert all(row["verdict"] == "pass" for row in summary["objectives"])
    assert (code, summary["verdict"]) == (1, "fail")
    assert "Worse than before" in told
    failed = etree.parse(worse / "junit.xml").xpath("//testcase[failure]/@name")
    assert failed == [f"{P95} no worse than in earlier runs"]
    page = (worse / "report.html").read_text()
    assert "Worse than before" in page
    assert 'id="compare"' in page


def test_a_report_made_again_keeps_what_was_found(nights: Nights) -> None:
    """Without --baseline, and though the earlier series are gone: exit code, terminal and files are those of the first,
    after one in Japanese and for everybody; another baseline replaces the comparison."""
    earlier = several(nights, 2)
    series = nights.repeat(night=1.5)
    code, summary, told = concluded(series, nights.folder)
    assert (code, summary["verdict"]) == (1, "fail")
    names = ("summary.json", "summary.csv", "junit.xml", "report.html", "council.html")
    first = [(series / name).read_bytes() for name in names]
    for path in earlier:
        shutil.rmtree(path)
    assert conclude_series(series, io.StringIO(), "ja", public=True) == 1
    for page in ("report.html", "report-public.html"):
        assert "以前より悪化" in (series / page).read_text()
    assert concluded(series) == (1, summary, told)
    assert [(series / name).read_bytes() for name in names] == first
    other = nights.repeat(night=1.5)
    concluded(other)
    assert concluded(series, other)[0] == 0


def test_errors_of_all_runs_are_counted_together(nights: Nights) -> None:
    """Ten of 388 logins in each of three runs, after six series with none."""
    asked = [{"step": "identity.login", "error_share_at_most": 0.5}]
    scenario = made_run.run_json()["scenario"]
    scenario = {**scenario, "folded": {**scenario["folded"], "objectives": asked}}
    several(nights, 5)
    code, summary, _ = concluded(nights.repeat(broken=10, scenario=scenario), nights.folder)
    (row,) = summary["comparison"]["objectives"]
    assert (row["verdict"], row["value"], code) == ("regressed", pytest.approx(10 / 388), 1)
    assert (summary["objectives"][0]["not_ok"], summary["objectives"][0]["count"]) == (30, 3 * 388)


def test_with_few_series_the_tolerance_decides(nights: Nights) -> None:
    """Two earlier ones: the bands between the runs of each decide, and 5 % more is none, half as much again is."""
    several(nights, 2)
    for night, verdict in ((1.05, "same"), (1.5, "regressed")):
        series = nights.repeat(night=night)
        _, summary, _ = concluded(series, nights.folder)
        rows = {row["name"]: row for row in summary["comparison"]["objectives"]}
        assert rows[P95]["verdict"] == verdict
        assert rows[P95]["p"] is None
        assert "too few to tell how much runs differ" in " ".join(summary["comparison"]["notices"])
        for path in series.rglob("*"):
            if path.is_file():
                path.unlink()


def test_what_a_series_is_held_against(nights: Nights) -> None:
    """Never its own runs; nothing yet passes with a notice. Series as one and single runs, oldest first; a run of a
    series only where it is named itself; what cannot be trusted is left out and told."""
    first = nights.repeat()
    code, summary, told = concluded(first, nights.folder)
    assert (code, summary["comparison"]["objectives"]) == (0, [])
    assert "no baseline yet" in told
    skipped = etree.parse(first / "junit.xml").xpath("//testcase/skipped/@message")
    assert "no baseline yet" in skipped[0]
    run, bad = nights.play(), nights.repeat(untrusted=["engine 1 was lost"])
    assert concluded(bad)[0] == 3
    last = nights.repeat()
    chosen = choose(last, Against((nights.folder,)))
    assert chosen.paths == (first, run)
    assert chosen.left_out == ((bad, "it cannot be trusted"),)
    assert choose(last, Against((first / "run-02",))).paths == (first / "run-02",)
    # a run is held against runs, those of a series among them
    after = nights.play()
    assert set(choose(after, Against((first,))).paths) == {first / f"run-0{number}" for number in (1, 2, 3)}
    assert concluded(bad, nights.folder)[1]["comparison"]["notices"] == ["not compared: this series cannot be trusted"]


def test_the_comparison_of_a_series_speaks_japanese(nights: Nights) -> None:
    """On its page as on a run's; and the council's sheet lies beside it."""
    several(nights, 1)
    series = nights.repeat(night=1.5)
    assert conclude_series(series, io.StringIO(), "ja", Against((nights.folder,))) == 1
    page = (series / "report.html").read_text()
    assert "以前より悪化" in page
    assert "一連の実行は、その平均を一回分として数えます" in page
    assert "3 回、毎回初期状態から" in (series / "council.html").read_text()
