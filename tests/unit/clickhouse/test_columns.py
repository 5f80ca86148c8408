"""Our bytes of a column are the driver's own bytes for the same values."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from clickhouse_driver.columns.service import write_column
from clickhouse_driver.context import Context
from hypothesis import given
from hypothesis import strategies as st

from counterpoise.clickhouse.columns import Coded, Column, Constant, array_dtype, as_list, concatenate, encode


class _Buffer(io.BytesIO):
    """What the driver's writers expect of a buffered socket."""

    def write_strings(self, items: Any, encoding: str | None = None) -> None:
        for item in items:
            raw = item.encode(encoding or "utf-8") if isinstance(item, str) else item
            size, head = len(raw), bytearray()
            while size > 127:
                head.append(size & 127 | 128)
                size >>= 7
            self.write(bytes(head) + bytes([size]) + raw)

    def write_fixed_strings(self, items: Any, length: int, encoding: str | None = None) -> None:
        for item in items:
            raw = item.encode(encoding or "utf-8") if isinstance(item, str) else item
            self.write(raw.ljust(length, b"\0"))


def driver_bytes(spec: str, items: list[Any]) -> bytes:
    context = Context()
    context.client_settings = {"use_numpy": False, "strings_as_bytes": False, "strings_encoding": "utf-8"}
    context.settings = {}
    buffer = _Buffer()
    write_column(context, "x", spec, list(items), buffer)
    return buffer.getvalue()


INTEGERS = {
    "UInt8": (np.uint8, 0, 255),
    "UInt16": (np.uint16, 0, 65_535),
    "UInt32": (np.uint32, 0, 2**32 - 1),
    "UInt64": (np.uint64, 0, 2**64 - 1),
    "Int8": (np.int8, -128, 127),
    "Int16": (np.int16, -(2**15), 2**15 - 1),
    "Int32": (np.int32, -(2**31), 2**31 - 1),
    "Int64": (np.int64, -(2**63), 2**63 - 1),
}


@pytest.mark.parametrize("spec", INTEGERS)
def test_integers(spec: str) -> None:
    dtype, low, high = INTEGERS[spec]
    values = [low, high, 1]
    assert encode(spec, np.array(values, dtype)) == driver_bytes(spec, values)
    assert encode(spec, Constant(high, 3)) == driver_bytes(spec, [high] * 3)


def test_other_fixed_widths() -> None:
    assert encode("Float64", np.array([1.5, -0.0, 1e300])) == driver_bytes("Float64", [1.5, -0.0, 1e300])
    assert encode("Bool", np.array([True, False])) == driver_bytes("Bool", [True, False])
    assert encode("Enum8('raw' = 0, 'entity' = 1)", np.array([1, 0])) == driver_bytes(
        "Enum8('raw' = 0, 'entity' = 1)", ["entity", "raw"]
    )
    # 2021-01-02 00:00:00.123 UTC is 1609545600.123 s.
    ticks = np.array([1_609_545_600_123])
    assert encode("Date", np.array([18_628])) == (18_628).to_bytes(2, "little")  # 2021-01-01
    assert encode("DateTime64(3, 'UTC')", ticks) == (1_609_545_600_123).to_bytes(8, "little")
    moments = np.array(["2021-01-02T00:00:00.123"], "datetime64[us]")
    assert encode("DateTime64(3, 'UTC')", moments) == (1_609_545_600_123).to_bytes(8, "little")


def test_arrays_of_another_type_are_cast_when_they_fit() -> None:
    assert encode("UInt16", np.array([1, 65_535], np.int64)) == driver_bytes("UInt16", [1, 65_535])
    with pytest.raises(ValueError, match="65536 does not fit a column of type UInt16"):
        encode("UInt16", np.array([1, 65_536]))
    with pytest.raises(ValueError, match="-1 does not fit a column of type UInt64"):
        encode("UInt64", np.array([-1]))
    with pytest.raises(TypeError, match="UInt16 does not take an array of float64"):
        encode("UInt16", np.array([1.0]))


def test_fixed_strings_keep_every_byte() -> None:
    raw = [bytes(32), b"\x01" + bytes(31), bytes(range(32))]
    assert encode("FixedString(32)", raw) == b"".join(raw)
    assert encode("FixedString(32)", np.frombuffer(b"".join(raw), np.uint8).reshape(3, 32)) == b"".join(raw)
    with pytest.raises(ValueError, match="exactly 32 bytes"):
        encode("FixedString(32)", [b"short"])
    with pytest.raises(TypeError, match="32 bytes a row"):
        encode("FixedString(32)", np.zeros((3, 31), np.uint8))


