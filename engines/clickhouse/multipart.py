"""Bodies of multipart/form-data: fields, and files that are external tables of the statement. Bounded as they are read."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from email.message import Message
from email.parser import HeaderParser
from email.utils import collapse_rfc2231_value
from typing import Final, NamedTuple

from engines.clickhouse.exceptions import ServerError
from engines.clickhouse.external import MAX_TABLES, ExternalTable
from engines.clickhouse.http_request import HttpError
from engines.clickhouse.statement_routing import split_list

MAX_FIELDS: Final = 256
MAX_HEAD_BYTES: Final = 16 << 10
MAX_BOUNDARY_CHARS: Final = 70
DEFAULT_FORMAT: Final = "TabSeparated"
SUFFIXES: Final = ("_structure", "_types", "_format")


class MultipartForm(NamedTuple):
    """`fields` are text. `files` are the rows of tables, by the table's name, in pieces."""

    fields: dict[str, str]
    files: dict[str, list[bytes]]


def boundary_of(content_type: str | None) -> bytes | None:
    """The boundary of a multipart/form-data header; None for any other type. HttpError (400) without a usable one."""
    message = Message()
    message["Content-Type"] = (content_type or "text/plain").replace("\r", " ").replace("\n", " ")
    if message.get_content_type() != "multipart/form-data":
        return None
    boundary = message.get_boundary("")
    if not 0 < len(boundary) <= MAX_BOUNDARY_CHARS or not boundary.isascii():
        raise HttpError(400, "A multipart body needs a boundary of 1 to 70 ASCII characters.")
    return boundary.encode()


def read_form(
    pieces: Iterator[bytes], boundary: bytes, *, max_field_bytes: int, refuse_larger: Callable[[int], None]
) -> MultipartForm:
    """Read the whole body. `refuse_larger` gets the size of all files so far, and raises where it is too large.

    HttpError: 400 for a body that is not well formed, 413 for too many fields and for fields of more than `max_field_bytes` together.
    """
    form = MultipartForm({}, {})
    reader = _Reader(pieces)
    mark = b"\r\n--" + boundary
    _skip(reader.until(mark))
    size = 0
    while reader.take(2) != b"--":
        name, is_file = _disposition(b"".join(_bounded(reader.until(b"\r\n\r\n"), MAX_HEAD_BYTES)))
        if name in form.fields or name in form.files:
            raise HttpError(400, f"Two parts of the body have the name {name}.")
        if is_file:
            if len(form.files) >= MAX_TABLES:
                raise ServerError(117, f"More than {MAX_TABLES} external tables.")
            rows = form.files[name] = []
            for piece in reader.until(mark):
                size += len(piece)
                refuse_larger(size)
                rows.append(piece)
        else:
            if len(form.fields) >= MAX_FIELDS:
                raise HttpError(413, f"A form of more than {MAX_FIELDS} fields is refused.")
            value = b"".join(_bounded(reader.until(mark), max_field_bytes))
            max_field_bytes -= len(value)
            form.fields[name] = value.decode("utf-8", "surrogateescape")
    _skip(pieces)
    return form


def tables_of(files: dict[str, list[bytes]], given: dict[str, str]) -> list[ExternalTable]:
    """The tables, described by `name_structure` or `name_types` and by `name_format` among the parameters (36 without)."""
    tables = []
    for name, pieces in files.items():
        structure, types = given.get(f"{name}_structure"), given.get(f"{name}_types")
        if not structure and types:
            structure = ", ".join(f"_{number} {type_}" for number, type_ in enumerate(split_list(types), start=1))
        if not structure:
            raise ServerError(
                36,
                f"Neither structure nor types are given for the external table {name}: "
                f"use the parameter {name}_structure or {name}_types.",
            )
        tables.append(ExternalTable(name, structure, given.get(f"{name}_format") or DEFAULT_FORMAT, pieces))
    return tables


class _Reader:
    """A body that is cut at marks; what it holds back is shorter than a mark."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._held = bytearray(b"\r\n")  # the first mark stands at the start of a line, too

    def _more(self) -> None:
        piece = next(self._pieces, None)
        if piece is None:
            raise HttpError(400, "The multipart body ends before its last boundary.")
        self._held += piece

    def until(self, mark: bytes) -> Iterator[bytes]:
        """What stands before the mark; the mark is passed."""
        while (at := self._held.find(mark)) < 0:
            ready = len(self._held) - len(mark) + 1
            if ready > 0:
                yield bytes(self._held[:ready])
                del self._held[:ready]
            self._more()
        yield bytes(self._held[:at])
        del self._held[: at + len(mark)]

    def take(self, count: int) -> bytes:
        while len(self._held) < count:
            self._more()
        taken = bytes(self._held[:count])
        if taken == b"\r\n":  # stays, because a part without a head begins with the end of its head
            return taken
        if taken != b"--":
            raise HttpError(400, "A boundary of the multipart body is followed by something else.")
        return taken


def _skip(pieces: Iterator[bytes]) -> None:
    for _ in pieces:
        pass


def _bounded(pieces: Iterator[bytes], limit: int) -> Iterator[bytes]:
    size = 0
    for piece in pieces:
        size += len(piece)
        if size > limit:
            raise HttpError(413, f"A part of more than {limit} bytes is refused.")
        yield piece


def _disposition(head: bytes) -> tuple[str, bool]:
    """A part's name, and whether it is a file."""
    try:
        message = HeaderParser().parsestr(head.decode().lstrip("\r\n"))
    except UnicodeDecodeError:
        raise HttpError(400, "The head of a part is not UTF-8.") from None
    given = message.get_param("name", header="content-disposition")
    name = collapse_rfc2231_value(given) if given else ""
    if not name or not name.isprintable():
        raise HttpError(400, "A part of the multipart body has no usable name.")
    if message.get("content-transfer-encoding", "binary").strip().lower() not in ("binary", "8bit", "7bit"):
        raise HttpError(400, f"The part {name} is encoded for mail.")
    return name, message.get_filename() is not None
