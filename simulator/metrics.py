"""Prometheus metrics of a run while it plays, over HTTP, and the Grafana dashboard that shows them.

All figures are the tally's. For watching: the numbers of a report come from samples, exact, and not from buckets.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from importlib.resources import files
from typing import Any, Final

import numpy as np
from gevent import socket
from gevent.pywsgi import WSGIServer
from prometheus_client import CollectorRegistry, make_wsgi_app
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

from reports.record import OUTCOMES
from simulator.errors import UserError
from simulator.tally import Buckets, Planned, Tally

DASHBOARD_PATH: Final = "/grafana.json"
_HEALTH: Final = {
    "cpu_ms": ("fleetrush_process_cpu_ratio", "Cores that a process of the run used in its last second", 1000.0),
    "loop_lag_ms": ("fleetrush_loop_lag_seconds", "Longest lag of a process's loop in its last second", 1000.0),
    "runqueue_ms": ("fleetrush_run_queue_ratio", "Share of its last second that a process waited for a core", 1000.0),
    "connections": ("fleetrush_connections", "HTTP connections that an engine holds open", 1.0),
}
"""Figures of a row of health, each with its metric, what that says, and what it is divided by."""


class Metrics(Collector):
    """The tally as Prometheus reads it. Names end in their unit, as its naming practice wants.

    Args:
        basis: by service, what answers: `target` or `stand-in`.
    """

    def __init__(self, tally: Tally, planned: Planned, basis: Mapping[str, str]) -> None:
        self._tally, self._planned, self._basis = tally, planned, basis

    def collect(self) -> Iterable[Metric]:
        """All families; a step that was not asked yet has no series."""
        tally, planned = self._tally, self._planned
        told = {"scenario": planned.name, "compression": f"{planned.compression:g}", **self._basis}
        yield _gauge("fleetrush_run_info", "What is played; 1", list(told), [(list(told.values()), 1)])
        yield _gauge("fleetrush_devices_planned", "Devices of the run", [], [([], planned.devices)])
        yield _gauge("fleetrush_people_planned", "People of the run", [], [([], planned.people)])
        yield _gauge("fleetrush_devices_online", "Devices that hold a push line", [], [([], tally.online)])
        counts = CounterMetricFamily("fleetrush_steps", "Steps and milestones that ended", labels=["step", "outcome"])
        for row in np.flatnonzero(tally.outcomes.sum(axis=1)).tolist():
            for at, outcome in enumerate(OUTCOMES):
                counts.add_metric([tally.steps[row], outcome], float(tally.outcomes[row, at]))
        yield counts
        worded = "of steps and milestones, in seconds; what did not end ok is above every bucket"
        yield _histogram("fleetrush_latency_seconds", f"Latency {worded}", tally.latency, tally.steps)
        yield _histogram("fleetrush_service_seconds", f"Service time {worded}", tally.service, tally.steps)
        yield _histogram("fleetrush_lateness_seconds", "How late our own starts went out", tally.lateness, ())
        for key, (name, says, divisor) in _HEALTH.items():
            rows = [([who], row[key] / divisor) for who, row in tally.health.items() if key in row]
            yield _gauge(name, says, ["process"], rows)


def _gauge(name: str, says: str, labels: list[str], rows: list[tuple[list[str], float]]) -> Metric:
    family = GaugeMetricFamily(name, says, labels=labels)
    for values, figure in rows:
        family.add_metric(values, figure)
    return family


def _histogram(name: str, says: str, buckets: Buckets, steps: Iterable[str]) -> Metric:
    """A row of buckets for each step that was counted; without steps, the one row there is."""
    names = list(steps)
    family = HistogramMetricFamily(name, says, labels=["step"] if names else [])
    for at, counts in enumerate(buckets.counts):
        if counts.any() or not names:
            below = [*map(floatToGoString, buckets.ends), "+Inf"]
            rising = [float(count) for count in counts.cumsum()]
            labels = [names[at]] if names else []
            family.add_metric(labels, list(zip(below, rising, strict=True)), float(buckets.sums[at]))
    return family


def dashboard() -> bytes:
    """The Grafana dashboard, as its import wants it."""
    return (files("simulator") / "grafana.json").read_bytes()


class MetricsServer:
    """Serves `/metrics` and the dashboard until it is closed.

    Args:
        address: "[HOST:]PORT"; loopback unless a host is said.
    Raises: UserError: it is no address, or nothing can listen there.
    """

    def __init__(self, address: str, metrics: Metrics) -> None:
        registry = CollectorRegistry()
        registry.register(metrics)
        self._app = make_wsgi_app(registry)
        host, port = parse(address)
        listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((host, port))
            listener.listen()
        except OSError as fault:
            listener.close()
            why = os.strerror(fault.errno) if fault.errno else str(fault)
            raise UserError(f"--metrics {address}: {why}: say another address or port") from None
        self._server = WSGIServer(listener, self._answer, log=None, error_log=None)
        self._server.start()
        self.url = f"http://{host}:{listener.getsockname()[1]}"

    def close(self) -> None:
        """Serve no more. Idempotent."""
        self._server.stop(timeout=1)

    def _answer(self, environ: dict[str, Any], start_response: Any) -> Iterator[bytes] | list[bytes]:
        if environ["PATH_INFO"] == DASHBOARD_PATH:
            start_response("200 OK", [("Content-Type", "application/json")])
            return [dashboard()]
        answered: Iterator[bytes] = self._app(environ, start_response)
        return answered


def parse(address: str) -> tuple[str, int]:
    """Host and port of "[HOST:]PORT". Raises: UserError."""
    host, _, port = address.rpartition(":")
    if not port.isascii() or not port.isdigit() or int(port) > 65_535:
        raise UserError(f"--metrics {address}: expected a port, or HOST:PORT")
    return host.strip("[]") or "127.0.0.1", int(port)
