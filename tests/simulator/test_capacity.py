"""The `capacity` command: its loop over levels that are made by arithmetic, and one search for real."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from reports.capacity import FILE
from reports.servermetrics import SERIES_AT_MOST, read_csv
from simulator import levels
from simulator.arguments import CapacityOptions, RunOptions
from simulator.capacity import capacity
from simulator.composition import What, compose
from simulator.errors import UserError
from simulator.levels import Search, least_devices
from simulator.whatifs import NotPlayedError
from tests.leave import leave as leave_of
from tests.reports.made_levels import LIMIT_S, play

SLOTS = Path(__file__).parents[1] / "data" / "scenarios" / "slots.toml"
FLEETRUSH = [str(Path(sys.executable).with_name("fleetrush"))]


class Fleet:
    """Plays runs by arithmetic: logins take the limit at `capacity` devices, and grow with the square of the devices.

    Attributes:
        calls: devices, seed and folder of each run.

    Args:
        ours: devices from which on no run can be trusted.
        ends: exit codes of runs by number, from 1.
    """

    def __init__(self, capacity: int, *, ours: int = 10**9, ends: dict[int, int] | None = None) -> None:
        self.capacity, self.ours, self.ends = capacity, ours, ends or {}
        self.calls: list[tuple[int, int | None, str]] = []

    def __call__(self, what: What, options: RunOptions, *, out: Any = None) -> tuple[Path | None, int]:
        assert options.folder is not None
        devices = compose(what).scenario.devices
        self.calls.append((devices, what.seed, options.folder.name))
        code = self.ends.get(len(self.calls))
        if code is not None:
            return None, code
        untrusted = ["starts were late"] if devices >= self.ours else []
        changes = {"seed": what.seed, "untrusted": untrusted}
        kind, _, turn = options.folder.name.rpartition("-")
        # a made run is called as a level is; nothing is played ninety times
        number = int(turn) if kind.startswith("level") else 90
        play(options.folder.parent, devices, LIMIT_S * (devices / self.capacity) ** 2, turn=number, **changes)
        if number == 90:
            (options.folder.parent / f"level-{devices:05d}-90").rename(options.folder)
        return options.folder, 3 if untrusted else 0


def searched(
    folder: Path, monkeypatch: pytest.MonkeyPatch, fleet: Callable[..., Any], what: What | None = None, **options: Any
) -> tuple[int, dict[str, Any]]:
    """Search with made runs: the exit code, and capacity.json."""
    monkeypatch.setattr(levels, "play_apart", fleet)
    told = CapacityOptions(base=folder, **({"what_ifs": "none"} | options))
    code = capacity(what or What(str(SLOTS), devices=200), told)
    made = list(folder.glob("*-capacity-slots"))
    return code, json.loads((made[0] / FILE).read_text()) if made else {}


def test_a_search_to_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It grows, halves and repeats, each run in a folder and with arrivals of its own, and finds 330 devices."""
    fleet = Fleet(330)
    code, whole = searched(tmp_path, monkeypatch, fleet)
    assert code == 0
    assert whole["result"]["capacity"] == pytest.approx(330, rel=0.02)
    assert [devices for devices, _, _ in fleet.calls[:3]] == [200, 300, 450]
    assert fleet.calls[0][2] == "level-00200-1"
    repeated = [(seed, folder) for devices, seed, folder in fleet.calls if devices == whole["result"]["holds"]]
    assert [seed for seed, _ in repeated] == [1, 2, 3]
    assert [folder[-2:] for _, folder in repeated] == ["-1", "-2", "-3"]
    assert whole["ended"]["reason"] == "complete"
    said = capsys.readouterr().out
    assert said.count(" devices  run ") == len(fleet.calls)
    assert "330 devices before identity.login p95 latency passes 2 s." in said
    (folder,) = tmp_path.iterdir()
    assert (folder / "report.html").is_file()


