"""Every way in which rows arrive over the native protocol."""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
import pytest
from clickhouse_driver import Client
from clickhouse_driver.errors import ServerException

from engines.clickhouse.kept_blocks import FEW_BYTES
from tests.contract.engine_clickhouse.conftest import Connect
from tests.contract.engine_clickhouse.test_queries import code_of

FEW = FEW_BYTES // 4 + 100
"""Rows of one number each, of four bytes or more, that are too many to be kept in memory."""


def test_column_lists_defaults_and_aliases(connect: Connect, database: str) -> None:
    client = connect(database=database)
    client.execute(
        "CREATE TABLE t (k UInt32, v String DEFAULT 'none', twice UInt32 ALIAS k * 2, next UInt32 MATERIALIZED k + 1,"
        " `odd ``name` UInt8) ENGINE = MergeTree ORDER BY k"
    )
    client.execute("INSERT INTO t (k) VALUES", [(1,)])
    client.execute("INSERT INTO t (`odd ``name`, k) VALUES", [(7, 2)])
    client.execute("insert into\n t(*) /* all */ format Native", [(3, "three", 0)])
    client.execute("INSERT INTO t (* EXCEPT(v)) VALUES", [(4, 9)])
    client.execute("INSERT INTO t SETTINGS async_insert = 0 VALUES", [(5, "five", 5)])
    client.execute(f"INSERT INTO TABLE `{database}`.t -- comment\n VALUES", [(6, "six", 6)])
    assert client.execute("SELECT k, v, twice, next, `odd ``name` FROM t ORDER BY k") == [
        (1, "none", 2, 2, 0),
        (2, "none", 4, 3, 7),
        (3, "three", 6, 4, 0),
        (4, "none", 8, 5, 9),
        (5, "five", 10, 6, 5),
        (6, "six", 12, 7, 6),
    ]


def test_nested_columns_spread(connect: Connect, database: str) -> None:
    client = connect(database=database)
    client.execute("CREATE TABLE t (k UInt8, n Nested(a String, b UInt8)) ENGINE = MergeTree ORDER BY k")
    client.execute("INSERT INTO t (k, n.a, n.b) VALUES", [(1, ["x", "y"], [1, 2])])
    assert client.execute("SELECT n.a, n.b FROM t") == [(["x", "y"], [1, 2])]


def test_inline_values_and_insert_select(connect: Connect, database: str) -> None:
    client = connect(database=database)
    client.execute("CREATE TABLE t (a UInt8, b String) ENGINE = MergeTree ORDER BY a")
    client.execute("INSERT INTO t VALUES (1, 'VALUES ('), (2, 'b')")
    client.execute("INSERT INTO t SELECT a + 2, b FROM t")
    client.execute('INSERT INTO t FORMAT JSONEachRow {"a": 5, "b": "e"}')
    assert client.execute("SELECT count(), sum(a) FROM t") == [(5, 15)]


def test_rows_through_input_are_transformed(connect: Connect, database: str) -> None:
    client = connect(database=database)
    client.execute("CREATE TABLE t (k UInt32, v String) ENGINE = MergeTree ORDER BY k")
    sql = "INSERT INTO t SELECT k + 1, upper(v) FROM input('k UInt32, v String') WHERE k > 1 FORMAT Native"
    client.execute(sql, [(1, "a"), (2, "b"), (3, "c")])
    assert client.execute("SELECT k, v FROM t ORDER BY k") == [(3, "B"), (4, "C")]
    assert client.execute("SELECT count() FROM system.tables WHERE is_temporary") == [(0,)]


def test_rows_into_a_table_function(connect: Connect) -> None:
    client = connect()
    assert client.execute("INSERT INTO FUNCTION null('k UInt32') VALUES", [(1,), (2,)]) == 2


def test_a_constraint_holds_for_inserted_blocks(connect: Connect, database: str) -> None:
    client = connect(database=database)
    client.execute("CREATE TABLE t (a UInt8) ENGINE = MergeTree ORDER BY a")
    client.execute("INSERT INTO t VALUES", [(9,)])
    client.execute("ALTER TABLE t ADD CONSTRAINT small CHECK a < 5")
    with pytest.raises(ServerException) as caught:
        client.execute("INSERT INTO t VALUES", [(8,)])
    assert caught.value.code == 469  # VIOLATED_CONSTRAINT
    client.execute("INSERT INTO t (a) VALUES", [(4,)])
    assert client.execute("SELECT a FROM t ORDER BY a") == [(4,), (9,)]


