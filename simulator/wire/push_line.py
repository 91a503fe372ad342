"""One MQTT line: an aiomqtt client that lives on the loop alone, for thousands of devices in one process.

aiomqtt, and paho-mqtt below it, speak MQTT 3.1.1; this is the one file that reaches into them, each place with its
reason. It knows no topic and no payload, keeps no task and no thread for a line at rest, and logs nothing.
"""

from __future__ import annotations

import asyncio
import logging
import math
import socket
import threading
from collections.abc import Callable
from functools import lru_cache
from typing import Any, cast
from urllib.parse import urlsplit

import aiomqtt
from paho.mqtt import client as paho
from paho.mqtt.enums import MQTTErrorCode
from paho.mqtt.matcher import MQTTMatcher
from paho.mqtt.reasoncodes import ReasonCode

from simulator.protocols.messages import Broken, Push, PushLogin, Refused, Trouble, Unknown
from simulator.wire.dial import Dialer
from simulator.wire.guard import plain_host
from simulator.wire.pings import Pings

_DEFAULT_PORTS = {"mqtt": 1883, "mqtts": 8883}
# CONNACK return codes (OASIS MQTT Version 3.1.1, table 3.1).
_CONNACK = {
    1: "unacceptable protocol version",
    2: "identifier rejected",
    3: "server unavailable",
    4: "bad user name or password",
    5: "not authorised",
}
# How paho says what went wrong (paho.mqtt.client.convert_disconnect_error_code_to_reason_code).
_PROTOCOL_ERROR = 130
_KEEPALIVE_TIMEOUT = 141

# A packet that announces more is not waited for: a server could fill the memory of every device at once.
_MAX_PACKET_BYTES = 1024 * 1024

_QUIET = logging.getLogger("simulator.wire.mqtt")
_QUIET.disabled = True


def _no_queue(maxsize: int) -> Any:
    """Stands where aiomqtt keeps a queue: a line hands its messages on, and an unused queue is 1 KiB a device."""


async def open_line(
    dialer: Dialer,
    login: PushLogin,
    hear: Callable[[Push], None],
    lost: Callable[[str], None],
    *,
    pings: Pings,
    timeout_s: float,
) -> Line:
    """Log in with a clean session, and subscribe with QoS 1 to the login's topic if it has one.

    Args:
        hear: called for each push until the line is closed or lost.
        lost: called once with one of REASONS when the line breaks later; not for close().
        pings: has the line look whether a ping is due.
        timeout_s: for all of it, real seconds.
    Raises:
        Refused: "connack" or "suback", with the code as status.
        Broken: no connection, no TLS, or no MQTT in the answer.
        Unknown: timed out or broken after the CONNECT was out.
        Skipped: the guard said no. Exhausted: this machine has no descriptor, port or memory left.
        ValueError: the URL is not one of MQTT.
    """
    host, port, secure = _where(login.url)
    line: Line | None = None
    try:
        async with asyncio.timeout(timeout_s):
            sock = await dialer.dial(host, port, tls=secure)
            line = Line(login, sock, hear, lost)
            await line.log_in()
            if login.topic:
                await line.subscribe_to(login.topic)
        line.rest(pings)
    except BaseException as error:
        sent = line is not None and line.sent
        if line is not None:
            line.close()
        if not isinstance(error, TimeoutError):
            raise
        if line is None:
            raise Broken("connect_timeout", f"{host}:{port}, after {timeout_s:g} s") from None
        if sent:
            raise Unknown("timeout", f"not logged in after {timeout_s:g} s") from None
        raise Broken("broken_before_sent", f"CONNECT not taken after {timeout_s:g} s") from None
    return line


@lru_cache(maxsize=64)
def _where(url: str) -> tuple[str, int, bool]:
    """Host, port and whether over TLS. Raises: ValueError for what is not an mqtt:// or mqtts:// URL."""
    parts = urlsplit(url)
    if parts.scheme not in _DEFAULT_PORTS or not parts.hostname or parts.path.strip("/"):
        raise ValueError(f"push URL {url!r}: expected mqtt://HOST[:PORT] or mqtts://HOST[:PORT]")
    port = _DEFAULT_PORTS[parts.scheme] if parts.port is None else parts.port
    return plain_host(parts.hostname), port, parts.scheme == "mqtts"


