"""The file that keeps a fleet enrolled: whole or as it was whatever kills its writer, private, and bound."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from simulator.enrollments import Enrollment, Writer
from simulator.enrollments_file import EnrollmentsFile, Origin, locked, replace_file
from simulator.errors import UserError
from simulator.protocols.management import Trust

ORIGIN = Origin("maebashi", "0123456789abcdef", 1, "stand-in")


def lines_of(*kept: Enrollment) -> bytes:
    """What an engine would tell."""
    writer = Writer()
    return "".join(f"{line}\n" for one in kept for line in writer.lines(one)).encode()


def enrolled(row: int, timestamp_ms: int = 1) -> Enrollment:
    """A row with a registration of its own."""
    return Enrollment(row, Trust(f"token-{row}", f"id-{row}", "", "city.example", 1, b"key", timestamp_ms))


def a_file(path: Path, *kept: Enrollment) -> EnrollmentsFile:
    """A file with those rows, on the disk."""
    file = EnrollmentsFile(path)
    file.bind(ORIGIN)
    file.bind_server("server")
    file.take(lines_of(*kept))
    file.write()
    return file


def test_what_is_written_is_read(tmp_path: Path) -> None:
    """Rows, origin and server come back; the newest line of a row counts; rows beyond a fleet's size stay."""
    path = tmp_path / "fleet.json"
    first = a_file(path, enrolled(0), enrolled(7))
    first.take(lines_of(enrolled(7, timestamp_ms=9), Enrollment(3, None, drawn=4)))
    first.write()
    again = EnrollmentsFile(path)
    assert (again.origin, again.server_key) == (ORIGIN, "server")
    assert again.rows == {0: enrolled(0), 7: enrolled(7, timestamp_ms=9), 3: Enrollment(3, None, drawn=4)}
    assert again.enrolled(5).tolist() == [True, False, False, False, False]
    assert again.enrolled(8).tolist() == [True, False, False, False, False, False, False, True]
    assert again.image() == path.read_bytes()


def test_a_writer_killed_at_any_byte(tmp_path: Path) -> None:
    """The kernel kills the writer at each offset of what it writes: the file opens as it was; then a write succeeds."""
    path = tmp_path / "fleet.json"
    a_file(path, enrolled(0))
    before = path.read_bytes()
    file = EnrollmentsFile(path)
    file.take(lines_of(enrolled(0, timestamp_ms=2), enrolled(1)))
    image = file.image()
    for offset in range(len(image)):
        child = os.fork()
        if child == 0:
            # a process that writes beyond its limit gets SIGXFSZ in the middle of its write (setrlimit(2))
            signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
            resource.setrlimit(resource.RLIMIT_FSIZE, (offset, offset))
            replace_file(path, image)
            os._exit(0)
        assert os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGXFSZ
        assert (tmp_path / "fleet.json.part").stat().st_size == offset
        assert path.read_bytes() == before
    assert EnrollmentsFile(path).rows == {0: enrolled(0)}
    replace_file(path, image)
    assert EnrollmentsFile(path).rows == {0: enrolled(0, timestamp_ms=2), 1: enrolled(1)}
    assert not (tmp_path / "fleet.json.part").exists()


def test_a_file_cut_off_elsewhere_is_never_a_smaller_fleet(tmp_path: Path) -> None:
    """Every beginning of a file but the whole is refused in one line that says so and names no token."""
    path = tmp_path / "fleet.json"
    a_file(path, enrolled(0), enrolled(1))
    whole = path.read_bytes()
    for size in range(1, len(whole) - 1):
        path.write_bytes(whole[:size])
        with pytest.raises(UserError) as caught:
            EnrollmentsFile(path)
        (line,) = caught.value.lines
        assert "token-" not in line
        assert "another --enrollments FILE" in line


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o777])
def test_private_whatever_the_umask(tmp_path: Path, umask: int) -> None:
    """0600, also over the open file that a killed writer left."""
    path = tmp_path / "fleet.json"
    left = tmp_path / "fleet.json.part"
    left.write_bytes(b"left behind")
    left.chmod(0o666)
    before = os.umask(umask)
    try:
        a_file(path, enrolled(0))
    finally:
        os.umask(before)
    assert path.stat().st_mode & 0o777 == 0o600


