"""A real engine, a process of its own, plays update checks along a curve against a server that keeps its own log.

What comes back is the run as it would be reported, beside what the server wrote down. Nothing is judged here.
"""

from __future__ import annotations

import io
import json
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from reports.record import SAMPLE, Samples
from reports.runfolder import RunData
from reports.trust import OURS
from scenarios.load import load
from scenarios.schema import Day, Enrollment, Scenario, Wave
from scenarios.targets import read_targets
from simulator import pipe
from simulator.accounts import Accounts
from simulator.composition import KNOWN, Composition
from simulator.device import EnrollmentLogin
from simulator.journeys import JOURNEYS, STEPS
from simulator.order import Order
from simulator.protocols.messages import REASONS
from simulator.runrecord import run_record
from simulator.timetable import planned_curve

JOURNEY = "check_update"
CHECK = STEPS.index(JOURNEYS[JOURNEY].steps[0])
HEAD_START_S = 0.5
_ROOT = Path(__file__).parents[2]
NOBODY = "http://127.0.0.1:9"


@dataclass(frozen=True, slots=True)
class Played:
    """A run, and the server's own log of it, in run seconds."""

    data: RunData
    log: np.ndarray

    @property
    def checks(self) -> Samples:
        """The samples of what the server logged."""
        samples = self.data.samples
        return samples[samples["step"] == CHECK]


def scenario_of(arrivals: Mapping[str, Any], devices: int, seed: int, *, compression: float = 1.0) -> Scenario:
    """Each device asks once, along an `arrivals` table of a wave that begins at 08:00."""
    wave = Wave.model_validate({"name": "checks", "who": "all", "journey": JOURNEY, "arrivals": arrivals})
    day = Day.model_validate({"start": "08:00", "end": "09:00", "compression": compression})
    changes = {
        "name": "truth",
        "devices": devices,
        "seed": seed,
        "day": day.model_copy(update={"end_s": wave.arrivals.to_s}),
        "waves": (wave,),
        "enrollment": Enrollment(when="never"),
        "operator": (),
        "objectives": (),
    }
    return load("ordinary_day", known=KNOWN, judged=False).model_copy(update=changes)


def play(scenario: Scenario, **server: Any) -> Played:
    """Let one engine play a scenario of scenario_of.

    Args:
        server: settings of logging_server.Service; its `frozen` is in run seconds.
    """
    with subprocess.Popen(
        [sys.executable, "-m", "tests.truth.logging_server"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=_ROOT
    ) as serving:
        assert serving.stdin is not None
        assert serving.stdout is not None
        _say(serving, server)
        url = f"http://127.0.0.1:{json.loads(serving.stdout.readline())['port']}"
        order = order_of(scenario, url)
        t0, samples, health = _engine(order, serving)
        serving.stdin.close()
        log = np.load(io.BytesIO(serving.stdout.read()))
    log["asked"] -= t0
    log["answered"] -= t0
    return Played(RunData(Path("truth"), _record(order), samples, health=health), log)


def _engine(order: Order, serving: subprocess.Popen[bytes]) -> tuple[float, Samples, list[dict[str, Any]]]:
    """One engine from its order to its end. Returns: t0, samples, health."""
    samples, health, t0 = bytearray(), [], 0.0
    with subprocess.Popen(
        [sys.executable, "-P", "-m", "simulator.engine"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as engine:
        assert engine.stdout is not None
        _say(engine, order.to_json())
        frames, told = pipe.Frames(), None
        while told is None:
            chunk = engine.stdout.read1(1 << 16)
            if not chunk:
                raise RuntimeError("the engine was lost")
            for kind, payload in frames.feed(chunk):
                if kind == pipe.READY:
                    t0 = time.monotonic() + HEAD_START_S
                    _say(serving, t0)
                    _say(engine, {"t0": t0, "utc": time.time() + HEAD_START_S})
                elif kind == pipe.SAMPLES:
                    samples += payload
                elif kind == pipe.HEALTH:
                    health.append(json.loads(payload))
                elif kind == pipe.FAILED:
                    raise RuntimeError(json.loads(payload)["traceback"])
                elif kind == pipe.END:
                    told = json.loads(payload)
    recorded = np.frombuffer(bytes(samples), SAMPLE)
    ours = {REASONS[reason] for reason in np.unique(recorded["reason"])}.intersection(OURS)
    if told["samples"] != recorded.size or ours:
        raise RuntimeError(f"the engine sent {told}, {recorded.size} samples arrived, {sorted(ours)}")
    return t0, recorded, health


def _say(process: subprocess.Popen[bytes], value: object) -> None:
    assert process.stdin is not None
    process.stdin.write(json.dumps(value).encode() + b"\n")
    process.stdin.flush()


def order_of(scenario: Scenario, url: str) -> Order:
    """What one engine is told, whose devices ask that server for updates and nobody for anything else."""
    return Order(
        scenario=scenario,
        shard=0,
        shards=1,
        lead_s=0.0,
        urls={"management": NOBODY, "identity": NOBODY, "push": NOBODY, "updates": url},
        hosts={},
        targets=read_targets(None, [f"updates={url}"]),
        operator=None,
        enrollment=EnrollmentLogin(),
        accounts=Accounts(b"nobody signs in"),
        verification_key=b"",
    )


def _record(order: Order) -> dict[str, Any]:
    """run.json as a run writes it, with the curve of these checks."""
    composition = Composition(
        scenario=order.scenario,
        targets=order.targets,
        lead_s=order.lead_s,
        end_s=order.end_s,
        acts=(),
        enrollments=None,
        enrollment=order.enrollment,
        verification_key=order.verification_key,
        accounts=order.accounts,
    )
    run = run_record(composition, order.shards, "embedded", order.urls, ["run", "truth"])
    edges_s, counts = planned_curve(order.scenario, order.lead_s, (JOURNEY,), width_s=0.1)
    return {
        **run,
        "planned": {"edges_s": edges_s.tolist(), "counts": counts.tolist()},
        "ended": {"utc": "", "reason": "complete", "detail": ""},
        "partial": False,
    }
