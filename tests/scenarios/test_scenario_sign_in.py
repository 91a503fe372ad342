"""The kinds of sign-in as a scenario writes them: shares that add up, and the share that a time limit makes."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from scenarios.faults import ScenarioFaults
from scenarios.load import load
from scenarios.schema import Known
from scenarios.sign_in import SignIn, online_share

KNOWN = Known(journeys=("boot", "sign_in_only"), steps=("ready", "signed_in"), actions=("expire_tokens",))
PLAIN = """
title = "A morning"
question = "Does it hold?"
organisation = "maebashi"
[day]
start = "07:55"
end = "09:10"
[[waves]]
name = "lids"
who = "staff"
journey = "boot"
arrivals = { shape = "bell", from = "07:55", to = "08:55" }
"""


def faults(folder: Path, text: str) -> tuple[str, ...]:
    """What load says about that text."""
    path = folder / "mine.toml"
    path.write_text(text, "utf-8")
    with pytest.raises(ScenarioFaults) as caught:
        load(str(path), known=KNOWN)
    return caught.value.faults


def test_nothing_said_is_everybody_online() -> None:
    """Without a word all sign in online, as the first scenario had it."""
    shares = SignIn().shares
    assert shares.pop("online") == 1
    assert set(shares.values()) == {0}


@pytest.mark.parametrize(
    ("limit_s", "share"),
    [(-1, 0.0), (0, 1.0), (86_400, 1.0), (7 * 86_400, 0.2), (14 * 86_400, 0.1), (28 * 86_400, 0.05)],
)
def test_a_limit_of_n_working_days_makes_one_nth_online(limit_s: int, share: float) -> None:
    """A week has five working days, so a week's limit is over for a fifth each day; -1 is never, 0 always."""
    assert online_share(limit_s) == pytest.approx(share)
    shares = SignIn(saml_offline_limit_s=limit_s, wrong_password=0.5).shares
    assert shares["online"] == pytest.approx(share / 2)
    assert shares["offline_unlock"] == pytest.approx((1 - share) / 2)


@given(st.lists(st.integers(0, 100), min_size=5, max_size=5).filter(any))
def test_shares_said_are_the_shares(counts: list[int]) -> None:
    """Any five shares that add up are taken as they are, and the one that is left out is the rest."""
    names = ("online", "offline_unlock", "expired_token", "wrong_password", "locked_account")
    said = {name: count / sum(counts) for name, count in zip(names, counts, strict=True)}
    assert SignIn.model_validate(said).shares == pytest.approx(said)
    assert SignIn.model_validate({name: said[name] for name in names[1:]}).shares == pytest.approx(said, abs=1e-9)
    assert sum(SignIn.model_validate(said).shares.values()) == pytest.approx(1)


@pytest.mark.parametrize(
    "said",
    [{"online": 0.5}, {"online": 1.0, "offline_unlock": 0.1}, {"wrong_password": 0.6, "locked_account": 0.5}],
)
def test_shares_that_do_not_add_up(said: dict[str, float]) -> None:
    """Too little or too much is a fault."""
    with pytest.raises(ValidationError):
        SignIn.model_validate(said)


def test_faults_are_told_with_their_place(tmp_path: Path) -> None:
    """Each mistake is one line: file, key, value, what was expected."""
    (line,) = faults(tmp_path, PLAIN + "[sign_in]\nonline = 0.5\nwrong_password = 0.2\n")
    assert line.startswith("mine.toml: sign_in = ")
    assert line.endswith("expected shares that add up to 1, not to 0.7")
    (line,) = faults(tmp_path, PLAIN + "[sign_in]\nonline = 0.5\nsaml_offline_limit_s = 86400\n")
    assert line.endswith("expected no online and no offline_unlock beside saml_offline_limit_s")
    (line,) = faults(tmp_path, PLAIN + '[enrollment]\nwhen = "never"\n')
    assert line.startswith('mine.toml: waves[0].journey = "boot": expected "sign_in_only"')
    alone = PLAIN.replace('journey = "boot"', 'journey = "sign_in_only"')
    (line,) = faults(tmp_path, alone + "[sign_in]\noffline_unlock = 0.5\n")
    assert line.startswith('mine.toml: waves[0].journey = "sign_in_only": expected "boot"')
