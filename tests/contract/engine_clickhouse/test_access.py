"""Who gets in, what the reader may do, and what broken clients do to everybody else: nothing."""

from __future__ import annotations

import itertools
import random
import socket
import struct
import threading
from contextlib import suppress
from typing import Any

import pytest
from clickhouse_driver import Client
from clickhouse_driver.errors import ServerException

from engines.clickhouse import native
from engines.clickhouse.client_limits import Limits
from tests.contract.engine_clickhouse.conftest import PASSWORD, READER_PASSWORD, Connect, Server
from tests.contract.engine_clickhouse.test_queries import code_of
from tests.waiting import PATIENCE_SECONDS, wait_for


@pytest.mark.parametrize(
    ("user", "password"),
    [("default", ""), ("default", "wrong"), ("default", READER_PASSWORD), ("reader", PASSWORD), ("nobody", PASSWORD)],
)
def test_wrong_credentials(connect: Connect, user: str, password: str) -> None:
    with pytest.raises(ServerException, match=r"\(AUTHENTICATION_FAILED\)") as caught:
        connect(user=user, password=password).execute("SELECT 1")
    assert caught.value.code == 516
    assert password == "" or password not in str(caught.value)


@pytest.fixture
def reader(connect: Connect) -> Client:
    return connect(user="reader", password=READER_PASSWORD)


def test_the_reader_reads(reader: Client) -> None:
    assert reader.execute("SELECT number FROM numbers(2)") == [(0,), (1,)]
    assert reader.execute("SHOW DATABASES LIKE 'system'") == [("system",)]
    assert reader.execute("USE system") == []
    assert reader.execute("SELECT dummy FROM one") == [(0,)]


@pytest.mark.parametrize(
    "sql",
    [
        "CREATE DATABASE theirs",
        "DROP DATABASE system",
        "CREATE TEMPORARY TABLE t (a UInt8) ENGINE = Log",
        "INSERT INTO FUNCTION null('a UInt8') SELECT 1",
        "INSERT INTO FUNCTION file('out.csv') SELECT 1",
        "SET max_threads = 1",
        "SET readonly = 0",
        "SELECT 1 SETTINGS readonly = 0",
        "SELECT * FROM file('/etc/passwd', 'LineAsString')",
        "SELECT * FROM url('http://127.0.0.1:1/', 'LineAsString')",
        "KILL QUERY WHERE 1",
        "SYSTEM FLUSH LOGS",
    ],
)
def test_the_reader_does_nothing_else(reader: Client, sql: str) -> None:
    assert code_of(reader.execute, sql) == 164
    assert reader.execute("SELECT 1") == [(1,)]


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT file('{path}')",
        "SELECT `file`('{path}')",
        "SELECT /* ' */ \"file\" /* ' */ ('{path}')",
        "SELECT `fi\\x6ce`('{path}')",
        "SELECT arrayMap(file, ['{path}'])",
        "SELECT * APPLY(file) FROM (SELECT '{path}' AS a)",
        "SELECT arrayMap({{f:Identifier}}, ['{path}'])",
        "EXPLAIN actions = 1 SELECT file('{path}')",
        "DESCRIBE file('{path}', 'CSVWithNames')",
        "DESC TABLE url('http://127.0.0.1:1/', 'CSVWithNames')",
    ],
)
def test_the_reader_cannot_look_outside_of_the_database(server: Server, reader: Client, sql: str) -> None:
    """Least of all into the file that holds the other user's password."""
    reader.execute("SET param_f = 'file'")
    with pytest.raises(ServerException) as caught:
        reader.execute(sql.format(path=server.directory / "password"))
    assert caught.value.code == 164
    assert PASSWORD not in str(caught.value)


def test_the_reader_may_speak_of_files(reader: Client) -> None:
    assert reader.execute("SELECT 'file', \"a file\" FROM (SELECT 'my \\'file\\'' AS `a file`)") == [
        ("file", "my 'file'")
    ]
    assert reader.execute("DESCRIBE (SELECT 1 AS filed)")[0][:2] == ("filed", "UInt8")
    assert reader.execute("DESCRIBE TABLE system.one")[0][:2] == ("dummy", "UInt8")
    with pytest.raises(ServerException, match="Syntax error"):
        reader.execute("SELECT file( FROM")


def test_the_reader_cannot_insert_blocks_or_change_settings(reader: Client) -> None:
    assert code_of(reader.execute, "INSERT INTO FUNCTION null('a UInt8') VALUES", [(1,)]) == 164
    assert code_of(reader.execute, "SELECT 1", settings={"max_threads": 7}) == 164
    assert code_of(reader.execute, "SELECT 1", settings={"readonly": 0}) == 164
    assert reader.execute("SELECT 1", settings={"readonly": 1}) == [(1,)]


def hello(revision: int = 54460, password: str = PASSWORD) -> bytes:
    def text(value: str) -> bytes:
        return bytes([len(value)]) + value.encode()

    number = b""
    while revision > 127:
        number += bytes([revision & 127 | 128])
        revision >>= 7
    number += bytes([revision])
    return b"\0" + text("t") + b"\x01\x01" + number + text("") + text("default") + text(password)


