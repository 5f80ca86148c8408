"""The broker behind the front: it begins and ends with this process."""

from __future__ import annotations

import contextlib
import ctypes
import resource
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from typing import Final

from engines.kafka_front.appends import Appends
from engines.kafka_front.fronted_connection import FrontedConnection
from engines.ports import HOST, free_port

CANNOT_START: Final = 126
"""The exit code where the broker cannot be executed, as of a shell."""
_GRACE_SECONDS: Final = 3
_STACK_BYTES: Final = 256 * 1024
_PAUSE_SECONDS: Final = 0.05
_PR_SET_PDEATHSIG: Final = 1


def run_broker(command: Sequence[str], port: int) -> int:
    """Run the broker until it or this process ends, with its clients on `port`; its exit code.

    SIGTERM ends the broker too, which is killed where it has not ended after three seconds.
    """
    threading.stack_size(_STACK_BYTES)
    _allow_many_connections()
    listening = socket.create_server((HOST, port), backlog=128)
    inner_port = free_port()
    running: list[subprocess.Popen[bytes]] = []

    def end(*_: object) -> None:
        for one in running:
            one.terminate()
            signal.alarm(_GRACE_SECONDS)
        if not running:
            raise SystemExit(128 + signal.SIGTERM)

    signal.signal(signal.SIGALRM, lambda *_: running[0].kill())
    signal.signal(signal.SIGTERM, end)
    try:
        broker = subprocess.Popen(
            [*command, "--listener-url", f"tcp://{HOST}:{inner_port}"],
            preexec_fn=_end_with_parent if sys.platform == "linux" else None,  # noqa: PLW1509 - there is no thread yet
        )
    except (OSError, subprocess.SubprocessError) as error:
        sys.stderr.write(f"{error}\n")
        return CANNOT_START
    running.append(broker)
    threading.Thread(target=_accept, args=(listening, inner_port), daemon=True).start()
    return broker.wait()


def _accept(listening: socket.socket, broker_port: int) -> None:
    """Connect each client, for as long as the process lives: whatever one connection meets, the next one is taken."""
    appends = Appends()
    while True:
        try:
            client, _ = listening.accept()
        except OSError:  # it went already, or no file is left to open
            time.sleep(_PAUSE_SECONDS)
            continue
        with contextlib.ExitStack() as until_started:
            until_started.enter_context(client)
            try:
                broker = until_started.enter_context(socket.create_connection((HOST, broker_port)))
                if broker.getsockname() == broker.getpeername():  # TCP connects to itself where nobody listens yet
                    continue
                for one in (client, broker):
                    one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                FrontedConnection(client, broker, appends).start()
            except (OSError, RuntimeError):  # the broker is starting, or ends; or there is no room for a thread
                continue
            until_started.pop_all()


def _allow_many_connections() -> None:
    """As many open files as the system allows: a connection takes four."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 65_536 if hard == resource.RLIM_INFINITY else min(65_536, hard)
    if soft < wanted:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _end_with_parent() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
