"""People of every kind for real: processes, sockets, a broker; and accounts that are refused beforehand."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from reports.record import OUTCOMES
from scenarios.load import load
from simulator.accounts import Accounts, people_of
from simulator.cli import main
from simulator.composition import KNOWN
from simulator.fleet import device_facts, make_fleet
from simulator.kinds import kinds_of
from simulator.secretfile import accounts_secret

FLEETRUSH = [str(Path(sys.executable).with_name("fleetrush"))]
LIMIT_S = 150
DEVICES = 60
# floor(60 * 80 / 2680) = 1 spare
STAFF = 59
KINDS = """
title = "Kinds"
question = "What do people of every kind ask?"
organisation = "maebashi"
devices = 60
[day]
start = "08:00"
end = "08:12"
compression = 30
[enrollment]
rate_per_s = 40
[[waves]]
name = "lids"
who = "staff"
journey = "boot"
arrivals = { shape = "even", from = "08:00", to = "08:03" }
[people]
typing_median_s = 0.5
typing_sigma = 0.2
[sign_in]
online = 0.2
offline_unlock = 0.3
expired_token = 0.2
wrong_password = 0.2
locked_account = 0.1
lock_after = 3
[[operator]]
at = "08:10"
act = "expire_tokens"
with = { refresh = true, within_s = 2 }
[updates]
offered_share = 0.0
[backend]
password_cost = 100
[[objectives]]
step = "signed_in_again"
error_share_at_most = 0.0
"""


class Run:
    """A run that was played: what it printed, how it ended, its record."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        process = subprocess.run(
            [*FLEETRUSH, "run", *arguments, "--out", str(folder / "runs"), "--accounts-secret", str(folder / "secret")],
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
            check=False,
        )
        print(process.stdout, process.stderr)
        self.code, self.printed = process.returncode, process.stdout + process.stderr
        # 3 is a machine too busy to be trusted: what is counted holds all the same
        assert self.code in (0, 3)
        (self.path,) = (folder / "runs").iterdir()
        self.told: dict[str, Any] = json.loads((self.path / "run.json").read_text())
        self.samples: Any = np.load(self.path / "samples.npy")

    def ends(self, step: str) -> dict[tuple[str, int], int]:
        """How often a step ended how, with which status."""
        own = self.samples[self.samples["step"] == self.told["steps"].index(step)]
        ends = zip(own["outcome"].tolist(), own["status"].tolist(), strict=True)
        return dict(Counter((OUTCOMES[outcome], status) for outcome, status in ends))


@pytest.fixture(scope="module")
def kinds(tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, Counter[str], list[str]]:
    """One short morning of all kinds over sockets: the run, how many are of each kind, everybody's password."""
    folder = tmp_path_factory.mktemp("kinds")
    path = folder / "kinds.toml"
    path.write_text(KINDS)
    run = Run(folder, str(path))
    scenario = load(str(path), known=KNOWN)
    fleet = make_fleet(scenario.organisation, DEVICES, scenario.seed)
    people = people_of(scenario, fleet)
    accounts = Accounts(accounts_secret(folder / "secret"))
    passwords = [accounts.of(device_facts(fleet, scenario.organisation, row)).password for row in people.tolist()]
    return run, Counter(kinds_of(scenario.sign_in, scenario.seed, people)), passwords


def test_every_kind_gets_where_it_should(kinds: tuple[Run, Counter[str], list[str]]) -> None:
    """The counts of the rehearsal hold over sockets: expected refusals are ok, and whoever is locked out is refused."""
    run, of, _ = kinds
    assert len(of) == 5
    through, locked = of["online"] + of["wrong_password"], of["locked_account"]
    # after the tokens were killed everybody with a session signs in once more
    again = STAFF - locked
    assert run.ends("identity.login") == {("ok", 200): through + of["wrong_password"] + 4 * locked + again}
    assert run.ends("identity.assertion") == {("ok", 302): through + again}
    assert run.ends("identity.userinfo") == {("ok", 200): through + again, ("ok", 401): of["expired_token"] + again}
    assert run.ends("identity.access_token")["ok", 400] == again
    assert run.ends("signed_in_again") == {("ok", 0): again}
    for milestone in ("signed_in", "ready"):
        assert run.ends(milestone) == {("ok", 0): STAFF - locked, ("refused", 0): locked}
    assert run.ends("operator.session") == {("ok", 200): of["offline_unlock"] + of["expired_token"]}


