"""The sockets of kafka-python (3.0.12), closed at the end of the test that made them.

It leaves to the garbage collector the socket of a connect that was refused (kafka/net/inet.py) or given up by a close, and of a close
with something left to send (kafka/net/transport.py). The collector's ResourceWarning would fail whichever test runs by then.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Any

import pytest
from kafka.net.inet import KafkaNetSocket


@pytest.fixture(autouse=True)
def closed_kafka_sockets(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Keep every socket that a client makes, so that none is collected, and close them all when no client is left."""
    made: list[socket.socket] = []
    original = KafkaNetSocket.socket

    def kept(self: KafkaNetSocket, *args: Any) -> socket.socket:
        one: socket.socket = original(self, *args)
        made.append(one)
        return one

    monkeypatch.setattr(KafkaNetSocket, "socket", kept)
    yield
    for one in made:
        one.close()
