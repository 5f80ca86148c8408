"""`counterpoise sql --with NAME=FILE`: a user's own file as a table that lives as long as the query."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from counterpoise.clickhouse.columns import Column
from counterpoise.clickhouse.sent_table import BLOCK_ROWS, SentTable
from counterpoise.errors import ConfigError

if TYPE_CHECKING:
    import pyarrow as pa

MAX_FILE_BYTES: Final = 64 << 20
"""The limit of one file on the disk."""
MAX_TABLE_BYTES: Final = 128 << 20
"""The limit of all tables together in memory; a small Parquet file can hold a large table."""
MAX_COLUMNS: Final = 1_000
MAX_CELLS: Final = 20_000_000
"""The limit of a JSON lines file, where a row of two characters has every column."""

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}", re.ASCII)
_MAX_COLUMN_CHARS: Final = 200
_PARQUET_ROWS: Final = 4_096
_DIGITS: Final = {"s": 0, "ms": 3, "us": 6, "ns": 9}


def own_tables(given: Iterable[str]) -> list[SentTable]:
    """The tables of NAME=FILE pairs, in their order. ConfigError, in one line, for what cannot be one."""
    tables: dict[str, SentTable] = {}
    left = MAX_TABLE_BYTES
    for pair in given:
        name, equals, file = pair.partition("=")
        if not equals or not file or not _NAME.fullmatch(name):
            raise ConfigError(f"--with takes NAME=FILE, where NAME is a plain name of a table, not {pair!r}")
        if name in tables:
            raise ConfigError(f"--with names the table {name} twice")
        path = Path(file)
        table = _read(path, left)
        left -= table.nbytes
        tables[name] = _sent(name, path, table)
    return list(tables.values())


def described(tables: Sequence[SentTable]) -> str:
    """Name, number of rows, and each column with its type."""
    lines = []
    for table in tables:
        lines.append(f"{table.name}: {table.rows} rows")
        lines += [f"    {name}  {type_}" for name, type_ in table.structure]
    return "\n".join(lines)


def _read(path: Path, left_bytes: int) -> pa.Table:
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        raise ConfigError(f"{path}: the ending of the name selects no format: use {', '.join(_READERS)}")
    try:
        if not path.is_file():
            raise ConfigError(f"{path}: no such file")
        with path.open("rb") as file:
            content = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise ConfigError(f"{path}: not readable: {error.strerror or error}") from None
    if len(content) > MAX_FILE_BYTES:
        raise ConfigError(f"{path}: over {MAX_FILE_BYTES >> 20} MiB: load it into a table with --write instead")
    import pyarrow as pa

    try:
        table = reader(content, left_bytes)
        table.validate(full=True)  # texts that are not UTF-8
        names = table.column_names
    except (pa.ArrowException, ValueError, OverflowError, RecursionError, OSError) as error:
        raise ConfigError(f"{path}: {' '.join(str(error).split())[:300]}") from None
    if table.nbytes > left_bytes:
        raise ConfigError(f"{path}: {_TOO_LARGE}")
    if not names or len(names) > MAX_COLUMNS:
        raise ConfigError(f"{path}: {len(names)} columns, expected 1 to {MAX_COLUMNS}")
    return table


_TOO_LARGE: Final = f"the tables of --with are over {MAX_TABLE_BYTES >> 20} MiB in memory"


# ---- formats


def _delimited(delimiter: str) -> Callable[[bytes, int], pa.Table]:
    def read(content: bytes, _left_bytes: int) -> pa.Table:
        import pyarrow as pa
        import pyarrow.csv

        head = content.partition(b"\n")[0]
        if head.count(delimiter.encode()) >= MAX_COLUMNS:
            raise ValueError(f"more than {MAX_COLUMNS} columns")

        table = pa.csv.read_csv(
            pa.BufferReader(content),
            read_options=pa.csv.ReadOptions(use_threads=False),
            parse_options=pa.csv.ParseOptions(delimiter=delimiter, newlines_in_values=True),
        )
        table.column_names  # noqa: B018 - Arrow takes any bytes as a name, and fails only where somebody reads them
        return table

    return read


def _json_lines(content: bytes, _left_bytes: int) -> pa.Table:
    """One object per line, parsed one by one: Arrow's own reader of JSON ends the process on deep nesting."""
    import pyarrow as pa
    from pydantic_core import from_json

    columns: dict[str, list[Any]] = {}
    rows = 0
    for number, line in enumerate(content.removeprefix(b"\xef\xbb\xbf").split(b"\n"), start=1):
        if not line.strip():
            continue
        try:
            row = from_json(line, allow_inf_nan=False)
        except ValueError as error:
            raise ValueError(f"line {number}: not JSON: {error}") from None
        if not isinstance(row, dict):
            raise ValueError(f"line {number}: expected a JSON object on each line")
        for name, value in row.items():
            column = columns.setdefault(name, [])
            if len(columns) > MAX_COLUMNS:
                raise ValueError(f"line {number}: more than {MAX_COLUMNS} columns")
            column.extend([None] * (rows - len(column)))
            column.append(value)
        rows += 1
        if rows * len(columns) > MAX_CELLS:
            raise ValueError(f"line {number}: more than {MAX_CELLS} cells")
    arrays = {}
    for name, values in columns.items():
        values.extend([None] * (rows - len(values)))
        if {bool, str} & set(map(type, values)) and len(set(map(type, values)) - {type(None)}) > 1:
            raise ValueError(f"column {name}: values of different kinds")
        try:
            arrays[name] = pa.array(values)
        except (pa.ArrowException, OverflowError) as error:
            raise ValueError(f"column {name}: {error}") from None
    return pa.table(arrays)