def test_a_materialized_view_sees_inserted_blocks(connect: Connect, database: str) -> None:
    client = connect(database=database)
    client.execute("CREATE TABLE t (k UInt8, n UInt32) ENGINE = MergeTree ORDER BY k")
    client.execute("CREATE MATERIALIZED VIEW s ENGINE = SummingMergeTree ORDER BY k AS SELECT k, n FROM t")
    client.execute("INSERT INTO t VALUES", [(1, 2), (1, 3), (2, 4)])
    assert client.execute("SELECT k, sum(n) FROM s GROUP BY k ORDER BY k") == [(1, 5), (2, 4)]


@pytest.mark.parametrize(
    ("sql", "code"),
    [
        ("INSERT INTO absent VALUES", 60),
        ("INSERT INTO t (nope) VALUES", 16),
        ("INSERT INTO t (a", 62),
        ("INSERT INTO nowhere.t VALUES", 81),
    ],
)
def test_a_wrong_insert_is_told_with_its_code_and_the_connection_goes_on(
    connect: Connect, database: str, sql: str, code: int
) -> None:
    client = connect(database=database)
    client.execute("CREATE TABLE t (a UInt8) ENGINE = MergeTree ORDER BY a")
    with pytest.raises(ServerException) as caught:
        client.execute(sql, [(1,)])
    assert caught.value.code == code
    assert client.execute("SELECT count() FROM t") == [(0,)]


