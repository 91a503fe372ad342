"""The `backend` command: broker and embedded backend in the foreground, to look at them or to aim at them."""

from __future__ import annotations

import signal
import threading
from pathlib import Path

from scenarios.targets import SERVICES
from simulator.composition import What, compose
from simulator.standins import STAND_IN, StandIns, StandInSettings


def serve(what: What, *, data: Path | None, broker: str) -> int:
    """Serve until SIGINT or SIGTERM. Prints one line a service. Returns: 0."""
    wanted = dict.fromkeys(SERVICES, STAND_IN)
    over = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: over.set())
    with StandIns(StandInSettings.of(compose(what).scenario), wanted=wanted, broker=broker, data=data) as stand_ins:
        for service, url in stand_ins.urls.items():
            print(f"{service:<12} {url}", flush=True)
        print(f"{'token':<12} {stand_ins.operator_token}   (Authorization: Bearer, for the operator API)", flush=True)
        over.wait()
    return 0
