"""`fleetrush backend` as a user starts it: an address that stays, keys brought along, one line for what is wrong."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from processes import announced

KEYS = Path(__file__).parent.parent / "data/chromium-test-keys.json"
ORDER = ("management", "identity", "idp", "updates", "operator", "push")


def command(*options: str) -> list[str]:
    """The command line."""
    return [sys.executable, "-P", "-m", "simulator.cli", "backend", *options]


@contextmanager
def backend(*options: str) -> Iterator[dict[str, str]]:
    """A running one: what it says of each service, and its operator token."""
    with subprocess.Popen(command(*options), stdout=subprocess.PIPE, text=True, start_new_session=True) as process:
        try:
            assert process.stdout is not None
            said = announced(process.stdout)
            assert {*ORDER, "token", "enrollment"} <= set(said), "it did not start"
            yield said
        finally:
            process.send_signal(signal.SIGTERM)
    assert process.returncode == 0


def operate(said: dict[str, str], act: str) -> dict[str, str]:
    """One act of the operator API."""
    headers = {"Authorization": f"Bearer {said['token']}"}
    request = urllib.request.Request(f"{said['operator']}/operator/{act}", b"{}", headers)
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=60) as answer:
        told: dict[str, str] = json.load(answer)
    return told


def refused(*options: str) -> str:
    """What it says when it does not start: one line, and exit code 2."""
    ended = subprocess.run(command(*options), capture_output=True, text=True, timeout=120, check=False)
    assert ended.returncode == 2, ended.stderr
    assert ended.stdout == ""
    assert ended.stderr.count("\n") == 1, ended.stderr
    return ended.stderr.strip()


def free_ports(count: int) -> int:
    """The first of some free ports in a row."""
    for first in range(21_000, 29_000, count):
        with ExitStack() as held:
            try:
                for port in range(first, first + count):
                    held.enter_context(socket.create_server(("127.0.0.1", port)))
            except OSError:
                continue
            return first
    pytest.fail("no ports are free")


def test_the_ports_follow_the_first_and_stay_over_a_restart(tmp_path: Path) -> None:
    """Management on N, the others in their order after it; started again it is there again, and knows its tokens."""
    first = free_ports(len(ORDER))
    options = ("small.toml", "--data", str(tmp_path / "data"), "--port", str(first))
    options = (str(Path(__file__).parent.parent / "data/scenarios/small.toml"), *options[1:])
    tokens = []
    for _ in range(2):
        with backend(*options) as said:
            assert [urlsplit(said[name]).port for name in ORDER] == list(range(first, first + len(ORDER)))
            assert operate(said, "enrollment_token")["enrollment_token"] == said["enrollment"]
            tokens.append(said["enrollment"])
    assert tokens[0] == tokens[1]
    with socket.create_server(("127.0.0.1", first + 2)):
        line = refused(*options)
    assert "cannot listen on 127.0.0.1" in line
    assert str(first + 2) in line


def test_it_does_not_outlive_what_it_serves() -> None:
    """The backend is killed under it: it says so and ends, exit code 70, the broker as well."""
    process = subprocess.Popen(
        command(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        assert process.stdout is not None
        while not process.stdout.readline().startswith("enrollment"):
            assert process.poll() is None
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        (backend,) = [one for one in children if b"simulator.backend\0" in Path(f"/proc/{one}/cmdline").read_bytes()]
        os.kill(int(backend), signal.SIGKILL)
        _, said = process.communicate(timeout=60)
    finally:
        process.kill()
        process.communicate()
    assert process.returncode == 70
    assert said == "fleetrush: backend has ended by itself: it said nothing\n"
    assert not [one for one in children if Path(f"/proc/{one}").exists()]


def test_it_listens_where_it_is_told() -> None:
    """Every service, push included, on the address given."""
    with backend("--host", "127.0.0.2") as said:
        assert {urlsplit(said[name]).hostname for name in ORDER} == {"127.0.0.2"}
        assert operate(said, "enrollment_token")["user"]


def test_it_enrolls_into_the_domain_given_with_the_keys_given() -> None:
    """Two keys: the second after a rotation, and the operator is told that there is no third."""
    with backend("--domain", "managedchrome.com", "--policy-keys", str(KEYS)) as said:
        assert operate(said, "enrollment_token")["user"] == "enroller@managedchrome.com"
        assert operate(said, "rotate_key") == {"key_version": 2}
        with pytest.raises(urllib.error.HTTPError) as caught:
            operate(said, "rotate_key")
        assert caught.value.code == 400
        assert b"policy key 2 is the last of those imported" in caught.value.read()


@pytest.mark.parametrize("port", ["0", "65531", "-1", "abc", ""])
def test_a_port_that_is_none_is_told_by_its_range(port: str) -> None:
    """Six ports follow each other from the first on."""
    ended = subprocess.run(command(f"--port={port}"), capture_output=True, text=True, timeout=120, check=False)
    assert ended.returncode == 2
    assert ended.stderr.endswith(f"argument --port: {port}: expected 1 to 65530\n")


def test_wrong_keys_are_one_line(tmp_path: Path) -> None:
    """A file that is not there, is no JSON, is no text, or says nothing of the domain: exit 2, nothing started."""
    for name, content, line in (
        ("gone.json", None, "cannot be read: No such file or directory"),
        ("no.json", b"{", "Expecting property name enclosed in double quotes"),
        ("binary.json", b"\xff\xfe", "not UTF-8 text; expected JSON"),
        ("empty.json", b"{}", 'expected an object with "keys": {"1": {...}, "2": {...}}'),
        ("keys.json", KEYS.read_bytes(), "keys.1.verification_signatures: none for domain city.example"),
    ):
        path = tmp_path / name
        if content is not None:
            path.write_bytes(content)
        assert refused("--policy-keys", str(path)).startswith(f"fleetrush: --policy-keys {path}: {line}")


def test_a_domain_that_is_none_is_one_line() -> None:
    """Accounts are told by their domain, in lower case: anything else is refused before anything starts."""
    for domain in ("", "Example.com", "example"):
        line = refused("--domain", domain)
        assert line == f"fleetrush: --domain {domain}: expected a domain in lower case, such as city.example"


def test_a_database_has_one_backend_and_one_domain(tmp_path: Path) -> None:
    """A second one over the same folder is refused while the first runs; after it, so is one for another domain, whose
    clients would accept none of the keys; the same one goes on."""
    folder = str(tmp_path / "data")
    with backend("--data", folder) as said:
        line = refused("--data", folder)
        assert f"--data {folder}: another backend is using it" in line
        first = said["enrollment"]
    line = refused("--data", folder, "--domain", "example.com")
    assert f"--data {folder}: its devices are enrolled into city.example, not example.com" in line
    with backend("--data", folder) as said:
        assert said["enrollment"] == first


def test_other_keys_for_the_same_database_are_refused(tmp_path: Path) -> None:
    """A database whose key is in use keeps it: started with others, it says so."""
    with backend("--domain", "example.com", "--data", str(tmp_path)):
        pass
    line = refused("--domain", "example.com", "--data", str(tmp_path), "--policy-keys", str(KEYS))
    assert "--policy-keys: the database has another key 1 in use" in line
