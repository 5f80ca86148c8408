"""What a server answers beside rows: totals, extremes, ids, external tables, backups; as `default` and as a reader."""

from __future__ import annotations

import random
import threading
from typing import Any

import pytest
from clickhouse_driver import Client
from clickhouse_driver.errors import ServerException

from engines.clickhouse import compression
from tests.contract.engine_clickhouse.conftest import PASSWORD, READER_PASSWORD, Connect, Server
from tests.contract.engine_clickhouse.test_access import exchange
from tests.contract.engine_clickhouse.test_http import BASIC, Http
from tests.contract.engine_clickhouse.test_queries import code_of
from tests.waiting import wait_for

READER = {"user": "reader", "password": READER_PASSWORD}


@pytest.fixture(params=["default", "reader"])
def client(request: pytest.FixtureRequest, connect: Connect) -> Client:
    return connect(**(READER if request.param == "reader" else {}))


TOTALS = (
    "SELECT number % 3 AS k, sum(number) AS s, max(toDateTime(number, 'Asia/Tokyo')) AS t"
    " FROM numbers(10) GROUP BY k WITH TOTALS ORDER BY k"
)


def test_totals(client: Client) -> None:
    """Sums of 0…9 by remainder: 0+3+6+9, 1+4+7, 2+5+8; together 45."""
    rows = client.execute(TOTALS, with_column_types=True)
    assert [row[:2] for row in rows[0]] == [(0, 18), (1, 12), (2, 15), (0, 45)]
    assert {str(row[2].tzinfo) for row in rows[0]} == {"Asia/Tokyo"}
    assert client.execute(TOTALS.replace("WITH TOTALS", ""))[-1][1] == 15
    nested = f"SELECT s + 1 FROM ({TOTALS}) LIMIT 2"
    assert client.execute(nested) == [(19,), (13,), (46,)]


def test_extremes(client: Client) -> None:
    rows = client.execute("SELECT number AS a, -number AS b, number AS a FROM numbers(4)", settings={"extremes": 1})
    assert rows[4:] == [(0, -3, 0), (3, 0, 3)]
    assert client.execute("SELECT number FROM numbers(2) SETTINGS extremes = 1") == [(0,), (1,), (0,), (1,)]
    assert client.execute("SELECT number FROM numbers(2)") == [(0,), (1,)]
    many = "SELECT number FROM numbers(200000)"
    assert code_of(client.execute, many, settings={"extremes": 1}) == 48


def test_numbers_of_any_size_come_back(client: Client) -> None:
    """The engine's tree of a statement has some floats as whole numbers that it cannot read itself: 2⁶⁴ up to 10²¹."""
    draw = random.Random(20_261_127)
    exact = [0, 1, (1 << 63) - 1, 1 << 63, (1 << 64) - 1, -(1 << 63)]
    floats = [float(1 << power) * sign for power in range(60, 75) for sign in (1, -1)]
    floats += [10.0**power for power in range(15, 24)] + [
        draw.uniform(1, 10) * 10.0 ** draw.randint(-300, 300) for _ in range(60)
    ]
    written = [str(number) for number in exact] + [f"{number:.17e}" for number in floats]
    [row] = client.execute(f"SELECT {', '.join(written)}")
    assert list(row) == [*exact, *floats]
    [(total,)] = client.execute(
        "SELECT sum(x) FROM (SELECT 1e20 + number AS x FROM numbers(2)) WHERE x > 18446744073709551616"
    )
    assert total == 2e20


def test_totals_over_http(server: Server) -> None:
    sql = "SELECT number % 2 AS k, count() AS c FROM numbers(5) GROUP BY k WITH TOTALS ORDER BY k FORMAT TSV"
    assert Http(server)(sql).body == "0\t3\n1\t2\n\n0\t5\n"


def test_external_tables_of_a_reader(client: Client) -> None:
    tables = [{"name": "ext", "structure": [("x", "Int32"), ("y", "Array(Int32)")], "data": [{"x": 1, "y": [2, 3]}]}]
    assert client.execute("SELECT x, arraySum(y) FROM ext", external_tables=tables) == [(1, 5)]
    assert code_of(client.execute, "SELECT * FROM ext") == 60
    empty: list[dict[str, Any]] = [{"name": "e", "structure": [("t", "DateTime")], "data": []}]
    assert client.execute("SELECT t FROM e", external_tables=empty) == []