def exchange(server: Server, *packets: bytes) -> bytes:
    """Send packets and read until the server closes; a reset counts as closed."""
    got = b""
    with socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE_SECONDS) as sock:
        try:
            for packet in packets:
                sock.sendall(packet)
            sock.shutdown(socket.SHUT_WR)
            while piece := sock.recv(1 << 16):
                got += piece
        except ConnectionError:
            pass
    return got


def test_a_stranger_that_sends_byte_by_byte_is_not_waited_for_beyond_the_handshake() -> None:
    """Nothing of the engine is touched before the handshake, so none runs here."""
    ours, theirs = socket.socketpair()
    nobody: Any = None
    serving = threading.Thread(
        target=native.serve, args=(ours, nobody, nobody, nobody, Limits(handshake_seconds=0.5)), daemon=True
    )
    serving.start()
    drip = itertools.cycle(hello()[:-1])  # never whole, so that only the limit can end it
    with ours, theirs:

        def gone() -> bool:
            with suppress(ConnectionError):
                theirs.send(bytes([next(drip)]))
            serving.join(0.05)
            return not serving.is_alive()

        wait_for(gone, "the server gives the stranger up")


def test_what_is_not_the_protocol_is_closed(server: Server, client: Client) -> None:
    assert exchange(server, b"GET / HTTP/1.1\r\n\r\n") == b""
    assert exchange(server, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03") == b""
    assert client.execute("SELECT 1") == [(1,)]


def test_a_client_that_is_too_old_is_told(server: Server) -> None:
    assert b"older than 54429" in exchange(server, hello(revision=54032))


@pytest.mark.parametrize(
    "packet",
    [
        b"\x63",  # an unknown type
        b"\x01" + b"\xff" * 12,  # a query whose id has no end
        b"\x01\xff\xff\xff\xff\x7f",  # a query id of 34 GB
        b"\x02\x00\x01\x00\x02\xff\xff\xff\xff\x00\x01\xff\xff\xff\xff\x0f\x01a\x06UInt64\x00",  # a block of 4 G rows
        b"\x02\x00\x01\x00\x02\xff\xff\xff\xff\x00\xff\xff\xff\x7f\x01",  # a block of 268 M columns
        b"\x02\x00\x01\x00\x02\xff\xff\xff\xff\x00\x01\x01\x01a" + b"\xc8\x01" + b"Array(" * 33 + b"xx\x00",
    ],
)
def test_a_broken_packet_ends_its_own_connection_only(server: Server, client: Client, packet: bytes) -> None:
    client.execute("SELECT 1")
    exchange(server, hello() + b"\0", packet)
    assert client.execute("SELECT 1") == [(1,)]


def test_noise_does_not_take_the_server_down(server: Server, client: Client) -> None:
    seed = 20240601
    noise = random.Random(seed)
    for _ in range(200):
        exchange(
            server, hello() + b"\0" + bytes([noise.choice((1, 2, 3, 4))]) + noise.randbytes(noise.randrange(1, 400))
        )
    assert client.execute("SELECT 1") == [(1,)], f"seed {seed}"


def test_a_frame_with_a_wrong_checksum_is_refused(server: Server, client: Client) -> None:
    info = b"\x01" + b"\0\0\0" + bytes(8) + b"\x01" + b"\0" * 7 + b"\0" + b"\0" + b"\0" + b"\0\0\0"
    query = b"\x01\0" + info + b"\0" + b"\0" + b"\x02\x01" + b"\x08SELECT 1" + b"\0"
    frame = bytes(16) + b"\x82" + struct.pack("<II", 14, 10) + b"\xa0" + bytes(4)
    answer = exchange(server, hello() + b"\0", query + b"\x02\0" + frame)
    assert b"CHECKSUM_DOESNT_MATCH" in answer
    assert client.execute("SELECT 1") == [(1,)]


def test_a_client_that_breaks_off_within_an_insert_leaves_no_rows(
    server: Server, connect: Connect, database: str
) -> None:
    admin, broken = connect(database=database), connect(database=database)
    admin.execute("CREATE TABLE t (a UInt64) ENGINE = MergeTree ORDER BY a")
    broken.connection.force_connect()
    broken.connection.send_query("INSERT INTO t VALUES", params=None)
    broken.connection.send_external_tables([])
    sample = broken.receive_sample_block()
    assert sample is not None
    from clickhouse_driver.block import ColumnOrientedBlock

    broken.connection.send_data(ColumnOrientedBlock(sample.columns_with_types, [list(range(100))]))
    broken.connection.socket.shutdown(socket.SHUT_RDWR)
    broken.connection.disconnect()
    assert admin.execute("SELECT count() FROM t") == [(0,)]


def test_connections_over_the_limit_are_told(own_server: Server) -> None:
    opened = []
    try:
        with pytest.raises(ServerException) as caught:
            for _ in range(300):
                opened.append(own_server.client())
                opened[-1].execute("SELECT 1")
        assert caught.value.code == 202
        assert len(opened) == 257
    finally:
        for client in opened:
            client.disconnect()

    def is_let_in() -> bool:
        late = own_server.client()
        try:
            return bool(late.execute("SELECT 1") == [(1,)])
        except ServerException:
            return False
        finally:
            late.disconnect()

    wait_for(is_let_in, "a place of one that has gone")
