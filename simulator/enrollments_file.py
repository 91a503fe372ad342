"""The file that keeps a fleet enrolled from run to run: locked by one user at a time, read whole, replaced whole.

The only place that opens it. A kill at any byte leaves the file as it was before or as it is after: a new one is
written beside it, is on the disk whole, and then takes its name. It is private, since DM tokens are in it.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from simulator.enrollments import Enrollment, Reader, Writer
from simulator.errors import UserError

FORMAT = 1
_ANOTHER = "name another --enrollments FILE"


@dataclass(frozen=True, slots=True)
class Origin:
    """Whose enrollments a file keeps, and where they are good.

    Attributes:
        organisation, seed: of the fleet. fleet: a hash of what its devices are to a server.
        management: the address that its devices ask, or that it is the stand-in's.
    """

    organisation: str
    fleet: str
    seed: int
    management: str


class EnrollmentsFile:
    """What the file holds, in memory; nothing is on the disk before write().

    Args:
        path: of a file that exists, or of one that write() will make.
    Attributes:
        origin: None for a file that is not there yet.
        server_key: a hash of the key that vouches for the stand-in's policies: the database it must find again.
        rows: what each row keeps.
    Raises:
        UserError: it cannot be read, is no such file, was cut off, or others may read it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.origin: Origin | None = None
        self.server_key = ""
        self.rows: dict[int, Enrollment] = {}
        self._reader = Reader()
        # as they are written: keys first, then rows
        self._keys: dict[bytes, None] = {}
        self._lines: dict[int, bytes] = {}
        head, *lines = _read(path) or [b""]
        if head:
            self._take_whole(head, lines)

    def _take_whole(self, head: bytes, lines: list[bytes]) -> None:
        try:
            told = json.loads(head)
            format_, rows = told.pop("format"), told.pop("rows")
            self.server_key = told.pop("server_key")
            self.origin = Origin(**told) if format_ == FORMAT else None
        except (ValueError, TypeError, KeyError, AttributeError):
            raise UserError(f"{self.path}: not a file of enrollments: {_ANOTHER}") from None
        if self.origin is None:
            raise UserError(f"{self.path}: format {format_!r}, this version reads {FORMAT}: {_ANOTHER}")
        for number, line in enumerate(lines, 2):
            try:
                self._take_line(line)
            except ValueError:
                raise UserError(f"{self.path}: line {number} is damaged: restore the file, or {_ANOTHER}") from None
        if len(self.rows) != rows:
            raise UserError(
                f"{self.path}: cut off, {len(self.rows):,} of {rows:,} devices are in it:"
                f" restore the file, or {_ANOTHER}"
            )

    def take(self, lines: bytes) -> None:
        """Put in what an engine told (Recorder.take)."""
        for line in lines.splitlines():
            self._take_line(line)

    def _take_line(self, line: bytes) -> None:
        kept = self._reader.read(line.decode())
        if kept is None:
            self._keys[line] = None
        else:
            self.rows[kept.row] = kept
            self._lines[kept.row] = line

    def bind(self, origin: Origin) -> None:
        """From here on the file is of that fleet and server. Raises: UserError when its devices are of another."""
        before, self.origin = self.origin, origin
        if before is None or before == origin or not self.rows:
            return
        theirs, ours = (f"{one.organisation} with seed {one.seed}" for one in (before, origin))
        if before.management != origin.management:
            raise UserError(
                f"{self.path}: its devices are enrolled at {before.management}, this run aims at {origin.management}:"
                f" aim there, or {_ANOTHER}"
            )
        if theirs == ours:
            ours = "the same, but its file or domain has changed since"
        raise UserError(
            f"{self.path}: its devices are those of {theirs}, this run plays {ours}: play that one, or {_ANOTHER}"
        )

    def bind_server(self, server_key: str) -> None:
        """The stand-in must be the one they enrolled at. Raises: UserError when its database is another one."""
        if self.rows and self.server_key != server_key:
            raise UserError(
                f"{self.path}: its devices are enrolled at a stand-in whose database {self.database} no longer is:"
                f" restore that folder, or drop them all (fleetrush fleet --enrollments {self.path} --drop all)"
            )
        self.server_key = server_key

    @property
    def database(self) -> Path:
        """The folder of the stand-in's database, beside the file."""
        return self.path.with_name(self.path.name + ".backend")

    def enrolled(self, devices: int) -> NDArray[np.bool_]:
        """By fleet row of a fleet of that size, which devices need not enroll."""
        column = np.zeros(devices, np.bool_)
        column[[row for row, kept in self.rows.items() if row < devices and kept.device is not None]] = True
        return column

    def lines_of(self, rows: Iterable[int]) -> str:
        """Those rows as lines, with all keys, as an engine is told."""
        return b"".join(self._image(rows)).decode()

    def drop(self, rows: Iterable[int]) -> None:
        """Forget those rows, which must be there."""
        for row in rows:
            del self.rows[row], self._lines[row]

    def wipe(self, rows: Iterable[int]) -> None:
        """Let those rows, which must be there, enroll anew."""
        for row in rows:
            kept = self.rows[row] = self.rows[row].wiped()
            (line,) = Writer().lines(kept)
            self._lines[row] = line.encode()

    def image(self) -> bytes:
        """The whole file."""
        assert self.origin is not None
        head = {"format": FORMAT, **asdict(self.origin), "server_key": self.server_key, "rows": len(self.rows)}
        return b"".join([json.dumps(head, ensure_ascii=False).encode() + b"\n", *self._image(self._lines)])

    def _image(self, rows: Iterable[int]) -> Iterator[bytes]:
        for line in self._keys:
            yield line + b"\n"
        for row in rows:
            yield self._lines[row] + b"\n"

    def write(self) -> None:
        """Replace the file. Raises: UserError when that cannot be done; then it is as it was."""
        try:
            replace_file(self.path, self.image())
        except OSError as error:
            raise UserError(f"{self.path}: cannot be written: {error.strerror}") from None


def replace_file(path: Path, image: bytes) -> None:
    """Put a private file with that content into the place of another: whole, or not at all. Raises: OSError."""
    path = path.resolve()
    part = path.with_name(path.name + ".part")
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb", buffering=0) as file:
        # the mode of open() is what the umask left of it, and a part that was left behind has its own
        os.fchmod(descriptor, 0o600)
        left = memoryview(image)
        while left:
            left = left[file.write(left) :]
        os.fsync(descriptor)
    os.replace(part, path)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _read(path: Path) -> list[bytes]:
    """The lines of the file; none when there is no such file."""
    try:
        with path.open("rb") as file:
            if os.fstat(file.fileno()).st_mode & 0o077:
                raise UserError(f"{path}: others may read it, and DM tokens are in it: chmod 600 {path}")
            return file.read().splitlines()
    except FileNotFoundError:
        return []
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from None


@contextmanager
def locked(path: Path | None) -> Iterator[None]:
    """Keep others from the file inside; None: there is none. A killed holder holds nothing.

    Raises: UserError when another one has it, when it cannot be made there, or lies in a run's folder.
    """
    if path is None:
        yield
        return
    if any((folder / "run.json").exists() for folder in path.absolute().parents):
        raise UserError(f"--enrollments {path}: lies in a run's folder, which is for others to read: {_ANOTHER}")
    # the file itself is replaced, so it is no lock
    lock = path.with_name(path.name + ".lock")
    try:
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise UserError(f"--enrollments {path}: cannot be kept there: {error.strerror}") from None
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UserError(f"--enrollments {path}: another run is using it: wait for its end, or {_ANOTHER}") from None
        yield
    finally:
        os.close(descriptor)
