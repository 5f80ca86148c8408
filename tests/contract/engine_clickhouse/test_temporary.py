"""Temporary tables of a reader: kept by the server between statements, bounded, and gone with their session."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import uuid4

import clickhouse_connect
import pytest
from clickhouse_driver import Client
from clickhouse_driver.errors import ServerException

from tests.contract.engine_clickhouse.conftest import READER_PASSWORD, Connect, Server
from tests.contract.engine_clickhouse.test_http import Answer, Http
from tests.waiting import wait_for

READER = {"X-ClickHouse-User": "reader", "X-ClickHouse-Key": READER_PASSWORD}


@pytest.fixture
def reader(connect: Connect) -> Client:
    return connect(user="reader", password=READER_PASSWORD)


class HttpSession:
    """A reader's named session."""

    def __init__(self, server: Server) -> None:
        self._http = Http(server)
        self._name = uuid4().hex

    def __call__(self, sql: str | bytes, *, packing: str = "identity", **parameters: Any) -> Answer:
        headers = {**READER, "Content-Encoding": packing}
        return self._http(sql, headers=headers, session_id=self._name, **parameters)

    def get(self, sql: str) -> Answer:
        return self._http(query=sql, headers=READER, session_id=self._name)


@pytest.fixture
def session(server: Server) -> HttpSession:
    return HttpSession(server)


def test_native(reader: Client) -> None:
    columns = (
        "n UInt64, s Nullable(String), d Decimal(9, 2), t DateTime64(3, 'Asia/Tokyo'), a Array(LowCardinality(String))"
    )
    reader.execute(f"CREATE TEMPORARY TABLE mine ({columns})")
    moment = datetime(2024, 1, 2, 3, 4, 5, tzinfo=UTC)
    rows = [(n, None if n % 3 else f"it's {n}", Decimal(n) / 4, moment, ["x", str(n)]) for n in range(5)]
    assert reader.execute("INSERT INTO mine VALUES", rows[:3]) == 3
    reader.execute("INSERT INTO mine (t, n, s, d, a) VALUES", [(t, n, s, d, a) for n, s, d, t, a in rows[3:]])
    assert reader.execute("SELECT * FROM mine ORDER BY n") == rows
    assert reader.execute("SELECT n, s FROM mine WHERE n IN (SELECT max(n) FROM mine)") == [(4, None)]
    assert reader.execute("EXISTS TEMPORARY TABLE mine") == [(1,)]
    assert reader.execute("SHOW TEMPORARY TABLES") == [("mine",)]
    assert "`n` UInt64" in reader.execute("SHOW CREATE TEMPORARY TABLE mine")[0][0]
    assert [row[0] for row in reader.execute("DESCRIBE TABLE mine")] == ["n", "s", "d", "t", "a"]
    reader.execute("TRUNCATE TABLE mine")
    assert reader.execute("SELECT count() FROM mine") == [(0,)]
    reader.execute("DROP TABLE mine")
    with pytest.raises(ServerException) as caught:
        reader.execute("SELECT * FROM mine")
    assert caught.value.code == 60


def test_literals_in_the_text(reader: Client) -> None:
    reader.execute("CREATE TEMPORARY TABLE mine (a Int8, b String, c Array(Float64), d Nullable(Date)) ENGINE = Memory")
    reader.execute("INSERT INTO mine VALUES (1, 'it''s \\'x\\' (', [1.5, -2e3, inf], NULL), (-2, '', [], '2024-02-29')")
    reader.execute("INSERT INTO mine (b, a) FORMAT CSV\ncsv,3\n")
    assert reader.execute("SELECT a, b, toString(c), toString(d) FROM mine ORDER BY a DESC") == [
        (3, "csv", "[]", None),
        (1, "it's 'x' (", "[1.5,-2000,inf]", None),
        (-2, "", "[]", "2024-02-29"),
    ]


def test_select_computes_the_rows(reader: Client) -> None:
    reader.execute("CREATE TEMPORARY TABLE squares AS SELECT number AS n, number * number AS square FROM numbers(1000)")
    reader.execute("INSERT INTO squares (n) SELECT max(n) + 1 FROM squares")
    reader.execute("WITH 7 AS seven INSERT INTO squares SELECT seven, %(x)s", {"x": 5})
    assert reader.execute("SELECT count(), sum(square), max(n) FROM squares") == [(1002, 332833500 + 5, 1000)]
    reader.execute("CREATE OR REPLACE TEMPORARY TABLE squares AS SELECT n FROM squares WHERE n > 998")
    assert reader.execute("SELECT * FROM squares ORDER BY n") == [(999,), (1000,)]
    reader.execute("CREATE TEMPORARY TABLE none EMPTY AS SELECT n, 'x' AS x FROM squares")
    assert reader.execute("SELECT * FROM none", with_column_types=True) == ([], [("n", "UInt64"), ("x", "String")])
    reader.execute("CREATE TEMPORARY TABLE IF NOT EXISTS squares (a UInt8)")
    reader.execute("DROP TEMPORARY TABLE IF EXISTS nothing")
    assert reader.execute("SELECT count() FROM squares") == [(2,)]
    with pytest.raises(ServerException) as caught:
        reader.execute("CREATE TEMPORARY TABLE squares (a UInt8)")
    assert caught.value.code == 57
    reader.execute("SELECT 1")  # this client connects anew after an error: another session
    assert reader.execute("EXISTS TEMPORARY TABLE squares") == [(0,)]


