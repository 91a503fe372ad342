"""Which device goes first, and with whose account."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from scenarios.load import load
from scenarios.targets import Targets
from simulator.accounts import Accounts
from simulator.check import chosen
from simulator.composition import KNOWN
from simulator.device import EnrollmentLogin
from simulator.enrollments import Enrollment, Writer
from simulator.order import Order
from simulator.protocols.account import Account
from simulator.protocols.management import Trust

MORNING = """
title = "A morning"
question = "Who goes first?"
organisation = "maebashi"
devices = 10
[day]
start = "08:00"
end = "09:00"
[[waves]]
name = "lids"
who = "staff"
journey = "boot"
arrivals = { shape = "even", from = "08:10", to = "08:20" }
"""
THEIRS = Account("test.account", "its password")


def order(folder: Path, accounts: Accounts, rows: Iterable[int] = range(10)) -> Order:
    """An order of a fleet of which these rows are enrolled already, at a server that tells nothing to enroll with."""
    path = folder / "morning.toml"
    path.write_text(MORNING)
    writer = Writer()
    lines = [line for row in rows for line in writer.lines(Enrollment(row, Trust("token", f"device {row}")))]
    return Order(
        scenario=load(str(path), known=KNOWN),
        shard=0,
        shards=1,
        lead_s=0,
        urls=dict.fromkeys(("management", "identity", "updates", "push"), "http://127.0.0.1:1"),
        hosts={},
        targets=Targets(),
        operator=None,
        enrollment=EnrollmentLogin(),
        accounts=accounts,
        verification_key=b"",
        kept="\n".join(lines),
    )


def test_a_kept_device_whose_person_has_an_account(tmp_path: Path) -> None:
    """Where accounts are listed, only rows that sign in have one: the device that goes first is one of those."""
    kept, plan = chosen(order(tmp_path, Accounts(listed={7: THEIRS})))
    assert kept.row == 7
    assert plan.account(plan.facts(kept.row)) == THEIRS


def test_a_kept_device_of_generated_people(tmp_path: Path) -> None:
    """Everybody has a generated account: the first device will do."""
    kept, plan = chosen(order(tmp_path, Accounts(b"secret")))
    assert kept.row == 0
    assert plan.account(plan.facts(0)).user == plan.facts(0).user


def test_nobody_kept_has_an_account(tmp_path: Path) -> None:
    """Then one more device goes, with the account of the first person who has one."""
    kept, plan = chosen(order(tmp_path, Accounts(listed={5: THEIRS}), rows=range(5)))
    assert (kept.row, kept.device) == (10, None)
    assert plan.account(plan.facts(10)) == THEIRS
