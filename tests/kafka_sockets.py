"""The sockets of kafka-python (3.0.12), kept from the garbage collector.

It leaves to the collector the socket of a connect that was refused (kafka/net/inet.py) or given up by a close, and of a close
with something left to send (kafka/net/transport.py). The collector's ResourceWarning would fail whichever test runs by then.
"""

from __future__ import annotations

import socket
import sys
from typing import Any

_made: list[socket.socket] = []


def keep_kafka_sockets() -> None:
    """From now on every socket that a client makes is kept. Does nothing where kafka-python is not loaded, or a second time."""
    module = sys.modules.get("kafka.net.inet")
    if module is None or hasattr(module.KafkaNetSocket, "unkept"):
        return
    original = module.KafkaNetSocket.socket

    def kept(self: Any, *args: Any) -> socket.socket:
        one: socket.socket = original(self, *args)
        _made.append(one)
        return one

    module.KafkaNetSocket.unkept = original
    module.KafkaNetSocket.socket = kept


def close_lost_kafka_sockets() -> None:
    """Close those that are not connected. What is connected may belong to a client that outlives the test."""
    open_ones = [one for one in _made if one.fileno() != -1]
    _made[:] = [one for one in open_ones if _is_connected(one)]
    for one in set(open_ones).difference(_made):
        one.close()


def close_kafka_sockets() -> None:
    """Close them all: no client is left."""
    for one in _made:
        one.close()
    _made.clear()


def _is_connected(one: socket.socket) -> bool:
    try:
        one.getpeername()
    except OSError:
        return False
    return True
