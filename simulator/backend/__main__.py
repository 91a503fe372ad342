"""The embedded backend as a process: `python -P -m simulator.backend --data DIR --push-url URL --settings ...`.

Prints one JSON line when it is ready: the base URL of each service, `operator_token`, and `verification_key` (base64 of
DER); with --health one more each second. Ends when standard input closes or on SIGTERM, requests under way finished, so
that it never outlives its parent. Started again with the same directory and ports it goes on where it was. It composes
the other files and must do no work of theirs.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import fcntl
import gc
import json
import os
import signal
import socket
import sqlite3
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import uvloop

from simulator.backend.core import Core
from simulator.backend.imported_keys import WrongKeys, read_policy_keys
from simulator.backend.management_keys import OtherDomain
from simulator.backend.settings import BackendSettings, read_settings
from simulator.backend.shell import GRACE_S, Mailbag, Server, Shell, bind, url_of
from simulator.backend.store import Store
from simulator.health import Health
from simulator.machine import allow_descriptors
from simulator.orphans import end_at_once_with_parent
from simulator.protocols.messages import Trouble
from simulator.protocols.push import share_of
from simulator.wire.mqtt import Publishers

# How long a backend whose parent was killed may take to end, after which its directory is free.
_TAKEOVER_S = GRACE_S + 2
SERVICES = ("management", "identity", "idp", "updates", "operator")


class Misuse(Exception):  # noqa: N818 - a user's mistake, told in one line
    """What was asked for cannot be done."""


def main() -> int:
    """Run until told to end. Returns the exit code: 0, or 2 for a user's mistake."""
    arguments = _arguments()
    end_at_once_with_parent()
    try:
        told = _told(arguments.settings)
        sockets = _listen(arguments)
        settings = _settings(arguments, told, sockets)
        store = _store(arguments.data)
        allow_descriptors()
        with closing(store), asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            core = _core(arguments.data, store, settings)
            runner.run(_serve(core, arguments.push_url, sockets, with_health=arguments.health))
    except Misuse as fault:
        print(f"backend: {fault}", file=sys.stderr)
        return 2
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -P -m simulator.backend", description="The embedded backend.")
    parser.add_argument("--data", type=Path, required=True, help="directory of its database and payloads")
    parser.add_argument("--host", default="127.0.0.1", help="the address to listen on (default: %(default)s)")
    for name in SERVICES:
        parser.add_argument(f"--port-{name}", type=int, default=0, help="default: a free one")
    parser.add_argument("--policy-keys", type=Path, help="JSON of keys to sign policies with (default: made here)")
    parser.add_argument(
        "--push-url", required=True, nargs="+", help="the MQTT broker, mqtt://host:port; several that share the fleet"
    )
    parser.add_argument(
        "--settings",
        required=True,
        help="BackendSettings as a JSON object (bytes as base64), as @FILE, or - for the first line of standard input",
    )
    parser.add_argument("--health", action="store_true", help="one JSON line a second on standard output")
    return parser.parse_args()


def _told(settings: str) -> dict[str, Any]:
    try:
        if settings == "-":
            settings = sys.stdin.readline()
        elif settings.startswith("@"):
            settings = Path(settings[1:]).read_text()
        told = json.loads(settings)
    except (OSError, ValueError) as fault:
        raise Misuse(f"--settings: {fault}; expected a JSON object, @FILE or -") from None
    if not isinstance(told, dict):
        raise Misuse("--settings: expected a JSON object")
    return told


def _listen(arguments: argparse.Namespace) -> dict[str, socket.socket]:
    try:
        return bind(arguments.host, {name: getattr(arguments, f"port_{name}") for name in SERVICES})
    except (OSError, OverflowError) as fault:
        raise Misuse(f"cannot listen on {arguments.host}: {fault}") from None


