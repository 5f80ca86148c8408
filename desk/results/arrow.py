"""A result as Parquet or as an Arrow stream, with the types of its columns. Apart from the text formats, which need no pyarrow."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import IO, TYPE_CHECKING, Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from counterpoise.errors import ConfigError
from desk.results.type_names import TypeName, parse_type
from desk.results.values import json_value

if TYPE_CHECKING:
    from counterpoise.clickhouse.client import Names
    from desk.results.writers import Blocks

_ARROW_NUMBERS: Final = {
    "Bool": pa.bool_(),
    **{f"UInt{bits}": getattr(pa, f"uint{bits}")() for bits in (8, 16, 32, 64)},
    **{f"Int{bits}": getattr(pa, f"int{bits}")() for bits in (8, 16, 32, 64)},
    "Float32": pa.float32(),
    "Float64": pa.float64(),
}
_ARROW_UNITS: Final = {0: "s", 3: "ms", 6: "us", 9: "ns"}


def write_parquet(blocks: Blocks, file: IO[bytes]) -> None:
    """A Parquet file, compressed with zstd. ConfigError for a statement without a result."""
    heads, first = _with_columns(blocks)
    with pq.ParquetWriter(file, arrow_schema(heads), compression="zstd") as writer:
        for batch in _batches(heads, first, blocks):
            writer.write_batch(batch)


def write_arrow(blocks: Blocks, file: IO[bytes]) -> None:
    """An Arrow IPC stream. ConfigError for a statement without a result."""
    heads, first = _with_columns(blocks)
    with pa.ipc.new_stream(file, arrow_schema(heads)) as writer:
        for batch in _batches(heads, first, blocks):
            writer.write_batch(batch)


def _with_columns(blocks: Blocks) -> tuple[Names, list[Any]]:
    heads, first = next(blocks, ([], []))
    if not heads:
        raise ConfigError("the statement has no result to write")
    return heads, first


def _batches(heads: Names, first: list[Any], blocks: Blocks) -> Iterator[Any]:
    if first and len(first[0]):
        yield arrow_batch(heads, first)
    for _, columns in blocks:
        if columns and len(columns[0]):
            yield arrow_batch(heads, columns)


def arrow_type(kind: TypeName) -> Any:
    """The Arrow type of a column; what has no counterpart is text, as in JSON."""
    bare = kind.bare
    if bare.name in _ARROW_NUMBERS:
        return _ARROW_NUMBERS[bare.name]
    if bare.name == "DateTime":
        return pa.timestamp("s", tz="UTC")
    if bare.name == "DateTime64" and int(bare.arguments[0]) in _ARROW_UNITS:
        return pa.timestamp(_ARROW_UNITS[int(bare.arguments[0])], tz="UTC")
    if bare.name in {"Date", "Date32"}:
        return pa.date32()
    if bare.name == "Array":
        return pa.list_(arrow_type(bare.inner[0]))
    if bare.name == "Tuple":
        labels = bare.labels or tuple(str(place) for place in range(1, len(bare.inner) + 1))
        return pa.struct([(label, arrow_type(part)) for label, part in zip(labels, bare.inner, strict=True)])
    return pa.string()


def arrow_value(kind: TypeName, value: Any) -> Any:
    """`value` as `arrow_type` takes it. NaN stays NaN: Arrow has it."""
    bare = kind.bare
    if value is None or bare.name in _ARROW_NUMBERS:
        return value
    if bare.name in {"DateTime", "DateTime64", "Date", "Date32"} and arrow_type(bare) != pa.string():
        return value.replace(tzinfo=UTC) if isinstance(value, datetime) and value.tzinfo is None else value
    if bare.name == "Array":
        return [arrow_value(bare.inner[0], item) for item in value]
    if bare.name == "Tuple":
        labels = bare.labels or tuple(str(place) for place in range(1, len(bare.inner) + 1))
        return {label: arrow_value(part, item) for label, part, item in zip(labels, bare.inner, value, strict=True)}
    found = json_value(bare, value)
    return found if isinstance(found, str) else json.dumps(found, ensure_ascii=False)


def arrow_schema(heads: list[tuple[str, str]]) -> Any:
    """The Arrow schema of a result with these names and types."""
    return pa.schema([pa.field(name, arrow_type(parse_type(spec)), nullable=True) for name, spec in heads])


def arrow_batch(heads: list[tuple[str, str]], columns: list[Any]) -> Any:
    """One block of a result as a record batch of that schema."""
    schema = arrow_schema(heads)
    arrays = []
    for field, (_, spec), column in zip(schema, heads, columns, strict=True):
        kind = parse_type(spec)
        arrays.append(pa.array([arrow_value(kind, value) for value in column], field.type))
    return pa.record_batch(arrays, schema=schema)
