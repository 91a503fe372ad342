"""A management server that is restarted once and killed once while a whole city enrolls: nothing ends up half done."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np
from foreign_backend import ForeignBackend

from reports.record import OUTCOMES
from simulator.enrollments_file import EnrollmentsFile
from simulator.protocols.management import Identity, PolicyReason, fetch_device_policy
from simulator.protocols.messages import Response

FLEETRUSH = str(Path(sys.executable).with_name("fleetrush"))
DEVICES = 2680
LIMIT_S = 240
# 30 s of rollout, and as long again and more for whoever has to try again
ROLLOUT = """
title = "Rollout"
question = "Do 2,680 devices enroll through a restart and a kill of the server?"
organisation = "maebashi"
[day]
start = "08:00"
end = "08:01:00"
[enrollment]
rate_per_s = 1_000_000
[[waves]]
name = "rollout"
who = "all"
journey = "enroll"
arrivals = { shape = "even", from = "08:00", to = "08:00:30" }
[[objectives]]
step = "management.register"
error_share_at_most = 0.0
"""


def _await_rows(file: Path, rows: int) -> None:
    """Until so many rows are kept: the file is the run's word on how far it is."""
    end = time.monotonic() + LIMIT_S
    while not file.exists() or len(EnrollmentsFile(file).rows) < rows:
        assert time.monotonic() < end
        time.sleep(0.1)


def test_a_restart_and_a_kill_while_a_city_enrolls(tmp_path: Path) -> None:
    """One orderly restart and one kill -9 of the server among 2,680 enrollments.

    Every device is enrolled in the end, each by one registration that the server has as well and that fetches a signed
    policy; who was hit tried again; and the run tells the outage: outcomes with reasons and times, and exit 1, since
    an objective was missed (3 where this machine was too busy for its numbers to be trusted).
    """
    (tmp_path / "rollout.toml").write_text(ROLLOUT)
    file = tmp_path / "fleet.json"
    with ForeignBackend(tmp_path) as server:
        (tmp_path / "token").write_text(server.operate("enrollment_token")["access_token"])
        (tmp_path / "targets.toml").write_text(
            f'[targets.management]\nurl = "{server.told["management"]}"\noauth_token_file = "token"\n'
        )
        run = subprocess.Popen(
            [FLEETRUSH, "run", "rollout.toml", "--targets", "targets.toml", "--enrollments", "fleet.json"],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=tmp_path,
        )  # fmt: skip
        try:
            _await_rows(file, 500)
            server.stop()
            server.start()
            _await_rows(file, 1300)
            server.kill()
            server.start()
            printed, _ = run.communicate(timeout=LIMIT_S)
        finally:
            run.kill()
            run.communicate()
        print(printed)
        assert run.returncode in (1, 3)
        _all_enrolled(EnrollmentsFile(file), server)
    (folder,) = (tmp_path / "runs").iterdir()
    _told(folder, printed)


def _all_enrolled(kept: EnrollmentsFile, server: ForeignBackend) -> None:
    """File and server agree on every device, and the server honours what is kept."""
    assert Counter(one.state for one in kept.rows.values()) == {"enrolled": DEVICES}
    registered = server.devices()
    assert len({serial for _, _, serial in registered}) == len(registered)
    theirs = {device_id: token for device_id, token, _ in registered}
    ours = {one.device.device_id: one.device.dm_token for one in kept.rows.values() if one.device is not None}
    assert ours.items() <= theirs.items()
    # the device that goes first is the only other one
    assert len(theirs) <= len(ours) + 1
    for row in range(0, DEVICES, 67):
        trust = kept.rows[row].device
        assert trust is not None
        url = f"{server.told['management']}/devicemanagement/data/api"
        who = Identity(url, trust.device_id, "agent", "platform", trust.dm_token)
        exchange = fetch_device_policy(who, reason=PolicyReason.SCHEDULED, trust=trust)
        status, body = server.send(exchange.request.url, dict(exchange.request.headers), exchange.request.body)
        policy = exchange.read(Response(status, (), body))
        assert policy.trust.timestamp_ms == trust.timestamp_ms


def _told(folder: Path, printed: str) -> None:
    """The outage is in the record: who was hit, by what, when, and that they came through later."""
    told, samples = json.loads((folder / "run.json").read_text()), np.load(folder / "samples.npy")
    hit = samples[np.isin(samples["outcome"], [OUTCOMES.index("failed"), OUTCOMES.index("unknown")])]
    reasons = Counter(told["reasons"][reason] for reason in hit["reason"].tolist())
    assert set(reasons) <= {"connect_refused", "broken_after_sent", "broken_before_sent"}
    assert reasons["connect_refused"] > 0
    final = samples[samples["step"] == told["steps"].index("management.api_authorization")]
    through = {int(row["device"]): float(row["done"]) for row in final[final["outcome"] == 0]}
    assert len(through) == DEVICES
    assert all(through[int(row["device"])] > row["done"] for row in hit)
    # two outages, apart from each other
    gaps = np.diff(np.sort(hit["done"]))
    assert (gaps > 2.0).sum() == 1
    retried = samples[samples["trigger"] == told["triggers"].index("retry")]
    assert set(np.unique(retried["device"]).tolist()) >= set(np.unique(hit["device"]).tolist())
    assert "connect_refused" in printed
    summary = json.loads((folder / "summary.json").read_text())
    refused = sum(row["reasons"].get("connect_refused", 0) for name, row in summary["steps"].items() if "." in name)
    assert refused == reasons["connect_refused"]