def _settings(
    arguments: argparse.Namespace, told: dict[str, Any], sockets: dict[str, socket.socket]
) -> BackendSettings:
    """What was told, with the addresses that this process itself knows where nothing else was told."""
    own = {f"{name}_url": url_of(listener) for name, listener in sockets.items() if name != "operator"}
    try:
        payload_dir = str(arguments.data / "payloads")
        settings = read_settings({**own, "push_url": arguments.push_url[0], "payload_dir": payload_dir, **told})
    except ValueError as fault:
        raise Misuse(f"--settings: {fault}") from None
    if arguments.policy_keys is None:
        return settings
    try:
        keys = read_policy_keys(arguments.policy_keys.read_text("utf-8"), settings.domain)
    except (OSError, ValueError) as fault:
        raise Misuse(f"--policy-keys {arguments.policy_keys}: {fault}") from None
    return replace(settings, policy_keys=keys)


def _core(data: Path, store: Store, settings: BackendSettings) -> Core:
    try:
        return Core(store, settings, os.urandom)
    except OtherDomain as fault:
        raise Misuse(f"--data {data}: {fault}; say that domain, or name another directory") from None
    except WrongKeys as fault:
        raise Misuse(f"--policy-keys: {fault}") from None


def _store(data: Path) -> Store:
    try:
        data.mkdir(parents=True, exist_ok=True)
        _own(data)
        return Store(str(data / "backend.sqlite"))
    except (OSError, sqlite3.Error) as fault:
        raise Misuse(f"--data {data}: {fault}") from None


def _own(data: Path) -> None:
    """Keep every other backend from the directory for as long as this process lives; a killed one keeps nobody.

    Two over one database would each go by what they remember of it.
    """
    descriptor = os.open(data, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    end = time.monotonic() + _TAKEOVER_S
    while True:
        try:
            return fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > end:
                raise Misuse(
                    f"--data {data}: another backend is using it; end that one, or name another directory"
                ) from None
        time.sleep(0.1)


async def _serve(core: Core, push_urls: Sequence[str], sockets: dict[str, socket.socket], *, with_health: bool) -> None:
    loop = asyncio.get_running_loop()
    publisher = Publishers(share_of)
    try:
        await publisher.connect(push_urls)
    except (Trouble, ValueError) as fault:
        raise Misuse(f"--push-url {' '.join(push_urls)}: {fault}") from None
    mailbag = Mailbag(publisher.publish)

    def ready() -> None:
        gc.collect()
        # A full collection walks all that was ever kept while requests wait: only the youngest are looked at.
        gc.freeze()
        gc.set_threshold(20_000, 10_000, 10)
        key = base64.b64encode(core.verification_key).decode()
        urls = {name: url_of(listener) for name, listener in sockets.items()}
        _print({**urls, "operator_token": core.operator_token, "verification_key": key})

    server = Server(Shell(core.handle, mailbag.put), ready)

    def end() -> None:
        server.should_exit = True

    def watch_parent() -> None:
        while os.read(sys.stdin.fileno(), 4096):
            pass
        loop.call_soon_threadsafe(end)

    def figures() -> dict[str, int]:
        return {
            "requests": core.requests,
            "connections": len(server.server_state.connections),
            "unsent": mailbag.unsent,
        }

    threading.Thread(target=watch_parent, daemon=True).start()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)  # uvicorn ends on them, then raises them again for whoever was before
    health = Health("backend", time.monotonic, lambda row: _print({"health": row}), figures) if with_health else None
    try:
        # A group, so that a mistake of ours in the delivery ends the process instead of silencing the pushes.
        async with asyncio.TaskGroup() as tasks:
            delivery = tasks.create_task(mailbag.deliver())
            await server.serve(list(sockets.values()))
            delivery.cancel()
    finally:
        if health is not None:
            health.stop()
        await publisher.close()


def _print(line: dict[str, Any]) -> None:
    print(json.dumps(line), flush=True)


if __name__ == "__main__":
    sys.exit(main())
