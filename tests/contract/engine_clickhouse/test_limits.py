"""What one client takes, or sends, leaves the others their answers."""

from __future__ import annotations

import gzip
import socket
import threading
from contextlib import ExitStack, suppress

import pytest
from clickhouse_driver import Client
from clickhouse_driver.errors import ServerException

from engines.clickhouse.client_limits import Limits
from tests.contract.engine_clickhouse.conftest import READER_PASSWORD, Connect, Server
from tests.contract.engine_clickhouse.test_http import BASIC, Http
from tests.contract.engine_clickhouse.test_queries import code_of
from tests.waiting import PATIENCE_SECONDS

READER = {"X-ClickHouse-User": "reader", "X-ClickHouse-Key": READER_PASSWORD}
LIMITS = Limits()


@pytest.fixture
def reader(connect: Connect) -> Client:
    return connect(user="reader", password=READER_PASSWORD)


def raw(server: Server, sent: bytes) -> bytes:
    """What the HTTP port answers to these bytes until it closes."""
    got = b""
    with socket.create_connection(("127.0.0.1", server.http_port), timeout=PATIENCE_SECONDS) as sock:
        sock.sendall(sent)
        try:
            while piece := sock.recv(1 << 16):
                got += piece
        except ConnectionError:
            pass
    return got


def head(server: Server, *lines: str) -> bytes:
    listed = [f"POST / HTTP/1.1\r\nHost: 127.0.0.1:{server.http_port}", *lines]
    listed += [f"{name}: {value}" for name, value in BASIC.items()]
    return ("\r\n".join(listed) + "\r\n\r\n").encode()


@pytest.mark.parametrize(
    "lines",
    [
        ("Content-Length: 8", "Content-Length: 8"),
        ("Content-Length: 8", "Transfer-Encoding: chunked"),
        ("Content-Length: eight",),
    ],
)
def test_a_body_with_two_ends(server: Server, lines: tuple[str, ...]) -> None:
    assert raw(server, head(server, *lines) + b"SELECT 1").startswith(b"HTTP/1.1 400 ")


@pytest.mark.parametrize("path", ["/ping", "/replicas_status", "/nowhere", "/?user=default&password=wrong"])
def test_who_has_no_password_has_nothing_unpacked(server: Server, path: str) -> None:
    bomb = gzip.compress(bytes(20 << 20))
    method = "POST"
    sent = (
        f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{server.http_port}\r\nContent-Encoding: gzip\r\n"
        f"Content-Length: {len(bomb) + 1}\r\n\r\n"
    )
    answer = raw(server, sent.encode() + bomb)  # its last byte never comes, and is not waited for
    assert answer.split(b" ", 2)[1] in (b"200", b"404", b"403")


def test_bytes_that_are_not_text_get_an_error(server: Server) -> None:
    http = Http(server)
    for sent in (b"SELECT '\xff'", b"\xff\xfe", b"INSERT INTO t\xff VALUES (1)", b"SELECT 1 -- \xc3\x28"):
        assert http(sent).code == 117
    assert http(b"SELECT {x:String}", param_x=b"\xff").code == 117
    assert http("SELECT 1").body == "1\n"


@pytest.mark.parametrize("text", ["-(", "[(", "f((", "(SELECT "])
def test_deep_nesting_is_refused_at_once(server: Server, reader: Client, connect: Connect, text: str) -> None:
    sql = "SELECT " + text * 100_000
    assert code_of(reader.execute, sql) in (62, 167)
    assert code_of(connect().execute, sql) == 167
    assert Http(server)(sql).code == 167


def test_a_reader_has_limits_and_cannot_lift_them(reader: Client) -> None:
    def setting(name: str, **settings: object) -> object:
        return reader.execute(f"SELECT getSetting('{name}')", settings=settings)[0][0]

    assert setting("max_memory_usage") == LIMITS.reader_memory_bytes
    assert setting("max_execution_time") == LIMITS.reader_seconds
    assert setting("max_execution_time", max_execution_time=5) == 5
    assert setting("max_execution_time", max_execution_time=0) == LIMITS.reader_seconds
    assert setting("max_execution_time", max_execution_time=99_999) == LIMITS.reader_seconds
    assert setting("max_result_bytes", max_result_bytes=1 << 60) == LIMITS.reader_result_bytes
    assert code_of(reader.execute, "SELECT 1", settings={"max_memory_usage": 1 << 50}) == 164
    reader.execute("SET max_execution_time = 7")
    assert setting("max_execution_time") == 7
    reader.execute("SET max_execution_time = 0")
    assert setting("max_execution_time") == LIMITS.reader_seconds


