"""What stands between a browser and its management server: it passes everything on, and notes what was said."""

from __future__ import annotations

import http.client
import threading
import time
from collections.abc import Mapping
from contextlib import closing, suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from google.protobuf.message import DecodeError

from simulator.protocols import management_pb2 as pb

API = "/devicemanagement/data/api"
MACHINE_USER = "google/chrome/machine-level-user"


@dataclass(frozen=True)
class Said:
    """One exchange of a browser with the management service."""

    kind: str
    device_id: str
    query: Mapping[str, str]
    asked: pb.DeviceManagementRequest
    status: int
    answer: pb.DeviceManagementResponse

    def fetches(self, policy_type: str = MACHINE_USER) -> list[pb.PolicyFetchRequest]:
        """What it asked of that type of policy."""
        return [fetch for fetch in self.asked.policy_request.requests if fetch.policy_type == policy_type]

    def blobs(self, policy_type: str = MACHINE_USER) -> list[pb.PolicyFetchResponse]:
        """What it was given of that type of policy."""
        given = self.answer.policy_response.responses
        return [blob for blob in given if pb.PolicyData.FromString(blob.policy_data).policy_type == policy_type]


class Proxy:
    """Before a management server: passes everything on, and notes what browsers ask. Google's push service is in here.

    Args:
        url: where it passes on to.

    Attributes:
        url: where it listens. said: the management exchanges so far, in order. paths: all other paths asked for.
    """

    def __init__(self, url: str) -> None:
        self.said: list[Said] = []
        self.paths: list[tuple[str, int]] = []
        netloc = urlsplit(url).netloc
        proxy = self

        class Face(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                if self.path.startswith("/gcm/"):
                    proxy.paths.append((self.path, 200))
                    self.reply(200, push_service(self.path, body))
                    return
                with closing(http.client.HTTPConnection(netloc, timeout=60)) as onward:
                    headers = {name: value for name, value in self.headers.items() if name.lower() != "host"}
                    onward.request(self.command, self.path, body, {**headers, "Accept-Encoding": "identity"})
                    answer = onward.getresponse()
                    said = answer.read()
                proxy.note(self.path, body, answer.status, said)
                self.reply(answer.status, said)

            do_GET = do_POST  # noqa: N815 - its name is the library's

            def reply(self, status: int, body: bytes) -> None:
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Face)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()

    def note(self, path: str, body: bytes, status: int, said: bytes) -> None:
        """Keep one exchange."""
        url = urlsplit(path)
        if url.path != API:
            self.paths.append((path, status))
            return
        query = {name: values[0] for name, values in parse_qs(url.query, keep_blank_values=True).items()}
        asked = pb.DeviceManagementRequest.FromString(body)
        answer = pb.DeviceManagementResponse()
        with suppress(DecodeError):  # an injected error is plain text
            answer = pb.DeviceManagementResponse.FromString(said)
        self.said.append(Said(query["request"], query["deviceid"], query, asked, status, answer))

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def push_service(path: str, body: bytes) -> bytes:
    """Google's check-in and registration, as far as a browser needs them for its push token (chromium gcm_client)."""
    if path.startswith("/gcm/checkin"):
        # AndroidCheckinResponse: stats_ok = 1, time_msec = 3, android_id = 7 (fixed64), security_token = 8 (fixed64)
        now = varint(int(time.time() * 1000))
        return b"\x08\x01\x18" + now + b"\x39" + (1 << 40).to_bytes(8, "little") + b"\x41" + (7).to_bytes(8, "little")
    return b"token=fleetrush-push-token"


def varint(value: int) -> bytes:
    """A protobuf varint."""
    out = b""
    while value > 0x7F:
        out, value = out + bytes([value & 0x7F | 0x80]), value >> 7
    return out + bytes([value])
