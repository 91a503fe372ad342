"""Accounts as files for providers: read back by rules that are not ours, and removed by what stands beside them."""

from __future__ import annotations

import base64
import json
import re
import shutil
import stat
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scenarios.load import load
from simulator.accounts import Accounts, people_of, read_accounts
from simulator.cli import main
from simulator.composition import KNOWN
from simulator.exports import EXPORTS, active_directory, ldif
from simulator.exports.person import Person, mark_of
from simulator.fleet import device_facts, make_fleet
from simulator.secretfile import accounts_secret

DOMAIN = "city.example"
HOSTILE = ["O'Brien", "‘’‚‛", '"; $(rm -rf ~)`', " :<x", "#=,+;\\", "前橋 太郎", "x ", "a" * 200]
TEXT = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), min_size=1, max_size=100)


def person(number: int, name: str = "Taro") -> Person:
    """Somebody of that number; the name goes everywhere but into the address."""
    user = f"user{number}@{DOMAIN}"
    return Person(user, f"Pw{number}-{name}", name, name, name, mark_of(b"s", user))


PEOPLE = [person(number, name) for number, name in enumerate(HOSTILE)]


# -- Keycloak


def test_keycloak_import_has_the_documented_fields() -> None:
    """PartialImportRepresentation with UserRepresentations and CredentialRepresentations, and nothing else."""
    told = json.loads(EXPORTS["keycloak"].write(PEOPLE, DOMAIN))
    assert told.pop("ifResourceExists") == "SKIP"
    for user, one in zip(told.pop("users"), PEOPLE, strict=True):
        assert user.pop("credentials") == [{"type": "password", "value": one.password, "temporary": False}]
        assert user.pop("requiredActions") == []
        assert user.pop("id") == one.mark
        assert (user.pop("username"), user.pop("email")) == (one.user, one.user)
        assert (user.pop("firstName"), user.pop("lastName")) == (one.given_name, one.family_name)
        assert (user.pop("enabled"), user.pop("emailVerified")) == (True, True)
        assert not user
    assert not told


