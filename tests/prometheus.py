"""A real Prometheus over one run: it scrapes while that plays, and is asked for what a dashboard shows."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import quote
from urllib.request import urlopen

_CONFIG = """
global: {{scrape_interval: 1s, scrape_timeout: 1s}}
scrape_configs:
  - job_name: fleetrush
    static_configs: [{{targets: ["127.0.0.1:{port}"]}}]
"""

_FIRST = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
_PORTS = iter(range(_FIRST - 1 - os.getpid() % 1000, 1024, -1))


def free_port() -> int:
    """A port that nobody listens on at this moment, below those that connections take theirs from; never one twice."""
    for port in _PORTS:
        with socket.socket() as held:
            held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with suppress(OSError):
                held.bind(("127.0.0.1", port))
                return port
    raise RuntimeError("no port is free")


class Prometheus:
    """A running server that scrapes `scraped_port` once a second; its data goes into `folder`."""

    def __init__(self, folder: Path, scraped_port: int) -> None:
        folder.mkdir()
        (folder / "prometheus.yml").write_text(_CONFIG.format(port=scraped_port))
        self.url = f"http://127.0.0.1:{free_port()}"
        self._process = subprocess.Popen(
            [
                "prometheus",
                f"--config.file={folder / 'prometheus.yml'}",
                f"--storage.tsdb.path={folder / 'data'}",
                f"--web.listen-address={self.url.removeprefix('http://')}",
                "--log.level=error",
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def __enter__(self) -> Prometheus:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._process.terminate()
        self._process.wait(30)

    def ask(self, expression: str, minutes: int = 2) -> list[dict[str, Any]]:
        """The series of an expression over the last minutes, a value a second."""
        now = time.time()
        asked = f"{self.url}/api/v1/query_range?query={quote(expression)}&start={now - 60 * minutes}&end={now}&step=1"
        with urlopen(asked, timeout=10) as answer:
            series: list[dict[str, Any]] = json.load(answer)["data"]["result"]
        return series
