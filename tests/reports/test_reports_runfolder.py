"""The run folder: written once, opened whatever happened to it."""

import json
from datetime import UTC, datetime
from pathlib import Path

import made_run
import numpy as np
import pytest

from reports.runfolder import EXAMPLES_EACH, RunFolder, RunFolderError, open_run, write_json

WHEN = datetime(2026, 1, 15, 22, 55, 7, tzinfo=UTC)


def test_a_folder_is_named_by_its_instant_and_scenario(tmp_path: Path) -> None:
    """UTC first, so that folders sort; a second run of the same second gets its own."""
    made = [RunFolder.create(tmp_path / "runs", "morning_peak", WHEN) for _ in range(3)]
    for folder in made:
        folder.close()
    first = "20260115T225507Z-morning_peak"
    assert [folder.path.name for folder in made] == [first, f"{first}-2", f"{first}-3"]


def test_what_is_written_is_read(tmp_path: Path) -> None:
    """run.json, samples, examples, health and fleet come back as they went in."""
    samples = made_run.rows("ready", 3, done=[1.0, 2.0, 3.0])
    folder = RunFolder.create(tmp_path, "x", WHEN)
    folder.write_run(made_run.run_json(seed=42))
    folder.write_fleet(np.arange(5, dtype="<u4"))
    folder.add_samples(samples.tobytes())
    folder.add_example({"step": "a.b", "reason": "timeout", "detail": "前橋"})
    folder.add_health({"t": 1.0, "who": "engine-0"})
    assert folder.samples_written == 3
    folder.close()
    data = open_run(folder.path)
    assert (data.run["format"], data.run["seed"]) == (1, 42)
    assert data.samples.tobytes() == samples.tobytes()
    assert data.examples == [{"step": "a.b", "reason": "timeout", "detail": "前橋"}]
    assert data.health == [{"t": 1.0, "who": "engine-0"}]
    assert np.load(folder.path / "fleet.npy").tolist() == [0, 1, 2, 3, 4]


def test_few_examples_of_a_kind_are_kept(tmp_path: Path) -> None:
    """A million errors of one (step, reason) leave a handful of lines; another kind has its own handful."""
    folder = RunFolder.create(tmp_path, "x", WHEN)
    folder.write_run({})
    for number in range(1000):
        folder.add_example({"step": "a.b", "reason": "timeout" if number % 2 else "connack", "n": number})
    folder.close()
    kept = open_run(folder.path).examples
    assert [row["n"] for row in kept] == list(range(2 * EXAMPLES_EACH))


def test_a_folder_torn_at_any_byte_opens(tmp_path: Path) -> None:
    """The line files cut anywhere give their whole lines."""
    folder = RunFolder.create(tmp_path, "x", WHEN)
    folder.write_run({})
    for number in range(3):
        folder.add_health({"t": number, "who": "エンジン"})
    folder.close()
    path = folder.path / "health.jsonl"
    whole = path.read_bytes()
    for cut in range(len(whole) + 1):
        path.write_bytes(whole[:cut])
        assert len(open_run(folder.path).health) == whole[:cut].count(b"\n")


def test_a_folder_with_run_json_alone_opens(tmp_path: Path) -> None:
    """Killed before the first sample, a run is empty, not broken."""
    write_json(tmp_path / "run.json", {"format": 1})
    data = open_run(tmp_path)
    assert (data.samples.size, data.examples, data.health) == (0, [], [])


@pytest.mark.parametrize(
    ("text", "said"),
    [(None, "no run.json"), ("{", "not JSON"), ('{"format": 2}', "format 2, expected 1"), ("[]", "format None")],
)
def test_what_is_not_a_run_is_said_in_a_line(tmp_path: Path, text: str | None, said: str) -> None:
    """The user learns which folder, and why not."""
    if text is not None:
        (tmp_path / "run.json").write_text(text)
    with pytest.raises(RunFolderError, match=said) as fault:
        open_run(tmp_path)
    assert str(tmp_path) in str(fault.value)
    assert "\n" not in str(fault.value)


def test_run_json_is_replaced_whole(tmp_path: Path) -> None:
    """Written again, it is the new one and nothing is left beside it; what cannot be JSON leaves the old one."""
    write_json(tmp_path / "run.json", {"a": 1})
    write_json(tmp_path / "run.json", {"a": 2})
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "run.json", {"a": float("nan")})
    assert json.loads((tmp_path / "run.json").read_text()) == {"a": 2}
    assert [path.name for path in tmp_path.iterdir()] == ["run.json"]
