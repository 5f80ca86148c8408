"""The statement of a request, and the data behind it, from its URL and its body."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import chain
from typing import Final

from engines.clickhouse import compression, statement_routing
from engines.clickhouse.exceptions import ServerError
from engines.clickhouse.http_request import HttpError
from engines.clickhouse.insert_head import InsertHead, parse_insert
from engines.clickhouse.wire import ConnectionClosedError

MAX_SQL_BYTES: Final = 64 << 20
_HEAD_BYTES: Final = 1 << 18  # an INSERT's statement must end within this much of the body
_DATA_START = re.compile(r"[ \t]*;?[ \t]*(?:\r?\n)?")


def unpacked(pieces: Iterator[bytes], limit_bytes: int) -> Iterator[bytes]:
    """A body in the native protocol's compressed frames."""
    total = 0
    try:
        for piece in compression.unpack(pieces):
            total += len(piece)
            if total > limit_bytes:
                raise HttpError(413, f"A body of more than {limit_bytes} bytes is refused.")
            yield piece
    except ConnectionClosedError:
        raise ServerError(117, "The body ends inside a compressed frame.") from None


def insert_head(query: str, pieces: Iterator[bytes]) -> tuple[InsertHead | None, Iterator[bytes]]:
    """The head of an INSERT with data, and its data; None, and the body, for any other statement.

    The statement is in the URL, at the start of the body, or starts in the URL and continues in the body.
    """
    start = b"" if query else _at_least(pieces, _HEAD_BYTES)
    text = query or start.decode("utf-8", "surrogateescape")
    head = parse_insert(text) if statement_routing.first_word(text) == "INSERT" else None
    if head is None:
        return None, chain((start,), pieces)
    inline = text[head.data_start :]
    if found := _DATA_START.match(inline):
        inline = inline[found.end() :]
    if query and not inline.strip():
        inline = ""
    return head, chain((inline.encode("utf-8", "surrogateescape"),), pieces)


def _at_least(pieces: Iterator[bytes], wanted: int) -> bytes:
    start = b""
    for piece in pieces:
        start += piece
        if len(start) >= wanted:
            break
    return start


def whole_text(query: str, body: Iterator[bytes]) -> str:
    """A statement from the URL and the body together."""
    out = bytearray()
    for piece in body:
        out += piece
        if len(out) > MAX_SQL_BYTES:
            raise HttpError(413, f"A statement of more than {MAX_SQL_BYTES} bytes is refused.")
    return "\n".join(part for part in (query, out.decode("utf-8", "surrogateescape")) if part)
