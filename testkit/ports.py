"""Loopback ports for tests: each is the caller's alone for the life of its process, whether something listens on it or not."""

from __future__ import annotations

import fcntl
import os
import random
import socket
from pathlib import Path
from typing import Final

from engines.ports import HOST

__all__ = ["reserved_port"]

_FIRST: Final = 20_000
"""Above the ports that the product uses of itself."""
_LAST: Final = 32_767
"""Below the ports that Linux and macOS give to outgoing connections and to those who ask for any port."""
_EPHEMERAL: Final = Path("/proc/sys/net/ipv4/ip_local_port_range")
_LOCKS: Final = Path("/tmp") / f"counterpoise-ports-{os.getuid()}"  # noqa: S108 - one place for all runs of this user
_held: list[int] = []


def reserved_port() -> int:
    """A port on which nothing listens, and which no other caller and no outgoing connection receives while this process lives.

    So an engine can be killed and started again on its port, and a server that is absent stays absent. A lock on a file named
    after the port excludes other test processes; the kernel releases it when the process ends, however it ends.
    """
    _LOCKS.mkdir(mode=0o700, exist_ok=True)
    candidates = list(range(_FIRST, _end() + 1))
    random.SystemRandom().shuffle(candidates)
    for port in candidates:
        lock = os.open(_LOCKS / str(port), os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        if _locked(lock) and _free(port):
            _held.append(lock)
            return port
        os.close(lock)
    raise OSError(f"no port from {_FIRST} to {_end()} is free on {HOST}")


def _end() -> int:
    """The last port below the kernel's own range, where that range leaves room."""
    try:
        first_ephemeral = int(_EPHEMERAL.read_text(encoding="ascii").split()[0])
    except (OSError, ValueError, IndexError):
        return _LAST
    return min(_LAST, first_ephemeral - 1) if first_ephemeral > _FIRST + 1_000 else _LAST


def _locked(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True
