"""Where a column's data ends: ClickHouse types walked without being decoded.

A block in the native format carries no lengths, so its end is found by walking its columns. Nothing is decoded: the
bytes go to the engine (or the client) as they are.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Final, Protocol

from engines.clickhouse.exceptions import ServerError
from engines.clickhouse.statement_routing import split_list
from engines.clickhouse.wire import ByteReader

FIXED_BYTES: Final = {
    **dict.fromkeys(("Bool", "Int8", "UInt8", "Enum8", "Nothing"), 1),
    **dict.fromkeys(("Int16", "UInt16", "Date", "Enum16", "BFloat16"), 2),
    **dict.fromkeys(("Int32", "UInt32", "Float32", "Date32", "DateTime", "Time", "IPv4", "Decimal32"), 4),
    **dict.fromkeys(("Int64", "UInt64", "Float64", "DateTime64", "Time64", "Decimal64"), 8),
    **dict.fromkeys(("Int128", "UInt128", "UUID", "IPv6", "Decimal128"), 16),
    **dict.fromkeys(("Int256", "UInt256", "Decimal256"), 32),
}
GEOMETRY: Final = {
    "Point": "Tuple(Float64, Float64)",
    "Ring": "Array(Tuple(Float64, Float64))",
    "LineString": "Array(Tuple(Float64, Float64))",
    "Polygon": "Array(Array(Tuple(Float64, Float64)))",
    "MultiLineString": "Array(Array(Tuple(Float64, Float64)))",
    "MultiPolygon": "Array(Array(Array(Tuple(Float64, Float64))))",
}
MAX_SPEC_CHARS: Final = 1 << 16
MAX_DEPTH: Final = 32

_ELEMENT_NAME = re.compile(r'(?:`(?:[^`\\]|\\.)+`|"(?:[^"\\]|\\.)+"|[A-Za-z_]\w*)\s+(?=[A-Za-z])')


class Column(Protocol):
    """How to pass one column: first its serialization prefix, then the data of `rows` rows."""

    def prefix(self, reader: ByteReader) -> None: ...

    def data(self, reader: ByteReader, rows: int) -> None: ...


class Fixed:
    def __init__(self, size: int) -> None:
        self.size = size

    def prefix(self, reader: ByteReader) -> None:
        pass

    def data(self, reader: ByteReader, rows: int) -> None:
        reader.skip(self.size * rows)


class Strings:
    def prefix(self, reader: ByteReader) -> None:
        pass

    def data(self, reader: ByteReader, rows: int) -> None:
        reader.skip_strings(rows)


class Nullable:
    def __init__(self, inner: Column) -> None:
        self.inner = inner

    def prefix(self, reader: ByteReader) -> None:
        self.inner.prefix(reader)

    def data(self, reader: ByteReader, rows: int) -> None:
        reader.skip(rows)
        self.inner.data(reader, rows)


class Array:
    """Running ends of the rows (8 bytes each), then all elements."""

    def __init__(self, element: Column) -> None:
        self.element = element

    def prefix(self, reader: ByteReader) -> None:
        self.element.prefix(reader)

    def data(self, reader: ByteReader, rows: int) -> None:
        if rows:
            reader.skip(8 * (rows - 1))
            self.element.data(reader, reader.uint(8))


class Tuple:
    def __init__(self, elements: Sequence[Column]) -> None:
        self.elements = elements

    def prefix(self, reader: ByteReader) -> None:
        for element in self.elements:
            element.prefix(reader)

    def data(self, reader: ByteReader, rows: int) -> None:
        if not self.elements:
            reader.skip(rows)
        for element in self.elements:
            element.data(reader, rows)


class LowCardinality:
    """A dictionary and one index a row; the index width and whether keys follow stand in the flags."""

    _HAS_KEYS = 1 << 9

    def __init__(self, inner: Column) -> None:
        self.keys = inner.inner if isinstance(inner, Nullable) else inner  # NULL is the dictionary's first key

    def prefix(self, reader: ByteReader) -> None:
        reader.skip(8)

    def data(self, reader: ByteReader, rows: int) -> None:
        if not rows:
            return
        flags = reader.uint(8)
        if flags & self._HAS_KEYS:
            self.keys.data(reader, reader.uint(8))
        reader.skip(reader.uint(8) << (flags & 3))


class Variant:
    """A discriminator a row (255 is NULL), then each alternative's own rows, alternatives sorted by name."""

    def __init__(self, alternatives: Sequence[Column]) -> None:
        self.alternatives = alternatives

    def prefix(self, reader: ByteReader) -> None:
        if reader.uint(8) != 0:
            raise _unknown("Variant in its compact form")
        for alternative in self.alternatives:
            alternative.prefix(reader)

    def data(self, reader: ByteReader, rows: int) -> None:
        discriminators = reader.read(rows)
        for number, alternative in enumerate(self.alternatives):
            alternative.data(reader, discriminators.count(number))


def _unknown(spec: str) -> ServerError:
    return ServerError(50, f"The embedded server does not transfer the type {spec[:200]}: select it as toString(…).")


def element_type(text: str) -> str:
    """The type of a tuple element, which may be named."""
    name = _ELEMENT_NAME.match(text)
    return text[name.end() :] if name else text


@lru_cache(4096)
def column(spec: str, depth: int = 0) -> Column:
    """How to walk a type. A type that is not known raises UNKNOWN_TYPE (50); columns keep no state between blocks."""
    if depth > MAX_DEPTH or len(spec) > MAX_SPEC_CHARS:
        raise ServerError(50, "A type nested too deep or written too long.")
    if spec == "String":
        return Strings()
    name, _, rest = spec.partition("(")
    arguments = rest[:-1] if rest.endswith(")") else ""

    def inner(text: str) -> Column:
        return column(text, depth + 1)

    if name in FIXED_BYTES:
        return Fixed(FIXED_BYTES[name])
    if name == "FixedString" and arguments.isdecimal():
        return Fixed(int(arguments))
    if name == "Decimal" and (precision := arguments.partition(",")[0]).isdecimal():
        return Fixed(next((size for digits, size in ((9, 4), (18, 8), (38, 16)) if int(precision) <= digits), 32))
    if name.startswith("Interval"):
        return Fixed(8)
    if name in GEOMETRY:
        return inner(GEOMETRY[name])
    if name == "Nullable":
        return Nullable(inner(arguments))
    if name == "Array":
        return Array(inner(arguments))
    if name == "LowCardinality":
        return LowCardinality(inner(arguments))
    if name == "Tuple":
        return Tuple([inner(element_type(part)) for part in split_list(arguments)])
    if name in ("Map", "Nested"):
        return Array(Tuple([inner(element_type(part)) for part in split_list(arguments)]))
    if name == "SimpleAggregateFunction":
        return inner(split_list(arguments)[-1])
    if name == "Variant":
        return Variant([inner(part) for part in sorted(split_list(arguments))])
    raise _unknown(spec)
