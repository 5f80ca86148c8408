"""Connections as they come to a listening socket."""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Callable, Iterator

log = logging.getLogger(__name__)

_PAUSE_SECONDS = 0.1


def connections(listener: socket.socket, is_closing: Callable[[], bool]) -> Iterator[socket.socket]:
    """Until `is_closing()`. A connection that cannot be accepted is logged, and the next one is tried a moment later."""
    while not is_closing():
        try:
            sock, _ = listener.accept()
        except OSError as error:
            if is_closing():
                return
            # Out of descriptors, most likely: connections that end give some back.
            log.warning("cannot accept a connection: %s", error)
            threading.Event().wait(_PAUSE_SECONDS)
            continue
        yield sock
