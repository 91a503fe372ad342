"""What the operator publishes for extensions and for a device's own accounts reaches our devices, in virtual time."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from reports.record import OUTCOMES, SAMPLE, TRIGGERS
from scenarios.load import load
from simulator.composition import KNOWN
from simulator.journeys import STEPS
from simulator.rehearsal import rehearse

DEVICES = 4
MORNING = """
title = "Extensions and accounts"
question = "Does everybody get theirs?"
organisation = "maebashi"
devices = 4
[day]
start = "08:00"
end = "09:30"
compression = 1
[[waves]]
name = "lids"
who = "all"
journey = "boot"
arrivals = { shape = "even", from = "08:10", to = "08:20" }
[[operator]]
at = "08:05"
act = "publish_extension_policy"
with = { policy = "signin", extension_id = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb", value = { A = { Value = 1 } } }
[[operator]]
at = "08:05"
act = "publish_extension_policy"
with = { policy = "user", extension_id = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", value = { A = { Value = 1 } } }
[[operator]]
at = "08:06"
act = "publish_policy"
[operator.with]
policy = "device"
value.device_local_accounts.account = [
    { account_id = "counter@city.example", type = "ACCOUNT_TYPE_PUBLIC_SESSION" },
    { account_id = "library@city.example", type = "ACCOUNT_TYPE_PUBLIC_SESSION" },
]
[[operator]]
at = "08:50"
act = "publish_extension_policy"
with = { policy = "user", extension_id = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", value = { A = { Value = 2 } } }
"""


def test_every_device_gets_the_policies_of_its_extensions_and_accounts(tmp_path: Path) -> None:
    """Files: the login screen's at boot, the user's at the sign-in and after its push; a policy for each account."""
    (tmp_path / "published.toml").write_text(MORNING)
    samples = np.frombuffer(rehearse(load(str(tmp_path / "published.toml"), known=KNOWN)).samples, SAMPLE)
    assert not samples["outcome"].any(), Counter(OUTCOMES[outcome] for outcome in samples["outcome"])
    counts = Counter(STEPS[step] for step in samples["step"])
    assert counts["management.extension_policy"] == 3 * DEVICES
    assert counts["management.account_policy"] == 2 * DEVICES
    assert counts["management.user_policy"] == 2 * DEVICES


CITY = MORNING.partition("[[operator]]")[0]
ACCOUNTS = """
[[operator]]
at = "08:05"
act = "publish_policy"
[operator.with]
policy = "device"
value.device_local_accounts.account = [
    { account_id = "counter@city.example", type = "ACCOUNT_TYPE_PUBLIC_SESSION" },
    { account_id = "library@city.example", type = "ACCOUNT_TYPE_PUBLIC_SESSION" },
]
"""
# What is published of each kind, and how many devices have it to apply.
KINDS = {
    "device": ('publish_policy { policy = "device", value = { device_policy_refresh_rate = 7_200_000 } }', DEVICES),
    "user": ('publish_policy { policy = "user", value = { HomepageLocation = "https://www.city.example/" } }', DEVICES),
    "account": (
        'publish_policy { policy = "account", value = { HomepageLocation = "https://city.example/" } }',
        DEVICES,
    ),
    "user's extension": ('publish_extension_policy { policy = "user", EXTENSION }', DEVICES),
    "login screen's extension": ('publish_extension_policy { policy = "signin", EXTENSION }', DEVICES),
    "browser's extension": ('publish_extension_policy { policy = "browser", EXTENSION }', 0),
}
EXTENSION = 'extension_id = "cccccccccccccccccccccccccccccccc", value = { A = { Value = 1 } }'


@pytest.mark.parametrize(("at", "trigger"), [("08:06", "follows"), ("08:50", "push")])
@pytest.mark.parametrize("kind", KINDS)
def test_what_is_published_is_applied_once(tmp_path: Path, kind: str, at: str, trigger: str) -> None:
    """Of each kind of policy each device concerned has one `applied`, ok: after its push where it was online, with the
    boot or the sign-in where its lid was closed; and a second publish of the same has its own."""
    said, concerned = KINDS[kind]
    name, _, settings = said.replace("EXTENSION", EXTENSION).partition(" ")
    act = '\n[[operator]]\nat = "{}"\nact = "{}"\nwith = {}\n'.format
    (tmp_path / "one.toml").write_text(CITY + ACCOUNTS + act(at, name, settings) + act("09:10", name, settings))
    samples = np.frombuffer(rehearse(load(str(tmp_path / "one.toml"), known=KNOWN)).samples, SAMPLE)
    assert not samples["outcome"].any(), Counter(OUTCOMES[outcome] for outcome in samples["outcome"])
    applied = samples[samples["step"] == STEPS.index("applied")]
    for action, expected in ((2, trigger), (3, "push")):
        rows = applied[applied["action"] == action]
        assert sorted(rows["device"].tolist()) == list(range(concerned))
        assert {TRIGGERS[one] for one in rows["trigger"].tolist()} == ({expected} if concerned else set())
        if expected == "push":
            # 20 ms to 10 s from the publish
            assert ((rows["done"] - rows["due"] >= 0.02) & (rows["done"] - rows["due"] <= 10.1)).all()
    # the accounts themselves came with the boot
    assert (applied["action"] == 1).sum() == DEVICES
