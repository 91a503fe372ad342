"""The embedded MQTT broker: `python -P -m simulator.backend.broker --port 0`, one process, nothing on disk.

Prints {"url": "mqtt://127.0.0.1:PORT"} when ready and ends when standard input closes or on SIGTERM. Bytes are the
codec's matter. Left out of MQTT 3.1.1, as no push service needs them: QoS 2 (a publish of it closes the connection, a
subscription to it is granted QoS 1), wills, and sessions that outlive their connection. Any username is let in.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import os
import signal
import sys
import threading
import time
from dataclasses import replace
from itertools import count
from typing import Any, cast

import uvloop

from simulator.health import Health
from simulator.machine import allow_descriptors
from simulator.orphans import end_at_once_with_parent
from simulator.protocols import mqtt

HOST = "127.0.0.1"
# A packet longer than this closes its connection; so does a peer that leaves this much unread.
MAX_PACKET_BYTES = 256 * 1024
MAX_UNREAD_BYTES = 1024 * 1024
# How long a new connection may take until its CONNECT.
CONNECT_WITHIN_S = 10.0


class Broker:
    """Who is connected, who listens to what, and what is retained."""

    def __init__(self) -> None:
        self.peers: set[Peer] = set()
        self._clients: dict[str, Peer] = {}
        self._exact: dict[str, dict[Peer, int]] = {}
        self._wild: dict[str, dict[Peer, int]] = {}
        self._retained: dict[str, mqtt.Publish] = {}
        self._nameless = count(1)

    def enter(self, peer: Peer, connect: mqtt.Connect) -> int:
        """Let a client in; one of the same name has to go (MQTT 3.1.4). Returns the return code of its CONNACK."""
        name = connect.client_id
        if not name:
            if not connect.clean_session:
                return mqtt.BAD_CLIENT_ID
            # No client can send a name with U+0000.
            name = f"\0{next(self._nameless)}"
        before = self._clients.get(name)
        if before is not None:
            before.drop()
        self._clients[name] = peer
        peer.client_id = name
        return mqtt.ACCEPTED

    def leave(self, peer: Peer) -> None:
        """Forget a client and what it listened to. Idempotent."""
        self.peers.discard(peer)
        if self._clients.get(peer.client_id) is peer:
            del self._clients[peer.client_id]
        for topic_filter in tuple(peer.filters):
            self.unsubscribe(peer, topic_filter)

    def subscribe(self, peer: Peer, topic_filter: str, qos: int) -> None:
        """From now on the peer hears what matches, and what is retained at once (MQTT 3.8.4)."""
        self._table(topic_filter).setdefault(topic_filter, {})[peer] = qos
        peer.filters.add(topic_filter)

    def unsubscribe(self, peer: Peer, topic_filter: str) -> None:
        """The peer no longer hears it; nothing if it did not."""
        table = self._table(topic_filter)
        listeners = table.get(topic_filter, {})
        listeners.pop(peer, None)
        if not listeners:
            table.pop(topic_filter, None)
        peer.filters.discard(topic_filter)

    def retained(self, topic_filter: str) -> list[mqtt.Publish]:
        """The retained messages that a new subscription gets."""
        return [packet for topic, packet in self._retained.items() if mqtt.matches(topic_filter, topic)]

    def publish(self, packet: mqtt.Publish) -> None:
        """Hand a message to all who listen, once to each, and keep it if it is to be retained (MQTT 3.3.1.3)."""
        if packet.retain:
            if packet.payload:
                self._retained[packet.topic] = packet
            else:
                self._retained.pop(packet.topic, None)
        listeners = dict(self._exact.get(packet.topic, {}))
        for topic_filter, peers in self._wild.items():
            if mqtt.matches(topic_filter, packet.topic):
                for peer, qos in peers.items():
                    listeners[peer] = max(qos, listeners.get(peer, 0))
        for peer, qos in listeners.items():
            peer.deliver(packet, qos, retain=False)

    def _table(self, topic_filter: str) -> dict[str, dict[Peer, int]]:
        return self._wild if "+" in topic_filter or "#" in topic_filter else self._exact

    def sweep(self, now: float) -> None:
        """Drop each peer that was silent for too long (MQTT 3.1.2.10)."""
        for peer in [peer for peer in self.peers if now - peer.heard > peer.patience_s]:
            peer.drop()


class Peer(asyncio.Protocol):
    """One connection."""

    __slots__ = (
        "_broker", "_last_id", "_loop", "_packets", "_transport", "_unacked",
        "client_id", "filters", "heard", "patience_s",
    )  # fmt: skip

    def __init__(self, broker: Broker, loop: asyncio.AbstractEventLoop) -> None:
        self._broker = broker
        self._loop = loop
        self._packets = mqtt.Packets(MAX_PACKET_BYTES)
        self._last_id = 0
        self._unacked: set[int] = set()
        self.client_id = ""
        self.filters: set[str] = set()
        self.heard = loop.time()
        self.patience_s = CONNECT_WITHIN_S

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._broker.peers.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._broker.leave(self)

    def data_received(self, data: bytes) -> None:
        self.heard = self._loop.time()
        try:
            for packet in self._packets.feed(data):
                self._take(packet)
                if self._transport.is_closing():
                    return
        except mqtt.WrongLevel:
            self._transport.write(mqtt.connack(mqtt.WRONG_LEVEL))
            self.drop(gently=True)
        except mqtt.Malformed:
            self.drop()

    def drop(self, *, gently: bool = False) -> None:
        """Close the connection, at once or when all is written; from now on it hears nothing."""
        self._broker.leave(self)
        if gently:
            self._transport.close()
        else:
            self._transport.abort()

    def deliver(self, packet: mqtt.Publish, qos: int, *, retain: bool) -> None:
        """Send a message at the lower of its own and the subscription's QoS. A peer that does not read is dropped."""
        qos = min(qos, packet.qos)
        packet_id = 0
        if qos:
            packet_id = self._last_id = self._last_id % 0xFFFF + 1
        if packet_id in self._unacked or self._transport.get_write_buffer_size() > MAX_UNREAD_BYTES:
            self.drop()
            return
        if qos:
            self._unacked.add(packet_id)
        self._transport.write(mqtt.publish(replace(packet, qos=qos, packet_id=packet_id, retain=retain)))

    def _take(self, packet: mqtt.Packet) -> None:
        """One packet. Raises: Malformed where it is out of order."""
        if isinstance(packet, mqtt.Connect) == bool(self.client_id):
            raise mqtt.Malformed("CONNECT is the first packet and comes once (3.1)")
        match packet:
            case mqtt.Puback():
                self._unacked.discard(packet.packet_id)
            case mqtt.Publish():
                self._broker.publish(packet)
                if packet.qos:
                    self._transport.write(mqtt.puback(packet.packet_id))
            case mqtt.Pingreq():
                self._transport.write(mqtt.PINGRESP)
            case mqtt.Connect():
                self._connect(packet)
            case mqtt.Subscribe():
                self._subscribe(packet)
            case mqtt.Unsubscribe():
                for topic_filter in packet.filters:
                    self._broker.unsubscribe(self, topic_filter)
                self._transport.write(mqtt.unsuback(packet.packet_id))
            case mqtt.Disconnect():
                self.drop(gently=True)

    def _connect(self, packet: mqtt.Connect) -> None:
        code = self._broker.enter(self, packet)
        self._transport.write(mqtt.connack(code))
        if code != mqtt.ACCEPTED:
            self.drop(gently=True)
        self.patience_s = 1.5 * packet.keepalive_s if packet.keepalive_s else math.inf

    def _subscribe(self, packet: mqtt.Subscribe) -> None:
        granted = tuple(min(qos, 1) for _, qos in packet.filters)
        self._transport.write(mqtt.suback(packet.packet_id, granted))
        for (topic_filter, _), qos in zip(packet.filters, granted, strict=True):
            self._broker.subscribe(self, topic_filter, qos)
            for retained in self._broker.retained(topic_filter):
                self.deliver(retained, qos, retain=True)


