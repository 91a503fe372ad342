"""Devices that an administrator deleted: their registration is gone, and what they are told of it is remembered."""

from __future__ import annotations

from simulator.backend.management_calls import ERROR_DETAILS
from simulator.backend.store import Store

SCHEMA = """
CREATE TABLE IF NOT EXISTS management_deletions (
    device_id TEXT PRIMARY KEY,
    error_detail TEXT NOT NULL    -- one of ERROR_DETAILS, or empty
) WITHOUT ROWID;
CREATE TRIGGER IF NOT EXISTS management_back_again AFTER INSERT ON management_clients
    BEGIN DELETE FROM management_deletions WHERE device_id = NEW.device_id; END;
"""
_WHOSE = "CASE WHEN ? IS NULL THEN kind = 'device' ELSE device_id = ? END"


def check_detail(error_detail: str) -> None:
    """Raises: ValueError for one that a 410 cannot have; empty is none."""
    if error_detail and error_detail not in ERROR_DETAILS:
        raise ValueError(f"error_detail is {error_detail!r}; expected one of {', '.join(ERROR_DETAILS)}")


class Deletions:
    """The deleted devices. Registering again is the way back, and then no word of it is left.

    Args:
        store: where they, and the registrations, are kept.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        store.ensure(SCHEMA)

    def delete(self, device_id: str | None, error_detail: str) -> int:
        """Delete one client, or all devices (None), with all that is kept for it.

        Args:
            error_detail: what its 410 says besides: one of ERROR_DETAILS, or empty.
        Returns: how many.
        Raises: ValueError for another detail.
        """
        check_detail(error_detail)
        with self._store.transaction():
            self._store.execute(
                f"INSERT OR REPLACE INTO management_deletions SELECT device_id, ? FROM management_clients"
                f" WHERE {_WHOSE}",
                *(error_detail, device_id, device_id),
            )
            return self._store.execute(f"DELETE FROM management_clients WHERE {_WHOSE}", device_id, device_id).rowcount

    def error_detail(self, device_id: str) -> str:
        """What the 410 of a device id says besides; empty when it was not deleted so, or registered since."""
        row = self._store.one("SELECT error_detail FROM management_deletions WHERE device_id = ?", device_id)
        return row["error_detail"] if row else ""
