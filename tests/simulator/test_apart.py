"""A whole run in a process of its own: its arguments say all it is told, and it ends with who started it."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from processes import alive, descendants, wait_for

from scenarios.whatifs import WHAT_IFS
from simulator.arguments import RunOptions, run_arguments, run_options_of, what_of
from simulator.composition import What
from simulator.options import parser_of_all

MOMENT = Path(__file__).parent.parent / "data" / "scenarios" / "moment.toml"
LIMIT_S = 60

words = st.text("abcxyz019 =-_.,:'\"$é前", min_size=1, max_size=12)
paths = words.map(lambda text: Path("x" + text))
whats = st.builds(
    What,
    scenario=words.map(lambda text: "x" + text),
    devices=st.none() | st.integers(1, 10**9),
    seed=st.none() | st.integers(0, 2**63),
    compression=st.none() | st.floats(1, 1000),
    # argparse takes a "--" for the end of all options, even in --target=--
    targets=st.lists(words.filter(lambda text: text != "--")).map(tuple),
    targets_file=st.none() | paths,
    enrollments=st.none() | paths,
    accounts_file=st.none() | paths,
    reuse_accounts=st.booleans(),
    secret_file=st.none() | paths,
    what_if=st.none() | st.sampled_from(tuple(WHAT_IFS)),
)
options = st.builds(
    RunOptions,
    engines=st.integers(1, 64),
    broker=st.sampled_from(["embedded", "mosquitto"]),
    base=paths,
    web_port=st.none() | st.integers(),
    verbose=st.booleans(),
) | st.builds(RunOptions, folder=paths)


@given(whats, options)
def test_arguments_give_back_what_they_were_made_of(what: What, options: RunOptions) -> None:
    """Whatever is played and however: parsed as a shell would hand it over, it is the same again."""
    line = shlex.join(run_arguments(what, options))
    parsed = parser_of_all().parse_args(shlex.split(line))
    assert (what_of(parsed), run_options_of(parsed)) == (what, options)


PLAY = (
    "import sys; from pathlib import Path; from simulator.apart import play_apart;"
    "from simulator.composition import What; from simulator.arguments import RunOptions;"
    "print(*play_apart(What(sys.argv[1], seed=3), RunOptions(folder=Path(sys.argv[2]))), flush=True)"
)


def start(folder: Path, scenario: str = str(MOMENT)) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-P", "-c", PLAY, scenario, str(folder)],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def test_a_run_apart(tmp_path: Path) -> None:
    """It is a run like any other, in exactly the folder it was told; its command plays it again, into another folder.
    A second one does not go into the same folder, and sends nothing."""
    folder = tmp_path / "series" / "run-01"
    first = start(folder)
    printed, _ = first.communicate(timeout=LIMIT_S)
    assert printed.splitlines()[-1] in (f"{folder} 0", f"{folder} 3")
    run = json.loads((folder / "run.json").read_text())
    assert run["command"] == f"fleetrush run {MOMENT} --seed=3"
    assert np.load(folder / "samples.npy").size > 200
    written = (folder / "samples.npy").stat().st_mtime_ns
    printed, _ = start(folder).communicate(timeout=LIMIT_S)
    assert printed.splitlines()[-1] == f"{folder} 2"
    assert (folder / "samples.npy").stat().st_mtime_ns == written


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_a_run_apart_ends_with_who_started_it(tmp_path: Path, how: signal.Signals) -> None:
    """Told to stop it stops the run and waits for its report; killed, the run stops by itself and reports. No process
    is left behind."""
    folder = tmp_path / "run"
    process = start(folder, str(MOMENT.with_name("sign_in.toml")))
    try:
        wait_for("samples", LIMIT_S, lambda: any(one.stat().st_size > 9_000 for one in folder.glob("samples.npy")))
        children = descendants(process.pid)
        assert len(children) >= 4
        os.kill(process.pid, how)
        printed, _ = process.communicate(timeout=LIMIT_S)
        wait_for("all gone", LIMIT_S, lambda: not any(alive(pid) for pid in children))
    finally:
        process.kill()
    assert how == signal.SIGKILL or printed.splitlines()[-1] == f"{folder} 130"
    assert json.loads((folder / "summary.json").read_text())["partial"] is True
    assert json.loads((folder / "run.json").read_text())["ended"]["reason"] == "interrupted"