def when_told(loop: asyncio.AbstractEventLoop, end: asyncio.Event) -> None:
    """Set `end` when standard input closes, or on SIGTERM or SIGINT."""

    def watch() -> None:
        # A thread, as a loop cannot poll a file or /dev/null; os.read, as a daemon must not hold a lock at exit.
        while os.read(0, 4096):
            pass
        loop.call_soon_threadsafe(end.set)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, end.set)
    threading.Thread(target=watch, daemon=True).start()


def url_of(host: str, port: int) -> str:
    """The URL of a broker."""
    return f"mqtt://[{host}]:{port}" if ":" in host else f"mqtt://{host}:{port}"


def _tell(row: dict[str, Any]) -> None:
    print(json.dumps({"health": row}), flush=True)


async def serve(host: str, port: int, *, with_health: bool = False) -> None:
    """Serve until told to end. Raises: OSError when the address cannot be had."""
    loop = asyncio.get_running_loop()
    broker = Broker()
    server = await loop.create_server(lambda: Peer(broker, loop), host, port, backlog=4096)
    end = asyncio.Event()
    when_told(loop, end)
    bound = server.sockets[0].getsockname()[1]
    print(json.dumps({"url": url_of(host, bound)}), flush=True)
    watch = None
    if with_health:
        watch = Health("broker", time.monotonic, _tell, lambda: {"connections": len(broker.peers)})
    while not end.is_set():
        try:
            await asyncio.wait_for(end.wait(), 1.0)
        except TimeoutError:
            broker.sweep(loop.time())
    if watch is not None:
        watch.stop()
    server.close()
    for peer in tuple(broker.peers):
        peer.drop()


def main() -> None:
    """The command line of the broker process."""
    parser = argparse.ArgumentParser(prog="simulator.backend.broker", description="An MQTT 3.1.1 broker in memory.")
    parser.add_argument("--host", default=HOST, help="the address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=int, default=0, help="0 for a free one")
    parser.add_argument("--health", action="store_true", help="one JSON line a second on standard output")
    args = parser.parse_args()
    end_at_once_with_parent()
    allow_descriptors()
    try:
        uvloop.run(serve(args.host, args.port, with_health=args.health))
    except OSError as error:
        sys.exit(
            f"broker: cannot listen on {args.host}:{args.port} ({os.strerror(error.errno or 0)});"
            " expected an address of this machine, and a free port"
        )


if __name__ == "__main__":
    main()
