"""Blocks on the wire against blocks in the engine's FORMAT Native.

From revision 54454 on, the protocol puts one byte after each column's type (its serialization kind; 0 is the ordinary
one) which FORMAT Native does not have. That byte and the block's leading info are the only differences.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from engines.clickhouse.exceptions import ProtocolError
from engines.clickhouse.types import column
from engines.clickhouse.wire import ByteReader, string, varint

MAX_COLUMNS = 10_000
BLOCK_INFO = b"\x01\x00\x02\xff\xff\xff\xff\x00"  # not an overflow block, bucket -1


class ColumnHead(NamedTuple):
    """Name and type as written in a block, and the offset just after the type."""

    name: bytes
    type: bytes
    end: int


class Block(NamedTuple):
    columns: list[ColumnHead]
    rows: int


def walk(reader: ByteReader, *, kind_bytes: bool, to_the_end: bool = True) -> Block:
    """Walk one block (without its info) from `reader.pos`.

    `kind_bytes`: the stream has the byte after each type; it lies at each head's `end`. With `to_the_end` false the last
    column's data is not walked, for a caller that has the end of the block.
    """
    count, rows = reader.varint(), reader.varint()
    if count > MAX_COLUMNS:
        raise ProtocolError(117, f"A block of {count} columns where at most {MAX_COLUMNS} are accepted.")
    heads = []
    for number in range(count):
        name, type_ = reader.string(), reader.string()
        heads.append(ColumnHead(name, type_, reader.pos))
        if kind_bytes and reader.byte():
            raise ProtocolError(48, "Columns in sparse or another custom serialization are not accepted.")
        if rows and (to_the_end or number < count - 1):
            how = column(type_.decode("utf-8", "replace"))
            how.prefix(reader)
            how.data(reader, rows)
    return Block(heads, rows)


def skip_info(reader: ByteReader) -> None:
    """Pass the block info: numbered fields, closed by 0."""
    while field := reader.varint():
        if field > 2:
            raise ProtocolError(117, f"Unknown field {field} in a block's info.")
        reader.skip(1 if field == 1 else 4)


def to_native(reader: ByteReader, start: int, block: Block, *, kind_bytes: bool) -> bytes:
    """The walked block as FORMAT Native: the same bytes without the kind bytes."""
    with memoryview(reader.buf) as view:
        if not kind_bytes:
            return bytes(view[start : reader.pos])
        pieces, last = [], start
        for head in block.columns:
            pieces.append(view[last : head.end])
            last = head.end + 1
        pieces.append(view[last : reader.pos])
        try:
            return b"".join(pieces)
        finally:
            for piece in pieces:
                piece.release()


def from_native(data: bytes, block: Block, *, kind_bytes: bool, types: Sequence[bytes] | None = None) -> list[bytes]:
    """The pieces of a FORMAT Native block for the wire, with kind bytes and, if given, other type names."""
    if not kind_bytes and types is None:
        return [data]
    view, pieces, last = memoryview(data), [], 0
    for number, head in enumerate(block.columns):
        if types is None:
            pieces.append(bytes(view[last : head.end]))
        else:
            pieces.append(bytes(view[last : head.end - len(string(head.type))]) + string(types[number]))
        if kind_bytes:
            pieces.append(b"\0")
        last = head.end
    pieces.append(bytes(view[last:]))
    return pieces


def header(columns: Sequence[tuple[str | bytes, str | bytes]], *, kind_bytes: bool) -> bytes:
    """A block of no rows: the names and types of what follows."""
    kind = b"\0" if kind_bytes else b""
    return varint(len(columns)) + varint(0) + b"".join(string(name) + string(type_) + kind for name, type_ in columns)


def renamed(data: bytes, block: Block, columns: Sequence[tuple[str, str]], *, kind_bytes: bool) -> list[bytes]:
    """A FORMAT Native block of `data`, with the names and types of `columns`."""
    starts = [head.end - len(string(head.type)) - len(string(head.name)) for head in block.columns]
    ends = [*starts[1:], len(data)]
    kind = b"\0" if kind_bytes else b""
    pieces = [varint(len(columns)), varint(block.rows)]
    for (name, type_), head, end in zip(columns, block.columns, ends, strict=True):
        pieces += [string(name), string(type_), kind, data[head.end : end]]
    return pieces
