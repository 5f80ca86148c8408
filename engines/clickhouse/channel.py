"""Packets and blocks of one native connection, in and out."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

from engines.clickhouse import compression, native_blocks, packets
from engines.clickhouse.client_limits import Limits
from engines.clickhouse.exceptions import ProtocolError, ServerError
from engines.clickhouse.native_blocks import Block
from engines.clickhouse.watcher import Watch, Watcher
from engines.clickhouse.wire import ByteReader

_JOIN_BYTES = 1 << 16


class ReceivedBlock(NamedTuple):
    """`table` names an external table; `native` is the block in FORMAT Native."""

    table: str
    block: Block
    native: bytes


class Channel:
    """`revision` and `compressed` define the form of packets; the handshake and each query set them."""

    def __init__(self, sock: socket.socket, watcher: Watcher, limits: Limits) -> None:
        self.socket = sock
        self.limits = limits
        self.reader = ByteReader(self._receive, limit_bytes=limits.block_bytes)
        self.revision = packets.REVISION
        self._watcher = watcher
        self._stranger_until: float | None = time.monotonic() + limits.handshake_seconds
        self._compressed = False
        self._body = self.reader

    @property
    def kind_bytes(self) -> bool:
        """Whether a serialization byte stands after each column's type."""
        return self.revision >= packets.KIND_BYTES

    def welcome(self) -> None:
        """The client is known: from here on a packet may take its time."""
        self._stranger_until = None
        self.socket.settimeout(self.limits.packet_seconds)

    def _receive(self, wanted: int) -> bytes:
        """A stranger has handshake_seconds in all, however many bytes it sends one by one: connections are few."""
        if self._stranger_until is not None:
            left = self._stranger_until - time.monotonic()
            if left <= 0:
                raise TimeoutError("the handshake took too long")
            self.socket.settimeout(left)
        return self.socket.recv(wanted)

    def compress(self, on: bool) -> None:
        """Blocks of the next query come and go in compressed frames, or not."""
        self._compressed = on
        self._body = ByteReader(self._next_frame, limit_bytes=self.limits.block_bytes) if on else self.reader

    def _next_frame(self, _wanted: int) -> bytes:
        frame = compression.read_frame(self.reader)
        self.reader.compact()
        return frame

    # ---- in

    def next_packet(self) -> int:
        """The type of the next packet, waiting for it as long as a client may idle."""
        self.reader.compact()
        if not self.reader.buffered():
            self.socket.settimeout(self.limits.idle_seconds)
            self.reader.need(1)
            self.socket.settimeout(self.limits.packet_seconds)
        return self.reader.varint()

    def read_block(self) -> ReceivedBlock:
        """A Data packet, its type already read."""
        table = self.reader.text()
        body = self._body
        native_blocks.skip_info(body)
        body.compact()
        try:
            block = native_blocks.walk(body, kind_bytes=self.kind_bytes)
        except ProtocolError:
            raise
        except ServerError as error:  # where the block ends is not known, so nothing after it can be read
            raise ProtocolError(error.code, error.text, name=error.name) from None
        native = native_blocks.to_native(body, 0, block, kind_bytes=self.kind_bytes)
        body.compact()
        return ReceivedBlock(table, block, native)

    # ---- out

    def send(self, *parts: bytes) -> None:
        self.socket.sendall(parts[0] if len(parts) == 1 else b"".join(parts))

    def send_block(self, pieces: Iterable[bytes], packet: bytes = packets.DATA_HEAD) -> int:
        """Send the pieces of one block (without info); its size before compression."""
        body = b"".join(pieces)
        if self._compressed:
            self.send(packet, compression.compress(native_blocks.BLOCK_INFO + body))
        elif len(body) < _JOIN_BYTES:
            self.send(packet, native_blocks.BLOCK_INFO, body)
        else:
            self.send(packet, native_blocks.BLOCK_INFO)
            self.send(body)
        return len(body)

    def send_header(self, columns: Iterable[tuple[str | bytes, str | bytes]]) -> None:
        self.send_block([native_blocks.header(list(columns), kind_bytes=self.kind_bytes)])

    # ---- while a statement runs

    @contextmanager
    def watching(self, interrupt: Callable[[], None]) -> Iterator[Watch]:
        """Detect Cancel and departure for the length of the block, which must not read from this channel."""
        with self._watcher.watching(self.socket, interrupt) as watch:
            if self.reader.buffered():
                watch.arrived(self.reader.buf[self.reader.pos])
            yield watch
