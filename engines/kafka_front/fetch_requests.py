"""The part of Kafka's protocol that shows which partitions a request reads or writes. Pure.

Versions that are not known here give None: such a request is passed on as it is.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

PRODUCE: Final = 0
FETCH: Final = 1
QUIET_KEYS: Final = frozenset({2, 3, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 22, 23, 32, 36, 60, 69, 75})
"""Requests that change nothing a fetch could find: metadata, offsets, groups, logins, descriptions."""
SHORTEST_WAIT_MS: Final = 1
"""With no wait at all the embedded broker answers without reading the partitions."""

_KNOWN_FETCHES: Final = range(4, 13)
_KNOWN_PRODUCES: Final = range(3, 13)
_FIRST_FLEXIBLE_FETCH: Final = 12
_FIRST_FLEXIBLE_PRODUCE: Final = 9
_WITH_SESSION: Final = 7
_WITH_LOG_START: Final = 5
_WITH_LEADER_EPOCH: Final = 9
_WITH_REPLICA: Final = 11

Partition = tuple[bytes, int]
"""Topic and number."""


@dataclass(frozen=True, slots=True)
class Fetch:
    """A request for records."""

    offsets: Mapping[Partition, int]
    """From where on, in any order: a client shuffles its partitions."""
    wait_at: int
    """Where the longest wait stands in the request."""
    max_wait_ms: int
    min_bytes: int
    empty_bytes: int
    """Length of the embedded broker's answer where no partition has a record and none an error."""

    def without_wait(self, request: bytearray) -> bytearray:
        """The same request, which the broker answers at once."""
        struct.pack_into(">i", request, self.wait_at, SHORTEST_WAIT_MS)
        return request


@dataclass(frozen=True, slots=True)
class Produce:
    """A request with records. Without `acks` it has no answer."""

    partitions: frozenset[Partition]
    acks: int


class _Reader:
    """Kafka's types one after the other, in the old form or in the flexible one."""

    def __init__(self, data: bytearray, at: int) -> None:
        self._data = data
        self.at = at
        self.flexible = False

    def int16(self) -> int:
        return self._number(">h", 2)

    def int32(self) -> int:
        return self._number(">i", 4)

    def int64(self) -> int:
        return self._number(">q", 8)

    def skip(self, count: int) -> None:
        if not 0 <= count <= len(self._data) - self.at:
            raise ValueError("the request ends early")
        self.at += count

    def varint(self) -> int:
        value = shift = 0
        while True:
            byte = self._data[self.at]
            self.at += 1
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
            shift += 7

    def count(self) -> int:
        """The length of an array; 0 for one that is null."""
        return max(0, self.varint() - 1 if self.flexible else self.int32())

    def text(self) -> bytes:
        """A string; empty where it is null."""
        length = max(0, self.varint() - 1 if self.flexible else self.int16())
        start = self.at
        self.skip(length)
        return bytes(self._data[start : self.at])

    def tags(self) -> None:
        if self.flexible:
            for _ in range(self.varint()):
                self.varint()
                self.skip(self.varint())

    def _number(self, form: str, size: int) -> int:
        [value] = struct.unpack_from(form, self._data, self.at)
        self.at += size
        return int(value)


def read_fetch(request: bytearray) -> Fetch | None:
    """What a request of key FETCH asks for, without its length in front."""
    version, body = _after_header(request, _FIRST_FLEXIBLE_FETCH)
    if version not in _KNOWN_FETCHES:
        return None
    try:
        return _fetch(request, version, body)
    except (IndexError, ValueError, struct.error):
        return None


def read_produce(request: bytearray) -> Produce | None:
    """What a request of key PRODUCE writes to, without its length in front."""
    version, body = _after_header(request, _FIRST_FLEXIBLE_PRODUCE)
    if version not in _KNOWN_PRODUCES:
        return None
    try:
        return _produce(body)
    except (IndexError, ValueError, struct.error):
        return None


def _after_header(request: bytearray, first_flexible: int) -> tuple[int, _Reader]:
    """The version, and where the body begins."""
    version = int.from_bytes(request[2:4], "big", signed=True)
    body = _Reader(request, 8)
    try:
        body.skip(max(0, body.int16()))  # the client's name has the old form in every version
        body.flexible = version >= first_flexible
        body.tags()
    except (IndexError, ValueError, struct.error):
        return -1, body
    return version, body


def _fetch(request: bytearray, version: int, body: _Reader) -> Fetch:
    body.skip(4)  # replica
    wait_at = body.at
    max_wait_ms, min_bytes = body.int32(), body.int32()
    body.skip(4 + 1 + (8 if version >= _WITH_SESSION else 0))  # most bytes, isolation, session
    before, after, text = (4 + 1, 1, _varint_bytes) if body.flexible else (4, 0, _two_bytes)
    empty = before + 4 + (6 if version >= _WITH_SESSION else 0)  # correlation; throttle; error and session
    one = 4 + 2 + 8 + 8 + (8 if version >= _WITH_LOG_START else 0) + (4 if version >= _WITH_REPLICA else 0)
    one += 1 + 1 + 1 if body.flexible else 4 + 4  # aborted transactions, records, tags
    before_offset = 4 if version >= _WITH_LEADER_EPOCH else 0
    after_offset = (4 if body.flexible else 0) + (8 if version >= _WITH_LOG_START else 0) + 4
    offsets = {}
    topics = body.count()
    empty += _count_bytes(topics, flexible=body.flexible) + after
    for _ in range(topics):
        topic, count = body.text(), body.count()
        for _ in range(count):
            partition = topic, body.int32()
            body.skip(before_offset)
            offsets[partition] = body.int64()
            body.skip(after_offset)
            body.tags()
        body.tags()
        empty += text(len(topic)) + len(topic) + _count_bytes(count, flexible=body.flexible) + count * one + after
    return Fetch(offsets, wait_at, max_wait_ms, min_bytes, empty)


def _produce(body: _Reader) -> Produce:
    body.text()  # transaction
    acks = body.int16()
    body.skip(4)  # timeout
    partitions = set()
    for _ in range(body.count()):
        topic = body.text()
        for _ in range(body.count()):
            partitions.add((topic, body.int32()))
            body.skip(max(0, body.varint() - 1 if body.flexible else body.int32()))
            body.tags()
        body.tags()
    return Produce(frozenset(partitions), acks)


def _count_bytes(count: int, *, flexible: bool) -> int:
    return _varint_bytes(count) if flexible else 4


def _varint_bytes(length: int) -> int:
    return ((length + 1).bit_length() + 6) // 7


def _two_bytes(_: int) -> int:
    return 2