class _Packets(list[Any]):
    """What paho has to send, as it uses a deque: hardly ever more than one."""

    __slots__ = ()

    def popleft(self) -> Any:
        """The first."""
        return self.pop(0)

    def appendleft(self, packet: Any) -> None:
        """Back to the front."""
        self.insert(0, packet)


def _handed_to(method: str) -> Callable[..., None]:
    """What paho calls, for all lines alike: it finds the line as its user data."""

    def callback(client: paho.Client, line: Line, *told: Any) -> None:
        getattr(line, method)(client, line, *told)

    return callback


# What paho keeps for each client, and all lines can have one of: 2 KiB a line. Nobody waits for the lock: they live on
# one loop, and nothing of ours is called from inside paho. None has a proxy, or a callback for some topics only.
_LOCKS = (
    *("_callback_mutex", "_in_callback_mutex", "_in_message_mutex", "_mid_generate_mutex", "_msgtime_mutex"),
    *("_out_message_mutex", "_reconnect_delay_mutex"),
)
_CALLBACKS = (
    *("_on_connect", "_on_disconnect", "_on_message", "_on_publish", "_on_subscribe", "_on_unsubscribe"),
    *("_on_socket_open", "_on_socket_close", "_on_socket_register_write", "_on_socket_unregister_write"),
)
_SHARED = {
    **dict.fromkeys(_LOCKS, threading.RLock()),
    **{name: _handed_to(name) for name in _CALLBACKS},
    "_on_message_filtered": MQTTMatcher(),  # type: ignore[no-untyped-call]
    "_proxy": {},
}


