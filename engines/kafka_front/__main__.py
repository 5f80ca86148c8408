"""`python -m engines.kafka_front --port P -- BROKER ARGUMENT…`: run a broker until it or this process ends.

Clients connect to the port, and the broker listens on another one. It ends with this process, also where that is killed (on
Linux), and this process ends with it.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Sequence
from typing import Final

from engines.kafka_front.appends import Appends
from engines.kafka_front.fronted_connection import FrontedConnection
from engines.ports import HOST, free_port

CANNOT_START: Final = 126
_GRACE_SECONDS: Final = 5.0
_STACK_BYTES: Final = 256 * 1024
_PR_SET_PDEATHSIG: Final = 1


def main(given: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m engines.kafka_front", description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("broker", nargs="+")
    chosen = parser.parse_args(given)
    threading.stack_size(_STACK_BYTES)
    listening = socket.create_server((HOST, chosen.port), backlog=128)
    port = free_port()
    command = [*chosen.broker, "--listener-url", f"tcp://{HOST}:{port}"]
    try:
        broker = subprocess.Popen(
            command,
            preexec_fn=_end_with_parent if sys.platform == "linux" else None,  # noqa: PLW1509 - there is no thread yet
        )
    except (OSError, subprocess.SubprocessError) as error:
        sys.stderr.write(f"{error}\n")
        return CANNOT_START
    signal.signal(signal.SIGTERM, lambda *_: broker.terminate())
    threading.Thread(target=_accept, args=(listening, port), daemon=True).start()
    return broker.wait()


def _accept(listening: socket.socket, broker_port: int) -> None:
    appends = Appends()
    while True:
        client, _ = listening.accept()
        try:
            broker = socket.create_connection((HOST, broker_port))
        except OSError:  # it is starting, or ends
            client.close()
            continue
        for one in (client, broker):
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        FrontedConnection(client, broker, appends).start()


def _end_with_parent() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


if __name__ == "__main__":
    code = main(sys.argv[1:])
    sys.stderr.flush()
    os._exit(code if code >= 0 else 128 - code)  # threads may be in the middle of a message
