"""What the operator publishes for extensions and for a device's own accounts reaches our devices, in virtual time."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np

from reports.record import OUTCOMES, SAMPLE
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
