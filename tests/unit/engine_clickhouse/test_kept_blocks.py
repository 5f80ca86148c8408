"""Which blocks are kept in memory, and as what table they are read."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from engines.clickhouse import kept_blocks
from engines.clickhouse.described_column import Described

PLAIN = (
    *(
        "UInt8",
        "Int64",
        "Float32",
        "Bool",
        "String",
        "FixedString(32)",
        "UUID",
        "Date",
        "Date32",
        "DateTime",
        "DateTime('UTC')",
    ),
    *(
        "DateTime64(3)",
        "DateTime64(3, 'UTC')",
        "LowCardinality(String)",
        "Nullable(Float64)",
        "Array(Array(Nullable(UInt16)))",
    ),
    "Enum8('parked' = 0, 'it''s' = 1)",
    *(
        "Array(Tuple(pool String, blocks UInt16))",
        "Tuple(a UInt8)",
        "Tuple(UInt8, Array(Nullable(String)))",
        "Tuple(`odd, name(` UInt8, b Tuple(c Date, d Enum8('x, y)' = 1)))",
        "Map(String, UInt8)",
        "Map(LowCardinality(String), Array(UInt8))",
    ),
)
OTHERS = (
    *(
        "LowCardinality(UInt8)",
        "FixedString(300)",
        "DateTime('Europe/Paris')",
        "Map(UInt8, LowCardinality(UInt8))",
        "Variant(UInt8, String)",
    ),
    *(
        "Tuple(a UInt8, b JSON)",
        "Nullable(Tuple(a UInt8))",
        "Nested(a UInt8)",
        "JSON",
        "Array(LowCardinality(UInt8))",
        "UInt256",
    ),
)


def described(spec: str, name: str = "a") -> Described:
    return Described(name, spec, "", "")


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has files without a name")
@pytest.mark.parametrize("spec", [*PLAIN, *OTHERS])
def test_only_plain_types_are_kept(spec: str) -> None:
    assert kept_blocks.can_keep([described("UInt8"), described(spec)]) == (spec in PLAIN)


BLOCK = b"\x02\x01\x01a\x05UInt8\x07\x01b\x06String\x01x"


@pytest.mark.parametrize(
    ("columns", "kept"),
    [
        ({"a": "UInt8", "b": "String"}, True),
        ({"b": "String", "a": "UInt8"}, True),
        ({"a": "UInt8"}, False),
        ({"a": "UInt8", "b": "String", "c": "String"}, False),
        ({"a": "UInt16", "b": "String"}, False),
        ({"a": "UInt8", "b": "Nullable(String)"}, False),
        ({"a": "UInt8", "c": "String"}, False),
    ],
)
def test_only_a_block_of_the_very_columns_is_kept(columns: dict[str, str], *, kept: bool) -> None:
    assert kept_blocks.is_as(BLOCK, [described(spec, name) for name, spec in columns.items()]) == kept


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has files without a name")
def test_blocks_are_a_file_without_a_name_while_they_are_read() -> None:
    columns = [described("Enum8('it''s' = 1)", "odd `name"), described("UInt8", "n.a")]
    with kept_blocks.as_table([b"one", b"two"], columns) as table:
        path = table.split("'")[1]
        assert Path(path).read_bytes() == b"onetwo"
        assert table == rf"file('{path}', 'Native', '`odd \\`name` Enum8(\'it\'\'s\' = 1), `n.a` UInt8')"
    assert not Path(path).exists()
