"""The main job, small: real processes, real HTTP, a real broker; and its numbers counted again from the record."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from lxml import etree
from processes import alive, descendants, wait_for
from prometheus import Prometheus, free_port

from reports.record import OPERATOR, OUTCOMES, SAMPLE, TRIGGERS
from simulator.metrics import dashboard
from simulator.tally import TIMES_S

SMALL = Path(__file__).parent / "data" / "scenarios" / "small.toml"
DEVICES = 90
# floor(90 * 80 / 2680) spares, spread evenly over the rows
STAFF = 88
FLEETRUSH = [str(Path(sys.executable).with_name("fleetrush"))]
LIMIT_S = 150


def _start(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*FLEETRUSH, "run", str(SMALL), "--out", str(folder), *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=folder,
        start_new_session=True,
    )


def _only(folder: Path) -> Path:
    runs = [path for path in folder.iterdir() if path.is_dir()]
    assert len(runs) == 1
    return runs[0]


def _of(children: list[int], name: str) -> int:
    return next(pid for pid in children if name in Path(f"/proc/{pid}/cmdline").read_text())


BROKERS = [
    "embedded",
    pytest.param(
        "mosquitto",
        marks=pytest.mark.skipif(
            not (shutil.which("mosquitto") or Path("/usr/sbin/mosquitto").exists()), reason="mosquitto is not installed"
        ),
    ),
]


class Played(NamedTuple):
    """A run: its folder, what it printed, and the series that Prometheus kept for each expression of the dashboard."""

    folder: Path
    printed: str
    shown: dict[str, list[dict[str, Any]]]


@pytest.fixture(scope="module", params=BROKERS)
def played(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Played:
    """One small morning with each broker, on two engines."""
    folder = tmp_path_factory.mktemp("runs")
    # A folder of that name lies where the user stands: ours must be found all the same.
    (folder / "elsewhere").mkdir()
    (folder / "elsewhere" / "scenarios").mkdir()
    port = free_port()
    arguments = ["--engines", "2", "--broker", request.param, "--out", str(folder / "runs"), "--metrics", str(port)]
    with Prometheus(folder / "prometheus", port) as prometheus:
        process = subprocess.run(
            [*FLEETRUSH, "run", str(SMALL), *arguments],
            capture_output=True,
            text=True,
            cwd=folder / "elsewhere",
            timeout=LIMIT_S,
            check=False,
        )
        print(process.stdout, process.stderr)
        # 3 is a machine too busy to be trusted: the numbers below must hold all the same
        assert process.returncode in (0, 3)
        asked = {one["expr"] for panel in json.loads(dashboard())["panels"] for one in panel["targets"]}
        shown = {expression: prometheus.ask(expression.replace("$run", ".+")) for expression in asked}
    return Played(_only(folder / "runs"), process.stdout, shown)


def _load(run: Path) -> tuple[dict[str, Any], Any, dict[str, Any]]:
    told = json.loads((run / "run.json").read_text())
    return told, np.load(run / "samples.npy"), json.loads((run / "summary.json").read_text())


def test_everybody_got_through(played: Played) -> None:
    """All enroll, all staff get ready and hear the publish; counted from the samples, step by step, by arithmetic."""
    told, samples, summary = _load(played.folder)
    assert samples.dtype == SAMPLE
    counts = {
        name: np.bincount(samples["outcome"][samples["step"] == index], minlength=5).tolist()
        for index, name in enumerate(told["steps"])
    }
    assert not [name for name, outcomes in counts.items() if sum(outcomes[1:])], counts
    ok = {name: outcomes[0] for name, outcomes in counts.items()}
    for step in ("state_retrieval", "register", "api_authorization"):
        assert ok[f"management.{step}"] == DEVICES
    once_a_lid = ("push.connect", "management.remote_commands", "management.register_user", "management.user_policy")
    identity = ("entry", "login_page", "login", "assertion", "continue", "token", "userinfo", "multilogin", "accounts")
    for step in (*once_a_lid, *(f"identity.{name}" for name in identity), "signed_in", "ready", "applied"):
        assert ok[step] == STAFF, step
    assert ok["identity.access_token"] == ok["management.push_token"] == 2 * STAFF
    # once at enrollment, once at boot, once after the push
    assert ok["management.device_policy"] == DEVICES + 2 * STAFF
    assert ok["management.status_upload"] == STAFF
    assert ok["updates.check"] >= STAFF
    assert ok["updates.payload"] == ok["updated"] == summary["devices"]["updated"] > 0
    assert ok["updates.event"] == 3 * ok["updated"]
    assert ok["operator.publish_policy"] == 1
    devices = {"planned": DEVICES, "enrolled": DEVICES, "signed_in": STAFF, "ready": STAFF, "applied": STAFF}
    assert devices.items() <= summary["devices"].items()


def test_the_record_keeps_its_rules(played: Played) -> None:
    """Nothing before its due, no time that runs backwards, one `ready` a lid, spares closed, one act."""
    told, samples, _ = _load(played.folder)
    assert (samples["able"] >= samples["due"]).all()
    assert (samples["sent"] >= samples["able"]).all()
    assert (samples["done"] >= samples["sent"]).all()
    ready = samples[samples["step"] == told["steps"].index("ready")]
    assert np.unique(ready["device"]).size == ready.size == STAFF
    fleet = np.load(played.folder / "fleet.npy")
    assert fleet["staff"][ready["device"]].all()
    assert fleet["staff"].sum() == STAFF
    operators = samples[samples["device"] == OPERATOR]
    assert operators.size == 1
    assert operators["action"][0] == 1
    applied = samples[samples["step"] == told["steps"].index("applied")]
    assert set(applied["action"].tolist()) == {1}
    assert set(applied["trigger"].tolist()) == {TRIGGERS.index("push")}
    # a push waits 20 ms to 10 s on the device before it fetches
    waited = applied["done"] - applied["due"]
    assert ((waited > 0.02) & (waited < 12)).all()


def test_a_ready_device_took_all_its_steps_in_order(played: Played) -> None:
    """For each device the steps of its lid-open follow one another: each is able when the one before it was done."""
    told, samples, _ = _load(played.folder)
    way = [told["journeys"].index(name) for name in ("boot", "sign_in")]
    real = np.array(["." in name for name in told["steps"]])
    for device in np.unique(samples["device"][samples["step"] == told["steps"].index("ready")])[:20]:
        own = samples[(samples["device"] == device) & np.isin(samples["journey"], way) & real[samples["step"]]]
        own = own[np.argsort(own["sent"], kind="stable")]
        assert (own["sent"][1:] >= own["done"][:-1]).all()
        names = [told["steps"][step] for step in own["step"]]
        assert names[:4] == [
            "management.device_policy",
            "management.remote_commands",
            "push.connect",
            "management.push_token",
        ]
        assert names[4:8] == ["identity.entry", "identity.login_page", "identity.login", "identity.assertion"]
        assert names[-3:] == ["management.register_user", "management.user_policy", "management.push_token"]


def test_the_summary_says_what_the_samples_say(played: Played) -> None:
    """Percentiles by the plain definition (the ceil(p n)-th smallest), and every count, worked out again."""
    told, samples, summary = _load(played.folder)
    for name in ("identity.login", "ready", "management.user_policy"):
        own = samples[samples["step"] == told["steps"].index(name)]
        latencies = sorted(((own["done"] - own["due"]) * 1000).tolist())
        for percent in (50, 95):
            rank = -(-percent * len(latencies) // 100)
            assert summary["steps"][name]["latency_ms"][f"p{percent}"] == pytest.approx(latencies[rank - 1], abs=0.002)
        assert summary["steps"][name]["count"] == own.size
    assert all(
        step["basis"] == "stand-in"
        for name, step in summary["steps"].items()
        if name.partition(".")[0] in told["targets"]
    )
    assert set(OUTCOMES[1:]) <= set(summary["steps"]["ready"])


def test_the_folder_explains_itself(played: Played) -> None:
    """Every file is there and whole; the page needs no network; no secret was written; the words say what it was."""
    run, printed = played.folder, played.printed
    names = {path.name for path in run.iterdir()}
    assert names >= {
        "run.json",
        "fleet.npy",
        "samples.npy",
        "examples.jsonl",
        "summary.json",
        "report.html",
        "junit.xml",
    }
    page = (run / "report.html").read_text()
    assert len(page) < 3_000_000
    assert 'src="http' not in page
    assert "none of your systems was tested" in page.lower()
    assert "none of your systems was tested" in printed.lower()
    cases = etree.fromstring((run / "junit.xml").read_bytes()).findall(".//testcase")
    assert len(cases) == 3
    everything = b"".join(path.read_bytes() for path in run.iterdir())
    for word in (b"GoogleDMToken", b"SAMLResponse=", b"oauth_code", b"ya29.", b"password="):
        assert word not in everything, word


def test_it_can_be_reported_again(played: Played) -> None:
    """The same folder gives the same summary, without being run again."""
    run = played.folder
    before = (run / "summary.json").read_bytes()
    again = subprocess.run([*FLEETRUSH, "report", str(run)], capture_output=True, timeout=60, check=False)
    assert again.returncode in (0, 3)
    assert (run / "summary.json").read_bytes() == before


def test_a_dashboard_shows_the_morning(played: Played) -> None:
    """What Prometheus scraped while it played: every panel of the Grafana dashboard has something to show but the one
    of what did not end ok, and the last figures agree with the record."""
    for expression, series in played.shown.items():
        assert series or 'outcome!="ok"' in expression, expression

    def last(expression: str) -> float:
        (series,) = played.shown[expression]
        return float(series["values"][-1][1])

    summary = _load(played.folder)[2]
    ready = last('fleetrush_steps_total{instance=~"$run",step="ready",outcome="ok"}')
    assert ready == summary["devices"]["ready"] == STAFF
    assert last('fleetrush_devices_online{instance=~"$run"}') == STAFF
    p95_s = last('histogram_quantile(0.95, fleetrush_latency_seconds_bucket{instance=~"$run",step="ready"})')
    # within the bucket in which the record has it
    recorded_s = summary["steps"]["ready"]["latency_ms"]["p95"] / 1000
    above = next(at for at, end_s in enumerate(TIMES_S) if recorded_s <= end_s)
    assert TIMES_S[above - 1] < p95_s <= TIMES_S[above]


def _interrupted(tmp_path: Path, how: signal.Signals) -> tuple[int, Path, list[int]]:
    """Start a run, and send it a signal when devices are enrolled."""
    process = _start(tmp_path)
    try:
        wait_for("samples", 60, lambda: [p for p in tmp_path.glob("*/samples.npy") if p.stat().st_size > 20_000])
        children = descendants(process.pid)
        assert len(children) >= 3
        os.kill(process.pid, how)
        process.communicate(timeout=60)
    finally:
        if process.poll() is None:
            process.kill()
            process.communicate()
    return process.returncode, _only(tmp_path), children


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_interrupted(tmp_path: Path, how: signal.Signals) -> None:
    """Exit 130; what was recorded is kept, reported and marked partial; no process is left behind."""
    code, run, children = _interrupted(tmp_path, how)
    assert code == 130
    told, samples, summary = _load(run)
    assert told["partial"] is True
    assert told["ended"]["reason"] == "interrupted"
    assert summary["partial"] is True
    assert samples.size > 200
    assert "partial" in (run / "report.html").read_text().lower()
    wait_for("all children gone", 20, lambda: not any(alive(pid) for pid in children))


def test_interrupted_before_an_engine_runs(tmp_path: Path) -> None:
    """Ctrl-C as soon as there is a folder: exit 130 all the same, and nobody waits for engines that were not told."""
    process = _start(tmp_path)
    try:
        wait_for("the folder", 60, lambda: list(tmp_path.glob("*/run.json")))
        children = descendants(process.pid)
        os.kill(process.pid, signal.SIGINT)
        printed, _ = process.communicate(timeout=60)
    finally:
        if process.poll() is None:
            process.kill()
            process.communicate()
    assert process.returncode == 130, printed
    assert "Traceback" not in printed
    wait_for("all children gone", 20, lambda: not any(alive(pid) for pid in children))


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_while_the_stand_ins_start(tmp_path: Path, how: signal.Signals) -> None:
    """Whoever of the run's readers is at work just then: exit 130, no folder, and no stand-in is left behind."""
    process = _start(tmp_path)
    try:
        wait_for("a stand-in", 60, lambda: descendants(process.pid))
        children = descendants(process.pid)
        os.kill(process.pid, how)
        printed, _ = process.communicate(timeout=60)
    finally:
        if process.poll() is None:
            process.kill()
            process.communicate()
    assert (process.returncode, "Traceback" in printed) == (130, False), printed
    assert not list(tmp_path.glob("*/run.json"))
    wait_for("all children gone", 20, lambda: not any(alive(pid) for pid in children))


