"""Bytes of the native protocol: a bounded reader that can walk without copying, and the few writers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np

from engines.clickhouse.exceptions import ProtocolError

_RECEIVE_BYTES: Final = 1 << 20
_RUN_MIN: Final = 32  # shorter runs of equal lengths are not worth a numpy call
_LOOP_STRINGS: Final = 1024  # strings walked one by one before a run is looked for again


class ConnectionClosedError(ConnectionError):
    """The client went away, possibly in the middle of a packet."""


class ByteReader:
    """A growing buffer over a source of bytes. `pos` walks; what lies before it stays until `compact`.

    `fill(wanted)` returns at least one byte, at most about `wanted` (it may return more), or b"" at the end.
    `limit_bytes` bounds the buffer between two `compact` calls; beyond it ProtocolError is raised.
    """

    __slots__ = ("_fill", "_limit", "buf", "pos")

    def __init__(self, fill: Callable[[int], bytes] | None = None, data: bytes = b"", *, limit_bytes: int) -> None:
        self.buf = bytearray(data)
        self.pos = 0
        self._fill = fill
        self._limit = limit_bytes

    def compact(self) -> None:
        """Forget what was walked."""
        if self.pos:
            del self.buf[: self.pos]
            self.pos = 0

    def buffered(self) -> int:
        """Bytes that are buffered and not walked yet."""
        return len(self.buf) - self.pos

    def need(self, end: int) -> None:
        """Have the buffer reach `end`."""
        if end > self._limit:
            raise ProtocolError(131, f"A packet of more than {self._limit} bytes is refused: send smaller blocks.")
        while (missing := end - len(self.buf)) > 0:
            chunk = self._fill(min(max(missing, 1 << 16), _RECEIVE_BYTES)) if self._fill else b""
            if not chunk:
                raise ConnectionClosedError("the stream ended inside a packet")
            self.buf += chunk

    def skip(self, count: int) -> None:
        end = self.pos + count
        if end > len(self.buf):
            self.need(end)
        self.pos = end

    def read(self, count: int) -> bytes:
        start = self.pos
        self.skip(count)
        return bytes(self.buf[start : self.pos])

    def byte(self) -> int:
        start = self.pos
        if start >= len(self.buf):
            self.need(start + 1)
        self.pos = start + 1
        return self.buf[start]

    def varint(self) -> int:
        value = shift = 0
        while True:
            piece = self.byte()
            value |= (piece & 127) << shift
            if piece < 128:
                return value
            shift += 7
            if shift > 63:
                raise ProtocolError(117, "A variable-length number of more than 64 bits.")

    def uint(self, size: int) -> int:
        return int.from_bytes(self.read(size), "little")

    def string(self, max_bytes: int = 1 << 16) -> bytes:
        size = self.varint()
        if size > max_bytes:
            raise ProtocolError(131, f"A string of {size} bytes where at most {max_bytes} are accepted.")
        return self.read(size)

    def text(self, max_bytes: int = 1 << 16) -> str:
        return self.string(max_bytes).decode("utf-8", "surrogateescape")

    def skip_strings(self, count: int) -> None:
        """Walk `count` length-prefixed strings.

        Runs of equal length (hashes, codes) are passed with one strided comparison: when every `length + 1`-th byte
        repeats the first length, each of them is a length by induction.
        """
        while count:
            run = self._equal_run(count)
            self.pos += run * (self.buf[self.pos] + 1) if run else 0
            count -= run
            count -= self._walk_strings(min(count, _LOOP_STRINGS))

    def _equal_run(self, count: int) -> int:
        if self.pos >= len(self.buf):
            self.need(self.pos + 1)
        length = self.buf[self.pos]
        stride = length + 1
        whole = min(count, (len(self.buf) - self.pos) // stride)
        if length > 127 or whole < _RUN_MIN:
            return 0
        different = np.frombuffer(self.buf, np.uint8, whole * stride, self.pos)[::stride] != length
        first = int(different.argmax())
        return first if different[first] else whole

    def _walk_strings(self, count: int) -> int:
        buf, pos, left = self.buf, self.pos, count
        while left:
            try:
                while left:
                    size = buf[pos]
                    if size > 127:
                        self.pos = pos
                        size = self.varint()
                        pos = self.pos + size
                    else:
                        pos += size + 1
                    left -= 1
            except IndexError:
                self.pos = pos
                self.need(pos + 1)
        self.pos = pos
        if pos > len(buf):
            self.need(pos)
        return count


def varint(value: int) -> bytes:
    """A non-negative number, seven bits a byte, lowest first."""
    if value < 128:
        return bytes((value,))
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def string(value: str | bytes) -> bytes:
    """Length and bytes."""
    raw = value.encode("utf-8", "surrogateescape") if isinstance(value, str) else value
    return varint(len(raw)) + raw
