"""The client against a running server: every type that the tables use goes in and comes out as it was; errors are told apart."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from clickhouse_driver import errors as driver
from pydantic import SecretStr

from counterpoise.clickhouse.client import ClickHouse, connect, finish
from counterpoise.clickhouse.columns import Coded, Constant
from counterpoise.errors import ConfigError, RetryableError
from tests.engines import ClickHouseServer


@pytest.fixture(params=[False, True], ids=["plain", "lz4"])
def ch(clickhouse: ClickHouseServer, request: pytest.FixtureRequest) -> Iterator[ClickHouse]:
    """A database of its own, dropped afterwards."""
    with connect(clickhouse.target, "") as server:
        server.execute("CREATE DATABASE client_contract ENGINE = Atomic")
        try:
            with connect(clickhouse.target, "client_contract", compression=request.param) as client:
                yield client
        finally:
            server.execute("DROP DATABASE client_contract SYNC")


HASHES = [bytes(32), b"\x01" + bytes(31), bytes(range(32))]

COLUMNS: dict[str, tuple[str, Any, list[Any]]] = {
    "u8": ("UInt8", np.array([0, 1, 255]), [0, 1, 255]),
    "u64": ("UInt64", np.array([0, 1, 2**64 - 1], np.uint64), [0, 1, 2**64 - 1]),
    "i64": ("Int64", np.array([-(2**63), 0, 2**63 - 1]), [-(2**63), 0, 2**63 - 1]),
    "f": ("Float64", np.array([0.1, -0.0, 1e300]), [0.1, -0.0, 1e300]),
    "b": ("Bool", np.array([True, False, True]), [True, False, True]),
    "e": ("Enum8('raw' = 0, 'entity' = 1)", np.array([0, 1, 0]), ["raw", "entity", "raw"]),
    "e_names": ("Enum8('raw' = 0, 'entity' = 1)", ["raw", "entity", "raw"], ["raw", "entity", "raw"]),
    "t": ("DateTime64(3, 'UTC')", np.array([0, 1, 1_609_545_600_123]), None),  # type: ignore[dict-item]
    "h": ("FixedString(32)", HASHES, HASHES),
    "s": ("String", ["", "🐟", "七彩神仙鱼"], ["", "🐟", "七彩神仙鱼"]),
    "raw": ("String", [b"", b"\xff\x00", b"text"], ["", b"\xff\x00", "text"]),
    "lc": ("LowCardinality(String)", Coded(("a", "b"), np.array([0, 1, 0])), ["a", "b", "a"]),
    "lc_one": ("LowCardinality(String)", Constant("bitcoin", 3), ["bitcoin"] * 3),
    "lc_list": ("LowCardinality(String)", ["x", "y", "x"], ["x", "y", "x"]),
    "n": ("Nullable(UInt64)", np.ma.array(np.array([7, 0, 9], np.uint64), mask=[False, True, False]), [7, None, 9]),
    "n_list": ("Nullable(Float64)", [0.5, None, 1.5], [0.5, None, 1.5]),
    "a": ("Array(String)", [["x"], [], ["y", "z"]], [["x"], [], ["y", "z"]]),
    "pairs": (
        "Array(Tuple(pool String, blocks UInt16))",
        [[("a", 3)], [], [("b", 2), ("c", 1)]],
        [[("a", 3)], [], [("b", 2), ("c", 1)]],
    ),
}


def test_rows_of_one_key_are_merged_when_they_are_read_and_not_when_they_are_stored(ch: ClickHouse) -> None:
    ch.execute("CREATE TABLE t (k UInt64, v UInt64) ENGINE = ReplacingMergeTree(v) ORDER BY k")
    assert ch.insert("t", {"k": np.array([1, 2, 1]), "v": np.array([5, 6, 7])}) == 3
    assert ch.query("SELECT k, v FROM t ORDER BY k, v") == [(1, 5), (1, 7), (2, 6)]
    assert ch.query("SELECT k, v FROM t FINAL ORDER BY k") == [(1, 7), (2, 6)]


def test_every_type_goes_in_and_comes_out(ch: ClickHouse) -> None:
    spec = ", ".join(f"{name} {kind}" for name, (kind, _, _) in COLUMNS.items())
    ch.execute(f"CREATE TABLE t (row UInt8, {spec}) ENGINE = MergeTree ORDER BY row")
    assert ch.insert("t", {"row": np.arange(3), **{name: given for name, (_, given, _) in COLUMNS.items()}}) == 3
    for name, (_, _, expected) in COLUMNS.items():
        found = [value for (value,) in ch.query(f"SELECT {name} FROM t ORDER BY row")]
        if name == "t":
            assert found == [
                datetime(1970, 1, 1, tzinfo=UTC),
                datetime(1970, 1, 1, 0, 0, 0, 1_000, tzinfo=UTC),
                datetime(2021, 1, 2, 0, 0, 0, 123_000, tzinfo=UTC),
            ]
        else:
            assert found == expected, name


def test_columns_come_as_arrays(ch: ClickHouse) -> None:
    found = ch.query_columns(
        "SELECT toUInt16(number) AS n, number > 1 AS b, toDateTime64('2021-01-02 00:00:00.123', 3, 'UTC') AS t, "
        "toFixedString('ab', 4) AS h, toString(number) AS s FROM numbers(3)"
    )
    assert {name: getattr(column, "dtype", list) for name, column in found.items()} == {
        "n": np.uint16,
        "b": np.uint8,  # a comparison is a UInt8 to ClickHouse
        "t": np.dtype("datetime64[ms]"),
        "h": list,
        "s": list,
    }
    assert list(found["h"]) == [b"ab\0\0"] * 3
    assert found["t"][0] == np.datetime64("2021-01-02T00:00:00.123")
    empty = ch.query_columns("SELECT toUInt16(number) AS n, toString(number) AS s FROM numbers(0)")
    assert len(empty["n"]) == 0
    assert empty["s"] == []


def test_a_query_in_two_steps_runs_while_another_one_is_asked(ch: ClickHouse) -> None:
    steps = ch.beside(1).begin_query("SELECT number + {n:UInt8} FROM numbers(2)", {"n": 7})
    next(steps)
    assert ch.query("SELECT 1") == [(1,)]
    assert finish(steps) == [(7,), (8,)]
    wrong = ch.beside(1).begin_query("SELECT no_such_column")
    next(wrong)
    with pytest.raises(driver.ServerException, match="no_such_column"):
        finish(wrong)
    given_up = ch.beside(1).begin_query("SELECT number FROM numbers(1000000)")
    next(given_up)
    given_up.close()
    assert ch.beside(1).query("SELECT 2") == [(2,)], "the next query finds no answers of the one before"


def test_many_blocks_join(ch: ClickHouse) -> None:
    found = ch.query_columns("SELECT number FROM numbers(300000) ORDER BY number")
    assert np.array_equal(np.asarray(found["number"]), np.arange(300_000))
    assert len(ch.query("SELECT number FROM numbers(300000)")) == 300_000


@pytest.mark.parametrize(
    "value", ["plain", "it's", 'say "hi"', "back\\slash", "tab\tnew\nline", "🐟", "{x:UInt8}", "", "a\\'b"]
)
def test_parameters_are_never_part_of_the_statement(ch: ClickHouse, value: str) -> None:
    assert ch.query("SELECT {value:String}", {"value": value}) == [(value,)]
    assert ch.query("SELECT {values:Array(String)}", {"values": [value, "x"]}) == [([value, "x"],)]


def test_numbers_as_parameters(ch: ClickHouse) -> None:
    assert ch.query("SELECT {a:UInt64} + 0, {b:Float64}, {c:Bool}", {"a": 2**63, "b": 0.1, "c": True}) == [
        (2**63, 0.1, True)
    ]
    assert ch.query("SELECT {a:UInt16}", {"a": "1008"}) == [(1008,)]


def test_leaving_a_result_early_leaves_the_client_usable(ch: ClickHouse) -> None:
    for _, columns in ch.stream("SELECT number FROM numbers(100000000)"):
        if columns:
            break
    assert ch.query("SELECT 1") == [(1,)]


def test_an_error_leaves_the_client_usable(ch: ClickHouse) -> None:
    with pytest.raises(driver.ServerException):
        ch.query("SELEC 1")
    with pytest.raises(driver.ServerException):
        ch.query("SELECT throwIf(number = 5000) FROM numbers(10000)")
    assert ch.query("SELECT 1") == [(1,)]


def test_a_bad_column_leaves_nothing_behind(ch: ClickHouse) -> None:
    ch.execute("CREATE TABLE t (a UInt16, b UInt16) ENGINE = MergeTree ORDER BY a")
    with pytest.raises(ValueError, match="column b: 70000 does not fit a column of type UInt16"):
        ch.insert("t", {"a": np.array([1]), "b": np.array([70_000])})
    assert ch.insert("t", {"a": np.array([1]), "b": np.array([2])}) == 1
    assert ch.query("SELECT a, b FROM t") == [(1, 2)]


def test_inserts_that_make_no_sense_are_refused(ch: ClickHouse) -> None:
    with pytest.raises(ValueError, match="equal lengths"):
        ch.insert("t", {"a": [1], "b": [1, 2]})
    with pytest.raises(ValueError, match="not a table name"):
        ch.insert("t; DROP TABLE t", {"a": [1]})
    assert ch.insert("t", {"a": []}) == 0


def test_a_table_that_is_missing_says_what_to_do(ch: ClickHouse) -> None:
    with pytest.raises(ConfigError, match=r"UNKNOWN_TABLE\); run `counterpoise migrate`"):
        ch.query("SELECT * FROM nowhere")
    with pytest.raises(ConfigError, match="UNKNOWN_TABLE"):
        ch.insert("nowhere", {"a": [1]})


def test_a_database_that_is_missing_says_what_to_do(clickhouse: ClickHouseServer) -> None:
    with connect(clickhouse.target, "no_such_database") as client, pytest.raises(ConfigError, match="UNKNOWN_DATABASE"):
        client.query("SELECT 1")


def test_a_wrong_password_says_so_and_is_not_shown(clickhouse: ClickHouseServer) -> None:
    target = replace(clickhouse.target, password=SecretStr("hunter2"))
    with connect(target, "") as client, pytest.raises(ConfigError, match="AUTHENTICATION_FAILED") as refused:
        client.query("SELECT 1")
    assert "hunter2" not in str(refused.value)


def test_a_server_that_is_away_is_waited_for(own_clickhouse: ClickHouseServer) -> None:
    with connect(own_clickhouse.target, "") as client:
        assert client.query("SELECT 1") == [(1,)]
        own_clickhouse.kill()
        for _ in range(2):
            with pytest.raises(RetryableError, match=f"ClickHouse 127.0.0.1:{own_clickhouse.port}/default"):
                client.query("SELECT 1")
        own_clickhouse.restart()
        assert client.query("SELECT 1") == [(1,)]


def test_the_reader_may_not_write(clickhouse: ClickHouseServer) -> None:
    with connect(clickhouse.reader_target, "") as client:
        assert client.query("SELECT 1") == [(1,)]
        with pytest.raises(ConfigError, match="code 164, READONLY"):
            client.execute("CREATE DATABASE mine ENGINE = Atomic")
