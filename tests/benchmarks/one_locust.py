"""Locust's share of a bench, in a process of its own: FastHttpUser does the same protobuf work for the same devices.

`python -m tests.benchmarks.one_locust FOLDER URL SECONDS`. One user a device: it builds each request and reads each
answer with the very functions that the engine uses; sending, waiting and counting are Locust's.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import gevent
from locust import FastHttpUser, task  # first: it patches the interpreter
from locust.env import Environment

from simulator.protocols.messages import Response
from tests.benchmarks.registered import Registered, read

WARM_S = 1.0


def user_class(devices: list[Registered], host: str) -> type[FastHttpUser]:
    """A user that is the next of those devices."""
    waiting = iter(devices)
    base = host.split("/devicemanagement", maxsplit=1)[0]

    class Chromebook(FastHttpUser):
        host = base

        def on_start(self) -> None:
            """Be one of the devices."""
            self.registered = next(waiting)
            self.makers = self.registered.exchanges()

        @task
        def ask(self) -> None:
            """All three, one after the other."""
            for make in self.makers:
                exchange = make()
                request = exchange.request
                answer = self.client.post(
                    request.url, data=request.body, headers=dict(request.headers), name=exchange.step
                )
                self.registered.take(exchange.read(Response(answer.status_code, (), answer.content)))

    return Chromebook


def main(folder: str, url: str, seconds: str) -> None:
    """Entry."""
    devices = read(Path(folder), url)
    environment = Environment(user_classes=[user_class(devices, url)], catch_exceptions=False)
    runner = environment.create_local_runner()
    runner.start(len(devices), spawn_rate=100)
    gevent.sleep(WARM_S + len(devices) / 100)
    total = environment.stats.total
    before, began, used = total.num_requests, time.monotonic(), time.process_time()
    gevent.sleep(float(seconds))
    told = {
        "requests": total.num_requests - before,
        "seconds": time.monotonic() - began,
        "cpu_s": time.process_time() - used,
    }
    if total.num_failures or len(runner.user_greenlets) < len(devices):
        raise RuntimeError("not every request ended well")
    runner.quit()
    print(json.dumps(told))


if __name__ == "__main__":
    main(*sys.argv[1:])
