"""Ask one question of an address: does a Kafka broker answer there?"""

from __future__ import annotations

import socket
import struct

_API_VERSIONS_KEY = 18
_CORRELATION = 0x0C0DE
_CLIENT_ID = b"counterpoise-probe"


def split_address(address: str, default_port: int = 9092) -> tuple[str, int]:
    """`host:port` or `[v6]:port` in two parts; without a port, `default_port`. ValueError for a port that is none."""
    host, colon, port = address.strip().rpartition(":")
    if not colon or (":" in host and not host.endswith("]")):  # no port, or a bare IPv6 address
        return address.strip().strip("[]"), default_port
    return host.strip("[]"), int(port)


def kafka_answers(host: str, port: int, timeout_seconds: float = 2.0) -> bool:
    """True where a broker answers an ApiVersions request (version 0, which every broker takes) in time.

    Spoken by hand, because the smallest client takes a hundred times longer to import than the broker to start.
    """
    body = struct.pack(">hhih", _API_VERSIONS_KEY, 0, _CORRELATION, len(_CLIENT_ID)) + _CLIENT_ID
    try:
        with socket.create_connection((host, port), timeout=timeout_seconds) as connection:
            connection.settimeout(timeout_seconds)
            connection.sendall(struct.pack(">i", len(body)) + body)
            head = b""
            while len(head) < 8:
                part = connection.recv(8 - len(head))
                if not part:
                    return False
                head += part
    except OSError:
        return False
    _length, correlation = struct.unpack(">ii", head)
    return bool(correlation == _CORRELATION)


def any_broker_answers(bootstrap: str, timeout_seconds: float = 2.0) -> bool:
    """True where one of the comma-separated addresses is a broker."""
    return any(
        kafka_answers(*split_address(address), timeout_seconds=timeout_seconds)
        for address in bootstrap.split(",")
        if address.strip()
    )
