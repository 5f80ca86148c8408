"""Everything at once that a client may do to the others: they are answered, and the server's memory stays in its limit."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from http.client import IncompleteRead
from pathlib import Path

import pytest
from clickhouse_driver import Client
from clickhouse_driver.errors import ServerException

from engines.clickhouse import start_clickhouse
from engines.clickhouse.client_limits import Limits
from tests.contract.engine_clickhouse.conftest import PASSWORD, READER_PASSWORD, Server, secret_file
from tests.contract.engine_clickhouse.test_http import Http
from tests.waiting import PATIENCE_SECONDS

READER = {"X-ClickHouse-User": "reader", "X-ClickHouse-Key": READER_PASSWORD}
LIMITS = Limits()
DRIPS, SILENT, ASKED = 140, 500, 200
LARGE = "SELECT number, repeat('x', 80) AS text FROM numbers(9100000) FORMAT {}"
LARGE_BYTES = 800_000_000


@pytest.fixture
def limited(tmp_path: Path) -> Iterator[Server]:
    """A server with the limits that it has unless it is configured."""
    process = start_clickhouse(
        tmp_path / "data",
        password_file=secret_file(tmp_path, "password", PASSWORD),
        reader_password_file=secret_file(tmp_path, "reader-password", READER_PASSWORD),
        log_file=tmp_path / "clickhouse.log",
        limits=LIMITS,
    )
    running = Server(tmp_path, process)
    yield running
    process.stop()


def memory(server: Server, name: str) -> int:
    """VmRSS (now) or VmHWM (the most so far) of the server's process, in bytes."""
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    return next(int(line.split()[1]) << 10 for line in status.splitlines() if line.startswith(name + ":"))


def read_large(server: Server, output_format: str) -> int:
    """How many bytes of a large answer came, 0 where it was refused, or broken off because others took all memory."""
    with Http(server).open(LARGE.format(output_format), headers=READER) as answer:
        size = 0
        try:
            while piece := answer.read(1 << 20):
                size += len(piece)
        except IncompleteRead:
            return 0
        return size if answer.status == 200 else 0


@pytest.mark.soak
@pytest.mark.parametrize(
    "output_format", ["JSON", "CSVWithNames", "ArrowStream", "RowBinaryWithNamesAndTypes", "TSV", "Parquet"]
)
def test_the_memory_of_a_large_answer(limited: Server, output_format: str) -> None:
    before = memory(limited, "VmHWM")
    size = read_large(limited, output_format)
    most = memory(limited, "VmHWM")
    print(f"\n{output_format}: {size / 1e6:.0f} MB sent, {before / 1e6:.0f} MB before, {most / 1e6:.0f} MB at most")
    assert size > (LARGE_BYTES if output_format not in ("ArrowStream", "Parquet") else 0)  # these are compressed
    assert most < LIMITS.server_memory_bytes
    if output_format != "Parquet":
        assert most - before < LARGE_BYTES / 2


class Load:
    """Threads that go on until `stop`; what they did is counted."""

    def __init__(self) -> None:
        self.stopped = threading.Event()
        self.counts: dict[str, int] = {}
        self._threads: list[threading.Thread] = []
        self._lock = threading.Lock()

    def go_on(self, name: str, once: Callable[[], object]) -> None:
        self.counts.setdefault(name, 0)

        def run() -> None:
            while not self.stopped.is_set():
                done = once()
                with self._lock:
                    self.counts[name] += bool(done)

        self._threads.append(threading.Thread(target=run, name=name))
        self._threads[-1].start()

    def stop(self) -> None:
        self.stopped.set()
        for thread in self._threads:
            thread.join()


def refused(server: Server, sql: str, user: str) -> Callable[[], bool]:
    """Sends a statement that ends in an error of its own."""

    def once() -> bool:
        client = server.client(user=user, password=PASSWORD if user == "default" else READER_PASSWORD)
        try:
            client.execute(sql)
        except ServerException as error:
            return error.code in (241, 167, 159)
        finally:
            client.disconnect()
        raise AssertionError(f"{sql[:80]} was answered")

    return once


def connect_anew(server: Server) -> None:
    client = server.client()
    client.execute("SELECT 1")
    client.disconnect()


@pytest.mark.soak
def test_everything_at_once(limited: Server) -> None:
    load, seconds, peak = Load(), dict[str, list[float]](), 0
    with ExitStack() as opened:
        drips = [socket.create_connection(("127.0.0.1", limited.http_port)) for _ in range(DRIPS)]
        for number in range(SILENT):
            port = (limited.port, limited.http_port)[number % 2]
            opened.enter_context(socket.create_connection(("127.0.0.1", port)))

        def drip() -> bool:
            for number, sock in enumerate(drips):
                try:
                    sock.send(b"G")
                except OSError:
                    sock.close()
                    with suppress(OSError):
                        drips[number] = socket.create_connection(("127.0.0.1", limited.http_port))
            return not load.stopped.wait(0.1)

        opened.callback(lambda: list(map(socket.socket.close, drips)))
        opened.callback(load.stop)
        load.go_on("dripping", drip)
        load.go_on("large JSON", lambda: read_large(limited, "JSON") > LARGE_BYTES)
        load.go_on("large CSVWithNames", lambda: read_large(limited, "CSVWithNames") > LARGE_BYTES)
        greedy = "SELECT length(groupArray(number)) FROM numbers(1000000000)"
        load.go_on("all memory, reader", refused(limited, greedy, "reader"))
        load.go_on("all memory, default", refused(limited, greedy, "default"))
        load.go_on("deep nesting", refused(limited, "SELECT " + "-(" * 100_000, "reader"))
        asking: dict[str, Callable[[Client], object]] = {
            "native": lambda client: client.execute("SELECT count() FROM system.one"),
            "HTTP, reader": lambda _: Http(limited)("SELECT count() FROM system.one", headers=READER).body,
            "a new connection": lambda _: connect_anew(limited),
        }
        client = limited.client()
        while len(seconds.get("native", ())) < ASKED or min(load.counts.values()) < 1:
            for name, ask in asking.items():
                began = time.monotonic()
                ask(client)
                seconds.setdefault(name, []).append(time.monotonic() - began)
            peak = max(peak, memory(limited, "VmRSS"))
            assert seconds["native"][-1] < PATIENCE_SECONDS
        client.disconnect()
    most = max(peak, memory(limited, "VmHWM"))
    print()
    for name, taken in seconds.items():
        ordered = sorted(taken)
        print(
            f"{name}: {len(ordered)} answers, median {ordered[len(ordered) // 2] * 1e3:.0f} ms, slowest {ordered[-1] * 1e3:.0f} ms"
        )
    print(f"meanwhile: {load.counts}")
    print(f"memory at most {most / 2**20:.0f} MiB of {LIMITS.server_memory_bytes / 2**20:.0f} MiB")
    assert most < LIMITS.server_memory_bytes