@given(st.lists(st.text(max_size=200), max_size=30))
def test_strings_by_code(values: list[str]) -> None:
    distinct = sorted(set(values)) or [""]
    column = Coded(distinct, np.array([distinct.index(value) for value in values], np.uint16))
    assert encode("String", column) == driver_bytes("String", values)
    assert as_list(column) == values


@pytest.mark.parametrize("count", [1, 255, 256, 257, 70_000])
def test_low_cardinality_key_widths(count: int) -> None:
    values = [str(number) for number in range(count)]
    raw = encode("LowCardinality(String)", Coded(values, np.arange(count)))
    assert raw is not None
    width = 1 if count <= 256 else 2 if count <= 65_536 else 4
    assert len(raw) == 8 + 8 + 8 + sum(1 + len(value) for value in values) + 8 + width * count


def test_low_cardinality_is_the_drivers() -> None:
    column = Coded(("bitcoin", "signet"), np.array([0, 1, 0], np.uint8))
    assert encode("LowCardinality(String)", column) == driver_bytes(
        "LowCardinality(String)", ["bitcoin", "signet", "bitcoin"]
    )
    assert encode("LowCardinality(String)", Constant("bitcoin", 3)) == driver_bytes(
        "LowCardinality(String)", ["bitcoin"] * 3
    )
    with pytest.raises(ValueError, match="names no value"):
        encode("LowCardinality(String)", Coded(("bitcoin",), np.array([1])))


def test_nulls_come_as_a_masked_array() -> None:
    column = np.ma.array(np.array([7, 0, 9], np.uint64), mask=[False, True, False])
    assert encode("Nullable(UInt64)", column) == driver_bytes("Nullable(UInt64)", [7, None, 9])
    with pytest.raises(TypeError, match="needs a Nullable column"):
        encode("UInt64", column)


@given(st.lists(st.lists(st.integers(0, 65_535), max_size=4), min_size=1, max_size=6), st.integers(1, 3))
def test_arrays_of_numbers_of_any_length(rows: list[list[int]], width: int) -> None:
    for spec in ("Array(UInt16)", "Array(Float64)", "Array(Int64)"):
        assert encode(spec, rows) == driver_bytes(spec, [list(row) for row in rows])
    even = np.array(rows[0] * 6 * width, np.float32).reshape(-1, width)
    assert encode("Array(Float32)", even) == driver_bytes("Array(Float32)", even.tolist())


@pytest.mark.parametrize(
    ("spec", "rows"),
    [
        ("Array(UInt8)", [[1, None]]),
        ("Array(UInt8)", [[0.5]]),
        ("Array(UInt8)", [["a"]]),
        ("Array(Array(UInt8))", [[[1]]]),
    ],
)
def test_arrays_of_anything_else_are_the_drivers(spec: str, rows: list[Any]) -> None:
    assert encode(spec, rows) is None


def test_a_number_of_an_array_has_to_fit() -> None:
    with pytest.raises(ValueError, match="300 does not fit a column of type UInt8"):
        encode("Array(UInt8)", [[1], [300]])


def test_what_is_left_to_the_driver() -> None:
    assert encode("Array(String)", [["a"]]) is None
    assert encode("String", ["a"]) is None
    assert encode("UInt16", [1, 2]) is None
    assert array_dtype("String") is None
    assert array_dtype("DateTime64(3, 'UTC')") == np.dtype("datetime64[ms]")


def test_concatenated_columns_keep_their_type() -> None:
    first: dict[str, Column] = {
        "s2": np.array([2**63], np.uint64),
        "version": Constant(5, 1),
        "deleted": Constant(0, 1),
        "name": ["a"],
    }
    second: dict[str, Column] = {
        "s2": Constant(0, 2),
        "version": Constant(5, 2),
        "deleted": Constant(1, 2),
        "name": Constant("b", 2),
    }
    joined = concatenate(first, second)
    assert isinstance(joined["s2"], np.ndarray)
    assert joined["s2"].dtype == np.uint64
    assert as_list(joined["s2"]) == [2**63, 0, 0]
    assert joined["version"] == Constant(5, 3)
    assert as_list(joined["deleted"]) == [0, 1, 1]
    assert as_list(joined["name"]) == ["a", "b", "b"]
    with pytest.raises(ValueError, match="columns differ"):
        concatenate(first, {"s2": Constant(0, 2)})