@pytest.mark.parametrize("number", [10_000, FEW], ids=["from memory", "through a table"])
def test_many_blocks_make_one_insert(connect: Connect, database: str, number: int) -> None:
    client = connect(database=database)
    client.execute("CREATE TABLE t (n UInt32) ENGINE = MergeTree ORDER BY n")
    rows = ((n,) for n in range(number))
    assert client.execute("INSERT INTO t VALUES", rows, settings={"insert_block_size": number // 100}) == number
    assert client.execute("SELECT count(), sum(n) FROM t") == [(number, number * (number - 1) // 2)]
    assert client.execute("SELECT count() FROM system.parts WHERE database = %(d)s", {"d": database}) == [(1,)]


@pytest.mark.parametrize("compression", [False, "lz4"], ids=["plain", "lz4"])
def test_a_million_rows_in_and_out(connect: Connect, database: str, compression: str) -> None:
    rows = 1_000_000
    client = connect(database=database, compression=compression, settings={"use_numpy": True})
    client.execute(
        "CREATE TABLE t (a UInt64, b UInt32, c Float64, p LowCardinality(String)) ENGINE = MergeTree ORDER BY a"
    )
    a = np.arange(rows, dtype=np.uint64)
    names = np.array(["foundry", "antpool", "f2pool"], dtype=object)[np.arange(rows) % 3]
    columns = [a, (a % 1000).astype(np.uint32), a / 7.0, names]
    client.execute("INSERT INTO t VALUES", columns, columnar=True)
    got = client.execute("SELECT a, b, c FROM t ORDER BY a", columnar=True)
    for sent, received in zip(columns, got, strict=False):
        np.testing.assert_array_equal(received, sent)
    counted = client.execute("SELECT toString(p), count() FROM t GROUP BY p ORDER BY p", columnar=False)
    assert [tuple(row) for row in counted] == [("antpool", 333_333), ("f2pool", 333_333), ("foundry", 333_334)]


@pytest.mark.parametrize(
    ("create", "code"),
    [
        ("a UInt64) ENGINE = MergeTree ORDER BY a PARTITION BY a", 252),
        ("a UInt64, CONSTRAINT c CHECK a < 9) ENGINE = MergeTree ORDER BY a", 469),
    ],
)
@pytest.mark.parametrize("rows", [10, FEW], ids=["from memory", "through a table"])
def test_what_goes_wrong_behind_the_reading_of_the_rows_is_told(
    connect: Connect, database: str, create: str, code: int, rows: int
) -> None:
    """An insert that is acknowledged is there."""
    client = connect(database=database)
    client.execute(f"CREATE TABLE t ({create}")
    insert = "INSERT INTO t (a) SETTINGS max_partitions_per_insert_block = 5 VALUES"
    assert code_of(client.execute, insert, [(n % 10,) for n in range(rows)]) == code
    assert client.execute("SELECT count() FROM t") == [(0,)]
    client.execute(insert, [(1,), (2,)])
    assert client.execute("SELECT count() FROM t") == [(2,)]


@pytest.mark.parametrize("rows", [1, FEW], ids=["from memory", "through a table"])
def test_a_view_that_fails_fails_the_insert(connect: Connect, database: str, rows: int) -> None:
    client = connect(database=database)
    client.execute("CREATE TABLE t (a UInt64) ENGINE = MergeTree ORDER BY a")
    client.execute("CREATE TABLE seen (a UInt64) ENGINE = MergeTree ORDER BY a")
    client.execute("CREATE MATERIALIZED VIEW v TO seen AS SELECT throwIf(a = 5) + a AS a FROM t")
    assert code_of(client.execute, "INSERT INTO t VALUES", [(5,)] * rows) == 395
    client.execute("INSERT INTO t VALUES", [(4,)])
    assert client.execute("SELECT a FROM seen") == [(4,)]


def test_a_default_may_speak_of_a_column_that_the_statement_leaves_out(connect: Connect, database: str) -> None:
    client = connect(database=database)
    client.execute("CREATE TABLE t (a UInt8, b UInt8 DEFAULT 7, c UInt8 DEFAULT a + b) ENGINE = MergeTree ORDER BY a")
    client.execute("INSERT INTO t (a) VALUES", [(1,)])
    client.execute("INSERT INTO t (a, c) VALUES", [(2, 3)])
    assert client.execute("SELECT * FROM t ORDER BY a") == [(1, 7, 8), (2, 7, 3)]


def sends(client: Client, types: dict[str, str]) -> Client:
    """The client, which then sends blocks of its own types, whatever the server's are."""
    send_data = client.send_data

    def send(sample_block: Any, *args: Any, **named: Any) -> int:
        sample_block.columns_with_types = [(name, types[name]) for name, _ in sample_block.columns_with_types]
        return int(send_data(sample_block, *args, **named))

    client.send_data = send
    return client


@pytest.mark.parametrize(
    ("stored", "sent", "value"),
    [
        ("UInt8 DEFAULT 7", "Nullable(UInt8)", None),
        ("String DEFAULT 'x'", "Nullable(String)", None),
        ("Nullable(UInt8) DEFAULT 7", "UInt8", 3),
        ("UInt32", "UInt8", 255),
        ("UInt8", "UInt32", 300),
        ("UInt8", "String", "12"),
        ("String", "UInt8", 12),
        ("DateTime('UTC')", "UInt32", 1_600_000_000),
        ("Enum8('a' = 1, 'b' = 2)", "String", "b"),
        ("LowCardinality(String)", "String", "a"),
        ("FixedString(2)", "String", "ab"),
        ("Array(UInt8)", "Array(UInt16)", [1, 2]),
        ("Array(Tuple(a String, b UInt16))", "Array(Tuple(a String, b UInt16))", [("x", 1), ("y", 2)]),
        ("Array(Tuple(a String, b UInt16))", "Array(Tuple(String, UInt16))", [("x", 1)]),
        ("Tuple(a UInt8, b Tuple(c String))", "Tuple(a UInt8, b Tuple(c String))", (1, ("x",))),
        ("Map(String, UInt16)", "Map(String, UInt16)", {"x": 1, "y": 2}),
        ("Map(String, UInt16)", "Map(String, UInt16)", {}),
    ],
)
def test_a_block_of_other_types_gives_the_same_values_in_few_rows_and_many(
    connect: Connect, database: str, stored: str, sent: str, value: object
) -> None:
    """Or the same error: the way that the rows take is not seen."""
    client = sends(connect(database=database), {"a": "UInt32", "b": sent})
    found = []
    for table, rows in (("one", 1), ("many", FEW)):
        client.execute(f"CREATE TABLE {table} (a UInt32, b {stored}) ENGINE = MergeTree ORDER BY a")
        try:
            client.execute(f"INSERT INTO {table} VALUES", [(number, value) for number in range(rows)])
        except ServerException as error:
            found.append(("error", error.code))
        else:
            found.append(("stored", client.execute(f"SELECT b FROM {table} WHERE a = 0")))
    assert found[0] == found[1]


@pytest.mark.parametrize(
    ("columns", "settings", "rows"),
    [
        (
            "a LowCardinality(UInt8), b LowCardinality(Nullable(Date))",
            "allow_suspicious_low_cardinality_types = 1",
            [(1, None), (2, date(2024, 1, 2))],
        ),
        ("a FixedString(300)", "allow_suspicious_fixed_string_types = 1", [("x" * 300,)]),
        ("a UInt8, n Nested(x String, y UInt8)", "flatten_nested = 0", [(1, [("one", 2), ("two", 3)]), (2, [])]),
        ("a UInt8, n Nested(x String, y UInt8)", "flatten_nested = 1", [(1, ["one", "two"], [2, 3]), (2, [], [])]),
    ],
)
def test_a_table_that_a_setting_made_takes_rows_without_it(
    client: Client, database: str, columns: str, settings: str, rows: list[tuple[object, ...]]
) -> None:
    client.execute(f"CREATE TABLE {database}.t ({columns}) ENGINE = MergeTree ORDER BY tuple() SETTINGS {settings}")
    client.execute(f"INSERT INTO {database}.t VALUES", rows)
    assert client.execute(f"SELECT * FROM {database}.t") == rows


def test_an_insert_follows_what_another_session_changes(connect: Connect, database: str) -> None:
    """The columns of a table are remembered from one INSERT to the next, and not beyond a statement that changes them."""
    day = date(2024, 1, 2)
    with connect(database=database) as writer, connect(database=database) as changer:
        for change, row in (
            ("CREATE TABLE t (a UInt8) ENGINE = MergeTree ORDER BY a", (1,)),
            ("ALTER TABLE t ADD COLUMN b String DEFAULT 'x'", (2, "y")),
            ("ALTER TABLE t RENAME COLUMN b TO c", (3, "z")),
            ("DROP TABLE t SYNC", None),
            ("CREATE TABLE t (a UInt8, d Date) ENGINE = MergeTree ORDER BY a", (4, day)),
            ("CREATE TABLE u (a UInt8, e String) ENGINE = MergeTree ORDER BY a", None),
            ("EXCHANGE TABLES t AND u", (5, "e")),
            ("ALTER TABLE t MODIFY COLUMN e UInt16", None),
            ("ALTER TABLE t DROP COLUMN e", (6,)),
        ):
            if "MODIFY" in change:
                changer.execute("TRUNCATE TABLE t")
            changer.execute(change)
            if row is not None:
                for _ in range(2):
                    writer.execute("INSERT INTO t VALUES", [row])
                assert writer.execute(f"SELECT * FROM t WHERE a = {row[0]}") == [row] * 2, change


def test_a_temporary_table_of_a_failed_statement_is_the_sessions_alone(connect: Connect, database: str) -> None:
    """The engine registers a temporary table before it fills it, so that it stands after a SELECT that fails."""
    with connect(database=database) as maker, connect(database=database) as other:
        other.execute("CREATE TABLE t (a UInt32, b String) ENGINE = MergeTree ORDER BY a")
        for comment in ("", "/*" + "x" * 2_000 + "*/"):
            with pytest.raises(ServerException):
                maker.execute(
                    f"CREATE {comment} TEMPORARY TABLE t AS SELECT toUInt8(number) AS a, throwIf(number > 1) AS b FROM numbers(9)"
                )
            maker.execute("INSERT INTO t (a) VALUES", [(1,)])
            other.execute("INSERT INTO t VALUES", [(100_000, "whole")])
            maker.execute("DROP TEMPORARY TABLE IF EXISTS t")
        assert other.execute("SELECT DISTINCT a, b FROM t WHERE b != ''") == [(100_000, "whole")]


def sent(name: str, rows: int, types: str = "UInt32") -> dict[str, Any]:
    """An external table of the numbers from 0 on, each with its text."""
    structure = [("a", types), ("b", "Array(Tuple(x String, y UInt16))")]
    return {"name": name, "structure": structure, "data": [{"a": at, "b": [(str(at), 7)]} for at in range(rows)]}


@pytest.mark.parametrize(
    "select",
    [
        "SELECT a, b FROM came WHERE a < 2",
        "SELECT a, b FROM came WHERE (SELECT max(n) FROM held) = {n:UInt32}",
        "SELECT a, b FROM came WHERE (SELECT max(n) FROM held) != {n:UInt32}",
        "SELECT a + 1, arrayMap(one -> (one.x, one.y), b) FROM came AS c SETTINGS max_threads = 1",
        "SELECT came.a, came.b FROM came",
        "SELECT c.a, c.b FROM came AS c INNER JOIN more USING (a)",
        "SELECT more.a, came.b FROM came, more WHERE more.a < 2",
        "SELECT n AS a, [] AS b FROM held WHERE n IN (SELECT a FROM more) AND n IN more",
        "WITH came AS (SELECT toUInt32(5) AS a, [('came', 1)] AS b) SELECT a, b FROM came",
        "SELECT a, [('came', 2)] FROM came",
        "SELECT a, b FROM nowhere.came",
        "SELECT absent FROM came",
        "SELECT a, b FROM came WHERE throwIf(a = 0) = 1",
        "SELECT a, b FRO came",
        "SELECT a, b FROM came FINAL",
        "SELECT a, b FROM came SAMPLE 0.5",
        "SELECT count(), [('all', 1)] FROM came",
    ],
)
def test_an_insert_reads_few_and_many_rows_that_came_with_it_alike(
    connect: Connect, database: str, select: str
) -> None:
    """The way that the rows take is not seen, in its rows, its count or its error."""
    found: list[tuple[Any, ...]] = []
    for types, settings in (("UInt32", {}), ("LowCardinality(UInt32)", {"allow_suspicious_low_cardinality_types": 1})):
        client = connect(database=database, settings={**settings, "server_side_params": True})
        client.execute("CREATE OR REPLACE TABLE held (n UInt32) ENGINE = MergeTree ORDER BY n")
        client.execute("INSERT INTO held VALUES", [(1,), (3,)])
        client.execute(
            "CREATE OR REPLACE TABLE t (a UInt32, b Array(Tuple(x String, y UInt16))) ENGINE = MergeTree ORDER BY a"
        )
        tables = [sent("came", 3, types), sent("more", 2, types)]
        try:
            client.execute(f"INSERT INTO t (a, b) {select}", {"n": 3}, external_tables=tables)
        except ServerException as error:
            found.append(("error", error.code))
        else:
            rows = client.execute("SELECT * FROM t ORDER BY ALL")
            found.append(("rows", client.last_query.progress.written_rows or len(rows), rows))
        assert code_of(client.execute, "SELECT * FROM came") == 60
    assert found[0] == found[1]


def test_rows_that_came_are_counted_each_time(connect: Connect, database: str) -> None:
    client = connect(database=database)
    client.execute("CREATE TABLE t (a UInt64) ENGINE = MergeTree ORDER BY a")
    for rows in (3, 5, 2, 4):
        client.execute("INSERT INTO t SELECT count() FROM came", external_tables=[sent("came", rows)])
    assert client.execute("SELECT a FROM t ORDER BY a") == [(2,), (3,), (4,), (5,)]


def inserts_begun(client: Client) -> int:
    [(number,)] = client.execute("SELECT sum(value) FROM system.events WHERE event = 'InsertQuery'")
    return int(number)


@pytest.mark.parametrize(("rows", "inserts"), [(3, 1), (FEW, 2)], ids=["from memory", "through a table"])
def test_few_rows_that_came_with_an_insert_enter_no_table_of_their_own(
    connect: Connect, database: str, rows: int, inserts: int
) -> None:
    client = connect(database=database)
    client.execute("CREATE TABLE t (a UInt32, b Array(Tuple(x String, y UInt16))) ENGINE = MergeTree ORDER BY a")
    before = inserts_begun(client)
    client.execute("INSERT INTO t (a, b) SELECT a, b FROM came", external_tables=[sent("came", rows)])
    assert inserts_begun(client) - before == inserts
    assert client.execute("SELECT count(), sum(a) FROM t") == [(rows, rows * (rows - 1) // 2)]
