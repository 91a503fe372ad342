"""Whose account each person signs in with: the fleet's own, or a list of the city's; and the faults of such a list."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scenarios.load import Overrides, load
from scenarios.schema import Scenario
from simulator.accounts import Accounts, listed_accounts, people_of, read_accounts
from simulator.composition import KNOWN
from simulator.errors import UserError
from simulator.fleet import device_facts, make_fleet
from simulator.kinds import kinds_of
from simulator.protocols.account import Account, password_of

DEVICES = 40
# floor(40 * 80 / 2680) = 1 spare
STAFF = 39
TEXT = """
title = "Accounts"
question = "Whose?"
organisation = "maebashi"
devices = 40
[day]
start = "08:00"
end = "09:00"
[[waves]]
name = "lids"
who = "staff"
journey = "boot"
arrivals = { shape = "even", from = "08:00", to = "08:30" }
"""
WRONG = "[sign_in]\nwrong_password = 0.3\nlocked_account = 0.1\n"


def scenario_of(folder: Path, more: str = "", overrides: Overrides | None = None) -> Scenario:
    """The scenario above, with something behind it."""
    path = folder / "mine.toml"
    path.write_text(TEXT + more, "utf-8")
    return load(str(path), known=KNOWN, overrides=overrides)


def file_of(folder: Path, accounts: int, expendable: int = 0) -> Path:
    """A list of so many accounts, the last ones marked."""
    path = folder / "accounts.csv"
    lines = [f"user{n},secret{n},,{'yes' if n >= accounts - expendable else 'no'}" for n in range(accounts)]
    path.write_text("\n".join(["user,password,totp,expendable", *lines, ""]), "utf-8")
    return path


def listed(path: Path, scenario: Scenario, *, reuse: bool = False) -> Accounts:
    """Who has which account."""
    fleet = make_fleet(scenario.organisation, scenario.devices, scenario.seed)
    return listed_accounts(path, scenario, fleet, reuse=reuse)


def refusal(path: Path, scenario: Scenario, *, reuse: bool = False) -> str:
    """The one line with which a list is refused."""
    with pytest.raises(UserError) as caught:
        listed(path, scenario, reuse=reuse)
    (line,) = caught.value.lines
    return line


def test_a_generated_account_is_the_fleets_own(tmp_path: Path) -> None:
    """User of the fleet, password from the secret; made for this, so it may be locked."""
    scenario = scenario_of(tmp_path)
    facts = device_facts(make_fleet(scenario.organisation, DEVICES, 1), scenario.organisation, 7)
    account = Accounts(b"s").of(facts)
    assert account == Account(facts.user, password_of(b"s", facts.user), expendable=True)


def test_people_are_those_whose_lids_open(tmp_path: Path) -> None:
    """The staff here, and with a wave over all devices the spares' people too."""
    scenario = scenario_of(tmp_path)
    fleet = make_fleet(scenario.organisation, DEVICES, 1)
    assert people_of(scenario, fleet).tolist() == [row for row in range(DEVICES) if fleet[row]["staff"]]
    everybody = scenario_of(
        tmp_path, TEXT[TEXT.index("[[waves]]") :].replace('"staff"', '"spares"').replace("lids", "x")
    )
    assert people_of(everybody, fleet).tolist() == list(range(DEVICES))


def test_each_person_has_an_account_alone(tmp_path: Path) -> None:
    """As many accounts as people: each is used once, always by the same person, and by another under another seed."""
    path, scenario = file_of(tmp_path, STAFF), scenario_of(tmp_path)
    first = listed(path, scenario)
    assert len(first.listed) == STAFF
    assert {account.user for account in first.listed.values()} == {f"user{n}" for n in range(STAFF)}
    assert first == listed(path, scenario)
    assert first.listed != listed(path, scenario_of(tmp_path, overrides=Overrides(seed=2))).listed
    assert first.told == {"from": "accounts.csv", "accounts": STAFF, "people": STAFF, "reused": False}
    assert Accounts.from_json(first.to_json()).listed == first.listed


def test_too_few_accounts_are_refused_unless_reuse_is_said(tmp_path: Path) -> None:
    """One line, exit 2; with --reuse-accounts they go round, none twice before all once, and the record says so."""
    path, scenario = file_of(tmp_path, 10), scenario_of(tmp_path)
    assert refusal(path, scenario).endswith(
        "accounts.csv: 10 accounts for 39 people who sign in: add accounts, play fewer --devices, or let several people"
        " use one account with --reuse-accounts"
    )
    shared = listed(path, scenario, reuse=True)
    users = [account.user for account in shared.listed.values()]
    # 39 people over 10 accounts: nine are used by four, one by three
    assert sorted(users.count(user) for user in set(users)) == [3, *[4] * 9]
    assert shared.told["reused"] is True
    assert listed(file_of(tmp_path, 50), scenario, reuse=True).told["reused"] is False