@pytest.mark.parametrize(
    "type_",
    [
        "UInt8) ENGINE = File(CSV, '{secret}') --",
        "UInt8 DEFAULT file('{secret}')",
        "UInt8, b String ALIAS file('{secret}')",
        "UInt8 CODEC(ZSTD)",
        "UInt8, INDEX i a TYPE minmax",
        "UInt8, CONSTRAINT c CHECK file('{secret}') = ''",
    ],
)
def test_a_type_that_is_more_than_a_type(server: Server, type_: str) -> None:
    """In the packets of the native protocol, which no client would send so."""

    def text(value: str) -> bytes:
        data = value.encode()
        assert len(data) < 128 or len(data) < 16384
        return (bytes([len(data)]) if len(data) < 128 else bytes([len(data) & 127 | 128, len(data) >> 7])) + data

    info = b"\x01" + b"\0\0\0" + bytes(8) + b"\x01" + b"\0" * 7 + b"\0" + b"\0" + b"\0" + b"\0\0\0"
    query = b"\x01\0" + info + b"\0\0\x02\0" + text("SELECT * FROM e") + b"\0"
    block = b"\x02" + text("e") + b"\x01\0\x02\xff\xff\xff\xff\0\x01\0" + text("a")
    block += text(type_.format(secret=server.directory / "password")) + b"\0"
    end = b"\x02\0\x01\0\x02\xff\xff\xff\xff\0\0\0"
    plain = block[: -len(text(type_.format(secret=server.directory / "password"))) - 1] + text("UInt8") + b"\0"
    for user, password in (("default", PASSWORD), ("reader", READER_PASSWORD)):
        answer = exchange(server, greeting(user, password), query, block, end)
        assert b"DB::Exception" in answer
        assert PASSWORD.encode() not in answer
        assert b"DB::Exception" not in exchange(server, greeting(user, password), query, plain, end)


def greeting(user: str, password: str) -> bytes:
    """A hello of revision 54460, and its addendum."""
    parts = [part.encode() for part in ("", user, password)]
    return b"\0\x01t\x01\x01\xbc\xa9\x03" + b"".join(bytes([len(part)]) + part for part in parts) + b"\0"


@pytest.mark.parametrize("killer", ["default", "reader", "http"])
def test_kill_query_by_the_clients_id(server: Server, connect: Connect, killer: str) -> None:
    victim, caught = connect(**READER), []
    query_id = f"named-{killer}"

    def run() -> None:
        try:
            victim.execute(
                "SELECT sum(sleepEachRow(0.05)) FROM numbers(100000) SETTINGS max_block_size = 10", query_id=query_id
            )
        except ServerException as error:
            caught.append(error.code)

    thread = threading.Thread(target=run)
    thread.start()
    sql = f"KILL QUERY WHERE query_id = '{query_id}'"
    if killer == "http":
        http = Http(server)

        def kill() -> object:
            return http(sql, headers={"X-ClickHouse-User": "reader", "X-ClickHouse-Key": READER_PASSWORD})
    else:
        client = connect(**(READER if killer == "reader" else {}))

        def kill() -> object:
            try:
                return client.execute(sql)
            except ServerException:
                return None

    while thread.is_alive():
        kill()
        thread.join(0.1)
    assert caught == [394]


def test_a_reader_kills_its_own_only(connect: Connect) -> None:
    victim, reader, admin = connect(), connect(**READER), connect()
    answers: list[object] = []
    endless = "SELECT sum(sleepEachRow(0.05)) FROM numbers(100000) SETTINGS max_block_size = 10"
    thread = threading.Thread(target=lambda: answers.append(code_of(victim.execute, endless, query_id="of-default")))
    thread.start()
    kill = "KILL QUERY WHERE query_id = 'of-default'"
    runs = "SELECT count() FROM system.processes WHERE query_id = 'of-default'"
    wait_for(lambda: admin.execute(runs) == [(1,)], "the statement runs")
    for _ in range(5):
        assert code_of(reader.execute, kill) == 164
    while thread.is_alive():
        admin.execute(kill)
        thread.join(0.1)
    assert answers == [394]


def test_a_kill_of_what_does_not_run_has_no_rows(connect: Connect) -> None:
    for client in (connect(), connect(**READER)):
        assert client.execute("KILL QUERY WHERE query_id = 'never-began'") == []


def compressed(data: bytes) -> bytes:
    return compression.compress(data)


def test_bodies_in_frames_and_zstd(server: Server, database: str) -> None:
    import cramjam

    http = Http(server)
    http("CREATE TABLE t (a UInt64) ENGINE = MergeTree ORDER BY a", database=database)
    rows = b"".join(b"%d\n" % number for number in range(300_000))
    insert: dict[str, Any] = {"query": "INSERT INTO t FORMAT TSV", "database": database}
    assert http(compressed(rows), decompress=1, **insert).status == 200
    assert (
        http(bytes(cramjam.zstd.compress(rows)), headers=BASIC | {"Content-Encoding": "zstd"}, **insert).status == 200
    )
    assert http("SELECT count(), sum(a) FROM t", database=database).body == f"600000\t{2 * 44999850000}\n"
    assert http(compressed(b"SELECT 1"), decompress=1).body == "1\n"
    assert http(compressed(b"SELECT 1")[:-1], decompress=1).status >= 400
    assert http(b"x" * 100, decompress=1).status >= 400
    bomb = bytes(cramjam.zstd.compress(bytes(80 << 20)))
    assert http(bomb, headers=BASIC | {"Content-Encoding": "zstd"}).status == 413


