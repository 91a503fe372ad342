"""The `accounts` command: the accounts of all who sign in in a scenario, as files for an identity provider.

It asks and sends nothing; the passwords follow from the secret that later runs derive them from.
"""

from __future__ import annotations

import os
from pathlib import Path

from scenarios.schema import Scenario
from simulator.accounts import Accounts, people_of
from simulator.composition import What, compose
from simulator.errors import UserError
from simulator.exports import EXPORTS
from simulator.exports.person import Person, mark_of
from simulator.fleet import device_facts, make_fleet, names


def export_accounts(what: What, kind: str, out: Path) -> int:
    """Write the accounts and their clean-up, mode 0600. Returns: 0. Raises: UserError."""
    scenario = compose(what, judged=False).scenario
    secret, export = what.secret(), EXPORTS[kind]
    removes = out.with_name(f"{out.stem}.remove{export.removes_as}")
    people = _people(scenario, secret)
    try:
        _write(out, export.write(people, scenario.organisation.domain))
        if export.remove is not None:
            _write(removes, export.remove(people, scenario.organisation.domain))
    except OSError as error:
        raise UserError(f"--out {out}: cannot be written: {error.strerror}") from None
    print(f"{len(people):,} accounts written to {out}" + (f", their removal to {removes}" if export.remove else ""))
    print(export.usage.format(write=out, remove=removes))
    return 0


def _people(scenario: Scenario, secret: bytes) -> list[Person]:
    fleet = make_fleet(scenario.organisation, scenario.devices, scenario.seed)
    accounts, (family_names, given_names) = Accounts(secret), names()
    people = []
    for row in people_of(scenario, fleet).tolist():
        facts = device_facts(fleet, scenario.organisation, row)
        account = accounts.of(facts)
        people.append(
            Person(
                account.user,
                account.password,
                given_names[fleet[row]["given_name"]][1],
                family_names[fleet[row]["family_name"]][1],
                facts.display_name,
                mark_of(secret, account.user),
            )
        )
    return people


def _write(path: Path, text: str) -> None:
    """Write a file whole or not at all, for its owner's eyes."""
    beside = path.with_name(path.name + ".new")
    beside.unlink(missing_ok=True)
    with open(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8", newline="") as file:
        file.write(text)
    beside.replace(path)