def test_wrong_passwords_are_typed_on_expendable_accounts_alone(tmp_path: Path) -> None:
    """Whoever types them has a marked account of his own, even where others share; too few marked ones are refused."""
    scenario = scenario_of(tmp_path, WRONG)
    fleet = make_fleet(scenario.organisation, DEVICES, 1)
    people = people_of(scenario, fleet).tolist()
    kinds = dict(zip(people, kinds_of(scenario.sign_in, 1, people), strict=True))
    wrong = [row for row, kind in kinds.items() if kind in ("wrong_password", "locked_account")]
    assert 5 < len(wrong) < 30
    for accounts, reuse in ((STAFF, False), (len(wrong) + 2, True)):
        given_out = listed(file_of(tmp_path, accounts, len(wrong)), scenario, reuse=reuse).listed
        assert sorted(row for row, account in given_out.items() if account.expendable) == wrong
        assert len({given_out[row].user for row in wrong}) == len(wrong)
    few = file_of(tmp_path, STAFF, len(wrong) - 1)
    assert f"{len(wrong)} people type wrong passwords, {len(wrong) - 1} accounts are marked" in refusal(few, scenario)
    assert "are marked expendable" in refusal(few, scenario, reuse=True)


def test_every_fault_of_a_list_is_told_at_once_and_no_password_with_it(tmp_path: Path) -> None:
    """File, line and column of each, in the order of the lines; whatever stands in a password's place is not said."""
    path = tmp_path / "accounts.csv"
    path.write_text(
        "user,password,totp,expendable\n"
        "taro,geheim1,,\n"
        ",geheim2,,no\n"
        "jiro,,,yes\n"
        'TARO,geheim3,"not base32!",geheim4\n'
        "saburo,geheim5\n"
        "\n"
        "shiro,geheim6,GEZDGNBV,Yes\n",
        "utf-8",
    )
    with pytest.raises(UserError) as caught:
        read_accounts(path)
    assert caught.value.lines == (
        "accounts.csv: line 3: user is empty: expected the name that is typed at the login",
        "accounts.csv: line 4: password is empty",
        "accounts.csv: line 5: user TARO stands in line 2 already: expected each account once",
        "accounts.csv: line 5: totp: expected the base32 secret of its one-time codes, or nothing",
        "accounts.csv: line 5: expendable: expected yes, no or nothing",
        "accounts.csv: line 6: 2 columns, expected 4: user,password,totp,expendable",
    )
    assert "geheim" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (b"", "line 1: expected the columns user,password,totp,expendable (the last two may be left out)"),
        (b"user,pass\nx,y\n", "line 1: expected the columns"),
        (b"user,password,user\n", "line 1: expected the columns"),
        (b"user,password\n", "no account in it: expected a line for each below user,password,totp,expendable"),
        (b'user,password\n"x,y\n', "line 2: unexpected end of data (CSV, RFC 4180)"),
        ("user,password\n太郎,x\n".encode("cp932"), "not UTF-8 text (byte 14); save it as CSV UTF-8"),
    ],
)
def test_what_is_no_list(tmp_path: Path, content: bytes, line: str) -> None:
    """A file that is something else is named in one line."""
    path = tmp_path / "accounts.csv"
    path.write_bytes(content)
    with pytest.raises(UserError) as caught:
        read_accounts(path)
    (told,) = caught.value.lines
    assert f"accounts.csv: {line}" in told
    path.unlink()
    with pytest.raises(UserError, match="cannot be read: No such file"):
        read_accounts(path)


def test_as_a_spreadsheet_saves_it(tmp_path: Path) -> None:
    """A byte order mark, columns in another order, quoted cells over two lines, no optional column."""
    path = tmp_path / "accounts.csv"
    path.write_bytes('\ufeffPassword,User\r\n"a,""b\r\nc",太郎@city.example\r\n'.encode())
    assert read_accounts(path) == [Account("太郎@city.example", 'a,"b\r\nc')]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(
            st.text(st.characters(codec="utf-8", exclude_characters="\x00"), min_size=1).filter(lambda s: s.strip()),
            st.text(st.characters(codec="utf-8", exclude_characters="\x00"), min_size=1),
            st.booleans(),
        ),
        min_size=1,
        unique_by=lambda account: account[0].strip().lower(),
    )
)
def test_whatever_the_csv_module_writes_is_read(tmp_path: Path, accounts: list[tuple[str, str, bool]]) -> None:
    """Any names and passwords, as another writer quotes them, come back whole."""
    path = tmp_path / "any.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("user", "password", "totp", "expendable"))
        writer.writerows((user, password, "", "yes" if expendable else "no") for user, password, expendable in accounts)
    expected = [Account(user.strip(), password, "", expendable) for user, password, expendable in accounts]
    assert read_accounts(path) == expected