def test_the_limits_of_an_answer_do_not_cut_rows(reader: Client) -> None:
    reader.execute("SET max_result_rows = 10, result_overflow_mode = 'break', max_block_size = 7, extremes = 1")
    reader.execute("CREATE TEMPORARY TABLE mine AS SELECT number FROM numbers(1000)")
    assert reader.execute("SELECT count() FROM mine")[0] == (1000,)


def test_http_sessions_keep_them(server: Server, session: HttpSession) -> None:
    assert session("CREATE TEMPORARY TABLE mine (a UInt8, b String)").status == 200
    assert session("1,x\n2,y\n", query="INSERT INTO mine FORMAT CSV").status == 200
    written = session("INSERT INTO mine VALUES (3, 'z')")
    assert json.loads(written.headers["X-ClickHouse-Summary"])["written_rows"] == "1"
    assert session("SELECT {x:UInt8} + 3 AS a, b FROM mine WHERE a = 3 FORMAT CSV", param_x=1).body == ""
    assert session("INSERT INTO mine SELECT {x:UInt8}, 'p'", param_x=4).status == 200
    assert session.get("SELECT * FROM mine ORDER BY a FORMAT CSV").body == '1,"x"\n2,"y"\n3,"z"\n4,"p"\n'
    assert session("SELECT a FROM mine ORDER BY a FORMAT JSONCompact").status == 200
    assert HttpSession(server)("SELECT * FROM mine").code == 60
    assert Http(server)("SELECT * FROM mine", headers=READER).code == 60
    assert session("DROP TABLE mine").status == 200
    assert session("SELECT * FROM mine").code == 60


def test_a_get_changes_nothing(session: HttpSession) -> None:
    assert session.get("CREATE TEMPORARY TABLE mine (a UInt8)").code == 164
    session("CREATE TEMPORARY TABLE mine (a UInt8)")
    for sql in ("INSERT INTO mine SELECT 1", "INSERT INTO mine VALUES (1)", "TRUNCATE TABLE mine", "DROP TABLE mine"):
        assert session.get(sql).code == 164
        assert session(sql, readonly=1).code == 164
    assert session("SELECT count() FROM mine").body == "0\n"


def test_a_name_of_a_system_table_is_the_readers_own_table(session: HttpSession) -> None:
    assert session("USE system").status == 200
    assert session("SELECT query FROM processes").code == 164
    session("CREATE TEMPORARY TABLE processes (query String)")
    session("INSERT INTO processes VALUES ('mine')")
    assert session("SELECT query FROM processes").body == "mine\n"
    assert session("SELECT (SELECT max(query) FROM processes)").body == "mine\n"
    assert session("SELECT query FROM system.processes").code == 164
    assert session("CREATE TEMPORARY TABLE copy AS SELECT * FROM processes").status == 200
    assert session("SELECT * FROM copy").body == "mine\n"
    assert session("DROP TABLE processes").status == 200
    assert session("SELECT query FROM processes").code == 164


def test_clickhouse_connect(server: Server) -> None:
    with clickhouse_connect.get_client(
        host="127.0.0.1", port=server.http_port, username="reader", password=READER_PASSWORD
    ) as client:
        client.command("CREATE TEMPORARY TABLE prices (day Date, usd Float64)")
        client.insert("prices", [[datetime(2024, 1, day, tzinfo=UTC).date(), day * 1.5] for day in (1, 2, 3)])
        assert client.query("SELECT sum(usd) FROM prices WHERE day > '2024-01-01'").result_rows == [(7.5,)]