class Line(aiomqtt.Client):
    """An aiomqtt client that lives on the loop alone: no thread to connect, no task to ping, no queue of messages.

    `hear` and `lost` are called from the loop, never from inside paho, whose locks do not let it be entered twice.
    """

    # Beside these, aiomqtt's own attributes are few enough for Python to keep their names once for all lines: 1.3 KiB.
    __slots__ = ("_at_rest", "_hear", "_lost", "_over", "_trouble")

    def __init__(
        self,
        login: PushLogin,
        sock: socket.socket,
        hear: Callable[[Push], None],
        lost: Callable[[str], None],
    ) -> None:
        host, port, _ = _where(login.url)
        super().__init__(
            host,
            port,
            identifier=login.client_id,
            username=login.username or None,
            password=login.password or None,
            keepalive=login.keepalive_s,
            clean_session=True,
            protocol=aiomqtt.ProtocolVersion.V311,
            logger=_QUIET,
            queue_type=cast(Any, _no_queue),
        )
        self._client.disable_logger()
        self._client.user_data_set(self)
        vars(self._client).update(_SHARED)
        # paho tells nobody of return code 1, and gives the others the numbers of MQTT 5.
        self._client._handle_connack = self._read_connack  # type: ignore[method-assign]
        # aiomqtt connects in a thread and by name: perhaps to another address than the guard has seen.
        self._client._create_socket = lambda: sock  # type: ignore[method-assign]
        self._hear = hear
        self._lost = lost
        self._trouble: Trouble | None = None
        self._over = False
        self._at_rest = False
        # What only aiomqtt's own way to connect has a use for.
        self._disconnected, self._lock = self._connected, cast(Any, None)
        # An empty deque keeps room for 64 packets: 0.7 KiB a line.
        self._client._out_packet = cast(Any, _Packets())

    async def log_in(self) -> None:
        """CONNECT. Raises: Refused, Broken, Unknown."""
        self._client.connect(self._hostname, self._port, self._keepalive)
        del self._client._create_socket  # a line that broke is not connected again
        # An empty OrderedDict, which paho has just made anew, takes twice as much as a dict that does for it.
        self._client._in_messages, self._client._out_messages = cast(Any, {}), cast(Any, {})
        self._client.loop_write()
        await self._connected

    async def subscribe_to(self, topic: str) -> None:
        """SUBSCRIBE with QoS 1. Raises: Refused, Broken, Unknown."""
        granted = await self.subscribe(topic, qos=1, timeout=math.inf)
        codes = [code.value for code in cast(list[ReasonCode], granted)]
        if len(codes) != 1:
            raise Broken("undecodable", f"SUBACK with {len(codes)} return codes for one subscription")
        if codes[0] > 2:
            raise Refused("suback", f"no subscription to {topic}", status=codes[0])

    def rest(self, pings: Pings) -> None:
        """From now on the line needs nobody but them. Raises: Trouble when it broke in the last moment."""
        if self._trouble is not None:
            raise self._trouble
        self._at_rest = True
        # only logging in needed it
        del self._client._handle_connack
        if self._keepalive:
            pings.watch(self, self._keepalive / 4)

    @property
    def sent(self) -> bool:
        """Whether the CONNECT is out: from then on nobody here can know what the broker did."""
        return self._client.is_connected() or not self._client.want_write()

    def close(self) -> None:
        """Send DISCONNECT if that goes without waiting, and let go. Idempotent; `lost` is not called for it."""
        self._let_go()
        self._client.disconnect()
        self._client.loop_write()
        self._client._sock_close()

    def _let_go(self) -> None:
        self._over = True

    def _end(self, trouble: Trouble) -> None:
        """It broke: tell whoever waits."""
        if self._over:
            return
        self._let_go()
        self._trouble = trouble
        if self._at_rest:
            self._loop.call_soon(self._lost, trouble.reason)
        # aiomqtt lets both wait until their timeout.
        futures: list[asyncio.Future[Any]] = [self._connected, *self._pending_subscribes.values()]
        for waiting in futures:
            if not waiting.done():
                waiting.set_exception(trouble)

    def ping_if_due(self) -> float:
        """As Pinging says.

        aiomqtt asks each client once a second, in a task of its own: 4 to 8 % of a core for 2,680 lines. A quarter of
        the keepalive is often enough: a broker waits for one and a half (MQTT 3.1.2.10).
        """
        if not self._over:
            self._client.loop_misc()
        return 0.0 if self._over else self._keepalive / 4

    def _readable(self) -> None:
        try:
            self._client.loop_read()
            # What TLS has decrypted already makes no socket readable.
            while getattr(self._client.socket(), "pending", int)() > 0:
                self._client.loop_read()
            announced = self._client._in_packet["remaining_length"]
            if announced > _MAX_PACKET_BYTES:
                self._client._sock_close()
                self._end(Broken("body_too_large", f"a packet of {announced} bytes"))
        except Exception as error:  # whatever paho trips over in garbage
            self._client._sock_close()
            self._end(Broken("undecodable", f"{type(error).__name__} in paho-mqtt: {error}"))

    def _read_connack(self) -> MQTTErrorCode:
        packet = self._client._in_packet["packet"]
        if len(packet) == 2 and packet[1]:
            self._end(Refused("connack", _CONNACK.get(packet[1], "a reserved code"), status=packet[1]))
            return MQTTErrorCode.MQTT_ERR_CONN_REFUSED
        return paho.Client._handle_connack(self._client)

    def _hand_on(self, push: Push) -> None:
        if not self._over:
            self._hear(push)

    # From here on: what aiomqtt gives paho to call, in place of its own.

    def _on_message(self, client: paho.Client, userdata: Any, message: paho.MQTTMessage) -> None:
        self._loop.call_soon(self._hand_on, Push(message.topic, bytes(message.payload)))

    def _on_disconnect(
        self,
        client: paho.Client,
        userdata: Any,
        flags: paho.DisconnectFlags,
        reason_code: ReasonCode,
        properties: Any = None,
    ) -> None:
        if reason_code.value == _PROTOCOL_ERROR:
            self._end(Broken("undecodable", "not MQTT 3.1.1"))
        elif reason_code.value == _KEEPALIVE_TIMEOUT:
            self._end(Unknown("timeout", "no answer to a ping"))
        elif self._at_rest:
            self._end(Unknown("push_lost", "connection closed"))
        elif self.sent:
            self._end(Unknown("broken_after_sent", "connection closed"))
        else:
            self._end(Broken("broken_before_sent", "connection closed"))

    def _on_socket_open(self, client: paho.Client, userdata: Any, sock: Any) -> None:
        self._loop.add_reader(sock.fileno(), self._readable)

    def _on_socket_close(self, client: paho.Client, userdata: Any, sock: Any) -> None:
        self._loop.remove_reader(sock.fileno())

    def _on_socket_register_write(self, client: paho.Client, userdata: Any, sock: Any) -> None:
        self._loop.add_writer(sock.fileno(), client.loop_write)
