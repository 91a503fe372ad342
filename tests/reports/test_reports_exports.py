"""Samples and figures as others read them: by the csv module and by pyarrow, against the record itself."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import made_run
import numpy as np
import pytest
from pyarrow import parquet

from reports import exports
from reports.exports import ExportError, export_samples
from reports.record import OPERATOR, OUTCOMES
from reports.runfolder import FLEET, RunData
from reports.summary import summarise
from reports.tables import csv_bytes, step_rows

ROW = np.dtype([("department", "u1"), ("site", "u1"), ("model", "u1")])
CITY = {
    "departments": [{"name": "総務部"}, {"name": "水道局"}],
    "sites": [{"name": "本庁舎"}, {"name": "大胡支所"}, {"name": "home, sweet"}],
    "models": [{"name": "C14"}],
}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> RunData:
    """A morning of 300 devices, some of it broken, and who its devices are."""
    run = made_run.run_json()
    run["scenario"]["folded"] = {**run["scenario"]["folded"], "organisation": CITY}
    made = made_run.write(tmp_path_factory.mktemp("runs"), made_run.morning(300, broken=0.1), run)
    fleet = np.zeros(300, ROW)
    fleet["department"], fleet["site"] = np.arange(300) % 2, np.arange(300) % 3
    np.save(made.path / FLEET, fleet)
    return made


def expected(data: RunData) -> list[dict[str, Any]]:
    """Every sample with its names, one by one, as a reader of the record would write it out."""
    run = data.run
    rows = []
    for one in data.samples:
        is_device = one["device"] != OPERATOR
        device = int(one["device"]) if is_device else None
        rows.append(
            {
                **{f"{key}_s": float(one[key]) for key in ("due", "able", "sent", "done")},
                "device": device,
                "step": run["steps"][one["step"]],
                "journey": run["journeys"][one["journey"]],
                "trigger": run["triggers"][one["trigger"]],
                "outcome": OUTCOMES[one["outcome"]],
                "reason": run["reasons"][one["reason"]] if one["reason"] else None,
                **{key: int(one[key]) for key in ("status", "action", "attempt", "bytes_in", "bytes_out")},
                "department": None if device is None else CITY["departments"][device % 2]["name"],
                "site": None if device is None else CITY["sites"][device % 3]["name"],
                "model": None if device is None else "C14",
            }
        )
    return rows


def test_parquet_reads_back(data: RunData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By pyarrow, in several row groups: every value to the bit, names for indices, none where there is none."""
    monkeypatch.setattr(exports, "CHUNK", 1000)
    path = tmp_path / "samples.parquet"
    assert export_samples(data, path) == data.samples.size
    file = parquet.ParquetFile(path)
    assert file.num_row_groups == -(-data.samples.size // 1000)
    assert file.read().to_pylist() == expected(data)
    assert json.loads(file.schema_arrow.metadata[b"fleetrush.run"]) == data.run
    assert [one.name for one in tmp_path.iterdir()] == ["samples.parquet"]


def test_csv_reads_back(data: RunData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the csv module: the same rows as text; floats to the bit; a comma in a name breaks nothing."""
    monkeypatch.setattr(exports, "CHUNK", 777)
    path = tmp_path / "samples.csv"
    export_samples(data, path)
    with open(path, encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert rows == [{key: "" if value is None else str(value) for key, value in one.items()} for one in expected(data)]


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_a_run_without_samples_or_fleet(tmp_path: Path, ending: str) -> None:
    """A head and no rows; without the fleet the facts of the devices are left out."""
    empty = RunData(tmp_path, made_run.run_json(), made_run.rows("ready", 0))
    path = tmp_path / f"samples.{ending}"
    assert export_samples(empty, path) == 0
    if ending == "csv":
        assert path.read_text().startswith("due_s,able_s,sent_s,done_s,device,step,")
        assert len(path.read_text().splitlines()) == 1
    else:
        table = parquet.read_table(path)
        assert table.num_rows == 0
        assert "site" not in table.column_names


def test_what_cannot_be_written_is_told_in_a_line(data: RunData, tmp_path: Path) -> None:
    """Another ending, a folder that is not there; nothing is left behind."""
    for name, said in (("x.xlsx", "ends in .csv or .parquet"), ("no/x.csv", "No such file")):
        with pytest.raises(ExportError, match=said):
            export_samples(data, tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_without_pyarrow_a_line_says_what_to_install(data: RunData, tmp_path: Path) -> None:
    """An interpreter that has none: exit 2, one line, no file."""
    path = tmp_path / "samples.parquet"
    code = (
        "import sys; sys.modules['pyarrow'] = None; from simulator.cli import main;"
        f"sys.exit(main(['report', {str(data.path)!r}, '--samples', {str(path)!r}]))"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 2
    (line,) = ended.stderr.splitlines()
    assert line.endswith("Parquet needs pyarrow, which is not installed: pip install 'fleetrush[parquet]'")
    assert not path.exists()


def test_the_summary_table_reads_back(data: RunData) -> None:
    """By the csv module: a row a step, its counts and percentiles those of summary.json, empty where null."""
    summary = summarise(data)
    rows = list(csv.DictReader(csv_bytes(step_rows(summary)).decode().splitlines()))
    assert [one["step"] for one in rows] == list(summary["steps"])
    for one in rows:
        step = summary["steps"][one["step"]]
        assert int(one["count"]) == step["count"] == sum(int(one[outcome]) for outcome in OUTCOMES)
        for key in ("p50", "p95", "p99.9"):
            value, band = step["latency_ms"][key], step["latency_band_ms"][key] or [None, None]
            told = (one[f"latency_{key}_ms"], one[f"latency_{key}_low_ms"], one[f"latency_{key}_high_ms"])
            assert told == tuple("" if figure is None else str(figure) for figure in (value, *band))
    assert csv_bytes([]) == b""
