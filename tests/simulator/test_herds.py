"""What an operator's act has all devices ask at once: by hand, and as a rehearsal recorded it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from reports.record import SAMPLE, TRIGGERS
from scenarios.load import load
from simulator.composition import KNOWN, What, compose
from simulator.journeys import STEPS
from simulator.limits import SPARE_FILES, missed
from simulator.machine import Machine
from simulator.plan import forecast, needs_of
from simulator.rehearsal import rehearse

FETCH_S = 10.0 - 0.02  # policy facts 3 e: uniform from 20 ms to 10 s
DAY = """
title = "Acts"
question = "How steep is what an act brings about?"
organisation = "maebashi"
devices = {devices}
[day]
start = "08:00"
end = "09:30"
compression = {compression}
[enrollment]
rate_per_s = 20
[[waves]]
name = "lids"
who = "all"
journey = "boot"
arrivals = {{ shape = "even", from = "08:00", to = "09:00" }}
[updates]
offered_share = 0
{acts}
"""
PUBLISH = 'act = "publish_policy"\nwith = { policy = "device", value = { device_policy_refresh_rate = 14_400_000 } }\n'
OF_USERS = 'act = "publish_policy"\nwith = { policy = "user", value = {} }\n'
OF_EXTENSION = (
    f'act = "publish_extension_policy"\nwith = {{ policy = "signin", extension_id = "{"a" * 32}", value = {{}} }}\n'
)


def made(folder: Path, *acts: str, devices: int = 1000, compression: float = 1) -> str:
    """The scenario's file with these acts."""
    file = folder / "acts.toml"
    tables = "".join(f"[[operator]]\n{act}" for act in acts)
    file.write_text(DAY.format(devices=devices, compression=compression, acts=tables))
    return str(file)


def steps_per_s(file: str) -> float:
    return forecast(compose(What(file), judged=False), 1).peak_steps_per_s


@pytest.mark.parametrize(
    ("act", "steps"),
    [
        (PUBLISH, 1000 / FETCH_S),
        (OF_USERS, 1000 / FETCH_S),
        ('act = "lock_device"\nwith = { message = "call us" }\n', 1000 / FETCH_S),
        # the policy and the file that it names
        (OF_EXTENSION, 2000 / FETCH_S),
        # due at once: the order and its result; a reboot has all four steps of a boot asked at once
        ('act = "queue_command"\nwith = { type = "DEVICE_SET_VOLUME" }\n', 2000),
        ('act = "queue_command"\nwith = { type = "DEVICE_REBOOT" }\n', 4000),
        # one device is no herd, and what nobody is told of brings none about
        ('act = "queue_command"\nwith = { type = "DEVICE_REBOOT", device_id = "x" }\n', 0),
        ('act = "rotate_key"\n', 0),
    ],
)
def test_each_act_by_hand(tmp_path: Path, act: str, steps: float) -> None:
    """A thousand devices online at 09:10; no compression changes what they do then."""
    quiet = steps_per_s(made(tmp_path))
    for compression in (1, 4):
        loud = steps_per_s(made(tmp_path, f'at = "09:10"\n{act}', compression=compression))
        assert loud == pytest.approx(max(steps, quiet * compression))


def test_an_act_meets_whoever_is_there(tmp_path: Path) -> None:
    """At 08:30 half are online, and lids open meanwhile: 500 fetches within 9.98 s beside them. Two acts add up."""
    quiet = steps_per_s(made(tmp_path))
    assert steps_per_s(made(tmp_path, f'at = "08:30"\n{PUBLISH}')) == pytest.approx(500 / FETCH_S + quiet)
    twice = [f'at = "{at}"\n{PUBLISH}' for at in ("09:10:00", "09:10:05")]
    assert steps_per_s(made(tmp_path, *twice)) == pytest.approx(2000 / FETCH_S)
    apart = [f'at = "{at}"\n{PUBLISH}' for at in ("09:10:00", "09:10:20")]
    assert steps_per_s(made(tmp_path, *apart)) == pytest.approx(1000 / FETCH_S)
    # before anybody is there nobody hears of it
    assert steps_per_s(made(tmp_path, f'at = "08:00"\n{PUBLISH}')) == pytest.approx(quiet)


def test_their_connections_need_files_and_ports(tmp_path: Path) -> None:
    """15,000 lines and a publish: each device opens a connection within 10 s and keeps it 40, so 30,064 files."""
    machine = Machine(cores=2, memory_bytes=8 * 2**30, soft_files=1024, files=20_000, ports=28_232, processes=None)
    for acts, http, one_server in (
        # 20 enroll a second, more than lids open: 20/s x 40 s to each of four servers
        ((), 3_200, 800),
        ((f'at = "09:10"\n{PUBLISH}',), 15_000, 15_000),
    ):
        composition = compose(What(made(tmp_path, *acts, devices=15_000)), judged=False)
        needs = needs_of(composition, forecast(composition, 1), 1)
        assert (needs.lines, needs.http, needs.http_one_server) == (15_000, http, one_server)
        assert needs.engine_files == 15_000 + http + SPARE_FILES
        told = [line for line in missed(needs, machine) if line.startswith("open files")]
        assert len(told) == len(acts)
    assert "needs 30,064 and may have 20,000 (ulimit -Hn): use --engines 2" in told[0]


def test_a_rehearsal_is_as_steep_as_the_plan_says(tmp_path: Path) -> None:
    """120 devices fetch within 9.98 s, 12 a second: the busiest second that is recorded is a Poisson's of that."""
    file = made(tmp_path, f'at = "09:10"\n{PUBLISH}', devices=120)
    samples = np.frombuffer(rehearse(load(file, known=KNOWN, judged=False)).samples, SAMPLE)
    fetches = samples["step"] == STEPS.index("management.device_policy")
    pushed = samples[fetches & (samples["trigger"] == TRIGGERS.index("push"))]
    assert pushed.size == 120
    _, counts = np.unique(np.floor(pushed["due"]), return_counts=True)
    expected = steps_per_s(file)
    assert expected == pytest.approx(120 / FETCH_S)
    assert expected <= counts.max() < expected + 5 * expected**0.5


def test_enrollments_by_a_wave_count() -> None:
    """400 in six seconds are 66.7 starts a second, of four steps each, to one server."""
    composition = compose(What(str(Path(__file__).parents[1] / "data" / "scenarios" / "starts.toml"), devices=400))
    expected = forecast(composition, 1)
    assert expected.peak_starts_per_s == pytest.approx(400 / 6)
    assert expected.enroll_steps_per_s == pytest.approx(4 * 400 / 6)
    assert expected.http == expected.http_one_server == 400
