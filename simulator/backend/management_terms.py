"""On which terms devices are enrolled: whose machines, how many, with or without somebody's approval.

The settings say it at first; what the operator changes is kept in the store and counts before them. Who is enrolled is
not known here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from simulator.backend.settings import BackendSettings
from simulator.backend.store import Store

SCHEMA = "CREATE TABLE IF NOT EXISTS management_terms (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;"

# What the operator may change, and what each is.
CHANGEABLE: Mapping[str, type] = {"licenses": int, "serial_prefix": str, "approval": bool}


def check_terms(changes: Mapping[str, Any]) -> None:
    """Raises: ValueError for a name that is no term's to change, or a value of another type."""
    for name, value in changes.items():
        if name not in CHANGEABLE:
            raise ValueError(f"no {name!r} is taken; expected {', '.join(sorted(CHANGEABLE))}")
        if type(value) is not CHANGEABLE[name]:
            raise ValueError(f"{name} is {value!r}; expected {CHANGEABLE[name].__name__}")


class Terms:
    """The terms in force.

    Args:
        store: where changes are kept. settings: what holds without one.

    Attributes:
        licenses: for how many devices; negative: any number. packaged_licenses: whether machines bring their own.
        serial_prefix: of the city's machines. approval: whether a machine's first enrollment waits for somebody.
        zero_touch: whether the city's machines enroll by attestation.
        hash_modulus: into how many buckets known machines are sorted; 0: as many as are asked for.
    """

    def __init__(self, store: Store, settings: BackendSettings) -> None:
        self._store = store
        store.ensure(SCHEMA)
        self.licenses, self.packaged_licenses = settings.licenses, settings.packaged_licenses
        self.serial_prefix, self.approval = settings.serial_prefix, settings.approval
        self.zero_touch, self.hash_modulus = settings.zero_touch, settings.hash_modulus
        for row in store.all("SELECT name, value FROM management_terms"):
            setattr(self, row["name"], json.loads(row["value"]))

    def change(self, changes: Mapping[str, Any]) -> None:
        """Change some terms, by their names; those not named stay. Raises: ValueError, see check_terms."""
        check_terms(changes)
        with self._store.transaction():
            for name, value in changes.items():
                self._store.execute("INSERT OR REPLACE INTO management_terms VALUES (?, ?)", name, json.dumps(value))
                setattr(self, name, value)
