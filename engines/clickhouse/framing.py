"""One answer out of many: the engine writes each block of a running SELECT as a whole document of its format.

Some formats have rows only. For the others, what stands before and behind the rows is sent once. Every other format (Parquet,
ORC, Pretty, XML, …) is written whole.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final, Protocol

from engines.clickhouse.wire import ByteReader

_PLAIN: Final = frozenset(
    """
    TabSeparated TSV TabSeparatedRaw TSVRaw Raw CSV TSKV LineAsString Native RowBinary MsgPack BSONEachRow
    JSONEachRow JSONLines JSONL NDJSON JSONStringsEachRow JSONCompactEachRow JSONCompactStringsEachRow
    """.split()  # noqa: SIM905 - words in a block can be read
)
_JSON: Final = frozenset({"JSON", "JSONCompact", "JSONStrings", "JSONCompactStrings"})
# Of one record a line, with names (and types) in the first ones; names are escaped or quoted.
_LINES: Final = {
    f"{name}{ending}": count
    for name in ("TabSeparated", "TSV", "JSONCompactEachRow", "JSONCompactStringsEachRow")
    for ending, count in (("WithNames", 1), ("WithNamesAndTypes", 2))
}
_CSV: Final = {"CSVWithNames": 1, "CSVWithNamesAndTypes": 2}
_BINARY: Final = {"RowBinaryWithNames": 1, "RowBinaryWithNamesAndTypes": 2}

_CSV_RECORD = re.compile(rb'(?>[^"\n]|"(?>[^"]|"")*+")*+\n')
_JSON_ROWS: Final = b'\n\t"data":\n\t[\n'
_JSON_END: Final = b'\n\t],\n\n\t"rows": '
_JSON_TAIL = re.compile(
    rb'\n\t\],\n\n\t"rows": (?P<rows>\d+)'
    rb'(?P<statistics>,\n\n\t"statistics":\n\t\{\n\t\t"elapsed": [^,\n]+,\n\t\t"rows_read": \d+,\n\t\t"bytes_read": \d+\n\t\})?'
    rb"\n\}\n"
)
# What counts the rows before a LIMIT is known only for an answer that is written whole.
_LIMITS = re.compile(r"\b(?:LIMIT|FETCH|TOP|OFFSET)\b", re.IGNORECASE)

_ARROW_CONTINUES: Final = b"\xff\xff\xff\xff"
_ARROW_END: Final = _ARROW_CONTINUES + b"\0\0\0\0"


class UnknownFrameError(Exception):
    """The first piece is not written as expected (a setting changes it): the answer has to be written whole."""


class Framing(Protocol):
    """Turns documents into one: `first`, then `more` of each further one, then `end`."""

    def can_write(self, sql: str) -> bool: ...
    def first(self, piece: bytes) -> bytes: ...
    def more(self, piece: bytes) -> bytes: ...
    def end(self, rows: int, progress: Mapping[str, int]) -> bytes: ...


class Plain:
    """A format whose documents, one behind the other, are one."""

    def can_write(self, _sql: str) -> bool:
        return True

    def first(self, piece: bytes) -> bytes:
        return piece

    def more(self, piece: bytes) -> bytes:
        return piece

    def end(self, _rows: int, _progress: Mapping[str, int]) -> bytes:
        return b""


class Headed(Plain):
    """A format with a head only. `head_of` gives its length in the first piece."""

    def __init__(self, head_of: Callable[[bytes], int]) -> None:
        self._head_of = head_of
        self._head = b""

    def first(self, piece: bytes) -> bytes:
        self._head = piece[: self._head_of(piece)]
        return piece

    def more(self, piece: bytes) -> bytes:
        if not piece.startswith(self._head):
            raise RuntimeError("a piece of an answer begins unlike the first")
        return piece[len(self._head) :]


class CommaFraming(Plain):
    """Rows with a comma between them."""

    def more(self, piece: bytes) -> bytes:
        return b"," + piece


class Json(Plain):
    """Names and types, rows in a list, the number of rows, statistics."""

    def __init__(self) -> None:
        self._head = b""
        self._has_statistics = False

    def can_write(self, sql: str) -> bool:
        return not _LIMITS.search(sql)

    def first(self, piece: bytes) -> bytes:
        start = piece.find(_JSON_ROWS)
        tail = _JSON_TAIL.fullmatch(piece, self._tail(piece))
        if start < 0 or tail is None:
            raise UnknownFrameError
        self._head = piece[: start + len(_JSON_ROWS)]
        self._has_statistics = tail["statistics"] is not None
        return piece[: tail.start()]

    @staticmethod
    def _tail(piece: bytes) -> int:
        """Where the rows end. A line break within a value is escaped, so that this one stands outside of values."""
        return max(piece.rfind(_JSON_END), 0)

    def more(self, piece: bytes) -> bytes:
        if not piece.startswith(self._head) or not _JSON_TAIL.fullmatch(piece, self._tail(piece)):
            raise RuntimeError("a piece of an answer is written unlike the first")
        return b",\n" + piece[len(self._head) : self._tail(piece)]

    def end(self, rows: int, progress: Mapping[str, int]) -> bytes:
        numbers = (progress.get(name, 0) for name in ("elapsed_ns", "read_rows", "read_bytes"))
        elapsed_ns, read_rows, read_bytes = numbers
        statistics = (
            f',\n\n\t"statistics":\n\t{{\n\t\t"elapsed": {elapsed_ns / 1e9:.9f},\n\t\t"rows_read": {read_rows},'
            f'\n\t\t"bytes_read": {read_bytes}\n\t}}'
        )
        return f'\n\t],\n\n\t"rows": {rows}{statistics if self._has_statistics else ""}\n}}\n'.encode()


class ArrowStream(Headed):
    """A schema, batches, and an end of eight bytes."""

    def __init__(self) -> None:
        super().__init__(_arrow_schema)

    def first(self, piece: bytes) -> bytes:
        if not piece.endswith(_ARROW_END):
            raise UnknownFrameError
        return super().first(piece).removesuffix(_ARROW_END)

    def more(self, piece: bytes) -> bytes:
        return super().more(piece).removesuffix(_ARROW_END)

    def end(self, _rows: int, _progress: Mapping[str, int]) -> bytes:
        return _ARROW_END


def _arrow_schema(piece: bytes) -> int:
    """The length of the first message, which has no body."""
    if not piece.startswith(_ARROW_CONTINUES):
        raise UnknownFrameError
    return 8 + int.from_bytes(piece[4:8], "little")


def _lines(count: int) -> Callable[[bytes], int]:
    def head_of(piece: bytes) -> int:
        end = 0
        for _ in range(count):
            end = piece.index(b"\n", end) + 1
        return end

    return head_of


def _csv_records(count: int) -> Callable[[bytes], int]:
    def head_of(piece: bytes) -> int:
        end = 0
        for _ in range(count):
            found = _CSV_RECORD.match(piece, end)
            if found is None:
                raise UnknownFrameError
            end = found.end()
        return end

    return head_of


def _strings(count: int) -> Callable[[bytes], int]:
    def head_of(piece: bytes) -> int:
        reader = ByteReader(data=piece, limit_bytes=len(piece))
        columns = reader.varint()
        for _ in range(count * columns):
            reader.string()
        return reader.pos

    return head_of


def framing_of(output_format: str) -> Framing | None:
    """A fresh framing for one answer; None for a format that has to be written whole."""
    if output_format in _PLAIN:
        return Plain()
    if output_format in _JSON:
        return Json()
    if output_format in _LINES:
        return Headed(_lines(_LINES[output_format]))
    if output_format in _CSV:
        return Headed(_csv_records(_CSV[output_format]))
    if output_format in _BINARY:
        return Headed(_strings(_BINARY[output_format]))
    if output_format == "ArrowStream":
        return ArrowStream()
    return CommaFraming() if output_format == "Values" else None
