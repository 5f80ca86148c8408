"""Types' names taken apart, and values in JSON, CSV, tables and Arrow."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from desk.results.arrow import arrow_batch
from desk.results.type_names import parse_type
from desk.results.values import json_value, plain_text

NOON = datetime(2024, 6, 1, 12, 0, 0, 250_000, tzinfo=UTC)


def test_types_are_taken_apart() -> None:
    leaders = parse_type("Array(Tuple(pool String, blocks UInt16))")
    assert leaders.name == "Array"
    assert leaders.inner[0].labels == ("pool", "blocks")
    assert [kind.name for kind in leaders.inner[0].inner] == ["String", "UInt16"]
    assert parse_type("LowCardinality(Nullable(String))").bare.name == "String"
    assert parse_type("LowCardinality(Nullable(String))").nullable
    assert not parse_type("String").nullable
    assert parse_type("Enum8('a,b' = 1, 'c\\'(' = 2)").arguments == ("'a,b' = 1", "'c\\'(' = 2")
    assert parse_type("Tuple(UInt8, Array(String))").labels == ()
    with pytest.raises(ValueError, match="not a type name"):
        parse_type("Array(String")


@pytest.mark.parametrize(
    ("spec", "value", "expected"),
    [
        ("UInt64", 2**63, 2**63),
        ("Float64", 0.5, 0.5),
        ("Float64", float("nan"), None),
        ("Float64", float("inf"), None),
        ("Nullable(UInt8)", None, None),
        ("Bool", True, True),
        ("DateTime64(3, 'UTC')", NOON, "2024-06-01T12:00:00.250000Z"),
        ("Date", date(2024, 6, 1), "2024-06-01"),
        ("FixedString(2)", b"ab", "6162"),
        ("String", b"\xff", "ff"),
        ("Array(Tuple(pool String, blocks UInt16))", [("foundry-usa", 5)], [{"pool": "foundry-usa", "blocks": 5}]),
        ("Tuple(UInt8, String)", (1, "a"), [1, "a"]),
        ("Map(String, UInt8)", {"a": 1}, {"a": 1}),
        ("JSON", {"a": [1, None, {"b": float("nan")}]}, {"a": [1, None, {"b": None}]}),
        ("Ring", [(1.0, 2.0)], [[1.0, 2.0]]),
        ("Decimal(38, 20)", Decimal("-1E-20"), "-0.00000000000000000001"),
    ],
)
def test_json(spec: str, value: Any, expected: Any) -> None:
    assert json_value(parse_type(spec), value) == expected


@pytest.mark.parametrize(
    ("spec", "value", "csv", "table"),
    [
        ("Float64", 0.1234567890123, "0.1234567890123", "0.123457"),
        ("Float64", float("nan"), "", ""),
        ("UInt32", 946_236, "946236", "946236"),
        ("Bool", True, "true", "true"),
        ("DateTime64(3, 'UTC')", NOON, "2024-06-01T12:00:00.250000Z", "2024-06-01 12:00:00.250000"),
        (
            "Array(Tuple(pool String, blocks UInt16))",
            [("a", 5), ("b", 3)],
            '[{"pool":"a","blocks":5},{"pool":"b","blocks":3}]',
            "a 5, b 3",
        ),
        ("Array(Float64)", [0.25], "[0.25]", "0.25"),
        ("Array(Nullable(Bool))", [True, None, False], "[true,null,false]", "true, null, false"),
        ("Array(Tuple(Nullable(Float64), String))", [(float("nan"), "None")], '[[null,"None"]]', "null None"),
    ],
)
def test_text(spec: str, value: Any, csv: str, table: str) -> None:
    assert plain_text(parse_type(spec), value) == csv
    assert plain_text(parse_type(spec), value, digits=6) == table


def test_arrow_has_the_types() -> None:
    heads = [
        ("height", "UInt32"),
        ("time", "DateTime64(3, 'UTC')"),
        ("leaders", "Array(Tuple(pool String, blocks UInt16))"),
        ("fees", "Nullable(UInt64)"),
        ("view", "Enum8('raw' = 0)"),
        ("hash", "FixedString(2)"),
    ]
    batch = arrow_batch(heads, [[1], [NOON], [[("a", 5)]], [None], ["raw"], [b"ab"]])
    assert batch.schema.field("height").type == pa.uint32()
    assert batch.schema.field("time").type == pa.timestamp("ms", tz="UTC")
    assert batch.to_pylist() == [
        {
            "height": 1,
            "time": NOON,
            "leaders": [{"pool": "a", "blocks": 5}],
            "fees": None,
            "view": "raw",
            "hash": "6162",
        }
    ]
