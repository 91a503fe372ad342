"""Whose account each person signs in with: generated ones, or a city's own test accounts from a CSV file.

Reads that file with every fault in one go, and maps people to accounts. It keeps nothing and shows no password; how a
password is typed is not known here.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scenarios.schema import LIDS, Scenario
from simulator.draw import draws
from simulator.errors import UserError
from simulator.fleet import DeviceFacts
from simulator.kinds import WRONG, kinds_of
from simulator.protocols.account import Account, password_of, read_totp_secret
from simulator.timetable import journeys_of, make_timetable

COLUMNS = ("user", "password", "totp", "expendable")
_NEEDED = COLUMNS[:2]
_YES_NO = {"yes": True, "true": True, "1": True, "no": False, "false": False, "0": False, "": False}


@dataclass(frozen=True, slots=True)
class Accounts:
    """Whose account the person of a fleet row signs in with.

    Attributes:
        secret: what passwords of generated accounts follow from.
        listed: accounts by row, of all rows that sign in; empty where all accounts are generated.
        told: how that came about, for run.json: no secret.
    """

    secret: bytes = field(default=b"", repr=False)
    listed: Mapping[int, Account] = field(default_factory=dict)
    told: Mapping[str, Any] = field(default_factory=lambda: {"from": "generated"})

    def of(self, facts: DeviceFacts) -> Account:
        """The account of a device's person. Generated ones are made for this: they are expendable."""
        if self.listed:
            return self.listed[facts.row]
        return Account(facts.user, password_of(self.secret, facts.user), expendable=True)

    def to_json(self) -> dict[str, Any]:
        """A JSON-able value; secrets travel in it, so it goes through a pipe and nowhere else."""
        rows = {row: [one.user, one.password, one.totp, one.expendable] for row, one in self.listed.items()}
        return {"secret": self.secret.hex(), "listed": rows}

    @classmethod
    def from_json(cls, told: dict[str, Any]) -> Accounts:
        """The same accounts again."""
        listed = {int(row): Account(*account) for row, account in told["listed"].items()}
        return cls(bytes.fromhex(told["secret"]), listed)


def listed_accounts(path: Path, scenario: Scenario, fleet: NDArray[np.void], *, reuse: bool) -> Accounts:
    """Test accounts for all who sign in in a scenario, each one's the same in every run of one seed.

    Whoever types wrong passwords gets an expendable account of his own; the others share only where `reuse` says so.

    Raises: UserError for faults in the file, and where there are too few accounts.
    """
    accounts = read_accounts(path)
    people = people_of(scenario, fleet)
    kinds = kinds_of(scenario.sign_in, scenario.seed, people)
    wrong = [int(row) for row, kind in zip(people, kinds, strict=True) if kind in WRONG]
    right = [int(row) for row, kind in zip(people, kinds, strict=True) if kind not in WRONG]
    shuffled = [accounts[at] for at in np.argsort(draws(scenario.seed, range(len(accounts)), "account"), kind="stable")]
    expendable = [account for account in shuffled if account.expendable][: len(wrong)]
    if len(expendable) < len(wrong):
        raise UserError(
            f"{path}: {len(wrong):,} people type wrong passwords, {len(expendable):,} accounts are marked expendable:"
            " mark more of them, or set wrong_password and locked_account of [sign_in] to 0"
        )
    taken = {account.user for account in expendable}
    rest = [account for account in shuffled if account.user not in taken]
    if len(rest) < len(right) and not (reuse and rest):
        raise UserError(
            f"{path}: {len(accounts):,} accounts for {len(people):,} people who sign in: add accounts, play fewer"
            " --devices, or let several people use one account with --reuse-accounts"
        )
    listed = dict(zip(wrong, expendable, strict=True))
    listed |= {row: rest[at % len(rest)] for at, row in enumerate(right)}
    told = {"from": path.name, "accounts": len(accounts), "people": len(people), "reused": len(rest) < len(right)}
    return Accounts(listed=listed, told=told)


def people_of(scenario: Scenario, fleet: NDArray[np.void]) -> NDArray[np.uint32]:
    """The fleet rows that sign in: those whose lids a wave opens, in order."""
    starts = make_timetable(scenario, fleet)
    names = np.array([name in LIDS for name in journeys_of(scenario)])
    found: NDArray[np.uint32] = np.unique(starts["device"][names[starts["journey"]]])
    return found


def read_accounts(path: Path) -> list[Account]:
    """The test accounts of a CSV file with the columns `user,password,totp,expendable`; the last two may be left out.

    Raises: UserError with one line for each fault: file, line, column, what was expected; never a password.
    """
    try:
        # not as text: what lines a quoted cell has is the CSV reader's business
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise UserError(f"--accounts {path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: not UTF-8 text (byte {error.start}); save it as CSV UTF-8") from None
    faults: list[str] = []
    accounts = list(_accounts(text, path.name, faults))
    if not accounts and not faults:
        faults.append(f"{path.name}: no account in it: expected a line for each below {','.join(COLUMNS)}")
    if faults:
        raise UserError(*faults)
    return accounts


def _accounts(text: str, file: str, faults: list[str]) -> Iterator[Account]:
    rows = csv.reader(StringIO(text, newline=""), strict=True)
    first: dict[str, int] = {}
    try:
        header = tuple(name.strip().lower() for name in next(rows, []))
        if len(set(header)) < len(header) or not set(_NEEDED) <= set(header) <= set(COLUMNS):
            faults.append(f"{file}: line 1: expected the columns {','.join(COLUMNS)} (the last two may be left out)")
            return
        for row in rows:
            if not any(cell.strip() for cell in row):
                continue
            at = f"{file}: line {rows.line_num}"
            if len(row) != len(header):
                faults.append(f"{at}: {len(row)} columns, expected {len(header)}: {','.join(header)}")
                continue
            said = dict.fromkeys(COLUMNS, "") | dict(zip(header, row, strict=True))
            before = first.setdefault(said["user"].strip().lower(), rows.line_num)
            found = [f"{at}: {fault}" for fault in _wrong(said, before if before != rows.line_num else 0)]
            faults += found
            if not found:
                expendable = _YES_NO[said["expendable"].strip().lower()]
                yield Account(said["user"].strip(), said["password"], said["totp"].strip(), expendable)
    except csv.Error as error:
        faults.append(f"{file}: line {rows.line_num}: {error} (CSV, RFC 4180)")


def _wrong(said: Mapping[str, str], before: int) -> Iterator[str]:
    """What is wrong with one line; `before`: the line in which its user stands already, 0 if in none."""
    if not said["user"].strip():
        yield "user is empty: expected the name that is typed at the login"
    elif before:
        yield f"user {said['user'].strip()} stands in line {before} already: expected each account once"
    if not said["password"]:
        yield "password is empty"
    if totp := said["totp"].strip():
        try:
            read_totp_secret(totp)
        except ValueError:
            yield "totp: expected the base32 secret of its one-time codes, or nothing"
    if said["expendable"].strip().lower() not in _YES_NO:
        yield "expendable: expected yes, no or nothing"
