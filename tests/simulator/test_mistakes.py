"""Our own devices meet every mistake that the backend can make, in virtual time: a failed sample with its reason each.

The reasons and what the reports say are those of the protocol's facts (5.3 and 2.4), not of our code.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from reports.record import OUTCOMES, SAMPLE
from scenarios.load import load
from simulator import rehearsal
from simulator.backend.core import Answer, Core
from simulator.backend.management_mistakes import COMMAND_MISTAKES, POLICY_MISTAKES
from simulator.backend.store import Store
from simulator.composition import KNOWN
from simulator.journeys import STEPS
from simulator.protocols import management_pb2 as pb
from simulator.protocols.messages import REASONS, Request
from simulator.rehearsal import Rehearsed, rehearse

DEVICES = 4
MORNING = """
title = "A server that makes mistakes"
question = "Who believes it?"
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
"""
# Mistake -> the policy it is made in, the sample's reason, what the validation report says (None: none is sent, as the
# policy is dropped before it is validated).
POLICIES = {
    "bad_signature": ("device", "bad_signature", "BAD_SIGNATURE"),
    "no_signature_type": ("device", "bad_signature", "BAD_SIGNATURE"),
    "bad_key_signature": ("device", "bad_key_signature", "BAD_KEY_VERIFICATION_SIGNATURE"),
    "bad_new_key_signature": ("device", "bad_signature", "BAD_SIGNATURE"),
    "error_code": ("device", "error_code_present", None),
    "wrong_policy_type": ("device", "wrong_policy_type", None),
    "wrong_entity": ("device", "wrong_entity", None),
    "wrong_dm_token": ("device", "wrong_token", "BAD_DM_TOKEN"),
    "wrong_device_id": ("device", "wrong_device", "BAD_DEVICE_ID"),
    "wrong_user": ("user", "wrong_user", "BAD_USER"),
    "wrong_domain": ("device", "wrong_domain", "BAD_USER"),
    "older_timestamp": ("device", "bad_timestamp", "BAD_TIMESTAMP"),
    "undecodable_value": ("user", "bad_value", "POLICY_PARSE_ERROR"),
}
COMMANDS = {"bad_signature": "bad_signature", "unsigned": "undecodable", "wrong_device": "wrong_device"}
VALUES = {"device": "{ device_policy_refresh_rate = %d }", "user": "{ PolicyRefreshRate = %d }"}


class Played:
    """A rehearsed morning: its samples, its database, and every policy that was fetched."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch, acts: list[tuple[str, str, str]]) -> None:
        self.fetches: list[tuple[float, str, str, int]] = []
        self.database = folder / "backend.sqlite"
        monkeypatch.setattr(rehearsal, "Store", lambda _path: Store(str(self.database)))
        handle = Core.handle

        def watched(core: Core, request: Request, now: float) -> Answer:
            if "request=policy" in request.url.split("&"):
                self._note(request, now)
            return handle(core, request, now)

        monkeypatch.setattr(Core, "handle", watched)
        text = MORNING
        for at, name, settings in acts:
            text += f'[[operator]]\nat = "{at}"\nact = "{name}"\nwith = {settings}\n'
        (folder / "mistakes.toml").write_text(text)
        self.rehearsed: Rehearsed = rehearse(load(str(folder / "mistakes.toml"), known=KNOWN))
        self.samples: Any = np.frombuffer(self.rehearsed.samples, SAMPLE)

    def _note(self, request: Request, now: float) -> None:
        device_id = next(pair for pair in request.url.split("&") if pair.startswith("deviceid="))
        for fetch in pb.DeviceManagementRequest.FromString(request.body).policy_request.requests:
            self.fetches.append((now, device_id, fetch.policy_type, fetch.timestamp))

    def ended(self, step: str) -> Counter[tuple[str, str]]:
        """Outcomes and reasons of a step's samples."""
        own = self.samples[self.samples["step"] == STEPS.index(step)]
        return Counter((OUTCOMES[row["outcome"]], REASONS[row["reason"]]) for row in own)

    def reported(self) -> Counter[str]:
        """What the validation reports say that the backend has kept, the latest of each client."""
        rows = sqlite3.connect(self.database).execute(
            "SELECT body FROM management_reports WHERE kind = 'policy_validation_report'"
        )
        kinds = [
            pb.DeviceManagementRequest.FromString(body).policy_validation_report_request.validation_result_type
            for (body,) in rows
        ]
        names = map(pb.PolicyValidationReportRequest.ValidationResultType.Name, kinds)
        return Counter(name.removeprefix("VALIDATION_RESULT_TYPE_") for name in names)


def test_every_mistake_is_met_here() -> None:
    """The tables of this file leave none out."""
    assert set(POLICIES) == set(POLICY_MISTAKES)
    assert set(COMMANDS) == set(COMMAND_MISTAKES)


@pytest.mark.parametrize("mistake", POLICIES)
def test_a_wrong_policy_is_turned_down_and_the_old_one_kept(
    mistake: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A publish that arrives wrong fails once a device; the next, which is right, is fetched with the old timestamp."""
    kind, reason, result = POLICIES[mistake]
    policy_type = f"google/chromeos/{kind}"
    wrong = f'{{ where = "management", kind = "wrong_policy", mistake = "{mistake}", policy_type = "{policy_type}" }}'
    publish = f'{{ policy = "{kind}", value = {VALUES[kind]} }}'
    acts = [
        ("08:30", "inject_fault", wrong),
        ("08:31", "publish_policy", publish % 7_200_000),
        ("08:32", "clear_faults", "{}"),
        ("08:33", "publish_policy", publish % 3_600_000),
    ]
    played = Played(tmp_path, monkeypatch, acts)
    ended = played.ended(f"management.{kind}_policy")
    assert ended[("failed", reason)] == DEVICES
    assert {outcome for outcome, _ in ended} == {"ok", "failed"}
    assert played.reported() == (Counter({result: DEVICES}) if result else Counter())
    fetched: dict[str, list[int]] = {}
    for _, device_id, asked, timestamp in played.fetches:
        if asked == policy_type and timestamp:
            fetched.setdefault(device_id, []).append(timestamp)
    assert len(fetched) == DEVICES
    for timestamps in fetched.values():
        # the fetch that failed and the one after it name the same policy: the one that is still in force
        assert timestamps[-1] == timestamps[-2]
    own = played.samples[played.samples["step"] == STEPS.index(f"management.{kind}_policy")]
    last = {int(row["device"]): OUTCOMES[row["outcome"]] for row in own[np.argsort(own["done"])]}
    assert list(last.values()) == ["ok"] * DEVICES


@pytest.mark.parametrize("mistake", COMMANDS)
def test_a_wrong_command_is_not_obeyed(mistake: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It fails with its reason and no result of it comes; when it is right, it is obeyed."""
    wrong = f'{{ where = "management", kind = "wrong_command", mistake = "{mistake}" }}'
    acts = [
        ("08:30", "inject_fault", wrong),
        ("08:31", "queue_command", '{ type = "DEVICE_FETCH_STATUS" }'),
    ]
    played = Played(tmp_path, monkeypatch, acts)
    assert played.ended("management.remote_commands")[("failed", COMMANDS[mistake])] >= DEVICES
    assert played.rehearsed.state["management"]["command_results"] == 0
    acts.insert(1, ("08:30", "clear_faults", "{}"))
    (tmp_path / "right").mkdir()
    played = Played(tmp_path / "right", monkeypatch, acts)
    assert played.rehearsed.state["management"]["command_results"] == DEVICES
