"""What a ClickHouse port speaks: asked only after a connection failed, to say why. No user and no password is sent."""

from __future__ import annotations

import socket

from counterpoise.runtime.tls import fault_of, handshake_fault, unverified_context
from counterpoise.settings.security import CLICKHOUSE_PREFIX, Tls

_HELLO = b"\x00" + b"\x12counterpoise-probe" + b"\x01\x00" + b"\xab\xa9\x03" + b"\x00" * 3
"""The native protocol's first packet: client name, version 1.0, revision 54443, no database, no user, no password."""
_HELLO_OR_EXCEPTION = (b"\x00", b"\x02")


def connection_fault(
    tls: Tls | None, host: str, port: int, error: BaseException, timeout_seconds: float = 2.0
) -> str | None:
    """Why a connection failed and the next step, where waiting does not help; None where it may."""
    p = CLICKHOUSE_PREFIX
    why = None if tls is None else handshake_fault(tls, host, port, error)
    if why is not None:
        return why
    if tls is not None and _speaks_native(host, port, timeout_seconds):
        return f"this port does not use TLS: set {p}PORT to the TLS port (usually 9440), or {p}SECURE to false"
    if tls is None and _speaks_tls(host, port, timeout_seconds):
        return f"this port uses TLS: set {p}SECURE to true, or {p}PORT to the port without TLS (usually 9000)"
    return None


def _speaks_tls(host: str, port: int, timeout_seconds: float) -> bool:
    try:
        with (
            socket.create_connection((host, port), timeout=timeout_seconds) as plain,
            unverified_context().wrap_socket(plain, server_hostname=host),
        ):
            return True
    except OSError as error:  # TLS 1.2 asks for the certificate within the handshake
        return fault_of(error) == "client certificate"


def _speaks_native(host: str, port: int, timeout_seconds: float) -> bool:
    try:
        with socket.create_connection((host, port), timeout=timeout_seconds) as connection:
            connection.settimeout(timeout_seconds)
            connection.sendall(_HELLO)
            return connection.recv(1) in _HELLO_OR_EXCEPTION
    except OSError:
        return False
