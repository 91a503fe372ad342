"""The backend's memory: what was written stays, what was not meant to stay does not."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from simulator.backend.store import Store

SCHEMA = "CREATE TABLE IF NOT EXISTS device (name TEXT PRIMARY KEY, seen INTEGER)"

# Writes one row outside and one inside a transaction, leaves a third in an open one, and is killed from outside.
WRITER = f"""
import os, sys
from simulator.backend.store import Store
store = Store(sys.argv[1])
store.ensure({SCHEMA!r})
store.execute("INSERT INTO device VALUES (?, ?)", "alone", 1)
with store.transaction():
    store.execute("INSERT INTO device VALUES (?, ?)", "together", 2)
with store.transaction():
    store.execute("INSERT INTO device VALUES (?, ?)", "unfinished", 3)
    print("written", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def store(tmp_path: Path) -> Store:
    made = Store(str(tmp_path / "backend.sqlite"))
    made.ensure(SCHEMA)
    return made


def test_reads_back_rows_by_name(store: Store) -> None:
    """What was inserted comes back by column name; a query without rows gives None or an empty list."""
    cursor = store.execute("INSERT INTO device VALUES (?, ?), (?, ?)", "a", 1, "b", None)
    assert cursor.rowcount == 2
    row = store.one("SELECT * FROM device WHERE name = ?", "a")
    assert row is not None
    assert (row["name"], row["seen"]) == ("a", 1)
    assert [tuple(row) for row in store.all("SELECT * FROM device ORDER BY name")] == [("a", 1), ("b", None)]
    assert store.one("SELECT * FROM device WHERE name = ?", "c") is None
    assert store.all("SELECT * FROM device WHERE name = ?", "c") == []


def test_transaction_is_all_or_nothing(store: Store) -> None:
    """A block that raises leaves none of its writes, and the next one works."""

    def write_the_same_twice() -> None:
        with store.transaction():
            store.execute("INSERT INTO device VALUES ('a', 1)")
            store.execute("INSERT INTO device VALUES ('a', 2)")

    with pytest.raises(sqlite3.IntegrityError):
        write_the_same_twice()
    assert store.all("SELECT * FROM device") == []
    with store.transaction():
        store.execute("INSERT INTO device VALUES ('b', 1)")
    assert len(store.all("SELECT * FROM device")) == 1


def test_a_transaction_inside_another_is_refused(store: Store) -> None:
    """A service cannot commit half of what another began: that is a mistake of ours, and loud."""
    with (
        pytest.raises(sqlite3.OperationalError, match="within a transaction"),
        store.transaction(),
        store.transaction(),
    ):
        pass


def test_foreign_keys_hold(store: Store) -> None:
    """A row that refers to nothing is refused: SQLite checks that only when told to."""
    store.ensure("CREATE TABLE token (device TEXT REFERENCES device (name))")
    with pytest.raises(sqlite3.IntegrityError):
        store.execute("INSERT INTO token VALUES ('nobody')")


def test_another_connection_sees_a_write_at_once(store: Store, tmp_path: Path) -> None:
    """A write outside a transaction is committed when the call returns."""
    store.execute("INSERT INTO device VALUES ('a', 1)")
    other = sqlite3.connect(tmp_path / "backend.sqlite")
    assert other.execute("SELECT name FROM device").fetchall() == [("a",)]
    other.close()


def test_kill_forgets_nothing_that_was_committed(tmp_path: Path) -> None:
    """After kill -9 the committed rows are there, and the one in the open transaction is not."""
    path = str(tmp_path / "backend.sqlite")
    with subprocess.Popen(
        [sys.executable, "-P", "-c", WRITER, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == b"written\n"
        writer.kill()
    again = Store(path)
    assert [row["name"] for row in again.all("SELECT name FROM device ORDER BY seen")] == ["alone", "together"]
    again.close()
    again.close()


def test_memory_needs_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A rehearsal's store leaves nothing on disk."""
    monkeypatch.chdir(tmp_path)
    store = Store(":memory:")
    store.ensure(SCHEMA)
    store.execute("INSERT INTO device VALUES ('a', 1)")
    store.close()
    assert list(tmp_path.iterdir()) == []


def test_nobody_else_reads_it(tmp_path: Path) -> None:
    """Keys and tokens are in it: the database and what SQLite puts beside it are their owner's, whatever the umask."""
    umask = os.umask(0o022)
    try:
        store = Store(str(tmp_path / "backend.sqlite"))
        store.ensure(SCHEMA)
    finally:
        os.umask(umask)
    modes = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir()}
    assert set(modes) >= {"backend.sqlite", "backend.sqlite-wal"}
    assert set(modes.values()) == {0o600}