def test_no_password_is_left_anywhere(kinds: tuple[Run, Counter[str], list[str]]) -> None:
    """In no file of the run's folder and in nothing that was printed; the secret neither."""
    run, _, passwords = kinds
    assert len(set(passwords)) == STAFF
    secret = (run.path.parent.parent / "secret").read_text().strip()
    written = [path.read_bytes() for path in run.path.iterdir()]
    for hidden in (*passwords, secret):
        assert hidden not in run.printed
        assert not any(hidden.encode() in content for content in written)
    assert run.told["accounts"] == {"from": "generated"}


def test_sign_in_peak_for_real(tmp_path: Path) -> None:
    """The shipped scenario with 80 devices: 78 sign in over sockets, nothing but identity is asked, all ok."""
    run = Run(tmp_path, "sign_in_peak", "--devices", "80", "--compression", "240")
    for step in (
        "entry",
        "login_page",
        "login",
        "assertion",
        "continue",
        "token",
        "userinfo",
        "multilogin",
        "accounts",
    ):
        assert sum(run.ends(f"identity.{step}").values()) == 78
    services = {run.told["steps"][step].partition(".")[0] for step in np.unique(run.samples["step"])}
    assert services == {"identity", "signed_in"}
    assert not run.samples["outcome"].any()


ACCOUNTS = "user,password,totp,expendable\nuser1,geheim1,,\nuser2,geheim2,,yes\n"
TARGET = ("--target", "identity=http://127.0.0.1:1")


def refused(folder: Path, *arguments: str) -> str:
    """What a command says that is refused with exit 2. A process: `run` patches the interpreter it runs in."""
    command = [*FLEETRUSH, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, cwd=folder, timeout=LIMIT_S, check=False)
    assert done.returncode == 2, done.stderr
    assert "geheim" not in done.stdout + done.stderr
    return done.stderr


@pytest.mark.parametrize(
    ("content", "arguments", "line"),
    [
        (ACCOUNTS, TARGET, "2 accounts for 78 people who sign in: add accounts, play fewer --devices, or let several"),
        (ACCOUNTS, (), "the stand-in knows generated users alone: name a provider with --target identity=URL"),
        (ACCOUNTS + "USER1,x,,\n", (*TARGET, "--reuse-accounts"), "line 4: user USER1 stands in line 2 already"),
        ("user;password\n", TARGET, "line 1: expected the columns user,password,totp,expendable"),
    ],
)
def test_accounts_that_do_not_do_are_refused_before_anything_is_sent(
    tmp_path: Path, content: str, arguments: tuple[str, ...], line: str
) -> None:
    """Exit 2, one line with what to do, no run folder; no password in it. What runs, checks and plans say it alike."""
    (tmp_path / "accounts.csv").write_text(content)
    told = [
        refused(tmp_path, command, "sign_in_peak", "--devices", "80", "--accounts", "accounts.csv", *arguments)
        for command in ("run", "check", "plan")
    ]
    assert line in told[0]
    assert told == [told[0]] * 3
    assert [path.name for path in tmp_path.iterdir()] == ["accounts.csv"]


def test_a_secret_that_cannot_be_kept_is_told_before_anything_is_sent(tmp_path: Path) -> None:
    """Exit 2 and the option that helps."""
    (tmp_path / "file").write_text("")
    assert "say --accounts-secret FILE" in refused(tmp_path, "run", "--accounts-secret", "file/secret")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_setting_that_kills_tokens_wrongly(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The devices' own part of the act is checked with the rest."""
    path = tmp_path / "kinds.toml"
    path.write_text(KINDS.replace("within_s = 2", 'within_s = "2 s"'))
    assert main(["plan", str(path)]) == 2
    assert (
        'kinds.toml: operator[0].with: within_s = "2 s": expected a number from 0 to 86,400' in capsys.readouterr().err
    )
