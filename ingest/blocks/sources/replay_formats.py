"""Read Parquet, CSV and JSON lines in chunks of bounded size, as Arrow columns."""

from __future__ import annotations

import codecs
import csv
import shlex
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Final, Protocol

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
from pydantic_core import from_json

from counterpoise.errors import ConfigError
from ingest.blocks.sources.replay_faults import FileFaults

CHUNK_ROWS = 4_096
MAX_LINE_BYTES = 1024 * 1024
_CSV_BLOCK_BYTES = 1024 * 1024

SEPARATORS = (",", "\t", ";", "|")
"""Of columns in a CSV file; the first where several are equally frequent."""


class FileTable(Protocol):
    """A file of rows with named columns."""

    names: tuple[str, ...]

    def chunks(self, columns: Sequence[str], faults: FileFaults) -> Iterator[tuple[int, pa.Table]]:
        """The rows in order, with the number of each chunk's first row (from 1); chunks are never empty.

        A row that cannot be read is a fault and is skipped. ConfigError where nothing after it can be read either.
        """


_PACKED: Final = {
    b"\x1f\x8b": "gunzip --keep",
    b"PK\x03\x04": "unzip",
    b"BZh": "bunzip2 --keep",
    b"\xfd7zXZ\x00": "unxz --keep",
    b"\x28\xb5\x2f\xfd": "unzstd",
}
"""What packed files begin with, whatever their names are."""

_SPREADSHEETS: Final = (".xlsx", ".xlsm", ".xls", ".ods")


def open_table(path: Path) -> FileTable:
    """Open by the name's ending. ConfigError for another ending, a missing file or one that is not what its name says."""
    if not path.is_file():
        raise ConfigError(
            f"{path}: no such file: a replay takes a Parquet, CSV or JSON lines file, or the word figures"
        )
    try:
        with path.open("rb") as file:
            first = file.read(6)
    except OSError as error:
        raise ConfigError(f"{path}: it cannot be read: {error.strerror}") from None
    if path.suffix.lower() in _SPREADSHEETS:
        raise ConfigError(f"{path}: it is a spreadsheet: save the sheet as CSV")
    for magic, program in _PACKED.items():
        if first.startswith(magic):
            raise ConfigError(f"{path}: it is a packed file: unpack it first ({program} {shlex.quote(str(path))})")
    match path.suffix.lower():
        case ".parquet" | ".pq":
            return _ParquetTable(path)
        case ".csv" | ".tsv":
            return _CsvTable(path)
        case ".jsonl" | ".ndjson":
            return _JsonLinesTable(path)
    raise ConfigError(
        f"{path}: the ending {path.suffix!r} is not known: expected .parquet, .csv, .tsv, .jsonl or .ndjson"
    )


class _ParquetTable:
    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            with pa.parquet.ParquetFile(path) as file:
                self.names = tuple(file.schema_arrow.names)
        except (pa.ArrowException, OSError) as error:
            raise ConfigError(f"{path}: not a readable Parquet file: {_line(error)}") from None

    def chunks(self, columns: Sequence[str], faults: FileFaults) -> Iterator[tuple[int, pa.Table]]:
        row = 1
        try:
            with pa.parquet.ParquetFile(self._path) as file:
                for batch in file.iter_batches(batch_size=CHUNK_ROWS, columns=list(columns)):
                    if batch.num_rows:
                        yield row, pa.Table.from_batches([batch])
                        row += batch.num_rows
        except (pa.ArrowException, OSError) as error:
            raise ConfigError(f"{self._path}: after row {row - 1}: not readable: {_line(error)}") from None


