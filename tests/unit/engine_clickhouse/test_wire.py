"""The reader walks what arrives in pieces of any size, and refuses what is too large before it waits for it."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engines.clickhouse import compression, native_blocks
from engines.clickhouse.exceptions import ProtocolError, ServerError, from_engine
from engines.clickhouse.types import column
from engines.clickhouse.wire import ByteReader, ConnectionClosedError, string, varint

LIMIT = 1 << 20


def dripping(data: bytes, step: int) -> ByteReader:
    """A reader whose source gives `step` bytes at a time."""
    position = 0

    def fill(_wanted: int) -> bytes:
        nonlocal position
        piece = data[position : position + step]
        position += step
        return piece

    return ByteReader(fill, limit_bytes=LIMIT)


def whole(data: bytes) -> ByteReader:
    return ByteReader(data=data, limit_bytes=max(1, len(data)))


@pytest.mark.parametrize(
    ("number", "wire"),
    [(0, b"\0"), (127, b"\x7f"), (128, b"\x80\x01"), (300, b"\xac\x02"), (2**64 - 1, b"\xff" * 9 + b"\x01")],
)
def test_varint(number: int, wire: bytes) -> None:
    assert varint(number) == wire
    assert whole(wire).varint() == number


def test_a_varint_without_end_is_refused() -> None:
    with pytest.raises(ProtocolError):
        whole(b"\xff" * 20).varint()


@given(st.lists(st.binary(max_size=300), max_size=80), st.integers(1, 64))
def test_strings_are_passed_exactly(values: list[bytes], step: int) -> None:
    wire = b"".join(string(value) for value in values)
    reader = dripping(wire + b"after", step)
    reader.skip_strings(len(values))
    assert reader.pos == len(wire)
    assert reader.read(5) == b"after"


@given(st.lists(st.tuples(st.integers(0, 140), st.integers(1, 200)), max_size=8))
def test_runs_of_equal_length_are_passed_exactly(runs: list[tuple[int, int]]) -> None:
    """The content of a string looks like lengths, so that a stride taken wrongly would be noticed."""
    values = [bytes([length % 128]) * length for length, count in runs for _ in range(count)]
    reader = whole(b"".join(map(string, values)) + b"!")
    reader.skip_strings(len(values))
    assert reader.read(1) == b"!"


def test_the_end_of_the_stream_and_the_limit() -> None:
    with pytest.raises(ConnectionClosedError):
        dripping(b"\x05ab", 1).string()
    with pytest.raises(ProtocolError, match="131"):
        dripping(b"", 1).skip(LIMIT + 1)
    with pytest.raises(ProtocolError, match="131"):
        whole(varint(1 << 40)).string()


U16 = struct.Struct("<H").pack
U64 = struct.Struct("<Q").pack

# Type, data of two rows as ClickHouse's native format has them (docs: "Native format"), written by hand.
COLUMNS = [
    ("UInt8", b"\1\2"),
    ("Decimal(18, 4)", bytes(16)),
    ("Decimal(76, 4)", bytes(64)),
    ("DateTime64(3, 'UTC')", bytes(16)),
    ("FixedString(3)", b"abcdef"),
    ("Enum8('a,)' = 1)", b"\1\1"),
    ("String", b"\1a\2bc"),
    ("Nullable(String)", b"\0\1" + b"\1a\0"),
    ("Array(UInt16)", U64(1) + U64(3) + U16(1) * 3),
    ("Array(Array(String))", U64(1) + U64(2) + U64(0) + U64(2) + b"\1a\1b"),
    ("Tuple(a UInt8, `b c` String)", b"\1\2" + b"\1x\1y"),
    ("Map(String, UInt8)", U64(0) + U64(1) + b"\1k" + b"\7"),
    ("LowCardinality(String)", U64(1) + U64(1 << 9) + U64(2) + b"\0\1a" + U64(2) + b"\1\0"),
    ("LowCardinality(Nullable(String))", U64(1) + U64(1 << 9 | 1) + U64(2) + b"\0\1a" + U64(2) + U16(1) * 2),
    ("Array(LowCardinality(String))", U64(1) + U64(0) + U64(0)),
    ("Variant(String, UInt8)", U64(0) + b"\1\0" + b"\1s" + b"\5"),
    ("SimpleAggregateFunction(sum, UInt64)", bytes(16)),
    ("Tuple()", b"00"),
]


@pytest.mark.parametrize(("type_", "data"), COLUMNS, ids=[type_ for type_, _ in COLUMNS])
@pytest.mark.parametrize("kind_bytes", [True, False])
def test_a_block_ends_where_its_data_ends(type_: str, data: bytes, kind_bytes: bool) -> None:
    head = varint(2) + varint(2) + string("c") + string(type_)
    tail = data + string("n") + string("UInt8")
    native = head + tail + b"\5\6"
    wire = head + b"\0" + tail + b"\0\5\6" if kind_bytes else native
    reader = dripping(wire + b"next", 3)
    block = native_blocks.walk(reader, kind_bytes=kind_bytes)
    assert (block.rows, [head.name for head in block.columns]) == (2, [b"c", b"n"])
    assert native_blocks.to_native(reader, 0, block, kind_bytes=kind_bytes) == native
    assert reader.read(4) == b"next"
    again = native_blocks.walk(whole(native), kind_bytes=False, to_the_end=False)
    assert b"".join(native_blocks.from_native(native, again, kind_bytes=kind_bytes)) == wire


def test_other_type_names_take_the_place_of_the_old() -> None:
    native = varint(1) + varint(1) + string("d") + string("DateTime") + bytes(4)
    block = native_blocks.walk(whole(native), kind_bytes=False)
    pieces = native_blocks.from_native(native, block, kind_bytes=True, types=[b"DateTime('Asia/Tokyo')"])
    assert b"".join(pieces) == varint(1) + varint(1) + string("d") + string("DateTime('Asia/Tokyo')") + b"\0" + bytes(4)


@pytest.mark.parametrize(
    "type_", ["Nope", "AggregateFunction(uniq, String)", "", "Array(", "Array(" * 40 + "UInt8" + ")" * 40]
)
def test_types_that_are_not_walked(type_: str) -> None:
    with pytest.raises(ServerError) as caught:
        column(type_)
    assert caught.value.code == 50


def test_sparse_columns_and_too_many_of_them_are_refused() -> None:
    with pytest.raises(ProtocolError, match="48"):
        native_blocks.walk(whole(varint(1) + varint(1) + string("a") + string("UInt8") + b"\1"), kind_bytes=True)
    with pytest.raises(ProtocolError, match="columns"):
        native_blocks.walk(whole(varint(1 << 30) + varint(1)), kind_bytes=True)


@given(st.binary(max_size=5000))
def test_compressed_frames_round_trip(data: bytes) -> None:
    reader = whole(compression.compress(data))
    plain = b""
    while reader.buffered():
        plain += compression.read_frame(reader)
    assert plain == data


def test_a_frame_with_a_flipped_bit_is_refused() -> None:
    frame = bytearray(compression.compress(b"some data that is compressed"))
    frame[30] ^= 1
    with pytest.raises(ProtocolError, match="40"):
        compression.read_frame(whole(bytes(frame)))


def test_errors_of_the_engine_keep_their_code() -> None:
    error = from_engine(RuntimeError("Code: 60. DB::Exception: Table t does not exist. (UNKNOWN_TABLE)"))
    assert (error.code, error.wire_text) == (60, "DB::Exception: Table t does not exist. (UNKNOWN_TABLE)")
    assert from_engine(RuntimeError("odd")).code == 1001
