"""Requests of Kafka's protocol by hand, in each version, as the front of the embedded broker gets them."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence

Offsets = Mapping[str, Sequence[tuple[int, int]]]
"""Partition and offset of each topic, in the order in which they are asked for."""


def fetch_request(version: int, offsets: Offsets, *, max_wait_ms: int, min_bytes: int = 1) -> bytes:
    """From https://kafka.apache.org/protocol#The_Messages_Fetch, versions 4 to 12, without the length in front."""
    flexible = version >= 12
    body = struct.pack(">iiiib", -1, max_wait_ms, min_bytes, 1 << 20, 0)
    body += struct.pack(">ii", 0, -1) if version >= 7 else b""
    body += _count(len(offsets), flexible)
    for topic, asked in offsets.items():
        body += _text(topic, flexible) + _count(len(asked), flexible)
        for partition, offset in asked:
            body += struct.pack(">i", partition)
            body += struct.pack(">i", -1) if version >= 9 else b""
            body += struct.pack(">q", offset)
            body += struct.pack(">i", -1) if flexible else b""
            body += struct.pack(">q", -1) if version >= 5 else b""
            body += struct.pack(">i", 1 << 20) + _tags(flexible)
        body += _tags(flexible)
    body += _count(0, flexible) if version >= 7 else b""
    body += _text("", flexible) if version >= 11 else b""
    return _header(1, version, flexible) + body + _tags(flexible)


def produce_request(version: int, partitions: Mapping[str, Sequence[int]], *, acks: int = -1) -> bytes:
    """From https://kafka.apache.org/protocol#The_Messages_Produce, versions 3 to 9; what stands for records is no batch."""
    flexible = version >= 9
    body = (b"\0" if flexible else b"\xff\xff") + struct.pack(">hi", acks, 1000) + _count(len(partitions), flexible)
    for topic, numbers in partitions.items():
        body += _text(topic, flexible) + _count(len(numbers), flexible)
        for number in numbers:
            records = b"r" * (300 + number)
            body += struct.pack(">i", number) + _count(len(records), flexible) + records + _tags(flexible)
        body += _tags(flexible)
    return _header(0, version, flexible) + body + _tags(flexible)


def _header(key: int, version: int, flexible: bool) -> bytes:
    return struct.pack(">hhih", key, version, 77, 4) + b"test" + _tags(flexible)


def _count(count: int, flexible: bool) -> bytes:
    return _varint(count + 1) if flexible else struct.pack(">i", count)


def _text(text: str, flexible: bool) -> bytes:
    data = text.encode()
    return (_varint(len(data) + 1) if flexible else struct.pack(">h", len(data))) + data


def _tags(flexible: bool) -> bytes:
    return b"\0" if flexible else b""


def _varint(value: int) -> bytes:
    found = b""
    while value >= 0x80:
        found += bytes([value & 0x7F | 0x80])
        value >>= 7
    return found + bytes([value])
