"""A real Mosquitto as the broker: `python -P -m simulator.backend.mosquitto --port 0`, with the contract of broker.py.

Prints {"url": "mqtt://127.0.0.1:PORT"} when Mosquitto listens; ends, and Mosquitto with it, when standard input closes,
on SIGTERM, or when Mosquitto ends by itself. Its configuration is written here; no MQTT is spoken.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import ctypes
import json
import os
import shutil
import signal
import socket
import sys
import tempfile
from asyncio.subprocess import DEVNULL, PIPE
from pathlib import Path

from simulator.backend.broker import allow_descriptors, when_told

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
_PR_SET_PDEATHSIG = 1


class NotStarted(Exception):  # noqa: N818 - told to the user in one line
    """There is no Mosquitto, or it would not run."""


async def serve(host: str, port: int) -> None:
    """Run Mosquitto until told to end. Raises: NotStarted, also when it ends by itself later."""
    end = asyncio.Event()
    when_told(asyncio.get_running_loop(), end)
    program = _find()
    with tempfile.TemporaryDirectory(prefix="fleetrush-mosquitto-") as folder:
        port = port or _free_port(host)
        config = _write(folder, host, port)
        process = await asyncio.create_subprocess_exec(
            program, "-c", config, stdin=DEVNULL, stdout=DEVNULL, stderr=PIPE, preexec_fn=_end_with_parent
        )
        told = asyncio.ensure_future(end.wait())
        running = asyncio.ensure_future(_watch(process, f"mqtt://{host}:{port}"))
        try:
            await asyncio.wait((told, running), return_when=asyncio.FIRST_COMPLETED)
        finally:
            told.cancel()
            running.cancel()
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
            await process.wait()
        if not end.is_set():
            running.result()


async def _watch(process: asyncio.subprocess.Process, url: str) -> None:
    """Say when Mosquitto is ready, then pass on what it says. Raises: NotStarted when it ends."""
    assert process.stderr is not None
    ready, last = False, b"it said nothing"
    async for last in process.stderr:
        if ready:
            sys.stderr.write(last.decode(errors="replace"))
            sys.stderr.flush()
        elif last.rstrip().endswith(b" running"):
            ready = True
            print(json.dumps({"url": url}), flush=True)
    raise NotStarted(f"Mosquitto {'ended' if ready else 'did not start'}: {last.decode(errors='replace').strip()}")


def _free_port(host: str) -> int:
    with socket.create_server((host, 0)) as free:
        return int(free.getsockname()[1])


def _write(folder: str, host: str, port: int) -> str:
    config = Path(folder, "mosquitto.conf")
    config.write_text(CONFIG.format(host=host, port=port) + (AS_ROOT if os.geteuid() == 0 else ""))
    return str(config)


def _find() -> str:
    # Distributions put it where only root has a path to.
    program = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")
    if program is None:
        raise NotStarted("Mosquitto is not installed (no mosquitto on PATH): install it, or use the embedded broker")
    return program


def _end_with_parent() -> None:
    """In the child, before it becomes Mosquitto: let Linux end it when this process was killed (prctl(2))."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def main() -> None:
    """The command line of the process that owns Mosquitto."""
    parser = argparse.ArgumentParser(prog="simulator.backend.mosquitto", description="A Mosquitto on a free port.")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=int, default=0, help="0 for a free one")
    args = parser.parse_args()
    allow_descriptors()
    try:
        asyncio.run(serve(args.host, args.port))
    except NotStarted as problem:
        sys.exit(str(problem))


if __name__ == "__main__":
    main()
