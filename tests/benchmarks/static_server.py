"""nginx with fixed answers, one process on one core; and how a client is run on another core and what it used.

What is asked is not known here.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

CLIENT_CORE, SERVER_CORE = 0, 1
PATH = "/devicemanagement/data/api"
_PATIENCE_S = 60.0
_CONFIG = """
daemon off; {user} worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/error.log; worker_rlimit_nofile 16384;
events {{ worker_connections 8192; }}
http {{
  access_log off; keepalive_requests 1000000000; keepalive_timeout 1h; default_type application/x-protobuffer;
  open_file_cache max=20000 inactive=1h; open_file_cache_valid 1h; server_tokens off; client_body_buffer_size 64k;
  client_body_temp_path {folder}/tmp; proxy_temp_path {folder}/tmp; fastcgi_temp_path {folder}/tmp;
  uwsgi_temp_path {folder}/tmp; scgi_temp_path {folder}/tmp;
  server {{
    listen 127.0.0.1:{port} backlog=8192; root {folder};
    # a file is no answer to a POST for nginx: it is the answer to that error
    error_page 405 =200 /$arg_deviceid/$arg_request;
    location = /devicemanagement/data/api {{ return 405; }}
  }}
}}
"""


@dataclass(frozen=True, slots=True)
class Load:
    """What one client did: requests, over how many seconds, for how much CPU of its own."""

    requests: int
    seconds: float
    cpu_s: float

    @property
    def rate(self) -> float:
        """Requests a second."""
        return self.requests / self.seconds

    @property
    def cpu_us(self) -> float:
        """CPU microseconds a request."""
        return self.cpu_s / self.requests * 1e6


def missing(*programs: str) -> str:
    """Which of these programs are not installed; "" when none is missing."""
    return ", ".join(name for name in programs if shutil.which(name) is None)


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """nginx on SERVER_CORE with the files of a folder, by device id and kind. Yields: its base URL."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    config = folder / "nginx.conf"
    user = "user root;" if os.geteuid() == 0 else ""
    config.write_text(_CONFIG.format(folder=folder, port=port, user=user))
    nginx = subprocess.Popen(
        [*_pinned(SERVER_CORE), "nginx", "-c", config, "-p", folder],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _await(port)
        yield f"http://127.0.0.1:{port}{PATH}"
    finally:
        nginx.terminate()
        nginx.wait()


def start(module: str, *arguments: object, core: int = CLIENT_CORE) -> subprocess.Popen[str]:
    """Start a client of ours on a core: a module that tells its Load as one line of JSON."""
    command = [*_pinned(core), sys.executable, "-m", f"tests.benchmarks.{module}", *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def output(client: subprocess.Popen[str]) -> str:
    """The last line that a client told. Raises: RuntimeError when it failed."""
    out, _ = client.communicate(timeout=_PATIENCE_S)
    if client.returncode:
        raise RuntimeError(f"{client.args!r} ended with {client.returncode}")
    return out.splitlines()[-1]


def ended(client: subprocess.Popen[str]) -> Load:
    """The Load that a client told. Raises: RuntimeError when it failed."""
    return Load(**json.loads(output(client)))


def run_wrk(url: str, script: Path, *, connections: int, seconds: float) -> Load:
    """wrk on CLIENT_CORE with a script that ends with `done` and prints a Load without its CPU."""
    before = os.times()
    told = subprocess.run(
        [*_pinned(CLIENT_CORE), "wrk", "-t1", f"-c{connections}", f"-d{seconds:g}s", "-s", script, url],
        check=True,
        capture_output=True,
        text=True,
    )
    after = os.times()
    cpu_s = after.children_user + after.children_system - before.children_user - before.children_system
    return Load(**json.loads(told.stdout.splitlines()[-1]), cpu_s=cpu_s)


def _pinned(core: int) -> Sequence[str]:
    return ("taskset", "-c", str(core))


def _await(port: int) -> None:
    deadline = time.monotonic() + _PATIENCE_S
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)
