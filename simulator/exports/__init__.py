"""Accounts as files that an identity provider takes, each with the file that removes exactly these again.

One file a format; EXPORTS names them all. Pure: people come in, text goes out; nothing is read, written or asked.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from simulator.exports import active_directory, keycloak, ldif, table
from simulator.exports.person import Person


@dataclass(frozen=True, slots=True)
class Export:
    """One row of EXPORTS.

    Attributes:
        write: the accounts of these people as a file, for a domain.
        remove: the file that removes them; None where a format has none.
        removes_as: how the name of that file ends.
        usage: what to do with both.
    """

    write: Callable[[Sequence[Person], str], str]
    remove: Callable[[Sequence[Person], str], str] | None
    removes_as: str
    usage: str


EXPORTS: dict[str, Export] = {
    "keycloak": Export(keycloak.write, keycloak.remove, ".sh", keycloak.USAGE),
    "active-directory": Export(active_directory.write, active_directory.remove, ".ps1", active_directory.USAGE),
    "ldif": Export(ldif.write, ldif.remove, ".ldif", ldif.USAGE),
    "csv": Export(table.write, None, "", table.USAGE),
}
