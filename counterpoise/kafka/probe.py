"""Ask an address what a Kafka broker answers to anyone: that it is one, and how it wants to be logged in to."""

from __future__ import annotations

import socket
import ssl
import struct

_API_VERSIONS = 18
_SASL_HANDSHAKE = 17
_ILLEGAL_SASL_STATE = 34
_NO_MECHANISM = "none"
"""A name that no mechanism has. The embedded broker has no SASL and takes any name."""
_MAX_ANSWER_BYTES = 4096
_CORRELATION = 0x0C0DE
_CLIENT_ID = b"counterpoise-probe"


def split_address(address: str, default_port: int = 9092) -> tuple[str, int]:
    """`host:port` or `[v6]:port` in two parts; without a port, `default_port`. ValueError for a port that is none."""
    host, colon, port = address.strip().rpartition(":")
    if not colon or (":" in host and not host.endswith("]")):  # no port, or a bare IPv6 address
        return address.strip().strip("[]"), default_port
    return host.strip("[]"), int(port)


def ask_broker(host: str, port: int, timeout_seconds: float = 2.0, context: ssl.SSLContext | None = None) -> None:
    """Return where a broker answers an ApiVersions request (version 0, which every broker takes) in time; over TLS with a context.

    OSError (of which ssl.SSLError is one) says why not. Spoken by hand, because the smallest client takes a hundred times longer to
    import than the broker to start. A broker answers this before it asks for a password.
    """
    _ask((host, port), timeout_seconds, context, _request(_API_VERSIONS, 0), 0)


def kafka_answers(host: str, port: int, timeout_seconds: float = 2.0, context: ssl.SSLContext | None = None) -> bool:
    """Whether `ask_broker` returns."""
    try:
        ask_broker(host, port, timeout_seconds, context)
    except OSError:
        return False
    return True


def ask_mechanisms(
    host: str, port: int, timeout_seconds: float = 2.0, context: ssl.SSLContext | None = None
) -> tuple[str, ...] | None:
    """The SASL mechanisms of a broker that answers; None where it wants no SASL. Names no user and sends no password."""
    asked = _request(_SASL_HANDSHAKE, 1) + struct.pack(">h", len(_NO_MECHANISM)) + _NO_MECHANISM.encode()
    try:
        body = _ask((host, port), timeout_seconds, context, asked, _MAX_ANSWER_BYTES)
        code, count = struct.unpack_from(">hi", body)
        if code == _ILLEGAL_SASL_STATE:
            return None
        names, at = [], 6
        for _ in range(count):
            (length,) = struct.unpack_from(">h", body, at)
            names.append(body[at + 2 : at + 2 + length].decode())
            at += 2 + length
        return None if _NO_MECHANISM in names else tuple(names)
    except (OSError, struct.error, UnicodeDecodeError):  # a broker that does not know the question has no SASL
        return None


def _request(key: int, version: int) -> bytes:
    return struct.pack(">hhih", key, version, _CORRELATION, len(_CLIENT_ID)) + _CLIENT_ID


def _ask(
    address: tuple[str, int], timeout_seconds: float, context: ssl.SSLContext | None, request: bytes, max_bytes: int
) -> bytes:
    """The answer's body, or its first `max_bytes`."""
    with socket.create_connection(address, timeout=timeout_seconds) as plain:
        connection = plain if context is None else context.wrap_socket(plain, server_hostname=address[0].rstrip("."))
        with connection:
            connection.settimeout(timeout_seconds)
            connection.sendall(struct.pack(">i", len(request)) + request)
            length, correlation = struct.unpack(">ii", _receive(connection, 8))
            if correlation != _CORRELATION:
                raise ConnectionError("what answers is not a Kafka broker")
            return _receive(connection, max(0, min(length - 4, max_bytes)))


def _receive(connection: socket.socket, count: int) -> bytes:
    found = b""
    while len(found) < count:
        part = connection.recv(count - len(found))
        if not part:
            raise ConnectionError("the connection was closed")
        found += part
    return found
