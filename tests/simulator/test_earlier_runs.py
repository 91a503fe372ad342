"""What a command line says about earlier runs: --baseline as a pipeline uses it, and the command history."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from simulator.cli import main

MOMENT = Path(__file__).parents[1] / "data" / "scenarios" / "moment.toml"
FLEETRUSH = str(Path(sys.executable).with_name("fleetrush"))
LIMIT_S = 150


def test_a_pipeline_that_keeps_its_runs(tmp_path: Path) -> None:
    """The same line every night: the first run has no baseline and passes, the second is held against it; both stand
    in the history, and the command in run.json says what was compared with."""
    line = [FLEETRUSH, "run", str(MOMENT), "--out", "runs", "--baseline", "runs"]
    told = []
    for _ in range(2):
        done = subprocess.run(line, cwd=tmp_path, capture_output=True, text=True, timeout=LIMIT_S, check=False)
        # 3 is a machine too busy to be trusted: such a run is neither compared nor compared with
        assert done.returncode in (0, 3), done.stdout + done.stderr
        told.append(done)
    runs = sorted(path.parent for path in (tmp_path / "runs").glob("*/summary.json"))
    comparisons = [json.loads((run / "summary.json").read_text())["comparison"] for run in runs]
    assert "no baseline yet" in told[0].stdout
    assert comparisons[0]["baselines"] == []
    if not any(done.returncode for done in told):
        assert comparisons[1]["baselines"] == [runs[0].name]
        assert [row["verdict"] for row in comparisons[1]["objectives"]] == ["same"]
    run = json.loads((runs[1] / "run.json").read_text())
    assert "--baseline=runs" in run["command"]
    assert len(run["comparable_hash"]) == 64
    assert run["comparable_hash"] == json.loads((runs[0] / "run.json").read_text())["comparable_hash"]
    assert main(["history", str(tmp_path / "runs")]) == 0
    assert {path.name for path in (tmp_path / "runs").iterdir() if path.is_file()} == {
        "history.html",
        "otava.yaml",
        f"moment-{run['comparable_hash'][:8]}.csv",
    }


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (["report", "here", "--baseline", "nowhere"], "--baseline nowhere: expected a run folder"),
        (["report", "here", "--any-baseline"], "name it with --baseline"),
        (["run", "--baseline", "file"], "--baseline file: expected a run folder"),
        (["run", "--any-baseline"], "name it with --baseline"),
        (["history", "empty"], "empty: holds no judged run"),
        (["history", "nowhere"], "nowhere: holds no judged run"),
    ],
)
def test_what_is_said_wrong_is_told_in_a_line(
    line: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 2, and nothing is written."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").touch()
    assert main(line) == 2
    assert said in capsys.readouterr().err
    assert not list((tmp_path / "empty").iterdir())
