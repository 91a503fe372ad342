"""run --repeat for real: the same morning several times, each afresh; judged together, kept when it is interrupted."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from lxml import etree

from simulator.cli import main

HERE = Path(__file__).parent
MOMENT = HERE / "data" / "scenarios" / "moment.toml"
FLEETRUSH = str(Path(sys.executable).with_name("fleetrush"))
LIMIT_S = 150


def read(path: Path) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(path.read_text())
    return told


def test_three_runs_of_one_morning(tmp_path: Path) -> None:
    """One folder holds three whole runs: the same starts to the bit, nobody's account used up, other answers; judged
    together, and the same when judged again. With --baseline its own runs are none: no baseline yet, and it passes."""
    ended = subprocess.run(
        [FLEETRUSH, "run", str(MOMENT), "--repeat", "3", "--out", str(tmp_path), "--baseline", str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    print(ended.stdout, ended.stderr)
    # 3 is a machine too busy to be trusted: all the rest must hold all the same
    assert ended.returncode in (0, 3)
    (folder,) = tmp_path.iterdir()
    assert folder.name.endswith("Z-moment-repeat")
    files = {"series.json", "summary.json", "summary.csv", "report.html", "council.html", "junit.xml"}
    assert {one.name for one in folder.iterdir()} == files | {"run-01", "run-02", "run-03"}
    runs = [read(folder / f"run-0{number}" / "run.json") for number in (1, 2, 3)]
    assert {run["command"] for run in runs} == {f"fleetrush run {MOMENT}"}
    assert (
        read(folder / "series.json")["command"]
        == f"fleetrush run {MOMENT} --out={tmp_path} --baseline={tmp_path} --repeat=3"
    )
    starts, ends = [], []
    for number, run in enumerate(runs, 1):
        samples = np.load(folder / f"run-0{number}" / "samples.npy")
        reached = samples[samples["step"] == run["steps"].index("signed_in")]
        assert not reached["outcome"].any()
        order = np.argsort(reached["device"])
        starts.append((reached["device"][order].tolist(), reached["due"][order].tolist()))
        ends.append(reached["done"][order].tolist())
    assert starts[0] == starts[1] == starts[2]
    assert ends[0] != ends[1]
    summary = read(folder / "summary.json")
    assert [one["run"] for one in summary["runs"]] == ["run-01", "run-02", "run-03"]
    if ended.returncode == 0:
        assert "Holds in rehearsal" in ended.stdout
        assert "3 runs, each with fresh state" in ended.stdout
        assert summary["objectives"][0]["verdict"] == "pass"
        assert len(list(csv.DictReader((folder / "summary.csv").read_text().splitlines()))) == 4
    cases = etree.fromstring((folder / "junit.xml").read_bytes()).findall(".//testcase")
    names = ["the run can be trusted", "all errors at most 0 %", "every objective no worse than in earlier runs"]
    assert [case.get("name") for case in cases] == names
    assert summary["comparison"]["baselines"] == []
    if ended.returncode == 0:
        assert "no baseline yet" in cases[2].find("skipped").get("message")
    before = (folder / "summary.json").read_bytes()
    paper = tmp_path / "series.pdf"
    again = ["report", str(folder), "--lang", "ja", "--baseline", str(tmp_path), "--pdf", str(paper)]
    assert main(again) == ended.returncode
    assert paper.read_bytes().startswith(b"%PDF-")
    assert (folder / "summary.json").read_bytes() == before
    assert 'lang="ja"' in (folder / "report.html").read_text()


def test_interrupted_in_the_second_run(tmp_path: Path) -> None:
    """Exit 130; the first run is whole, the second is partial, and what there is is reported as decided by nothing."""
    folder = tmp_path / "series"
    argv = [FLEETRUSH, "run", str(MOMENT), "--repeat", "3", "--folder", str(folder)]
    process = subprocess.Popen(
        argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
    )
    try:
        end = time.monotonic() + LIMIT_S
        # its engines play by then, and whoever stops it is heard
        while not any(one.stat().st_size > 512 for one in folder.glob("run-02/samples.npy")):
            assert time.monotonic() < end
            assert process.poll() is None
            time.sleep(0.02)
        os.kill(process.pid, signal.SIGINT)
        printed, _ = process.communicate(timeout=LIMIT_S)
    finally:
        process.kill()
    assert process.returncode == 130, printed
    assert "Traceback" not in printed
    assert not (folder / "run-03").exists()
    summary = read(folder / "summary.json")
    assert (summary["partial"], summary["verdict"], summary["planned_runs"]) == (True, "unknown", 3)
    assert summary["ended"]["reason"] == "interrupted"
    assert "2 of 3 runs were played" in printed
    assert (folder / "report.html").exists()
    assert not etree.fromstring((folder / "junit.xml").read_bytes()).xpath("//failure")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ["--repeat", "2"],
            "--repeat 2: a band between runs needs at least 3 of them: say --repeat 3, or leave it out",
        ),
        (["--repeat", "3", "--folder", "."], "--folder .: exists already"),
        (["--repeat", "3", "--enrollments", "fleet.json"], "--enrollments keeps what the run before left"),
    ],
)
def test_what_is_no_series_is_refused(
    tmp_path: Path, arguments: list[str], said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit 2 and one line; nothing is sent and nothing is left."""
    monkeypatch.chdir(tmp_path)
    assert main(["run", str(MOMENT), *arguments]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert said in line
    assert not list(tmp_path.iterdir())
