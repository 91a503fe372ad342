"""What engines tell is on the disk by the end of the run, and a disk that refuses it is told of."""

from __future__ import annotations

from pathlib import Path

from simulator.enrollments import Enrollment, Writer
from simulator.enrollments_file import EnrollmentsFile, Origin
from simulator.keeper import Keeper
from simulator.protocols.management import Trust


def line_of(row: int) -> bytes:
    """A row as an engine tells it."""
    kept = Enrollment(row, Trust(f"token-{row}", f"id-{row}", public_key=b"key"))
    return "".join(f"{line}\n" for line in Writer().lines(kept)).encode()


def test_all_that_was_told_is_there_at_the_end(tmp_path: Path) -> None:
    """Whatever was written in between: what came since the last write is written by close."""
    file = EnrollmentsFile(tmp_path / "fleet.json")
    file.bind(Origin("maebashi", "f", 1, "stand-in"))
    failures: list[str] = []
    keeper = Keeper(file, failures.append)
    keeper.take(line_of(0))
    keeper.tick()
    keeper.take(line_of(1))
    keeper.tick()
    keeper.close()
    assert sorted(EnrollmentsFile(file.path).rows) == [0, 1]
    assert not failures


def test_nothing_new_is_not_written(tmp_path: Path) -> None:
    """A run that changed nothing leaves the file alone."""
    file = EnrollmentsFile(tmp_path / "fleet.json")
    keeper = Keeper(file, lambda line: None)
    keeper.tick()
    keeper.close()
    assert not file.path.exists()


def test_a_disk_that_refuses(tmp_path: Path) -> None:
    """The user is told what could not be written, the file stays as it was, and a later write has all of it."""
    file = EnrollmentsFile(tmp_path / "fleet.json")
    file.bind(Origin("maebashi", "f", 1, "stand-in"))
    file.write()
    before = file.path.read_bytes()
    # a folder stands where the new file would be written
    (tmp_path / "fleet.json.part").mkdir()
    failures: list[str] = []
    keeper = Keeper(file, failures.append)
    keeper.take(line_of(0))
    keeper.close()
    assert failures == ["Is a directory"]
    assert file.path.read_bytes() == before
    (tmp_path / "fleet.json.part").rmdir()
    keeper.close()
    assert len(failures) == 1
    assert sorted(EnrollmentsFile(file.path).rows) == [0]
