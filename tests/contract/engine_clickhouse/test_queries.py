"""Selects, settings, parameters, errors and sessions through an unmodified clickhouse-driver."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from clickhouse_driver.errors import ServerException

from tests.contract.engine_clickhouse.conftest import Connect, Server
from tests.waiting import PATIENCE_SECONDS, wait_for


def code_of(call: object, *args: object, **options: object) -> int:
    with pytest.raises(ServerException) as caught:
        call(*args, **options)  # type: ignore[operator]
    return int(caught.value.code)


def test_an_empty_result_has_its_columns(connect: Connect) -> None:
    sql = "SELECT number AS n, toString(number) AS s FROM numbers(5) WHERE n > 9"
    assert connect().execute(sql, with_column_types=True) == ([], [("n", "UInt64"), ("s", "String")])


def test_rows_stream_in_blocks(connect: Connect) -> None:
    client = connect(settings={"max_block_size": 1000})
    total = sum(row[0] for row in client.execute_iter("SELECT number FROM system.numbers LIMIT 100000"))
    assert total == 4_999_950_000
    assert client.last_query.progress.rows == 100_000
    assert client.last_query.profile_info.rows == 100_000


@pytest.mark.parametrize(
    ("sql", "rows"),
    [
        ("WITH 1 AS x SELECT x", [(1,)]),
        ("FROM numbers(2) SELECT number", [(0,), (1,)]),
        ("(SELECT 1) UNION ALL (SELECT 1);", [(1,), (1,)]),
        ("SELECT 'FORMAT' AS format, 2 FORMAT JSON", [("FORMAT", 2)]),
        ("SELECT 1 FORMAT Null SETTINGS max_threads = 1", [(1,)]),
        ("SELECT number FROM numbers(3) ORDER BY number DESC -- FORMAT CSV", [(2,), (1,), (0,)]),
        ("/* a */ SELECT 'a;b'; -- c", [("a;b",)]),
        ("EXISTS TABLE nope", [(0,)]),
        ("SHOW TABLES FROM system LIKE 'one'", [("one",)]),
        ("SELECT n FROM (SELECT 0 AS n UNION ALL SELECT 3) ORDER BY n WITH FILL", [(0,), (1,), (2,), (3,)]),
    ],
)
def test_statements_of_every_shape(connect: Connect, sql: str, rows: list[tuple[object, ...]]) -> None:
    assert connect().execute(sql) == rows


@pytest.mark.parametrize(
    ("sql", "code"),
    [
        ("SELECT 1; SELECT 2", 62),
        ("SELEC 1", 62),
        ("", 62),
        ("-- nothing", 62),
        ("SELECT * FROM nope", 60),
        ("SELECT nope", 47),
        ("SELECT nope(1)", 46),
        ("SELECT throwIf(number = 99999) FROM numbers(100000)", 395),
        ("SELECT {absent:UInt8}", 456),
        ("SELECT 1 INTO OUTFILE '/tmp/never'", 48),
        ("CREATE DATABASE default", 82),
    ],
)
def test_errors_have_the_codes_of_clickhouse(connect: Connect, sql: str, code: int) -> None:
    client = connect()
    assert code_of(client.execute, sql) == code
    assert client.execute("SELECT 1") == [(1,)]


def test_an_error_names_itself(connect: Connect) -> None:
    with pytest.raises(ServerException, match=r"DB::Exception: Unknown table .*\(UNKNOWN_TABLE\)"):
        connect().execute("SELECT * FROM nope")


def test_an_error_in_mid_stream_reaches_the_client(connect: Connect) -> None:
    client = connect(settings={"max_block_size": 100, "max_threads": 1})
    rows = client.execute_iter("SELECT throwIf(number = 5000) FROM system.numbers")
    with pytest.raises(ServerException) as caught:
        for _ in rows:
            pass
    assert caught.value.code == 395


def test_server_side_parameters(connect: Connect) -> None:
    client = connect(settings={"server_side_params": True})
    text = "it's \\ a\ttab\nand 'quotes'"
    sql = (
        "SELECT {x:String}, {n:UInt64} + 1, {a:Array(String)}, {d:DateTime64(3, 'UTC')} AS d, {t:Identifier}.one.dummy"
    )
    sql += " FROM {t:Identifier}.one"
    row = client.execute(sql, {"x": text, "n": 2**63, "a": ["b'c", "d"], "d": "2024-06-01 00:00:00.5", "t": "system"})[
        0
    ]
    assert row[:3] == (text, 2**63 + 1, ["b'c", "d"])
    assert (row[3].microsecond, row[4]) == (500_000, 0)


def test_parameters_reach_views(connect: Connect, database: str) -> None:
    client = connect(database=database, settings={"server_side_params": True})
    client.execute("CREATE VIEW v AS SELECT number FROM numbers(10) WHERE number >= {x:UInt32}")
    assert client.execute("SELECT * FROM v(x = 8)") == [(8,), (9,)]
    assert client.execute("SELECT * FROM v(x = {least:UInt32})", {"least": 9}) == [(9,)]


def test_settings_last_for_their_query(connect: Connect) -> None:
    client = connect()
    threads = "SELECT getSetting('max_threads')"
    before = client.execute(threads)
    assert client.execute(threads, settings={"max_threads": 3}) == [(3,)]
    assert client.execute(threads) == before
    client.execute("SET max_threads = 5")
    assert client.execute(threads, settings={"max_threads": 3}) == [(3,)]
    assert client.execute(threads, settings={"max_block_size": 10}) == [(5,)]
    assert client.execute(threads) == [(5,)]


def test_unknown_settings(connect: Connect) -> None:
    assert connect().execute("SELECT 1", settings={"no_such_setting": 1}) == [(1,)]
    assert code_of(connect(settings_is_important=True).execute, "SELECT 1", settings={"no_such_setting": 1}) == 115


def test_a_wrong_setting_value_fails_and_does_not_stay(connect: Connect) -> None:
    client = connect()
    with pytest.raises(ServerException):
        client.execute("SELECT 1", settings={"max_threads": "many"})
    assert client.execute("SELECT 1") == [(1,)]


def test_readonly_as_a_setting_lasts_for_its_query(connect: Connect, database: str) -> None:
    client = connect(database=database)
    client.execute("CREATE TABLE t (a UInt8) ENGINE = MergeTree ORDER BY a")
    assert code_of(client.execute, "INSERT INTO t VALUES", [(1,)], settings={"readonly": 1}) == 164
    assert code_of(client.execute, "DROP TABLE t", settings={"readonly": 2}) == 164
    assert client.execute("INSERT INTO t VALUES", [(1,)]) == 1


def test_a_connection_is_a_session(connect: Connect, database: str) -> None:
    one, other = connect(), connect()
    one.execute(f"USE {database}")
    one.execute("CREATE TEMPORARY TABLE mine (a UInt8) ENGINE = Memory")
    one.execute("INSERT INTO mine VALUES", [(1,)])
    assert one.execute("SELECT a, currentDatabase() FROM mine") == [(1, database)]
    assert code_of(other.execute, "SELECT * FROM mine") == 60
    assert other.execute("SELECT currentDatabase()") == [("default",)]
    assert connect(database=database).execute("SELECT currentDatabase()") == [(database,)]
    assert code_of(connect(database="nowhere").execute, "SELECT 1") == 81


def test_external_tables(connect: Connect) -> None:
    client = connect()
    tables = [
        {"name": "ext", "structure": [("x", "Int32"), ("y", "Array(Int32)")], "data": [{"x": 1, "y": [2, 3]}]},
        {"name": "names", "structure": [("x", "Int32"), ("n", "String")], "data": [{"x": 1, "n": "one"}]},
    ]
    sql = "SELECT n, arraySum(y) FROM ext JOIN names USING x"
    assert client.execute(sql, external_tables=tables) == [("one", 5)]
    assert code_of(client.execute, "SELECT * FROM ext") == 60


def test_a_bare_database_is_atomic(connect: Connect, database: str) -> None:
    sql = "SELECT engine FROM system.databases WHERE name = %(d)s"
    assert connect().execute(sql, {"d": database}) == [("Atomic",)]


def test_the_engine_does_what_the_product_needs(connect: Connect, database: str) -> None:
    client = connect(database=database)
    client.execute(
        "CREATE TABLE log (k UInt32 COMMENT 'the key', v String, version UInt64, is_deleted UInt8)"
        " ENGINE = ReplacingMergeTree(version, is_deleted) ORDER BY k COMMENT 'kept'"
    )
    client.execute("INSERT INTO log VALUES", [(1, "a", 1, 0), (2, "x", 1, 0)])
    client.execute("INSERT INTO log VALUES", [(1, "b", 2, 0), (2, "x", 2, 1)])
    client.execute("CREATE VIEW plain AS SELECT k, v, (SELECT max(k) FROM log) AS top FROM log FINAL")
    assert client.execute("SELECT * FROM plain") == [(1, "b", 2)]
    sql = "SELECT comment FROM system.columns WHERE database = %(d)s AND table = 'log' AND name = 'k'"
    assert client.execute(sql, {"d": database}) == [("the key",)]
    sql = "SELECT comment FROM system.tables WHERE database = %(d)s AND name = 'log'"
    assert client.execute(sql, {"d": database}) == [("kept",)]
    client.execute("OPTIMIZE TABLE log FINAL")
    client.execute("ALTER TABLE log UPDATE v = 'c' WHERE k = 1", settings={"mutations_sync": 2})
    assert client.execute("SELECT v FROM plain") == [("c",)]
    assert client.execute("SELECT is_done FROM system.mutations WHERE database = %(d)s", {"d": database}) == [(1,)]
    client.execute("ALTER TABLE log DELETE WHERE k = 1", settings={"mutations_sync": 2})
    assert client.execute("SELECT count() FROM plain") == [(0,)]
    client.execute("CREATE TABLE src (id UInt64, name String) ENGINE = MergeTree ORDER BY id")
    client.execute("INSERT INTO src VALUES", [(7, "seven")], settings={"async_insert": 1})
    client.execute(
        "CREATE DICTIONARY d (id UInt64, name String) PRIMARY KEY id"
        f" SOURCE(CLICKHOUSE(QUERY 'SELECT id, name FROM {database}.src')) LAYOUT(HASHED()) LIFETIME(0)"
    )
    assert client.execute(f"SELECT dictGet('{database}.d', 'name', toUInt64(7))") == [("seven",)]
    # erf(1) = 0.842700792949715 (Abramowitz and Stegun, table 7.1); lgamma(5) = ln 24
    assert client.execute("SELECT round(erf(1), 9), round(exp(lgamma(5)), 9)") == [(0.842700793, 24.0)]


def test_eight_threads_read_and_write_at_once(server: Server, database: str) -> None:
    admin = server.client(database=database)
    admin.execute("CREATE TABLE t (thread UInt8, n UInt32) ENGINE = MergeTree ORDER BY (thread, n)")

    def work(thread: int) -> int:
        client = server.client(database=database, compression="lz4" if thread % 2 else False)
        try:
            for batch in range(10):
                client.execute("INSERT INTO t VALUES", [(thread, batch * 100 + n) for n in range(100)])
                mine = client.execute("SELECT count() FROM t WHERE thread = %(t)s", {"t": thread})
                assert mine == [((batch + 1) * 100,)]
            return int(client.execute("SELECT sum(n) FROM t WHERE thread = %(t)s", {"t": thread})[0][0])
        finally:
            client.disconnect()

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(work, range(8))) == [499_500] * 8
    assert admin.execute("SELECT count(), uniqExact(thread, n) FROM t") == [(8000, 8000)]
    admin.disconnect()


ENDLESS = "SELECT sum(sleepEachRow(0.01)) FROM numbers(100000) SETTINGS max_block_size = 10"


def test_cancel_reaches_a_query_that_sends_nothing(connect: Connect) -> None:
    client = connect()
    rows = client.execute_iter(ENDLESS, settings={"function_sleep_max_microseconds_per_block": 0})
    timer = threading.Timer(0.3, client.connection.send_cancel)
    timer.start()
    assert list(rows) == []
    timer.join()
    assert client.execute("SELECT 1") == [(1,)]


def test_cancel_between_blocks(connect: Connect) -> None:
    client = connect(settings={"max_block_size": 1000, "max_threads": 1})
    rows = client.execute_iter("SELECT number FROM system.numbers")
    for _, _row in zip(range(5000), rows, strict=False):
        pass
    client.connection.send_cancel()
    left = sum(1 for _ in rows)
    assert left % 1000 == 0 or left > 0
    assert client.execute("SELECT 1") == [(1,)]


def test_a_client_that_leaves_takes_its_query_with_it(connect: Connect) -> None:
    client, watcher = connect(), connect()
    client.connection.force_connect()
    marked = ENDLESS.replace("SELECT sum", "SELECT /* left behind */ sum")
    client.connection.send_query(marked, params=None)
    client.connection.send_external_tables([])
    running = (
        "SELECT count() FROM system.processes WHERE query LIKE '%%left behind%%' AND query NOT LIKE '%%processes%%'"
    )
    wait_for(lambda: watcher.execute(running) == [(1,)], "the query runs")
    client.connection.disconnect()
    wait_for(lambda: watcher.execute(running) == [(0,)], "the query is gone")


def test_kill_query(connect: Connect) -> None:
    victim, killer = connect(), connect()
    caught: list[int] = []

    def run() -> None:
        try:
            victim.execute(ENDLESS + ", log_comment = 'victim'")
        except ServerException as error:
            caught.append(error.code)

    thread = threading.Thread(target=run)
    thread.start()
    kill = "KILL QUERY WHERE Settings['log_comment'] = 'victim'"
    wait_for(lambda: killer.execute(kill), "the query to kill")
    thread.join(PATIENCE_SECONDS)
    assert caught == [394]


def test_point_queries_read_one_granule(connect: Connect, database: str) -> None:
    client = connect(database=database)
    client.execute("CREATE TABLE t (k UInt64, v String) ENGINE = MergeTree ORDER BY k")
    client.execute("INSERT INTO t SELECT number, toString(number) FROM numbers(100000)")
    for key in range(0, 100_000, 10_000):
        assert client.execute("SELECT v FROM t WHERE k = %(k)s", {"k": key}) == [(str(key),)]
        assert client.last_query.progress.rows <= 8_192


def test_no_expression_is_compiled_to_machine_code(connect: Connect) -> None:
    rows = connect().execute(
        "SELECT name, value FROM system.settings WHERE name IN ('compile_expressions', 'compile_aggregate_expressions', "
        "'compile_sort_description') ORDER BY name"
    )
    assert rows == [
        ("compile_aggregate_expressions", "0"),
        ("compile_expressions", "0"),
        ("compile_sort_description", "0"),
    ]


def test_final_merges_a_range_in_one_stream(connect: Connect, database: str) -> None:
    """Parts whose keys overlap are merged right, without being laid out for several threads."""
    client = connect(database=database)
    name = "split_intersecting_parts_ranges_into_layers_final"
    assert client.execute(f"SELECT value FROM system.settings WHERE name = '{name}'") == [("0",)]
    client.execute("CREATE TABLE t (k UInt64, v UInt64) ENGINE = ReplacingMergeTree(v) ORDER BY k")
    client.execute("SYSTEM STOP MERGES t")
    for version in range(3):
        client.execute(f"INSERT INTO t SELECT number * {version + 1}, {version} FROM numbers(50000)")
    found = client.execute("SELECT count(), sum(v), uniqExact(k) FROM t FINAL")
    newest = {key * (version + 1): version for version in range(3) for key in range(50_000)}
    assert found == [(len(newest), sum(newest.values()), len(newest))]
