"""A backend of ours as somebody else's management server: a process of its own, on ports and data that it keeps."""

from __future__ import annotations

import base64
import json
import sqlite3
import subprocess
import sys
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import Any

from cryptography.hazmat.primitives import serialization

SERVICES = ("management", "identity", "idp", "updates", "operator")


class ForeignBackend:
    """A context: inside it the server may be stopped, killed and started again, with the same ports and memory.

    Attributes:
        told: its first line: addresses, operator token, verification key.
    """

    def __init__(self, folder: Path) -> None:
        self.data = folder / "foreign"
        self.told: dict[str, Any] = {}
        self._processes: list[subprocess.Popen[str]] = []
        self._ports: list[str] = []
        self._asked = 0
        settings = {"domain": "city.example", "password_secret": base64.b64encode(bytes(32)).decode()}
        self._settings = folder / "settings.json"
        self._settings.write_text(json.dumps(settings))

    def __enter__(self) -> ForeignBackend:
        self._broker = self._start("simulator.backend.broker", "--port", "0")
        self.push_url = self._first_line(self._broker)["url"]
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in self._processes:
            process.kill()
            process.wait()
            for stream in (process.stdin, process.stdout):
                if stream is not None:
                    stream.close()

    def start(self) -> None:
        """Start it, on the ports that it had before; returns when it serves."""
        arguments = ("--data", str(self.data), "--push-url", self.push_url, "--settings", f"@{self._settings}")
        self._process = self._start("simulator.backend", *arguments, *self._ports)
        self.told = self._first_line(self._process)
        urls = {name: self.told[name] for name in SERVICES}
        self._ports = [text for name, url in urls.items() for text in (f"--port-{name}", url.rpartition(":")[2])]

    def stop(self) -> None:
        """End it in order: what it has begun it answers."""
        self._process.terminate()
        assert self._process.wait(30) == 0

    def kill(self) -> None:
        """kill -9."""
        self._process.kill()
        self._process.wait()

    def requests(self) -> int:
        """How many requests it has handled, but for those that asked this."""
        self._asked += 1
        return int(self._call("state", None)["backend"]["requests"]) - self._asked

    def operate(self, act: str, **body: Any) -> dict[str, Any]:
        """One call of its operator API."""
        return self._call(act, json.dumps(body).encode())

    @property
    def verification_key_pem(self) -> bytes:
        """The public key that vouches for its policy keys, as an owner would hand it out."""
        key = serialization.load_der_public_key(base64.b64decode(self.told["verification_key"]))
        return key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)

    def _call(self, act: str, body: bytes | None) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {self.told['operator_token']}"}
        said: dict[str, Any] = json.loads(self.send(f"{self.told['operator']}/operator/{act}", headers, body)[1])
        return said

    @staticmethod
    def send(url: str, headers: dict[str, str], body: bytes | None) -> tuple[int, bytes]:
        """One request, a POST if there is a body, by another client than ours. Returns: status and body."""
        request = urllib.request.Request(url, body, headers)
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=30) as response:
            return response.status, response.read()

    def devices(self) -> list[tuple[str, str, str]]:
        """Device id, DM token and serial number of each device that it has registered."""
        with sqlite3.connect(f"file:{self.data}/backend.sqlite?mode=ro", uri=True) as database:
            rows = database.execute("SELECT device_id, dm_token, serial FROM management_clients WHERE kind = 'device'")
            return rows.fetchall()

    def _start(self, module: str, *arguments: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", module, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._processes.append(process)
        return process

    @staticmethod
    def _first_line(process: subprocess.Popen[str]) -> dict[str, Any]:
        assert process.stdout is not None
        told: dict[str, Any] = json.loads(process.stdout.readline())
        return told
