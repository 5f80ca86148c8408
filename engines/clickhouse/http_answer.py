"""The answer to one statement over HTTP: its headers, and its rows whole or in pieces."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from typing import Final, Protocol

from engines.clickhouse import compression
from engines.clickhouse.engine_session import Session
from engines.clickhouse.framing import Framing, UnknownFrameError, framing_of
from engines.clickhouse.http_request import Request
from engines.clickhouse.native_form import NativeForm
from engines.clickhouse.prepare import Prepared
from engines.clickhouse.running import Stream

_AHEAD_BYTES: Final = 1 << 20  # an answer of less goes out whole, with its length and a complete summary
_SUMMARY: Final = (
    *("read_rows", "read_bytes", "written_rows", "written_bytes", "total_rows_to_read", "result_rows", "result_bytes"),
    *("elapsed_ns", "memory_usage"),
)
_CONTENT_TYPES: Final = {
    "TabSeparated": "text/tab-separated-values; charset=UTF-8",
    "TSV": "text/tab-separated-values; charset=UTF-8",
    "CSV": "text/csv; charset=UTF-8; header=absent",
    "CSVWithNames": "text/csv; charset=UTF-8; header=present",
    "Native": "application/octet-stream",
    "RowBinary": "application/octet-stream",
    "Parquet": "application/octet-stream",
    "JSONEachRow": "application/x-ndjson; charset=UTF-8",
}


def _content_type(output_format: str) -> str:
    if output_format in _CONTENT_TYPES:
        return _CONTENT_TYPES[output_format]
    return "application/json; charset=UTF-8" if output_format.startswith("JSON") else "text/plain; charset=UTF-8"


class Answering(Protocol):
    """The side of a connection that an answer is given to; `whole` and `finish` return whether another request may follow."""

    def whole(self, status: int, body: bytes, headers: list[tuple[str, str]]) -> bool: ...
    def start(self, headers: list[tuple[str, str]]) -> None: ...
    def piece(self, data: bytes) -> None: ...
    def finish(self) -> bool: ...


class StatementAnswer:
    """The answer to one statement, whole or in pieces."""

    def __init__(self, connection: Answering, session: Session, request: Request, query_id: str) -> None:
        self._connection = connection
        self._session = session
        self._compress = request.flag("compress")
        self._query_id = query_id
        self.format = request.format
        self.revision = request.revision
        self.form: Callable[[bytes], bytes] = bytes  # what the client's revision makes of each piece

    def whole(self, body: bytes, **counts: int) -> bool:
        packed = compression.compress(body) if self._compress else body
        return self._connection.whole(200, packed, self._headers({"result_bytes": len(body), **counts}))

    def start(self, **counts: int) -> None:
        self._connection.start(self._headers(counts))

    def piece(self, data: bytes) -> None:
        self._connection.piece(compression.compress(data) if self._compress else data)

    def finish(self) -> bool:
        return self._connection.finish()

    def _headers(self, counts: Mapping[str, int]) -> list[tuple[str, str]]:
        return [
            ("Content-Type", _content_type(self.format)),
            ("X-ClickHouse-Query-Id", self._query_id),
            ("X-ClickHouse-Format", self.format),
            ("X-ClickHouse-Summary", json.dumps(self._summary(counts))),
        ]

    def _summary(self, counts: Mapping[str, int]) -> dict[str, str]:
        """What was read and made so far: all of it where the answer is whole."""
        known = {**self._session.progress, **counts}
        return {name: str(known.get(name, 0)) for name in _SUMMARY}


def send(session: Session, ready: Prepared, answer: StatementAnswer, parameters: Mapping[str, str]) -> bool:
    """Run the statement and send its answer, in pieces where it is large; whether another request may follow."""
    if ready.write is not None:
        written = ready.write(parameters)
        return answer.whole(b"", written_rows=written.rows, written_bytes=written.size_bytes)
    if answer.format == "Native" and answer.revision:
        answer.form = NativeForm(session, ready.text, parameters, answer.revision, selects=ready.streams)
    framing = framing_of(answer.format)
    if not ready.streams or ready.adds or framing is None or not framing.can_write(ready.text):
        return _whole(session, ready, answer, parameters)
    with closing(session.stream(ready.text, parameters, answer.format)) as stream:
        pieces = _framed(stream, framing, session)
        ahead: list[bytes] = []
        size = 0
        try:
            for piece in pieces:
                formed = answer.form(piece)
                ahead.append(formed)
                size += len(formed)
                if size >= _AHEAD_BYTES:
                    break
            else:
                return answer.whole(b"".join(ahead), result_rows=stream.rows)
        except UnknownFrameError:
            stream.close()
            return _whole(session, ready, answer, parameters)
        answer.start(result_rows=stream.rows)
        answer.piece(b"".join(ahead))
        for piece in pieces:
            answer.piece(answer.form(piece))
    return answer.finish()


def _whole(session: Session, ready: Prepared, answer: StatementAnswer, parameters: Mapping[str, str]) -> bool:
    result = session.query(ready.text, answer.format, parameters)
    session.note(ready.word)
    return answer.whole(
        b"" if ready.word == "INSERT" else answer.form(result.bytes()),
        result_rows=result.rows_read(),
        written_rows=result.rows_written(),
        written_bytes=result.bytes_written(),
    )


def _framed(stream: Stream, framing: Framing, session: Session) -> Iterator[bytes]:
    """The answer's pieces. The engine writes each as a separate answer; the framing joins them."""
    piece = stream.fetch()
    if piece is None:
        yield stream.empty
        return
    yield framing.first(piece)
    while (piece := stream.fetch()) is not None:
        yield framing.more(piece)
    yield framing.end(stream.rows, session.progress)