# What is not about values and columns of a temporary table, for a table `mine` that is there.
REFUSED = [
    *(
        f"CREATE TEMPORARY TABLE t (a UInt8) ENGINE = {engine}"
        for engine in ("Log", "File(CSV)", "Memory() SETTINGS a = 1")
    ),
    "CREATE TEMPORARY TABLE t (a UInt8) ENGINE = Memory SETTINGS min_rows_to_keep = 1",
    "CREATE TEMPORARY TABLE t (a UInt8) ENGINE = MergeTree ORDER BY file('{path}')",
    "CREATE TEMPORARY TABLE t (a UInt8) ENGINE = Dictionary('d')",
    "CREATE TEMPORARY TABLE t (a String DEFAULT file('{path}'))",
    "CREATE TEMPORARY TABLE t (a String MATERIALIZED file('{path}'))",
    "CREATE TEMPORARY TABLE t (a String ALIAS file('{path}'))",
    "CREATE TEMPORARY TABLE t (a UInt8, CONSTRAINT c CHECK length(file('{path}')) > 1)",
    "CREATE TEMPORARY TABLE t (a UInt8) AS SELECT file('{path}')",
    "CREATE TEMPORARY TABLE t AS SELECT file('{path}') AS a",
    "CREATE TEMPORARY TABLE t EMPTY AS SELECT toDateTime(0, (SELECT file('{path}'))) AS a",
    "CREATE TEMPORARY TABLE t AS SELECT * FROM url('http://127.0.0.1:{port}/', 'CSV', 'a String')",
    "CREATE TEMPORARY TABLE t AS file('{path}')",
    "CREATE TEMPORARY TABLE t AS system.processes",
    "CREATE TEMPORARY TABLE t CLONE AS system.one",
    "CREATE TEMPORARY TABLE {database}.t (a UInt8)",
    "CREATE TEMPORARY VIEW t AS SELECT file('{path}')",
    "CREATE TABLE {database}.t (a UInt8) ENGINE = Memory",
    "CREATE TABLE t (a UInt8) ENGINE = Memory",
    "INSERT INTO mine SELECT file('{path}')",
    "INSERT INTO mine SELECT getSetting('readonly') WHERE ignore(file('{path}'))",
    "INSERT INTO mine SELECT a FROM input('a String') FORMAT CSV",
    "INSERT INTO mine SETTINGS format_schema = 'x' SELECT 1",
    "INSERT INTO mine SETTINGS max_insert_block_size = 7 VALUES ('x')",
    "INSERT INTO mine FROM INFILE '{path}' FORMAT CSV",
    "INSERT INTO {database}.stored VALUES ('x')",
    "INSERT INTO {database}.stored SELECT 'x'",
    "INSERT INTO FUNCTION file('{path}', 'CSV', 'a String') VALUES ('x')",
    "INSERT INTO FUNCTION file('{path}', 'CSV', 'a String') SELECT 'x'",
    "DROP TABLE {database}.stored",
    "DROP TABLE IF EXISTS stored",
    "DROP DATABASE {database}",
    "DROP TABLE mine, {database}.stored",
    "TRUNCATE TABLE {database}.stored",
    "TRUNCATE ALL TABLES FROM {database}",
    "DETACH TABLE mine",
    "ALTER TABLE mine ADD COLUMN b String DEFAULT file('{path}')",
    "RENAME TABLE mine TO {database}.theirs",
]


@pytest.mark.parametrize("over", ["native", "http"])
def test_what_is_no_temporary_table(
    server: Server, session: HttpSession, reader: Client, database: str, over: str
) -> None:
    admin = server.client(database=database)
    admin.execute("CREATE TABLE stored (a String) ENGINE = MergeTree ORDER BY a")
    secret = server.directory / f"secret-{over}.csv"
    secret.write_text("canary\n")

    def ask(sql: str) -> int:
        if over == "http":
            answer = session(sql)
            return 0 if answer.status == 200 else answer.code
        try:
            for each in (*([] if sql in before else before), sql):  # this client connects anew after an error
                reader.execute(each)
        except ServerException as error:
            return int(error.code)
        finally:
            reader.disconnect()
        return 0

    before = [f"USE {database}", "CREATE TEMPORARY TABLE mine (a String)"]
    assert [ask(sql) for sql in before] == [0, 0]
    for sql in REFUSED:
        assert ask(sql.format(path=secret, port=1, database=database)) in (164, 62, 48), sql
    assert secret.read_text() == "canary\n"
    assert admin.execute("SHOW TABLES") == [("stored",)]
    assert admin.execute("SELECT count() FROM stored") == [(0,)]
    assert ask("DROP TABLE mine") == 0
    admin.disconnect()


COMPUTED = [
    "SETTINGS input_format_values_interpret_expressions = 1 VALUES (file('{path}'))",
    "VALUES (file('{path}'))",
    "VALUES ((SELECT 'x'))",
    "VALUES ('x' || file('{path}'))",
    "VALUES (CAST('x', 'String'))",
    "VALUES (toString(now()))",
    "VALUES ('x'), (file('{path}'))",
    "VALUES (`file`('{path}'))",
    "VALUES (\"file\"('{path}'))",
    "VALUES ('x' /* ' */)",
    "VALUES ($$x$$)",
    "VALUES (1.file('{path}'))",
    "VALUES (NULL(file))",
    "VALUES ([x -> 1])",
]


