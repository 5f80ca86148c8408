"""Ask an address what a Kafka broker answers to anyone: that it is one, and which login it requires.

Spoken by hand, because the smallest client takes a hundred times longer to import than the broker to start.
"""

from __future__ import annotations

import socket
import ssl
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

NO_MECHANISM: Final = "none"
"""A name that no SASL mechanism has, to ask for the names of those that there are."""
ILLEGAL_SASL_STATE: Final = 34
"""What a listener without SASL answers to a handshake."""

_API_VERSIONS = 18
_SASL_HANDSHAKE = 17
_SASL_AUTHENTICATE = 36
_MAX_ANSWER_BYTES = 1 << 20
_CORRELATION = 0x0C0DE
_CLIENT_ID = b"counterpoise-probe"


class BrokerConversation:
    """Requests and answers over one connection. Every call raises OSError where the broker does not answer."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection

    def versions(self) -> None:
        """ApiVersions, version 0, which every broker answers, and before it asks for a password."""
        self._ask(_API_VERSIONS, 0)

    def handshake(self, mechanism: str) -> tuple[int, tuple[str, ...]]:
        """The error code and the mechanisms that the broker names. Nothing secret is sent."""
        body = self._ask(_SASL_HANDSHAKE, 1, struct.pack(">h", len(mechanism)) + mechanism.encode())
        code, at = int.from_bytes(body[:2], "big", signed=True), 6
        names = []
        for _ in range(int.from_bytes(body[2:6], "big")):
            end = at + 2 + int.from_bytes(body[at : at + 2], "big")
            names.append(body[at + 2 : end].decode(errors="replace"))
            at = end
            if at > len(body):
                raise ConnectionError("the answer to a SASL handshake was cut")
        return code, tuple(names)

    def authenticate(self, token: bytes) -> tuple[int, bytes]:
        """One step of a login: the error code and the broker's bytes."""
        body = self._ask(_SASL_AUTHENTICATE, 0, struct.pack(">i", len(token)) + token)
        message = int.from_bytes(body[2:4], "big", signed=True)
        at = 4 + max(message, 0)
        length = int.from_bytes(body[at : at + 4], "big", signed=True)
        return int.from_bytes(body[:2], "big", signed=True), body[at + 4 : at + 4 + max(length, 0)]

    def _ask(self, key: int, version: int, body: bytes = b"") -> bytes:
        request = struct.pack(">hhih", key, version, _CORRELATION, len(_CLIENT_ID)) + _CLIENT_ID + body
        self._connection.sendall(struct.pack(">i", len(request)) + request)
        length, correlation = struct.unpack(">ii", self._receive(8))
        if correlation != _CORRELATION or not 4 <= length <= _MAX_ANSWER_BYTES:
            raise ConnectionError("what answers is not a Kafka broker")
        return self._receive(length - 4)

    def _receive(self, count: int) -> bytes:
        found = b""
        while len(found) < count:
            part = self._connection.recv(count - len(found))
            if not part:
                raise ConnectionError("the connection was closed")
            found += part
        return found


@contextmanager
def conversation(
    host: str, port: int, timeout_seconds: float = 2.0, context: ssl.SSLContext | None = None
) -> Iterator[BrokerConversation]:
    """A connection, over TLS with a context. OSError (of which ssl.SSLError is one) is the reason why there is none."""
    with socket.create_connection((host, port), timeout=timeout_seconds) as plain:
        plain.settimeout(timeout_seconds)
        connection = plain if context is None else context.wrap_socket(plain, server_hostname=host.rstrip("."))
        with connection:
            yield BrokerConversation(connection)


def kafka_answers(host: str, port: int, timeout_seconds: float = 2.0, context: ssl.SSLContext | None = None) -> bool:
    """Whether a broker answers there."""
    try:
        with conversation(host, port, timeout_seconds, context) as broker:
            broker.versions()
    except OSError:
        return False
    return True


def offered_mechanisms(broker: BrokerConversation, asked: str = NO_MECHANISM) -> tuple[str, ...] | None:
    """The SASL mechanisms that a broker offers; None where the listener has no SASL. `asked` is chosen, if it is offered.

    A broker that takes a mechanism which does not exist, as the embedded one does, or that ends the connection needs none.
    """
    try:
        code, names = broker.handshake(asked)
    except ConnectionError:
        if asked != NO_MECHANISM:
            raise
        return None
    return None if code == ILLEGAL_SASL_STATE or NO_MECHANISM in names else names
