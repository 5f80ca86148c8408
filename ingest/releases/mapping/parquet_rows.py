"""Rows of a Parquet file within bounds: a few kilobytes of dictionary or of deltas may stand for gigabytes of text. Pure."""

from __future__ import annotations

import io
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from counterpoise.errors import DeadLetterError
from ingest.releases.mapping.apply_mapping import MAX_ROWS

MAX_DECODED_BYTES: Final = 256 * 1024**2
"""Of all columns together, as Arrow holds them."""

MAX_CELLS: Final = 10_000_000
"""Values, those within lists counted each."""

_BATCH_ROWS: Final = 4_096
_TEXT: Final = frozenset({"BYTE_ARRAY", "FIXED_LEN_BYTE_ARRAY"})


def parquet_rows(content: bytes, name: str) -> Any:
    """Rows with plain values; days and times as text. DeadLetterError where it is no Parquet file, or decodes to too much."""
    try:
        file = pq.ParquetFile(io.BytesIO(content))
        plain = pa.schema([(field.name, _plain_type(field.type)) for field in file.schema_arrow])
        rows: list[dict[str, Any]] = []
        decoded = 0
        for batch in file.iter_batches(batch_size=_batch_rows(file.metadata, name)):
            table = pa.Table.from_batches([batch]).cast(plain)
            decoded += table.nbytes
            if decoded > MAX_DECODED_BYTES:
                raise _too_large(name)
            rows += table.to_pylist()
    except (pa.ArrowException, OSError) as error:
        raise DeadLetterError("bad-source-file", f"{name}: not Parquet: {' '.join(str(error).split())[:120]}") from None
    return [{column: _plain(value) for column, value in row.items() if value is not None} for row in rows]


def _batch_rows(metadata: Any, name: str) -> int:
    """So many rows that a batch cannot pass MAX_DECODED_BYTES, from the file's own figures, before anything is decoded.

    No text is longer than the bytes of its column chunk before they were compressed.
    """
    if metadata.num_rows > MAX_ROWS:
        raise DeadLetterError("too-many-rows", f"{name}: more than {MAX_ROWS} rows")
    cells, row_bytes = 0, 1
    for group in map(metadata.row_group, range(metadata.num_row_groups)):
        text = 0
        for column in range(metadata.num_columns):
            chunk = group.column(column)
            cells += chunk.num_values
            if chunk.total_uncompressed_size > MAX_DECODED_BYTES:
                raise _too_large(name)
            if chunk.physical_type in _TEXT:  # one row may have all values of a list
                is_list = metadata.schema.column(column).max_repetition_level > 0
                text += chunk.total_uncompressed_size * (chunk.num_values if is_list else 1)
        row_bytes = max(row_bytes, text)
    if cells > MAX_CELLS:
        raise DeadLetterError("too-large", f"{name}: {cells} values, at most {MAX_CELLS} are read")
    if row_bytes > MAX_DECODED_BYTES:
        raise _too_large(name)
    return max(1, min(_BATCH_ROWS, MAX_DECODED_BYTES // row_bytes))


def _too_large(name: str) -> DeadLetterError:
    return DeadLetterError("too-large", f"{name}: decodes to more than {MAX_DECODED_BYTES} bytes")


def _plain_type(kind: Any) -> Any:
    """Without dictionaries, whose texts Python would hold once a row."""
    if pa.types.is_dictionary(kind):
        return kind.value_type
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return pa.list_(_plain_type(kind.value_type))
    if pa.types.is_struct(kind):
        return pa.struct([(field.name, _plain_type(field.type)) for field in kind])
    return kind


def _plain(value: Any) -> Any:
    if isinstance(value, datetime | date):
        return value.isoformat()
    return float(value) if isinstance(value, Decimal) else value
