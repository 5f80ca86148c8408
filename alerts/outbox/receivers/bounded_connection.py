"""A connection to one host that ends after a time, however slowly the peer sends. No proxy, no redirect."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.client import HTTPConnection, HTTPSConnection
from urllib.parse import SplitResult

from alerts.outbox.receivers.receiver import NotAcceptedError


@contextmanager
def connected(
    parts: SplitResult, name: str, *, timeout_seconds: float, tls: ssl.SSLContext | None = None
) -> Iterator[HTTPConnection]:
    """Connect to the host of an address, and close at the end of the block.

    `name` is what an error calls the host. NotAcceptedError: there is no connection, so nothing was sent.
    """
    host = parts.hostname or ""
    connection: HTTPConnection = (
        HTTPSConnection(host, parts.port, timeout=timeout_seconds, context=tls)
        if parts.scheme == "https"
        else HTTPConnection(host, parts.port, timeout=timeout_seconds)
    )
    try:
        connection.connect()
    except (OSError, UnicodeError) as error:
        connection.close()
        raise NotAcceptedError(_reason(name, error)) from None
    whole = threading.Timer(timeout_seconds, _cut, (connection.sock,))
    whole.daemon = True
    whole.start()
    try:
        yield connection
    finally:
        whole.cancel()
        connection.close()


def target_of(parts: SplitResult) -> str:
    """Path and query of an address, as a request names them."""
    return parts.path + (f"?{parts.query}" if parts.query else "") or "/"


def _reason(name: str, error: OSError | UnicodeError) -> str:
    if isinstance(error, ConnectionRefusedError):
        return f"{name} refuses connections"
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"{name} cannot be reached: its certificate is not valid: {error.verify_message}"
    return f"{name} cannot be reached: {getattr(error, 'strerror', None) or type(error).__name__}"


def _cut(sock: socket.socket | None) -> None:
    """End a connection that a peer keeps alive byte by byte. It ends the plain socket, because TLS would wait for the peer."""
    if sock is not None:
        with suppress(OSError):
            socket.socket.shutdown(sock, socket.SHUT_RDWR)
