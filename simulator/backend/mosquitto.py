"""A real Mosquitto as the broker: `python -P -m simulator.backend.mosquitto --port 0`, with the contract of broker.py.

Prints {"url": "mqtt://127.0.0.1:PORT"} when Mosquitto listens; ends, and Mosquitto with it, when standard input closes,
on SIGTERM, or when Mosquitto ends by itself. Its configuration is written here; no MQTT is spoken.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from subprocess import DEVNULL, PIPE

from simulator.backend.broker import HOST, url_of
from simulator.machine import allow_descriptors
from simulator.orphans import end_at_once_with_parent

# mosquitto.conf(5). Of the log only the "running" line and what goes wrong is wanted; standard error is not buffered.
CONFIG = """\
listener {port} {host}
allow_anonymous true
persistence false
max_queued_messages 0
set_tcp_nodelay true
log_dest stderr
log_type error
log_type warning
log_type information
"""
# It gives up root for the user "mosquitto", who need not exist.
AS_ROOT = "user root\n"


class NotStarted(Exception):  # noqa: N818 - told to the user in one line
    """There is no Mosquitto, or it would not run."""


def serve(host: str, port: int) -> None:
    """Run Mosquitto until told to end. Raises: NotStarted, also when it ends by itself later."""
    program = _find()
    port = port or _free_port(host)
    told = threading.Event()
    config = CONFIG.format(host=host, port=port) + (AS_ROOT if os.geteuid() == 0 else "")
    with subprocess.Popen(
        # Through a pipe: a file would be left behind by a process that is killed.
        [program, "-c", "/dev/stdin"],
        stdin=PIPE,
        stdout=DEVNULL,
        stderr=PIPE,
        text=True,
        preexec_fn=end_at_once_with_parent,  # noqa: PLW1509 - this process has no thread yet
    ) as process:
        assert process.stdin is not None
        process.stdin.write(config)
        process.stdin.close()

        def end(*_: object) -> None:
            # Not SIGTERM: Mosquitto forgets one that comes between its "running" line and its main loop
            # (src/mosquitto.c sets `run` after that line), and here it has nothing to save.
            told.set()
            process.kill()

        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, end)
        threading.Thread(target=_when_input_closes, args=(end,), daemon=True).start()
        last = _watch(process, url_of(host, port))
    if not told.is_set():
        raise NotStarted(f"Mosquitto ended: {last}")


def _watch(process: subprocess.Popen[str], url: str) -> str:
    """Say when Mosquitto is ready, then pass on what it says. Returns its last words, once it has ended."""
    assert process.stderr is not None
    ready, line = False, "it said nothing"
    for line in process.stderr:
        if ready:
            sys.stderr.write(line)
        elif line.rstrip().endswith(" running"):
            ready = True
            print(json.dumps({"url": url}), flush=True)
    return line.strip()


def _when_input_closes(end: Callable[[], None]) -> None:
    # os.read, as a daemon thread must not hold a lock of sys.stdin at exit.
    while os.read(0, 4096):
        pass
    end()


def _free_port(host: str) -> int:
    with socket.create_server((host, 0)) as free:
        return int(free.getsockname()[1])


def _find() -> str:
    # Distributions put it where only root has a path to.
    program = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")
    if program is None:
        raise NotStarted("Mosquitto is not installed (no mosquitto on PATH): install it, or use the embedded broker")
    return program


def main() -> None:
    """The command line of the process that owns Mosquitto."""
    parser = argparse.ArgumentParser(prog="simulator.backend.mosquitto", description="A Mosquitto on a free port.")
    parser.add_argument("--host", default=HOST, help="the address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=int, default=0, help="0 for a free one")
    args = parser.parse_args()
    end_at_once_with_parent()
    allow_descriptors()
    try:
        serve(args.host, args.port)
    except NotStarted as problem:
        sys.exit(str(problem))


if __name__ == "__main__":
    main()