def test_a_statement_that_wants_all_memory_ends_alone(reader: Client, connect: Connect) -> None:
    assert code_of(reader.execute, "SELECT length(groupArray(number)) FROM numbers(1000000000)") == 241
    assert (
        code_of(
            reader.execute,
            "SELECT sum(sleepEachRow(0.1)) FROM numbers(100) SETTINGS max_execution_time = 1, max_block_size = 1",
        )
        == 159
    )
    assert reader.execute("SELECT 1") == [(1,)]
    sql = "SELECT value FROM system.server_settings WHERE name = 'max_server_memory_usage'"
    assert connect().execute(sql) == [(str(LIMITS.statements_memory_bytes),)]


def test_an_answer_streams(server: Server) -> None:
    """It has no end, and its beginning is here; the client that leaves ends it."""
    with socket.create_connection(("127.0.0.1", server.http_port), timeout=PATIENCE_SECONDS) as sock:
        sql = b"SELECT number FROM system.numbers -- streams"
        sock.sendall(head(server, f"Content-Length: {len(sql)}") + sql)
        got = b""
        while len(got) < 5 << 20:
            got += sock.recv(1 << 16)
    assert b"\r\nTransfer-Encoding: chunked\r\n" in got
    assert b"\n100000\n" in got
    running = "SELECT count() FROM system.processes WHERE query LIKE '%-- streams' AND query NOT LIKE '%processes%'"
    while Http(server)(running).body != "0\n":
        pass


def test_an_error_in_the_middle_breaks_the_answer(server: Server) -> None:
    sql = b"SELECT throwIf(number = 3000000) FROM numbers(4000000) SETTINGS max_threads = 1"
    answer = raw(server, head(server, f"Content-Length: {len(sql)}", "Connection: close") + sql)
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert b"Code: 395" in answer
    assert not answer.endswith(b"0\r\n\r\n")  # a client sees that it is not whole


def test_drips_and_silence_keep_nobody_out(own_server: Server) -> None:
    with ExitStack() as opened:
        drips = [
            opened.enter_context(socket.create_connection(("127.0.0.1", own_server.http_port))) for _ in range(140)
        ]
        for port in (own_server.port, own_server.http_port):
            for _ in range(250):
                opened.enter_context(socket.create_connection(("127.0.0.1", port)))
        stop = threading.Event()

        def drip() -> None:
            while not stop.is_set():
                for sock in drips:
                    with suppress(OSError):
                        sock.send(b"G")
                stop.wait(0.1)

        thread = threading.Thread(target=drip)
        thread.start()
        try:
            for _ in range(5):
                client = own_server.client()
                assert client.execute("SELECT 1") == [(1,)]
                client.disconnect()
                assert Http(own_server)("SELECT 1").body == "1\n"
        finally:
            stop.set()
            thread.join()


def test_readers_at_once(own_server: Server) -> None:
    """More statements of readers than turns: some are told so, and `default` is not kept waiting."""
    codes: list[int] = []
    told = threading.Event()

    def read() -> None:
        client = own_server.client(user="reader", password=READER_PASSWORD)
        try:
            while not told.is_set():  # whoever has a turn comes back until one had none
                client.execute("SELECT sum(sleepEachRow(0.1)) FROM numbers(30) SETTINGS max_block_size = 1")
            codes.append(0)
        except ServerException as error:
            codes.append(error.code)
            told.set()
        client.disconnect()

    threads = [threading.Thread(target=read) for _ in range(LIMITS.reader_statements + 8)]
    for thread in threads:
        thread.start()
    admin = own_server.client()
    assert admin.execute("SELECT 1") == [(1,)]
    for thread in threads:
        thread.join()
    assert set(codes) == {0, 202}
    admin.disconnect()
