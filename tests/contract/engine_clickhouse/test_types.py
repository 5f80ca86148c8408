"""Values go in and come out equal, through an unmodified clickhouse-driver, plain and compressed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from ipaddress import IPv4Address, IPv6Address
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from tests.contract.engine_clickhouse.conftest import Connect

TYPES: list[tuple[str, Sequence[Any]]] = [
    ("UInt8", [0, 255]),
    ("UInt16", [0, 65535]),
    ("UInt32", [0, 2**32 - 1]),
    ("UInt64", [0, 2**64 - 1]),
    ("UInt128", [0, 2**128 - 1]),
    ("UInt256", [0, 2**256 - 1]),
    ("Int8", [-128, 127]),
    ("Int16", [-(2**15), 2**15 - 1]),
    ("Int32", [-(2**31), 2**31 - 1]),
    ("Int64", [-(2**63), 2**63 - 1]),
    ("Int128", [-(2**127), 2**127 - 1]),
    ("Int256", [-(2**255), 2**255 - 1]),
    ("Float32", [0.5, -3.25]),
    ("Float64", [0.1, -1e300]),
    ("Bool", [True, False]),
    ("String", ["", "é", "x" * 127, "x" * 128, "x" * 70_000, "tab\tnul\0'\\"]),
    ("FixedString(4)", ["abcd", "wxyz"]),
    ("Date", [date(1970, 1, 1), date(2149, 6, 6)]),
    ("Date32", [date(1900, 1, 1), date(2299, 12, 31)]),
    ("DateTime('UTC')", [datetime(2024, 6, 1, 12, 0, 1, tzinfo=UTC)]),
    ("DateTime('Asia/Tokyo')", [datetime(2024, 6, 1, 12, 0, 1, tzinfo=ZoneInfo("Asia/Tokyo"))]),
    ("DateTime64(3, 'UTC')", [datetime(2009, 1, 3, 18, 15, 5, 123000, tzinfo=UTC)]),
    ("DateTime64(6, 'Asia/Tokyo')", [datetime(2024, 6, 1, 12, 0, 1, 999999, tzinfo=ZoneInfo("Asia/Tokyo"))]),
    ("Decimal(9, 2)", [Decimal("-1234567.89"), Decimal("0.01")]),
    ("Decimal(18, 8)", [Decimal("3.12500000")]),
    ("Decimal(38, 10)", [Decimal("12345678901234567890.0123456789")]),
    ("Decimal(76, 20)", [Decimal("-1.00000000000000000001")]),
    ("UUID", [UUID("12345678-1234-5678-1234-567812345678")]),
    ("IPv4", [IPv4Address("127.0.0.1"), IPv4Address("255.255.255.255")]),
    ("IPv6", [IPv6Address("::1"), IPv6Address("2001:db8::ff")]),
    ("Enum8('live' = 1, 'it\\'s, (odd)' = -2)", ["live", "it's, (odd)"]),
    ("Enum16('a' = 1000, 'b' = -1000)", ["a", "b"]),
    ("LowCardinality(String)", ["a", "b", "a", ""]),
    ("LowCardinality(Nullable(String))", ["a", None, "a"]),
    ("LowCardinality(FixedString(2))", ["aa", "bb", "aa"]),
    ("Nullable(Int64)", [None, -5, None]),
    ("Nullable(String)", [None, "", "x"]),
    ("Nullable(Decimal(18, 8))", [None, Decimal("0.00000001")]),
    ("Array(String)", [[], ["a", ""], ["b"]]),
    ("Array(LowCardinality(String))", [["x", "y", "x"], [], ["z"]]),
    ("Array(Array(Nullable(UInt16)))", [[], [[1, None], []], [[3]]]),
    ("Array(Tuple(String, UInt32))", [[("foundry", 40), ("antpool", 20)], []]),
    ("Tuple(name String, n Nullable(UInt8))", [("a", 1), ("b", None)]),
    ("Map(String, UInt64)", [{}, {"a": 1, "b": 2}]),
    ("Map(LowCardinality(String), Array(UInt8))", [{"a": [1, 2]}, {}]),
    ("SimpleAggregateFunction(max, UInt64)", [7, 9]),
    ("IntervalDay", [1, 2]),
    ("Point", [(1.5, -2.5), (0.0, 0.0)]),
]


@pytest.mark.parametrize("compression", [False, "lz4"], ids=["plain", "lz4"])
@pytest.mark.parametrize(("type_", "values"), TYPES, ids=[type_ for type_, _ in TYPES])
def test_a_column_round_trips(connect: Connect, type_: str, values: Sequence[Any], compression: Any) -> None:
    client = connect(compression=compression)
    client.execute(f"CREATE TEMPORARY TABLE t (n UInt32, v {type_}, after String) ENGINE = Memory")
    rows = [(number, value, f"after {number}") for number, value in enumerate(values)]
    assert client.execute("INSERT INTO t VALUES", rows) == len(rows)
    got = client.execute("SELECT n, v, after FROM t ORDER BY n", with_column_types=True)
    assert got[0] == rows
    # The engine may write a type in its canonical form; what is left of it must be there.
    assert [name for name, _ in got[1]] == ["n", "v", "after"]
    assert got[1][1][1].split("(")[0] == type_.split("(", maxsplit=1)[0] or type_ == "Point"


def test_a_zone_of_a_date_time_column_reaches_the_client(connect: Connect) -> None:
    sql = "SELECT toDateTime(0, 'Asia/Tokyo') AS z, toDateTime(0, 'UTC') AS u, now() AS n"
    columns = connect().execute(sql, with_column_types=True)[1]
    assert columns == [("z", "DateTime('Asia/Tokyo')"), ("u", "DateTime('UTC')"), ("n", "DateTime")]


def test_null_in_a_nullable_parameterised_enum_and_an_empty_block(connect: Connect) -> None:
    client = connect()
    client.execute("CREATE TEMPORARY TABLE t (v Nullable(Enum8('a' = 1))) ENGINE = Memory")
    assert client.execute("INSERT INTO t VALUES", []) == 0
    client.execute("INSERT INTO t VALUES", [(None,), ("a",)])
    assert client.execute("SELECT v FROM t ORDER BY v NULLS FIRST") == [(None,), ("a",)]


def test_numpy_columns_round_trip(connect: Connect) -> None:
    client = connect(settings={"use_numpy": True})
    client.execute(
        "CREATE TEMPORARY TABLE t (i Int64, f Float64, d DateTime64(3, 'UTC'), s String, l LowCardinality(String),"
        " b UInt8) ENGINE = Memory"
    )
    columns = [
        np.arange(1000, dtype=np.int64),
        np.linspace(0, 1, 1000),
        np.datetime64("2024-06-01T00:00:00.123", "ns") + np.arange(1000).astype("timedelta64[s]"),
        np.array([f"row {n}" for n in range(1000)], dtype=object),
        np.array([f"pool {n % 7}" for n in range(1000)], dtype=object),
        np.arange(1000, dtype=np.uint8),
    ]
    client.execute("INSERT INTO t VALUES", columns, columnar=True)
    got = client.execute("SELECT i, f, d, s, toString(l), b FROM t ORDER BY i", columnar=True)
    for sent, received in zip(columns, got, strict=True):
        np.testing.assert_array_equal(np.asarray(received), sent)


def test_columns_of_equal_and_mixed_string_lengths(connect: Connect) -> None:
    """The walk takes strides over equal lengths: lengths that change within, before and after a stride must not matter."""
    client = connect(compression="lz4")
    client.execute("CREATE TEMPORARY TABLE t (n UInt32, hash String, mixed String) ENGINE = Memory")
    rows = []
    for number in range(20_000):
        length = 64 if number % 5000 else 200
        rows.append((number, "f" * length, "m" * (number % 300)))
    client.execute("INSERT INTO t VALUES", rows)
    assert client.execute("SELECT n, hash, mixed FROM t ORDER BY n") == rows


def test_a_type_that_is_not_transferred_is_refused_by_name(connect: Connect) -> None:
    from clickhouse_driver.errors import ServerException

    client = connect()
    with pytest.raises(ServerException, match=r"does not transfer the type Dynamic") as caught:
        client.execute("SELECT 1::Dynamic AS d, 2 AS after")
    assert caught.value.code == 50
    assert client.execute("SELECT toString(1::Dynamic)") == [("1",)]