def test_judged_again_by_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`report FOLDER` says the same, from the folders alone, and in Japanese when asked."""
    code, before = searched(tmp_path, monkeypatch, Fleet(330))
    (folder,) = tmp_path.iterdir()
    done = subprocess.run(
        [*FLEETRUSH, "report", str(folder), "--lang", "ja"], capture_output=True, text=True, check=False
    )
    assert done.returncode == code == 0, done.stderr
    assert json.loads((folder / FILE).read_text()) == before
    assert "330 台" in (folder / "report.html").read_text()


def test_our_own_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Untrusted from 400 on, and the limit at 900: exit 3, and no capacity is told."""
    code, whole = searched(tmp_path, monkeypatch, Fleet(900, ours=400))
    assert code == 3
    assert whole["result"]["end"] == "harness"
    assert whole["result"]["capacity"] is None
    assert whole["result"]["holds"] < 400 <= whole["result"]["saturated"] < 440


def test_a_level_that_this_machine_cannot_carry_is_not_played(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What `plan` says cannot be played saturates us; its reason is kept."""
    monkeypatch.setattr(
        levels,
        "limits_missed",
        lambda composition, engines: ["too few ports"] if composition.scenario.devices > 500 else [],
    )
    fleet = Fleet(900)
    code, whole = searched(tmp_path, monkeypatch, fleet)
    assert code == 3
    assert max(devices for devices, _, _ in fleet.calls) <= 500
    assert set(whole["unplayable"].values()) == {"too few ports"}
    assert whole["result"]["why"] == "too few ports"


def test_the_most_that_is_allowed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """600 hold and more is not allowed: undecided, exit 4, at least 600."""
    code, whole = searched(tmp_path, monkeypatch, Fleet(5000), most=600)
    assert (code, whole["result"]["end"], whole["result"]["holds"]) == (4, "not_reached", 600)


def test_the_time_ends_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No level is begun that would end after --time: after the first, here. What is known is told, exit 4."""
    fleet = Fleet(330)
    code, whole = searched(tmp_path, monkeypatch, fleet, minutes=1e-9)
    assert len(fleet.calls) == 1
    assert (code, whole["ended"]["reason"], whole["result"]["end"]) == (4, "time", "open")


def test_an_interrupt_ends_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The third run ends with 130: so does the search, with what was played judged and reported."""
    code, whole = searched(tmp_path, monkeypatch, Fleet(330, ends={3: 130}))
    assert (code, whole["ended"]["reason"], len(whole["levels"])) == (130, "interrupted", 2)
    (folder,) = tmp_path.iterdir()
    assert "interrupted" in (folder / "report.html").read_text()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_between_two_runs_ends_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    """Ctrl-C and SIGTERM while nothing is played: what was played is judged and reported, exit 130."""
    # As a terminal starts it: whoever is started in the background by a script ignores SIGINT.
    ours = signal.signal(signal.SIGINT, signal.default_int_handler)
    fleet, before = Fleet(330), signal.getsignal(signal.SIGTERM)

    def play_two(what: What, options: RunOptions, *, out: Any = None) -> tuple[Path | None, int]:
        if len(fleet.calls) == 2:
            signal.raise_signal(number)
        return fleet(what, options)

    try:
        code, whole = searched(tmp_path, monkeypatch, play_two)
    finally:
        signal.signal(signal.SIGINT, ours)
    assert (code, whole["ended"]["reason"], len(whole["levels"])) == (130, "interrupted", 2)
    (folder,) = tmp_path.iterdir()
    assert "the search was interrupted" in (folder / "report.html").read_text()
    assert signal.getsignal(signal.SIGTERM) == before


def test_what_ifs_are_measured_or_rehearsed_and_marked_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Measured where asked: a bell is played; what is the scenario already, or a matter of devices that a level had,
    is that level's; twice the devices cannot be played here, and are rehearsed with the reason. Exit as found."""
    monkeypatch.setattr(
        levels,
        "limits_missed",
        lambda composition, engines: ["too few ports"] if composition.scenario.devices >= 700 else [],
    )
    fleet = Fleet(330)
    slow = tmp_path / "slots.toml"
    slow.write_text(
        SLOTS.read_text()
        .replace('end = "08:00:10"', 'end = "08:40"\ncompression = 100')
        .replace('to = "08:00:08"', 'to = "08:30"')
    )
    code, whole = searched(
        tmp_path / "runs", monkeypatch, fleet, What(str(slow), devices=350), what_ifs="measured", most=600
    )
    assert code == 0
    rows = {row["name"]: row for row in whole["what_ifs"]}
    assert [(name, row["way"], row["why"]) for name, row in rows.items()] == [
        ("", "measured", ""),
        ("ten_minute_bell", "measured", ""),
        ("all_limits_expired", "measured", ""),
        ("full_update", "measured", ""),
        ("staff_2040", "measured", ""),
        ("twice_devices", "rehearsed", "too few ports"),
    ]
    played = [folder for _, _, folder in fleet.calls if folder.startswith("what-if-")]
    assert played == ["what-if-ten_minute_bell", "what-if-staff_2040"]
    assert rows["staff_2040"]["devices"] == rows["staff_2040"]["of"] == 175
    assert (rows["staff_2040"]["verdict"], rows[""]["verdict"]) == ("within", "beyond")
    assert rows["full_update"]["folder"] == rows[""]["folder"]


def test_an_interrupt_in_the_what_ifs_keeps_those_that_were_played(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The search was over: its capacity is told, with the rows that there are; exit 130."""
    fleet = Fleet(330)

    def play_levels(what: What, options: RunOptions, *, out: Any = None) -> tuple[Path | None, int]:
        assert options.folder is not None
        return fleet(what, options) if options.folder.name.startswith("level-") else (None, 130)

    code, whole = searched(tmp_path, monkeypatch, play_levels, what_ifs="measured", most=600)
    assert (code, whole["ended"]["reason"], whole["result"]["end"]) == (130, "complete", "found")
    assert [row["name"] for row in whole["what_ifs"]] == [""]


def test_a_level_for_which_there_are_too_few_accounts_is_not_played(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What only a larger level lacks does not end the search with exit 2: that is how far we come, and why is told."""
    whole_of = levels.compose

    def compose(what: What) -> Any:
        if what.devices is not None and what.devices > 250:
            raise UserError("--accounts people.csv: 250 accounts for more people")
        return whole_of(what)

    monkeypatch.setattr(levels, "compose", compose)
    code, whole = searched(tmp_path, monkeypatch, Fleet(330))
    assert (code, whole["result"]["end"]) == (4, "lacking")
    assert whole["result"]["why"] == "--accounts people.csv: 250 accounts for more people"
    assert 230 < whole["result"]["holds"] <= 250 < whole["result"]["saturated"]


LEAVE = leave_of(
    "2026-04-01T11:00:00+00:00", "2026-04-01T13:00:00+00:00", 100, url="http://127.0.0.2:8080/saml", staging=True
)
FIRST, END = (datetime(2026, 4, 1, hour, tzinfo=UTC).timestamp() for hour in (11, 13))


@dataclass
class Leave:
    """A provider that may be loaded for two hours: what a search is asked, and the clock that it reads.

    Attributes:
        checks: the codes that the device which goes ahead ends with, one by one; 0 when there are no more.
    """

    what: What
    utc_s: float = FIRST + 60
    checks: list[int] = field(default_factory=list)

    def check(self, what: What, broker: str) -> tuple[int, str]:
        code = self.checks.pop(0) if self.checks else 0
        if code:
            self.utc_s = END
        return code, "9 exchanges in 0.10 s, all ok\n"


@pytest.fixture
def leave(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Leave:
    """An authorisation that holds. Whoever waits for the target fails: it is as fast as ever."""
    file = tmp_path / "targets.toml"
    file.write_text(LEAVE)
    made = Leave(What(str(SLOTS), devices=200, targets_file=file))
    clock = SimpleNamespace(time=lambda: made.utc_s, monotonic=time.monotonic, sleep=lambda _: pytest.fail("waited"))
    monkeypatch.setattr(levels, "time", clock)
    monkeypatch.setattr(levels, "check_apart", made.check)
    return made


def test_a_level_above_the_authorised_rate_is_not_our_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, leave: Leave
) -> None:
    """300 people in 8 s are 75 requests a second and 26 for chance: 101 of the 100 that may be sent. Exit 4."""
    code, whole = searched(tmp_path / "runs", monkeypatch, Fleet(900), leave.what)
    assert (code, whole["result"]["end"]) == (4, "lacking")
    assert 270 < whole["result"]["holds"] < whole["result"]["saturated"] <= 300
    assert "max_rate_per_s is 100" in whole["result"]["why"]


@pytest.mark.parametrize("during", ["a level", "the wait before it", "the start of a level", "what would be the next"])
def test_an_authorisation_that_ends_ends_the_search(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, leave: Leave, capsys: pytest.CaptureFixture[str], during: str
) -> None:
    """Within the second level, before the third, as that starts, or five seconds after the second: what was played is
    told, why no more was, exit 4; nobody waits for a target that nobody may ask, or calls it busy."""
    fleet = Fleet(900, ends={3: 2} if during == "the start of a level" else {})
    leave.checks = [0, 0, 3] if during == "the wait before it" else []

    def play_until(what: What, options: RunOptions, *, out: Any = None) -> tuple[Path | None, int]:
        played = fleet(what, options)
        if len(fleet.calls) == {"the wait before it": 0, "the start of a level": 3}.get(during, 2):
            leave.utc_s = END - 5 * (during == "what would be the next")
        return played

    code, whole = searched(tmp_path / "runs", monkeypatch, play_until, leave.what)
    assert (code, whole["ended"]["reason"], len(whole["levels"])) == (4, "leave", 2)
    assert "2026-04-01T13:00:00+00:00" in whole["ended"]["detail"]
    said = capsys.readouterr()
    assert f"no level is played any more: {whole['ended']['detail']}" in said.out
    assert "the authorisation does not last for another level" in said.out
    assert "busy" not in said.out + said.err
    with pytest.raises(NotPlayedError, match=r"the \[authorisation\] "):
        Search(leave.what, compose(leave.what), CapacityOptions(base=tmp_path / "more")).measure("")


def test_a_search_begins_under_leave_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, leave: Leave) -> None:
    """Before `from`: one line, as of a run, and nothing is played."""
    leave.utc_s = FIRST - 1
    with pytest.raises(UserError, match="have it renewed, or wait") as refused:
        searched(tmp_path / "runs", monkeypatch, lambda *told, **more: pytest.fail("played"), leave.what)
    assert len(refused.value.lines) == 1
    assert not (tmp_path / "runs").exists()


def test_a_search_that_recorded_nothing_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first run never began: its exit code, and no folder."""
    code, whole = searched(tmp_path, monkeypatch, Fleet(330, ends={1: 3}))
    assert (code, whole) == (3, {})
    assert not list(tmp_path.iterdir())


def test_the_fewest_devices_carry_the_objectives() -> None:
    """A p95 needs 72 samples; each device of this scenario signs in once, and its login is not counted beforehand."""
    assert least_devices(compose(What(str(SLOTS))).scenario) == 1
    morning = compose(What("morning_peak")).scenario
    # 2,600 of 2,680 open their lids: 72 * 2680 / 2600 = 74.2
    assert least_devices(morning) == 76
    compose(What("morning_peak", devices=76))


@pytest.mark.parametrize(
    ("what", "options", "said"),
    [
        ({"targets": ("identity=http://127.0.0.1:9/saml",)}, {}, "target identity: .* staging = true"),
        ({"enrollments": Path("kept.json")}, {}, "--enrollments: each level begins with fresh stand-ins"),
        ({}, {"most": 100}, "--max-devices 100: below the first level, 200"),
        ({}, {"server_metrics": "metrics.txt"}, "--server-metrics metrics.txt: expected an http"),
    ],
)
def test_what_cannot_be_searched_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: dict[str, Any], options: dict[str, Any], said: str
) -> None:
    """One clear line each, before anything is played; no folder is left."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(levels, "play_apart", lambda *told, **more: pytest.fail("played"))
    with pytest.raises(UserError, match=said) as refused:
        capacity(What(str(SLOTS), devices=200, **what), CapacityOptions(base=tmp_path / "runs", **options))
    assert len(refused.value.lines) == 1
    assert not (tmp_path / "runs").exists()


def test_a_named_target_that_is_no_staging_copy_ends_with_2(tmp_path: Path) -> None:
    """On the command line: exit 2, one line, nothing sent."""
    asked = [
        "capacity",
        "sign_in_peak",
        "--target",
        "identity=http://127.0.0.1:9/saml",
        "--out",
        str(tmp_path / "runs"),
    ]
    done = subprocess.run([*FLEETRUSH, *asked], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith("fleetrush: target identity: a search for the capacity loads it until it gives in")
    assert not list(tmp_path.iterdir())


@pytest.fixture
def metrics() -> Iterator[str]:
    """A server with metrics to scrape."""

    class Metrics(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            many = "".join(f"queue{number} 7\n" for number in range(SERIES_AT_MOST + 12))
            texts = {"/metrics": "# TYPE queue gauge\nqueue 7\n", "/many?collect[]=queue": many}
            text = texts.get(self.path, "hello\n").encode()
            self.send_response(200)
            self.send_header("content-length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *told: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Metrics)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_metrics_that_are_none(tmp_path: Path, metrics: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """An address without metrics, and one that the guard refuses: one line, nothing played."""
    monkeypatch.setattr(levels, "play_apart", lambda *told, **more: pytest.fail("played"))
    for url, said in ((f"{metrics}/other", "no metrics in the answer"), ("http://192.0.2.1/metrics", "authorisation")):
        with pytest.raises(UserError, match=f"--server-metrics {url}.*{said}"):
            capacity(What(str(SLOTS), devices=200), CapacityOptions(base=tmp_path, server_metrics=url))
    assert not list(tmp_path.iterdir())


def test_metrics_that_are_too_many(tmp_path: Path, metrics: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Twelve more than are kept: said once, as the search begins, and noted for its page."""
    url = f"{metrics}/many?collect[]=queue"
    search = Search(What(str(SLOTS)), compose(What(str(SLOTS))), CapacityOptions(base=tmp_path, server_metrics=url))
    with ExitStack() as ends:
        search.scrape(ends)
    assert search.told["metrics_left_out"] == 12
    assert len(read_csv(search.folder / "server.csv")) == SERIES_AT_MOST
    (line,) = capsys.readouterr().err.splitlines()
    said = f"12 metrics are left out, all beyond the first {SERIES_AT_MOST:,}"
    assert line == f"fleetrush: --server-metrics {url}: {said}"


def test_one_level_for_real(tmp_path: Path, metrics: str) -> None:
    """The command, a run, a scrape and rehearsed what-ifs: 80 people hold, more are not allowed, exit 4.

    3 is a machine too busy to be trusted, twice; what is recorded must be sound all the same.
    """
    asked = ["capacity", str(SLOTS), "--devices", "80", "--max-devices", "80", "--server-metrics", f"{metrics}/metrics"]
    done = subprocess.run([*FLEETRUSH, *asked, "--out", str(tmp_path)], capture_output=True, text=True, check=False)
    assert done.returncode in (3, 4), done.stdout + done.stderr
    (folder,) = tmp_path.iterdir()
    whole = json.loads((folder / FILE).read_text())
    level = whole["levels"][-1]
    assert (level["devices"], level["objectives"][0]["name"]) == (80, "identity.login p95 latency")
    assert level["metrics"]["queue"] == 7
    assert 0 < level["metrics"]["backend_cpu_share"] < 1
    # 80 in 8 s, ten exchanges each, one of which is served by itself for 40 ms
    assert level["plateau"]["per_s"] == pytest.approx(100, rel=0.25)
    if done.returncode == 4:
        assert whole["result"]["end"] == "not_reached"
        rows = {row["name"]: row for row in whole["what_ifs"]}
        assert rows[""]["way"] == "measured"
        twice = rows["twice_devices"]
        assert (twice["way"], twice["devices"], twice["requests"]) == ("rehearsed", 160, 160 * 11)
        assert rows["ten_minute_bell"]["changed"]