@contextmanager
def admin_api(users: set[str], refuses: str = "") -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """A server with the one call of Keycloak's admin API that the script makes: DELETE /admin/realms/R/users/ID."""
    asked: list[tuple[str, str]] = []

    class Api(BaseHTTPRequestHandler):
        def do_DELETE(self) -> None:
            asked.append((self.path, self.headers["Authorization"]))
            found = re.fullmatch("/admin/realms/city/users/([0-9a-f-]{36})", self.path)
            user = found[1] if found else ""
            self.send_response(403 if user == refuses else 204 if user in users else 404)
            self.end_headers()
            users.discard(user)

        def log_message(self, *_: object) -> None:
            """Quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Api) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", asked
        finally:
            server.shutdown()


def run_removal(script: Path, url: str) -> subprocess.CompletedProcess[str]:
    """Run Keycloak's clean-up as it is meant to be run."""
    environment = {"KEYCLOAK": url, "REALM": "city", "TOKEN": "t0ken", "PATH": "/usr/bin:/bin"}
    return subprocess.run(["sh", str(script)], env=environment, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_keycloak_removal_deletes_exactly_these(tmp_path: Path) -> None:
    """Every id of ours is asked for once, with the token; who else is there stays, and who is gone is told."""
    script = tmp_path / "remove.sh"
    removal = EXPORTS["keycloak"].remove
    assert removal is not None
    script.write_text(removal(PEOPLE, DOMAIN), "utf-8")
    somebody = "11111111-2222-4333-8444-555555555555"
    there = {one.mark for one in PEOPLE[1:]} | {somebody}
    with admin_api(there) as (url, asked):
        done = run_removal(script, url)
    assert (done.returncode, done.stdout) == (0, f"{len(PEOPLE) - 1} deleted, 1 were not there\n"), done.stderr
    assert there == {somebody}
    assert [path.rpartition("/")[2] for path, _ in asked] == [one.mark for one in PEOPLE]
    assert {token for _, token in asked} == {"Bearer t0ken"}


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_keycloak_removal_stops_at_a_no(tmp_path: Path) -> None:
    """A token that may not delete ends the script with the status, and it wants to be told where it works."""
    script = tmp_path / "remove.sh"
    removal = EXPORTS["keycloak"].remove
    assert removal is not None
    script.write_text(removal(PEOPLE, DOMAIN), "utf-8")
    with admin_api({one.mark for one in PEOPLE}, refuses=PEOPLE[2].mark) as (url, asked):
        done = run_removal(script, url)
    assert done.returncode == 1
    assert f"user {PEOPLE[2].mark}: HTTP 403; 2 deleted so far" in done.stderr
    assert len(asked) == 3
    bare = subprocess.run(["sh", str(script)], env={}, capture_output=True, text=True, timeout=60, check=False)
    assert bare.returncode != 0
    assert "its base address" in bare.stderr


# -- Active Directory


def powershell_words(line: str) -> list[str]:
    """What PowerShell's tokenizer makes of a command whose arguments are single-quoted strings.

    By about_Quoting_Rules and the language specification (2.3.5.2): such a string is literal, any of five quotation
    marks ends it, and any two of them in a row stand for one.
    """
    marks = "'‘’‚‛"
    words: list[str] = []
    at = line.index(" ")
    command = line[:at]
    while at < len(line):
        assert line[at] == " "
        at += 1
        assert line[at] in marks
        at += 1
        word = ""
        while not (line[at] in marks and (at + 1 == len(line) or line[at + 1] not in marks)):
            word += line[at]
            at += 2 if line[at] in marks else 1
        words.append(word)
        at += 1
    return [command, *words]


@given(TEXT)
def test_powershell_strings_are_literal(text: str) -> None:
    """Whatever a name holds, the tokenizer reads that name: no variable, no end of the string, no command."""
    assert powershell_words(f"X {active_directory.quoted(text)}") == ["X", text]


def test_powershell_control_characters_are_refused() -> None:
    """A line end in a name would end the command; there is none in any name of ours."""
    for text in ("a\nb", "a\rb", "\x00", "\x7f"):
        with pytest.raises(ValueError, match="control character"):
            active_directory.quoted(text)


def test_powershell_creates_and_removes_the_same_accounts() -> None:
    """One call for each, with both names and the mark; the removal names the same and checks the mark."""
    export = EXPORTS["active-directory"]
    assert export.remove is not None
    written, removed = export.write(PEOPLE, DOMAIN), export.remove(PEOPLE, DOMAIN)
    calls = [powershell_words(line) for line in written.split("\r\n") if line.startswith("Add-Account ")]
    marks = [f"fleetrush test account {one.mark}" for one in PEOPLE]
    assert calls == [
        ["Add-Account", one.user, one.user.partition("@")[0], one.given_name, one.family_name, one.display_name, mark,
         one.password]
        for one, mark in zip(PEOPLE, marks, strict=True)
    ]  # fmt: skip
    gone = [powershell_words(line) for line in removed.split("\r\n") if line.startswith("Remove-Account ")]
    assert gone == [["Remove-Account", call[2], mark] for call, mark in zip(calls, marks, strict=True)]
    for text in (written, removed):
        # Windows PowerShell takes a file without the mark for ANSI
        assert text.startswith("\ufeff")
        assert text.count("{") == text.count("}")
    assert "-Description $Mark" in written
    assert "$_.Description -ceq $Mark" in removed
    assert not any(one.password in removed for one in PEOPLE)


@given(st.integers(1, 9_999_999), st.from_regex(r"[a-z]{1,12}\.[a-z]{1,14}", fullmatch=True))
def test_sam_names_are_allowed_and_their_own(number: int, name: str) -> None:
    """At most 20 characters that are allowed, the person's number among them, so that no two are alike."""
    sam = active_directory.sam_name(f"{name}.{number:04}@{DOMAIN}")
    assert re.fullmatch(r"[a-z0-9][a-z0-9.]{0,18}[a-z0-9]", sam)
    assert sam.endswith(f".{number:04}")


# -- LDIF


def ldif_records(text: str) -> list[list[tuple[str, str]]]:
    """The records of an LDIF file, by RFC 2849: unfolded, base64 read, one blank line between two."""
    assert text.startswith("version: 1\n\n")
    lines = text.removeprefix("version: 1\n\n").replace("\n ", "").rstrip("\n").split("\n")
    records: list[list[tuple[str, str]]] = [[]]
    for line in lines:
        if not line:
            records.append([])
            continue
        found = re.fullmatch(r"([A-Za-z][A-Za-z0-9-]*)(::?) *(.*)", line)
        assert found, line
        name, kind, value = found.groups()
        if kind == "::":
            value = base64.b64decode(value, validate=True).decode()
        else:
            # SAFE-STRING
            assert value.isascii()
            assert not value.startswith((" ", ":", "<"))
        records[-1].append((name, value))
    return records


@given(st.lists(TEXT, min_size=1, max_size=3))
def test_ldif_values_come_back(names: list[str]) -> None:
    """Every name and password is read as it was, in lines of at most 76 characters."""
    people = [person(number, name) for number, name in enumerate(names)]
    text = EXPORTS["ldif"].write(people, DOMAIN)
    assert all(len(line) <= 76 for line in text.split("\n"))
    unit, *entries = ldif_records(text)
    assert unit[:2] == [("dn", "ou=fleetrush,dc=city,dc=example"), ("objectClass", "organizationalUnit")]
    for entry, one in zip(entries, people, strict=True):
        told = dict(entry)
        assert told["dn"] == f"uid={one.user},ou=fleetrush,dc=city,dc=example"
        assert (told["objectClass"], told["uid"], told["mail"]) == ("inetOrgPerson", one.user, one.user)
        assert (told["sn"], told["cn"], told["userPassword"]) == (one.family_name, one.display_name, one.password)


def test_ldif_removal_names_the_same_entries() -> None:
    """Each entry once, its unit last: a server refuses that while anybody else is in it."""
    export = EXPORTS["ldif"]
    assert export.remove is not None
    unit, *entries = (dict(record)["dn"] for record in ldif_records(export.write(PEOPLE, DOMAIN)))
    removed = ldif_records(export.remove(PEOPLE, DOMAIN))
    assert removed == [[("dn", name), ("changetype", "delete")] for name in (*entries, unit)]


def test_ldif_names_are_escaped() -> None:
    """The special characters of RFC 4514 2.4, one by one."""
    assert ldif._escaped(' #a,b+c"d\\e<f>g;h=i ') == '\\ #a\\,b\\+c\\"d\\\\e\\<f\\>g\\;h\\=i\\ '


# -- the command


SMALL = """
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


def test_what_is_exported_is_what_a_run_signs_in_with(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Users and passwords of the CSV are those of the fleet under the same secret; no password is printed."""
    scenario_file, secret_file, out = tmp_path / "mine.toml", tmp_path / "secret", tmp_path / "accounts.csv"
    scenario_file.write_text(SMALL)
    command = [
        "accounts",
        str(scenario_file),
        "--format",
        "csv",
        "--out",
        str(out),
        "--accounts-secret",
        str(secret_file),
    ]
    assert main(command) == 0
    told = capsys.readouterr().out
    scenario = load(str(scenario_file), known=KNOWN)
    fleet, accounts = make_fleet(scenario.organisation, 40, 1), Accounts(accounts_secret(secret_file))
    facts = [device_facts(fleet, scenario.organisation, row) for row in people_of(scenario, fleet).tolist()]
    assert read_accounts(out) == [accounts.of(one) for one in facts]
    assert not any(accounts.of(one).password in told for one in facts)
    assert stat.S_IMODE(out.stat().st_mode) == 0o600


REMOVALS = {"keycloak": "a.remove.sh", "active-directory": "a.remove.ps1", "ldif": "a.remove.ldif"}


@pytest.mark.parametrize(("name", "removal"), REMOVALS.items())
def test_each_format_brings_its_removal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, removal: str
) -> None:
    """Two files for their owner alone, twice the same, and a line that says what to do with them."""
    scenario_file, out = tmp_path / "mine.toml", tmp_path / "a.out"
    scenario_file.write_text(SMALL)
    before: dict[str, bytes] = {}
    for _ in range(2):
        assert main(["accounts", str(scenario_file), "--format", name, "--out", str(out)]) == 0
        files = {path.name: path.read_bytes() for path in tmp_path.iterdir() if path != scenario_file}
        assert set(files) == {"a.out", removal}
        assert before in ({}, files)
        before = files
    assert all(stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600 for name in files)
    assert "39 accounts written to" in capsys.readouterr().out
    assert main(["accounts", str(scenario_file), "--format", name, "--out", str(tmp_path / "no" / "a")]) == 2
    assert "cannot be written: No such file or directory" in capsys.readouterr().err
