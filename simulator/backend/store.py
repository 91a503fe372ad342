"""The backend's memory: one SQLite database behind five calls, for all services.

It knows no service and no table: each service hands in its own schema. It has no clock, no chance and no thread, and
must never hold a change back: what was written outside a transaction, or in one that ended, survives kill -9.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

Value = str | bytes | int | float | None


class Store:
    """A database for one process and one thread.

    Args:
        path: of the database file, which only its owner may read when it is new: keys and tokens are in it; or
            ":memory:" for a rehearsal.
    Raises:
        sqlite3.Error: the file cannot be opened, or is not a database.
    """

    def __init__(self, path: str) -> None:
        if path != ":memory:":
            # SQLite would leave it to the umask; what it puts beside the file gets the file's own mode
            with suppress(OSError):
                Path(path).touch(mode=0o600)
        # isolation_level None: SQLite's own autocommit, so that a write outside a transaction is committed at once.
        self._db = sqlite3.connect(path, isolation_level=None, cached_statements=512)
        self._db.row_factory = sqlite3.Row
        # WAL hands each commit to the system before it returns, which outlives the process. OFF waits for no disk
        # (sqlite.org/pragma.html#pragma_synchronous): a power cut may cost the database, but no checkpoint stops every
        # answer for tens of milliseconds (measured: up to 45 ms with NORMAL, 9 ms with OFF).
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = OFF")
        self._db.execute("PRAGMA foreign_keys = ON")

    def ensure(self, schema: str) -> None:
        """Run a script of CREATE ... IF NOT EXISTS statements; not inside a transaction."""
        self._db.executescript(schema)

    def execute(self, sql: str, *params: Value) -> sqlite3.Cursor:
        """Run one statement; its `?` take the params in order. Returns the cursor (rowcount, lastrowid, rows)."""
        return self._db.execute(sql, params)

    def one(self, sql: str, *params: Value) -> sqlite3.Row | None:
        """The first row of a query, None when there is none."""
        row: sqlite3.Row | None = self._db.execute(sql, params).fetchone()
        return row

    def all(self, sql: str, *params: Value) -> list[sqlite3.Row]:
        """All rows of a query."""
        return self._db.execute(sql, params).fetchall()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All of what is written inside, or nothing when the block raises. Raises sqlite3.Error inside another one."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    def close(self) -> None:
        """Fold the log into the database file and let it go. Idempotent."""
        self._db.close()
