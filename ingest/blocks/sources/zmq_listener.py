"""Hear from a node's ZMQ that blocks changed. A hint and no more: messages get lost, and what is said may already be undone."""

from __future__ import annotations

import struct
from typing import Final

import structlog
import zmq

from counterpoise.errors import ConfigError
from counterpoise.runtime.clock import Clock
from ingest.blocks.sources.block_source import News

TOPICS: Final = (b"hashblock", b"sequence")
_HIGH_WATER_MARK = 10_000
_MAX_MESSAGE_BYTES = 8 * 1024 * 1024
"""The topics have some forty bytes. A publisher of before ZMTP 2 also sends the blocks of other topics."""
_MAX_NAMED = 256

log = structlog.get_logger("ingest")


class ZmqListener:
    """Subscribes to `hashblock` and `sequence` at some endpoints; several may be the same address."""

    def __init__(self, endpoints: tuple[str, ...], clock: Clock) -> None:
        self._clock = clock
        self._context = zmq.Context(io_threads=1)
        self._poller = zmq.Poller()
        self._sockets: list[zmq.Socket[bytes]] = []
        self._numbers: dict[tuple[int, bytes], int] = {}
        for endpoint in dict.fromkeys(endpoints):
            socket = self._context.socket(zmq.SUB)
            socket.setsockopt(zmq.RCVHWM, _HIGH_WATER_MARK)
            socket.setsockopt(zmq.MAXMSGSIZE, _MAX_MESSAGE_BYTES)
            socket.setsockopt(zmq.LINGER, 0)
            socket.setsockopt(zmq.TCP_KEEPALIVE, 1)
            socket.setsockopt(zmq.IPV6, 1)  # libzmq refuses such an address without it; IPv4 works as before
            for topic in TOPICS:
                socket.setsockopt(zmq.SUBSCRIBE, topic)
            try:
                socket.connect(libzmq_endpoint(endpoint))
            except zmq.ZMQError as error:
                socket.close()
                self.close()
                raise ConfigError(
                    f"ZMQ endpoint {endpoint!r}: {error}: expected one like tcp://127.0.0.1:28332, tcp://[::1]:28332 or "
                    "unix:/run/node.sock, as in the node's zmqpubhashblock"
                ) from None
            self._sockets.append(socket)
            self._poller.register(socket, zmq.POLLIN)
        self.blocks = 0
        """Blocks that were named; whoever reads it may set it to 0."""
        self.gaps = 0
        self.messages = 0

    def wait(self, seconds: float) -> News:
        """Return at once when a block was connected, disconnected or announced, or when a message was lost; else when time is over.

        The hashes that were named, oldest first. Transactions in the `sequence` topic are passed over.
        """
        end = self._clock.monotonic() + seconds
        while True:
            left = end - self._clock.monotonic()
            ready = dict(self._poller.poll(max(0, int(left * 1000))))
            named: dict[str, None] = {}
            woken = False
            for index, socket in enumerate(self._sockets):
                if socket in ready:
                    woken = self._drain(index, socket, named) or woken
            if woken:
                return News(True, tuple(named))
            if left <= 0:
                return News()

    def close(self) -> None:
        """Close the sockets; a second call does nothing."""
        for socket in self._sockets:
            socket.close()
        self._sockets.clear()
        self._context.term()

    def _drain(self, index: int, socket: zmq.Socket[bytes], named: dict[str, None]) -> bool:
        """Read what is there, as many messages as are kept; whether it says, or hides, something about blocks."""
        woken = False
        for _ in range(_HIGH_WATER_MARK):
            try:
                parts = socket.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                return woken
            except zmq.ZMQError as error:
                log.warning("zmq does not work, polling continues", reason=str(error))
                return True
            self.messages += 1
            woken = self._lost_one(index, parts) or woken
            block_hash = named_block(parts)
            if block_hash is not None:
                woken = True
                self.blocks += 1
                if len(named) < _MAX_NAMED:
                    named[block_hash] = None
        return woken

    def _lost_one(self, index: int, parts: list[bytes]) -> bool:
        """Whether the numbers of a topic have a gap (a lost message, or a node that started again)."""
        if len(parts) != 3 or len(parts[2]) != 4:
            return False
        (number,) = struct.unpack("<I", parts[2])
        key = (index, parts[0])
        expected = self._numbers.get(key)
        self._numbers[key] = (number + 1) & 0xFFFF_FFFF
        if expected is None or expected == number:
            return False
        self.gaps += 1
        return True


def libzmq_endpoint(endpoint: str) -> str:
    """An endpoint as libzmq takes it: bitcoin.conf also has `unix:` with a path, which libzmq calls `ipc://`.

    >>> libzmq_endpoint("unix:/run/node.sock"), libzmq_endpoint("tcp://[::1]:28332")
    ('ipc:///run/node.sock', 'tcp://[::1]:28332')
    """
    path = endpoint.removeprefix("unix:")
    return endpoint if path == endpoint else f"ipc://{path}"


def named_block(parts: list[bytes]) -> str | None:
    """The hash of the block that a message is about, None for a transaction or anything not understood."""
    if len(parts) < 2:
        return None
    topic, body = parts[0], parts[1]
    if topic == b"hashblock" and len(body) == 32:
        return body.hex()
    if topic == b"sequence" and len(body) >= 33 and body[32:33] in (b"C", b"D"):
        return body[:32].hex()
    return None
