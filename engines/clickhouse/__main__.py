"""`python -m engines.clickhouse`: run the embedded ClickHouse server until SIGTERM or SIGINT.

Prints `ready port=… http_port=… pid=…` when it answers. Exits with 2 and one line on stderr when it cannot start.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final

from counterpoise.errors import ConfigError
from engines.clickhouse.auth import Users, read_password
from engines.clickhouse.clickhouse_server import Address, Server
from engines.clickhouse.client_limits import Limits

_CLOSING_SECONDS: Final = 10.0


def _arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m engines.clickhouse", description=__doc__)
    parser.add_argument("--path", type=Path, required=True, help="data directory; created when absent")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default %(default)s)")
    parser.add_argument("--port", type=int, default=0, help="native protocol; 0 takes a free port")
    parser.add_argument("--http-port", type=int, default=0, help="HTTP interface; 0 takes a free port")
    parser.add_argument("--password-file", type=Path, required=True, help="password of the user default, mode 0600")
    parser.add_argument("--reader-password-file", type=Path, help="password of the read-only user reader, mode 0600")
    parser.add_argument(
        "--allowed-host",
        action="append",
        default=[],
        metavar="NAME",
        help="a Host header that the HTTP interface takes beside those of loopback, for a forwarded port; repeat",
    )
    parser.add_argument(
        "--max-memory-bytes",
        type=int,
        default=Limits().server_memory_bytes,
        help="memory limit of the process; statements get 768 MiB less, and one beyond that ends with code 241 (default %(default)s)",
    )
    for name, default, meaning in (
        ("--reader-memory-bytes", Limits().reader_memory_bytes, "memory limit of one statement of reader"),
        ("--reader-seconds", Limits().reader_seconds, "time limit of one statement of reader"),
        ("--reader-statements", Limits().reader_statements, "statements of reader that run at once"),
    ):
        parser.add_argument(name, type=int, default=default, help=f"{meaning} (default %(default)s)")
    parser.add_argument("--desk-file", type=Path, help="file with the desk's URL, for the redirect from /play")
    parser.add_argument("--ready-file", type=Path, help='written when ready: {"port", "http_port", "pid"}')
    return parser.parse_args(argv)


def _write_ready(path: Path, ready: dict[str, int]) -> None:
    part = path.with_name(path.name + f".{os.getpid()}.part")
    part.write_text(json.dumps(ready) + "\n")
    part.replace(path)


def main(argv: list[str] | None = None) -> int:
    options = _arguments(argv)
    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s: %(message)s", level=logging.INFO)
    try:
        reader_file: Path | None = options.reader_password_file
        users = Users(read_password(options.password_file), read_password(reader_file) if reader_file else None)
        limits = Limits(
            server_memory_bytes=options.max_memory_bytes,
            reader_memory_bytes=options.reader_memory_bytes,
            reader_seconds=options.reader_seconds,
            reader_statements=options.reader_statements,
            allowed_hosts=frozenset(map(str.lower, options.allowed_host)),
        )
        address = Address(options.host, options.port, options.http_port)
        server = Server(options.path, address, users, limits, options.desk_file)
    except ConfigError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    wait_for_signal = _signals()  # only now: the engine brought handlers of its own
    server.serve()
    ready = {"port": server.port, "http_port": server.http_port, "pid": os.getpid()}
    if options.ready_file:
        _write_ready(options.ready_file, ready)
    sys.stdout.write("ready " + " ".join(f"{name}={value}" for name, value in ready.items()) + "\n")
    sys.stdout.flush()
    wait_for_signal()
    closing = threading.Thread(target=server.close, daemon=True)
    closing.start()
    closing.join(_CLOSING_SECONDS)
    if closing.is_alive():  # what was acknowledged is safe, as it is from a kill
        logging.getLogger(__name__).warning("a statement did not end within %g s; leaving it", _CLOSING_SECONDS)
    return 0


def _signals() -> Callable[[], None]:
    """Take SIGTERM and SIGINT from here on; the answer waits for one.

    The kernel may give a signal to any of the engine's threads, which does not wake a waiting main thread: Python's
    wake-up descriptor does.
    """
    waking, woken = socket.socketpair()
    waking.setblocking(False)
    signal.set_wakeup_fd(waking.fileno())
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)

    def wait() -> None:
        with waking, woken:
            while woken.recv(1)[0] not in (signal.SIGTERM, signal.SIGINT):
                pass
            signal.set_wakeup_fd(-1)

    return wait


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # the engine is closed; its static destructors must not race with threads that it leaves