def _parquet(content: bytes, left_bytes: int) -> pa.Table:
    import pyarrow as pa
    import pyarrow.parquet as pq

    with pq.ParquetFile(pa.BufferReader(content)) as file:
        parts, size = [], 0
        for batch in file.iter_batches(batch_size=_PARQUET_ROWS, use_threads=False):
            # Without the dictionaries, whose values a few bytes repeat.
            part = pa.table([_plain(pa.chunked_array([column])) for column in batch.columns], list(batch.schema.names))
            size += part.nbytes
            if size > left_bytes:
                raise ValueError(_TOO_LARGE)
            parts.append(part)
        return pa.concat_tables(parts) if parts else file.schema_arrow.empty_table()


_READERS: Final[dict[str, Callable[[bytes, int], Any]]] = {
    ".csv": _delimited(","),
    ".tsv": _delimited("\t"),
    ".jsonl": _json_lines,
    ".ndjson": _json_lines,
    ".parquet": _parquet,
}


# ---- types


def _sent(name: str, path: Path, table: pa.Table) -> SentTable:
    import pyarrow as pa

    structure: list[tuple[str, str]] = []
    columns = []
    for column_name, column in zip(table.column_names, table.columns, strict=True):
        if not column_name.strip() or len(column_name) > _MAX_COLUMN_CHARS or not column_name.isprintable():
            raise ConfigError(f"{path}: column {column_name[:_MAX_COLUMN_CHARS]!r} has no usable name")
        if any(column_name == other for other, _ in structure):
            raise ConfigError(f"{path}: two columns have the name {column_name!r}")
        try:
            plain = _plain(column)
            type_ = _clickhouse_type(plain.type)
            columns.append(plain)
        except (pa.ArrowException, ValueError) as error:
            raise ConfigError(f"{path}: column {column_name!r}: {' '.join(str(error).split())[:200]}") from None
        structure.append((column_name, f"Nullable({type_})" if plain.null_count else type_))
    return SentTable(name, tuple(structure), table.num_rows, lambda at: [_part(column, at) for column in columns])


def _plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """The column in one of the types that `_clickhouse_type` has."""
    import pyarrow as pa

    kind = column.type
    if pa.types.is_dictionary(kind):
        return _plain(column.cast(kind.value_type))
    if pa.types.is_null(kind) or pa.types.is_time(kind):
        return column.cast(pa.string())
    if pa.types.is_float16(kind):
        return column.cast(pa.float32())
    if pa.types.is_date64(kind):
        return column.cast(pa.date32())
    return column


def _clickhouse_type(kind: pa.DataType) -> str:
    import pyarrow as pa

    types = pa.types
    if types.is_boolean(kind):
        return "Bool"
    if types.is_integer(kind) or types.is_floating(kind):
        letters = "UInt" if types.is_unsigned_integer(kind) else "Int" if types.is_integer(kind) else "Float"
        return f"{letters}{kind.bit_width}"
    if types.is_date(kind):
        return "Date32"
    if types.is_timestamp(kind):
        return f"DateTime64({_DIGITS[kind.unit]}, 'UTC')"
    if types.is_decimal(kind):
        return f"Decimal({kind.precision}, {kind.scale})"
    if types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind):
        return "String"
    if types.is_binary(kind) or types.is_large_binary(kind) or types.is_fixed_size_binary(kind):
        return "String"
    raise ValueError(f"type {str(kind)[:60]}: take plain values, one per cell")


def _part(column: pa.ChunkedArray, at: int) -> Column:
    """`BLOCK_ROWS` values from `at` on, as the client writes them."""
    import numpy as np
    import pyarrow as pa

    part = column.slice(at, BLOCK_ROWS)
    kind = part.type
    if pa.types.is_timestamp(kind):
        part = part.cast(pa.int64())
        kind = part.type
    elif not (pa.types.is_integer(kind) or pa.types.is_floating(kind)):
        values: list[Any] = part.to_pylist()
        return values
    numbers = part.combine_chunks()
    filled = numbers.fill_null(0).to_numpy(zero_copy_only=False)
    if not column.null_count:
        return filled  # type: ignore[no-any-return]
    return np.ma.MaskedArray(filled, mask=numbers.is_null().to_numpy(zero_copy_only=False))