def test_backup_and_restore_stay_in_their_folder(server: Server, connect: Connect, database: str) -> None:
    admin, reader = connect(database=database), connect(**READER)
    admin.execute("CREATE TABLE t (a UInt64) ENGINE = MergeTree ORDER BY a")
    admin.execute("INSERT INTO t VALUES", [(1,), (2,)])
    admin.execute(f"BACKUP TABLE {database}.t TO File('{database}')")
    assert (server.directory / "data-backups" / f"{database}").exists()
    admin.execute("DROP TABLE t SYNC")
    admin.execute(f"RESTORE TABLE {database}.t FROM File('{database}')")
    assert admin.execute("SELECT a FROM t ORDER BY a") == [(1,), (2,)]
    for where in (f"{server.directory}/elsewhere", "../../elsewhere"):
        with pytest.raises(ServerException):
            admin.execute(f"BACKUP TABLE {database}.t TO File('{where}')")
    assert code_of(reader.execute, f"BACKUP TABLE {database}.t TO File('reader')") == 164
    assert code_of(reader.execute, f"RESTORE TABLE {database}.t AS {database}.u FROM File('{database}')") == 164
    assert not list(server.directory.rglob("elsewhere")) + list(server.directory.rglob("reader"))
    for sql in (
        f"BACKUP TABLE {database}.t TO File('by-get')",
        f"RESTORE TABLE {database}.t FROM File('{database}')",
    ):
        assert Http(server)(query=sql).code == 164


def test_notebooks_come_and_go(server: Server) -> None:
    http = Http(server)
    for number in range(80):
        assert http("SELECT 1", session_id=f"notebook-{number}").status == 200


def test_settings_that_clients_send_as_a_reader(connect: Connect) -> None:
    client = connect(**READER)
    sent = {"max_result_rows": 10, "max_execution_time": 5, "join_use_nulls": 1, "date_time_output_format": "iso"}
    sql = "SELECT " + ", ".join(f"toString(getSetting('{name}'))" for name in sent)
    assert client.execute(sql, settings=sent) == [("10", "5", "true", "iso")]
    assert client.execute(
        "SELECT b FROM (SELECT 1 AS a) AS l LEFT JOIN (SELECT 2 AS a, 3 AS b) AS r USING a SETTINGS join_use_nulls = 1"
    ) == [(None,)]
    assert code_of(client.execute, "SELECT number FROM numbers(99)", settings={"max_result_rows": 10}) == 396


def test_processes_have_the_clients_ids(server: Server, connect: Connect) -> None:
    victim, admin = connect(**READER), connect()
    endless = "SELECT sum(sleepEachRow(0.05)) FROM numbers(100000) SETTINGS max_block_size = 10"
    thread = threading.Thread(target=lambda: code_of(victim.execute, endless, query_id="seen"), daemon=True)
    thread.start()
    listed = "SELECT user FROM system.processes WHERE query_id = 'seen'"
    while admin.execute(listed) != [("reader",)]:
        assert thread.is_alive()
    assert admin.execute("SELECT p.user FROM system.processes AS p WHERE p.query_id = 'seen' FORMAT JSON") == [
        ("reader",)
    ]
    rows, columns = admin.execute("SHOW PROCESSLIST", with_column_types=True)
    at = [name for name, _ in columns].index("query_id")
    assert "seen" in {row[at] for row in rows}
    assert "\tseen\t" in Http(server)("SHOW PROCESSLIST FORMAT TSV").body
    while thread.is_alive():
        admin.execute("KILL QUERY WHERE query_id = 'seen'")
        thread.join(0.1)


def test_an_insert_is_cut_as_the_engine_reads_it(server: Server, connect: Connect, database: str) -> None:
    admin = connect(database=database)
    admin.execute("CREATE TABLE t (a UInt8, `VALUES` UInt8) ENGINE = MergeTree ORDER BY a")
    for sql in (
        "INSERT INTO /* /* VALUES */ (x) */ t (a, `VALUES`) VALUES",
        "INSERT INTO t -- FORMAT CSV\n (`VALUES`, a) /* ' */ VALUES",
        f'INSERT INTO TABLE `{database}`."t" VALUES',
        "INSERT INTO t (a, `VALUES`) SETTINGS max_threads = 1 VALUES",
    ):
        assert admin.execute(sql, [(1, 1)]) == 1
    http = Http(server)
    assert http("INSERT INTO t /* /* VALUES (9, 9) */ */ FORMAT CSV\n2,2\n", database=database).status == 200
    assert (
        http(
            "INSERT INTO t SELECT a, a FROM /* input('x') */ input('a UInt8') FORMAT CSV\n3\n", database=database
        ).status
        == 200
    )
    assert admin.execute("SELECT sum(a), sum(`VALUES`), count() FROM t") == [(9, 9, 6)]