def test_what_others_can_read_is_refused(tmp_path: Path) -> None:
    """As ssh does with a key: the tokens may be out, so the user is told, and told what to do."""
    path = tmp_path / "fleet.json"
    a_file(path, enrolled(0))
    path.chmod(0o640)
    with pytest.raises(UserError, match=f"chmod 600 {path}"):
        EnrollmentsFile(path)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", None),
        (b"\x00\xff", "not a file of enrollments"),
        (b"[]", "not a file of enrollments"),
        (b'{"format": 1}', "not a file of enrollments"),
        (
            json.dumps(
                {"format": 2, "rows": 0, "server_key": "", "organisation": "", "fleet": "", "seed": 1, "management": ""}
            ).encode(),
            "format 2, this version reads 1",
        ),
    ],
)
def test_what_is_no_such_file(tmp_path: Path, content: bytes, said: str | None) -> None:
    """A file of another kind or format is refused; an empty one is a fleet that nobody enrolled yet."""
    path = tmp_path / "fleet.json"
    path.write_bytes(content)
    path.chmod(0o600)
    if said is None:
        assert EnrollmentsFile(path).origin is None
    else:
        with pytest.raises(UserError, match=said):
            EnrollmentsFile(path)


@pytest.mark.parametrize(
    ("other", "said"),
    [
        (Origin("maebashi", "0123456789abcdef", 2, "stand-in"), "with seed 1, this run plays maebashi with seed 2"),
        (Origin("takasaki", "f" * 16, 1, "stand-in"), "this run plays takasaki with seed 1"),
        (Origin("maebashi", "f" * 16, 1, "stand-in"), "has changed since"),
        (
            Origin("maebashi", "0123456789abcdef", 1, "https://dm.city.example/api"),
            "enrolled at stand-in, this run aims at https://dm.city.example/api",
        ),
    ],
)
def test_another_fleet_or_server(tmp_path: Path, other: Origin, said: str) -> None:
    """A file is good for one fleet at one server; one without devices for any."""
    path = tmp_path / "fleet.json"
    file = a_file(path, enrolled(0))
    with pytest.raises(UserError) as caught:
        EnrollmentsFile(path).bind(other)
    (line,) = caught.value.lines
    assert said in line
    assert "another --enrollments FILE" in line
    file.drop([0])
    file.write()
    empty = EnrollmentsFile(path)
    empty.bind(other)
    empty.bind_server("another")
    empty.write()
    assert EnrollmentsFile(path).origin == other


def test_the_stand_in_must_be_the_same(tmp_path: Path) -> None:
    """Devices enrolled at a stand-in whose database is gone are told of before anything is sent."""
    file = a_file(tmp_path / "fleet.json", enrolled(0))
    file.bind_server("server")
    with pytest.raises(UserError, match=r"fleet\.json\.backend"):
        file.bind_server("a new one")


def test_one_at_a_time(tmp_path: Path) -> None:
    """A second user is refused, in this process and from another; a killed one holds nothing."""
    path = tmp_path / "fleet.json"
    hold = (
        "import sys, time; from pathlib import Path; from simulator.enrollments_file import locked\n"
        "with locked(Path(sys.argv[1])): print('held', flush=True); time.sleep(60)"
    )
    holder = subprocess.Popen([sys.executable, "-c", hold, str(path)], stdout=subprocess.PIPE)
    assert holder.stdout is not None
    try:
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(UserError, match="another run is using it"), locked(path):
            pass
    finally:
        holder.kill()
        holder.wait()
        holder.stdout.close()
    with locked(path), pytest.raises(UserError, match="another run is using it"), locked(path):
        pass
    with locked(path):
        pass


def test_no_place_for_it(tmp_path: Path) -> None:
    """A folder that is not there, and a run's folder, which goes to whoever reads reports."""
    with pytest.raises(UserError, match="No such file or directory"), locked(tmp_path / "no" / "fleet.json"):
        pass
    (tmp_path / "run.json").write_text("{}")
    (tmp_path / "deep").mkdir()
    with pytest.raises(UserError, match="lies in a run's folder"), locked(tmp_path / "deep" / "fleet.json"):
        pass