class _CsvTable:
    """Every cell is text here; what it must be is the columns' business, so that an error can name the row.

    The separator is the one of SEPARATORS that is most frequent in the line of names. A byte order mark or a zero byte names the
    encoding, else it is UTF-8.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            with path.open("rb") as raw:
                self._encoding = _encoding(raw.read(4))
            with path.open(encoding=self._encoding, newline="", errors="replace") as file:
                head = file.readline(MAX_LINE_BYTES)
                file.seek(0)
                self._separator = max(SEPARATORS, key=head.count)
                self.names = tuple(name.strip() for name in next(csv.reader(file, delimiter=self._separator), ()))
        except (OSError, UnicodeError, csv.Error) as error:
            raise ConfigError(f"{path}: not a readable CSV file: {_line(error)}") from None

    def chunks(self, columns: Sequence[str], faults: FileFaults) -> Iterator[tuple[int, pa.Table]]:
        row = 1
        is_utf8 = self._encoding == "utf-8-sig"
        if is_utf8 and _add_undecodable(self._path, faults):
            self._encoding = "latin-1"  # every byte is a character: the other mistakes are found, too
        try:
            reader = pa.csv.open_csv(
                self._path,
                read_options=pa.csv.ReadOptions(
                    block_size=_CSV_BLOCK_BYTES,
                    use_threads=False,
                    column_names=list(self.names),
                    skip_rows=1,
                    encoding="utf8" if self._encoding == "utf-8-sig" else self._encoding,
                ),
                parse_options=pa.csv.ParseOptions(
                    delimiter=self._separator, invalid_row_handler=lambda bad: _skip_row(bad, faults)
                ),
                convert_options=pa.csv.ConvertOptions(
                    column_types=dict.fromkeys(self.names, pa.string()),
                    include_columns=list(columns),
                    strings_can_be_null=True,
                    quoted_strings_can_be_null=True,
                    null_values=[""],
                ),
            )
            for batch in reader:
                if batch.num_rows:
                    yield row, pa.Table.from_batches([batch])
                    row += batch.num_rows
        except (pa.ArrowException, OSError, UnicodeError) as error:
            if "Empty CSV file" in str(error):
                return
            raise ConfigError(f"{self._path}: after row {row - 1}: {_line(error)}") from None


def _encoding(first: bytes) -> str:
    """Of a text file, by its first four bytes: the names of columns are ASCII, so a zero byte is half a UTF-16 character."""
    if first[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
        return "utf-16"
    if b"\0" in first[:2]:
        return "utf-16-be" if first[0] == 0 else "utf-16-le"
    return "utf-8-sig"


def _add_undecodable(path: Path, faults: FileFaults) -> bool:
    """Add a fault for each line that is not UTF-8; whether there is one."""
    before, row = faults.count, -1
    with path.open("rb") as file:
        while line := file.readline(MAX_LINE_BYTES):
            row += bool(line.strip())
            try:
                line.decode()
            except UnicodeDecodeError as error:
                faults.add(
                    row,
                    f"row {row}: byte 0x{line[error.start]:02x} is not UTF-8" if row else "the names are not UTF-8",
                    "Save the file as UTF-8",
                )
    return faults.count > before


def _skip_row(bad: Any, faults: FileFaults) -> str:
    row = bad.number - 1  # the line of names is counted there
    faults.skip(row, f"row {row}: {bad.actual_columns} columns: expected {bad.expected_columns}")
    return "skip"


class _JsonLinesTable:
    """Values become text, lists of text are joined with spaces; names are those of the first object."""

    def __init__(self, path: Path) -> None:
        self._path = path
        faults = FileFaults(path)
        self.names = tuple(next((tuple(row) for _, row in self._rows(faults)), ()))
        if not self.names:
            faults.raise_any()

    def chunks(self, columns: Sequence[str], faults: FileFaults) -> Iterator[tuple[int, pa.Table]]:
        rows = self._rows(faults)
        while chunk := list(islice(rows, CHUNK_ROWS)):
            yield (
                chunk[0][0],
                pa.table({name: pa.array([_text(row.get(name)) for _, row in chunk], pa.string()) for name in columns}),
            )

    def _rows(self, faults: FileFaults) -> Iterator[tuple[int, dict[str, Any]]]:
        row = 0
        try:
            with self._path.open("rb") as file:
                while line := file.readline(MAX_LINE_BYTES + 1):
                    row += 1
                    if len(line) > MAX_LINE_BYTES:
                        raise ConfigError(f"{self._path}: row {row}: the line is over {MAX_LINE_BYTES} bytes")
                    try:
                        value = from_json(line.removeprefix(codecs.BOM_UTF8) if row == 1 else line, allow_inf_nan=False)
                        if isinstance(value, dict):
                            yield row, value
                            continue
                        problem = "expected a JSON object on each line"
                    except (ValueError, RecursionError) as error:
                        problem = f"not JSON: {_line(error)}"
                    faults.add(row, f"row {row}: {problem}")
        except OSError as error:
            raise ConfigError(f"{self._path}: not readable: {_line(error)}") from None


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value or None
    if isinstance(value, list):
        return " ".join(str(item) for item in value) or None
    return str(value)


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:300]
