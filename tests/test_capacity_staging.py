"""A search for the capacity of a system that the user named, a real process: what it is allowed, that the system is
drained between levels, and what is kept when the search is interrupted."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from processes import alive, announced, descendants, wait_for

HERE = Path(__file__).parent
SCENARIO = HERE / "data" / "scenarios" / "moment.toml"
LONGER = SCENARIO.with_name("slots.toml")
FLEETRUSH = [str(Path(sys.executable).with_name("fleetrush"))]
LIMIT_S = 300


@dataclass
class Staging:
    """An identity provider in a process of its own, which writes down what it was asked."""

    metadata_url: str
    recording: Path

    def passwords_at(self) -> list[float]:
        """The Unix second of every password that was posted to it."""
        lines = [json.loads(line) for line in self.recording.read_text("utf-8").splitlines()]
        return [line["at"] for line in lines if "/idp/login-actions/" in line["url"]]


@pytest.fixture
def staging(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Staging]:
    """`fleetrush backend` as the city's staging copy: it knows the fleet's passwords."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    recording = tmp_path / "recording.jsonl"
    environment = os.environ | {"PYTHONPATH": str(HERE / "recording"), "RECORDING": str(recording)}
    argv = [*FLEETRUSH, "backend", str(SCENARIO)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, start_new_session=True, env=environment) as backend:
        try:
            assert backend.stdout is not None
            said = announced(backend.stdout)
            yield Staging(said["idp"] + "/idp/metadata", recording)
        finally:
            backend.send_signal(signal.SIGTERM)


def search(folder: Path, targets: str, *arguments: str, scenario: Path = SCENARIO) -> subprocess.Popen[str]:
    """A search; of SCENARIO among levels of twenty-odd devices that sign in within a second."""
    (folder / "targets.toml").write_text(targets)
    told = [*arguments, "--targets", "targets.toml", "--what-ifs", "none", "--out", "runs"]
    sizes = ["--devices", "20", "--compression", "40"] if scenario == SCENARIO else []
    return subprocess.Popen(
        [*FLEETRUSH, "capacity", str(scenario), *sizes, *told],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=folder,
        start_new_session=True,
    )


def found(folder: Path) -> tuple[Path, dict[str, Any]]:
    """The folder of the only search, and its capacity.json."""
    (made,) = (folder / "runs").iterdir()
    return made, json.loads((made / "capacity.json").read_text())


def test_what_is_no_staging_copy_is_never_asked(tmp_path: Path) -> None:
    """Without staging = true: exit 2, one line that says what to write, no folder, and not one connection."""
    with socket.create_server(("127.0.0.1", 0)) as provider:
        provider.setblocking(False)
        url = f"http://127.0.0.1:{provider.getsockname()[1]}/saml"
        process = search(tmp_path, f'[targets.identity]\nurl = "{url}"\n')
        said, _ = process.communicate(timeout=LIMIT_S)
        assert process.returncode == 2
        assert said == (
            "fleetrush: target identity: a search for the capacity loads it until it gives in: name a copy that may,"
            " with staging = true under [targets.identity]\n"
        )
        with pytest.raises(BlockingIOError):
            provider.accept()
    assert not (tmp_path / "runs").exists()


def test_a_staging_copy_is_searched_and_drained(tmp_path: Path, staging: Staging) -> None:
    """One level, of 20, that holds (`make truth` plays a whole search), of the fleet that the provider knows. By the
    provider's own record, before a level one device gets through alone twice (drained; and each run's own first). The
    headline says what was tested."""
    process = search(
        tmp_path, f'[targets.identity]\nurl = "{staging.metadata_url}"\nstaging = true\n', "--max-devices", "20"
    )
    said, _ = process.communicate(timeout=LIMIT_S)
    # 3 is a machine too busy to be trusted, at one level or the other, twice
    assert process.returncode in (3, 4), said
    folder, whole = found(tmp_path)
    runs = {path.parent.name: json.loads(path.read_text()) for path in folder.glob("level-*/run.json")}
    # the fleet that the provider knows, and arrivals of its own in each run of a level
    assert {run["seed"] for run in runs.values()} == {1}
    assert all(run["scenario"]["folded"]["arrivals_seed"] == int(name[-1]) for name, run in runs.items())
    played = [level["devices"] for level in whole["levels"]]
    assert ("At least 20 devices." if process.returncode == 4 else "Harness limit") in said
    assert "Tested: identity;" in said
    assert whole["targets"]["identity"]["basis"] == "target"
    at, waited = staging.passwords_at(), said.count("the targets are still busy")
    assert len(at) == sum(played) + 2 * len(played) + waited
    for number, level in enumerate(whole["levels"]):
        before = sum(one < level["began_utc"] for one in at) - sum(played[:number])
        assert 2 * (number + 1) <= before <= 2 * (number + 1) + waited


def test_an_interrupted_search(tmp_path: Path) -> None:
    """Stopped while it plays (SIGTERM, as a pipeline does): exit 130, what was recorded is kept and marked as cut
    short, the page says that it was interrupted, and no process is left."""
    process = search(tmp_path, "", scenario=LONGER)
    try:
        recorded = "runs/*/level-*/samples.npy"
        wait_for("samples", LIMIT_S, lambda: any(one.stat().st_size > 9_000 for one in tmp_path.glob(recorded)))
        children = descendants(process.pid)
        assert children
        process.send_signal(signal.SIGTERM)
        said, _ = process.communicate(timeout=LIMIT_S)
        wait_for("all gone", LIMIT_S, lambda: not any(alive(pid) for pid in children))
    finally:
        process.kill()
    assert process.returncode == 130, said
    folder, whole = found(tmp_path)
    assert whole["ended"]["reason"] == "interrupted"
    assert [level["complete"] for level in whole["levels"]] == [False]
    page = (folder / "report.html").read_text("utf-8")
    for words in ("Nothing is known yet: the search was interrupted", "cut short"):
        assert words in page, words
