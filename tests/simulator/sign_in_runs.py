"""Two hundred sign-ins through a provider of a test's, as a user would run them, in both ways of wiring it.

What the samples of such a run must say is checked here; what the provider saw of it is its own test's to ask.
"""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from simulator.protocols.account import password_of

SCENARIO = Path(__file__).parents[1] / "data" / "scenarios" / "sign_in.toml"
# floor(206 * 80 / 2680) of the 206 devices are spares
PEOPLE = 200
LIMIT_S = 240
FLEETRUSH = [str(Path(sys.executable).with_name("fleetrush"))]
SECRET = bytes(range(32))
OURS = ("https://sp.fleetrush.invalid/metadata", "https://sp.fleetrush.invalid/acs")
# Nobody is at this address, and nobody may ask for it: who did would be told so in a sample.
THEIRS = ("https://portal.city.example/saml", "https://portal.city.example/saml/acs?tenant=1&x=2")
# Either way as a targets file says it; the second has its metadata from a file.
WAYS = {
    "registered": '[targets.identity]\nurl = "{url}"\n',
    "played": '[targets.identity]\nurl = "{url}"\nmetadata = "provider.xml"\n[targets.identity.service_provider]\n'
    f'entity_id = "{THEIRS[0]}"\nacs_url = "{THEIRS[1]}"\nrelay_state = "of the portal"\n',
}
# Of a sign-in, what the provider answers and what Google's accounts do; the rest is the same in both ways.
PROVIDER = {"identity.login_page", "identity.login", "identity.asset"}
OF_THE_WAY = {"registered": {"identity.entry", "identity.assertion"}, "played": {"identity.challenge"}}
STAND_IN = {f"identity.{name}" for name in ("continue", "token", "access_token", "userinfo", "multilogin", "accounts")}


@dataclass(frozen=True)
class City:
    """A fleet's people with their passwords, and a folder to run in."""

    folder: Path
    users: dict[str, str]

    def fleetrush(
        self, command: str, way: str, url: str, metadata: bytes, *arguments: str, more: str = ""
    ) -> subprocess.CompletedProcess[str]:
        """One command against the provider at that address, wired in one of the two ways; `more` goes in its table."""
        (self.folder / "provider.xml").write_bytes(metadata)
        (self.folder / "targets.toml").write_text(WAYS[way].format(url=url) + more)
        secret = self.folder / "secret"
        secret.touch(mode=0o600)
        secret.write_text(SECRET.hex())
        said = ["--targets", "targets.toml", "--accounts-secret", str(secret), *arguments]
        return _fleetrush(command, str(SCENARIO), *said, folder=self.folder)

    def expect_everybody_signed_in(self, runs: str, way: str, *, assets: float, page_factor: float = 1) -> None:
        """Nothing went wrong, each step of the way was asked and no other, and says who answered it; no secret is kept.

        Args:
            assets: how many files of the provider's own its pages need at least, in a sign-in, on average.
            page_factor: how many pages without a password a sign-in has, on average.
        """
        run, told, samples, summary = _load(self.folder / runs)
        outcomes = {
            name: np.bincount(samples["outcome"][samples["step"] == index], minlength=5).tolist()
            for index, name in enumerate(told["steps"])
        }
        assert not [name for name, counts in outcomes.items() if sum(counts[1:])], outcomes
        factors = {"identity.access_token": 2, "identity.login_page": page_factor}
        for step in {*PROVIDER, *OF_THE_WAY[way], *STAND_IN, "signed_in", "ready"} - {"identity.asset"}:
            assert outcomes[step][0] == factors.get(step, 1) * PEOPLE, step
        asked = {name for name, counts in outcomes.items() if name.startswith("identity.") and sum(counts)}
        assert asked == PROVIDER | OF_THE_WAY[way] | STAND_IN
        assert outcomes["identity.asset"][0] >= PEOPLE * assets
        basis = {name: step["basis"] for name, step in summary["steps"].items()}
        assert {name for name, said in basis.items() if said == "target"} == PROVIDER
        assert all(basis[name] == "stand-in" for name in asked - PROVIDER)
        kept = b"".join(path.read_bytes() for path in run.iterdir())
        for word in (b"SAMLResponse=", b"PHNhbWxw", *(password.encode() for password in self.users.values())):
            assert word not in kept


def city_in(folder: Path) -> City:
    """The people of the scenario."""
    assert _fleetrush("fleet", str(SCENARIO), "--csv", "fleet.csv", folder=folder).returncode == 0
    with (folder / "fleet.csv").open() as rows:
        users = [row["user"] for row in csv.DictReader(rows) if row["spare"] != "True"]
    assert len(set(users)) == PEOPLE
    return City(folder, {user: password_of(SECRET, user) for user in users})


def _fleetrush(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [*FLEETRUSH, *arguments], capture_output=True, text=True, cwd=folder, timeout=LIMIT_S, check=False
    )
    print(done.stdout, done.stderr)
    return done


def _load(folder: Path) -> tuple[Path, dict[str, Any], Any, dict[str, Any]]:
    (run,) = folder.iterdir()
    told = json.loads((run / "run.json").read_text())
    return run, told, np.load(run / "samples.npy"), json.loads((run / "summary.json").read_text())