def test_the_run_itself_is_killed(tmp_path: Path) -> None:
    """kill -9 of the run: the record is readable, can be reported, and neither engine nor stand-in survives it."""
    _, run, children = _interrupted(tmp_path, signal.SIGKILL)
    wait_for("all children gone", 20, lambda: not any(alive(pid) for pid in children))
    assert np.load(run / "samples.npy").size > 200
    again = subprocess.run([*FLEETRUSH, "report", str(run)], capture_output=True, text=True, timeout=60, check=False)
    assert again.returncode == 3
    assert json.loads((run / "summary.json").read_text())["partial"] is True


@pytest.mark.parametrize(
    ("victim", "code", "said"),
    [
        ("simulator.engine", 3, "engine 0 was lost"),
        ("simulator.backend\0--data", 3, "backend ended during the run"),
        ("simulator.backend.broker", 3, "broker ended during the run"),
    ],
)
def test_one_process_is_killed(tmp_path: Path, victim: str, code: int, said: str) -> None:
    """kill -9 of an engine, the backend or the broker: the run ends by itself, says what was lost, leaves no orphan."""
    process = _start(tmp_path)
    try:
        wait_for("samples", 60, lambda: [p for p in tmp_path.glob("*/samples.npy") if p.stat().st_size > 20_000])
        children = descendants(process.pid)
        os.kill(_of(children, victim), signal.SIGKILL)
        printed, _ = process.communicate(timeout=LIMIT_S)
    finally:
        if process.poll() is None:
            process.kill()
            process.communicate()
    assert process.returncode == code, printed
    told, samples, summary = _load(_only(tmp_path))
    assert any(said in reason for reason in told["untrusted"]), told["untrusted"]
    assert samples.size > 200
    assert summary["harness"]["trustworthy"] is False
    assert "Traceback" not in printed
    wait_for("all children gone", 20, lambda: not any(alive(pid) for pid in children))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["no_such"], 'no scenario is called "no_such"'),
        (["--devices", "10"], "percentile"),
        (["--target", "identty=http://127.0.0.1:1"], "did you mean"),
        (["--compression", "0.5"], "--compression"),
    ],
)
def test_a_users_mistake_sends_nothing(tmp_path: Path, arguments: list[str], said: str) -> None:
    """Exit 2, one clear line a fault, no run folder."""
    process = subprocess.run(
        [*FLEETRUSH, "run", *arguments, "--out", str(tmp_path / "runs")],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        timeout=60,
        check=False,
    )
    assert process.returncode == 2
    assert said in process.stderr
    assert "Traceback" not in process.stderr
    assert not (tmp_path / "runs").exists()