@pytest.mark.parametrize("text", COMPUTED)
def test_values_compute_nothing(server: Server, reader: Client, session: HttpSession, text: str) -> None:
    secret = server.directory / "secret-values.csv"
    secret.write_text("canary\n")
    reader.execute("CREATE TEMPORARY TABLE mine (a String)")
    session("CREATE TEMPORARY TABLE mine (a String)")
    sql = "INSERT INTO mine " + text.format(path=secret)
    with pytest.raises(ServerException) as caught:
        reader.execute(sql)
    assert caught.value.code == 344
    assert session(sql).code == 344
    assert session("SELECT count() FROM mine").body == "0\n"


def test_the_engine_reads_literals_only(session: HttpSession) -> None:
    """The lock behind the pattern: both settings hold where rows are made, whatever the reader asked for."""
    session("CREATE TEMPORARY TABLE mine (a String, b UInt8)")
    for name in ("interpret_expressions", "deduce_templates_of_expressions"):
        assert session(f"INSERT INTO mine SELECT '{name}', getSetting('input_format_values_{name}')").status == 200
    assert session("INSERT INTO mine SELECT 'readonly', getSetting('readonly')").status == 200
    rows = session("SELECT * FROM mine ORDER BY a FORMAT CSV").body
    assert rows == '"deduce_templates_of_expressions",0\n"interpret_expressions",0\n"readonly",1\n'


def test_they_are_bounded(session: HttpSession) -> None:
    """In a session: 32 tables, 10 million rows, 64 MiB. What does not fit leaves nothing behind."""
    session("CREATE TEMPORARY TABLE mine (a UInt8, b String)")
    assert session("INSERT INTO mine SELECT 1, repeat('x', 100) FROM numbers(1000)").status == 200
    assert session("INSERT INTO mine SELECT 1, repeat('x', 1000) FROM numbers(70000)").code == 307
    assert session("INSERT INTO mine SELECT 1, '' FROM numbers(10000000)").code == 158
    packed = gzip.compress(b"1,2\n" * (17 << 20))
    assert session(packed, query="INSERT INTO mine FORMAT CSV", packing="gzip").code == 307
    assert session("SELECT count() FROM mine").body == "1000\n"
    for number in range(31):
        assert session(f"CREATE TEMPORARY TABLE t{number} (a UInt8)").status == 200
    assert session("CREATE TEMPORARY TABLE one_more (a UInt8)").code == 117
    assert session("DROP TABLE t0").status == 200
    assert session("CREATE TEMPORARY TABLE one_more (a UInt8)").status == 200


@pytest.fixture
def filled(server: Server) -> Iterator[list[Client]]:
    """Readers whose temporary tables take all that those of all sessions may."""
    clients = []
    for _ in range(4):
        client = server.client(user="reader", password=READER_PASSWORD)
        clients.append(client)
        client.execute("CREATE TEMPORARY TABLE mine AS SELECT repeat('x', 1000) AS a FROM numbers(66800)")
    yield clients
    for client in clients:
        client.disconnect()


def test_all_sessions_share_a_budget(server: Server, filled: list[Client]) -> None:
    """256 MiB for all; a session that ends gives its part back."""
    one_more = server.client(user="reader", password=READER_PASSWORD)
    sql = "CREATE TEMPORARY TABLE mine AS SELECT repeat('x', 1000) AS a FROM numbers(66800)"
    with pytest.raises(ServerException) as caught:
        one_more.execute(sql)
    assert caught.value.code == 307
    filled[0].execute("DROP TABLE mine")
    one_more.execute(sql)
    assert one_more.execute("SELECT count() FROM mine") == [(66800,)]
    filled[1].disconnect()
    one_more.execute("CREATE TEMPORARY TABLE mine_too (a UInt8)")

    def has_room() -> bool:
        sixth = server.client(user="reader", password=READER_PASSWORD)
        try:
            sixth.execute(sql)
        except ServerException as error:
            assert error.code == 307
            return False
        finally:
            sixth.disconnect()
        return True

    wait_for(has_room, "the bytes of the session that ended")
    one_more.disconnect()


def test_a_query_that_is_cancelled_keeps_nothing(server: Server, session: HttpSession) -> None:
    session("CREATE TEMPORARY TABLE mine (a UInt64)")
    answer = session(
        "INSERT INTO mine SELECT number + sleepEachRow(0.05) FROM numbers(100)", max_block_size=10, max_execution_time=1
    )
    assert answer.code == 159
    assert session("SELECT count() FROM mine").body == "0\n"
