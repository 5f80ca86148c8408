"""ClickHouse's HTTP interface: queries and inserts, on loopback, for this machine's own programs only."""

from __future__ import annotations

import json
import logging
import re
import socket
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext, suppress
from itertools import chain
from pathlib import Path
from typing import Final

from counterpoise.errors import ConfigError
from counterpoise.runtime.clock import SystemClock
from counterpoise.runtime.private_files import read_private
from engines.clickhouse import compression, insert, multipart, statements
from engines.clickhouse.accepting import connections
from engines.clickhouse.auth import User, Users
from engines.clickhouse.engine import Engine
from engines.clickhouse.exceptions import ServerError
from engines.clickhouse.http_connection import GoneError, HttpConnection
from engines.clickhouse.http_request import Body, HttpError, Request, credentials, refuse_foreign
from engines.clickhouse.http_sessions import HttpSessions
from engines.clickhouse.insert_head import InsertHead, parse_insert
from engines.clickhouse.limits import Limits
from engines.clickhouse.native_form import NativeForm
from engines.clickhouse.prepare import Prepared, prepared
from engines.clickhouse.session import Described, Session
from engines.clickhouse.strangers import Strangers
from engines.clickhouse.watcher import Watcher
from engines.clickhouse.wire import ConnectionClosedError

log = logging.getLogger(__name__)

MAX_SQL_BYTES: Final = 64 << 20
_AHEAD_BYTES: Final = 1 << 20  # an answer of less goes out whole, with its length and a complete summary
_PLAIN: Final = ("Content-Type", "text/plain; charset=UTF-8")
_SUMMARY: Final = (
    *("read_rows", "read_bytes", "written_rows", "written_bytes", "total_rows_to_read", "result_rows", "result_bytes"),
    *("elapsed_ns", "memory_usage"),
)
# Formats whose pieces, each written alone, are the whole: they have no beginning and no end of their own.
_STREAMED: Final = frozenset(
    (
        *(
            "TabSeparated",
            "TSV",
            "TabSeparatedRaw",
            "TSVRaw",
            "Raw",
            "CSV",
            "TSKV",
            "LineAsString",
            "Native",
            "RowBinary",
        ),
        *("JSONEachRow", "JSONLines", "JSONL", "NDJSON", "JSONStringsEachRow", "JSONCompactEachRow"),
        *("JSONCompactStringsEachRow", "MsgPack", "BSONEachRow"),
    )
)
_HEAD_BYTES: Final = 1 << 18  # an INSERT's statement must end within this much of the body
_DESK_URL = re.compile(r"https?://[A-Za-z0-9.:\[\]-]+(/[A-Za-z0-9._~/-]*[A-Za-z0-9._~-])?")
_DATA_START = re.compile(r"[ \t]*;?[ \t]*(?:\r?\n)?")

# ClickHouse's exceptionCodeToHTTPStatus, what of it can happen here; anything else is 500.
_STATUS: Final = {
    **dict.fromkeys((16, 36, 43, 47, 50, 53, 62, 115, 117, 131, 372, 373, 374, 456, 457), 400),
    **dict.fromkeys((164, 516), 403),
    **dict.fromkeys((46, 60, 81), 404),
    48: 501,
    202: 503,
}
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


class HttpServer:
    """Serves a socket that already listens. One thread per connection; unknown clients make room for each other."""

    def __init__(
        self,
        sock: socket.socket,
        engine: Engine,
        users: Users,
        watcher: Watcher,
        limits: Limits,
        *,
        desk_file: Path | None = None,
    ) -> None:
        self.socket = sock
        self.host: str = sock.getsockname()[0]
        self.port: int = sock.getsockname()[1]
        self.engine = engine
        self.users = users
        self.watcher = watcher
        self.limits = limits
        self.desk_file = desk_file
        self.strangers = Strangers(limits.strangers)
        self.sessions = HttpSessions(SystemClock())
        self._known = threading.BoundedSemaphore(limits.http_connections)
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._closing = False

    def serve(self) -> None:
        """Accept connections in a separate thread; returns at once."""
        threading.Thread(target=self._accept, name="http-accept", daemon=True).start()

    def _accept(self) -> None:
        for sock in connections(self.socket, lambda: self._closing):
            with self._lock:
                if self._closing:
                    sock.close()
                    return
                self._open.add(sock)
            self.strangers.arrive(sock)
            threading.Thread(target=self._connection, args=(sock,), daemon=True).start()

    def _connection(self, sock: socket.socket) -> None:
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            handler = _Handler(self, sock)
            while handler.serve_one():
                pass
        except GoneError:
            pass
        except Exception:
            log.exception("an HTTP connection failed inside the server")
        finally:
            self.strangers.leave(sock)
            with self._lock:
                self._open.discard(sock)
            sock.close()

    @contextmanager
    def known(self, sock: socket.socket) -> Iterator[None]:
        """During a request whose user is known, its connection makes room for no other (202 beyond the limit)."""
        if not self._known.acquire(blocking=False):
            raise ServerError(202, f"Too many HTTP requests at once: this server takes {self.limits.http_connections}.")
        self.strangers.leave(sock)
        try:
            yield
        finally:
            self._known.release()
            self.strangers.arrive(sock)

    def close(self) -> None:
        with self._lock:
            self._closing = True
            still_open = list(self._open)
        for sock in (self.socket, *still_open):
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)  # the watcher sees it and interrupts what runs
        self.socket.close()
        self.sessions.close()


class _Handler:
    """The requests of one connection."""

    def __init__(self, server: HttpServer, sock: socket.socket) -> None:
        self.server = server
        self._socket = sock
        self._connection = HttpConnection(sock, server.limits)

    def serve_one(self) -> bool:
        """Answer one request; whether another may follow."""
        query_id = str(uuid.uuid4())
        try:
            asked = self._connection.request()
            if asked is None:
                return False
            method, target, headers = asked
            if method not in ("GET", "HEAD", "POST"):
                raise HttpError(501, f"The method {method} is not supported.")
            refuse_foreign(headers, self.server.host, self.server.port, self.server.limits.allowed_hosts)
            request = Request(target, headers)
            query_id = request.given.get("query_id") or query_id
            if request.path in ("/ping", "/replicas_status") or (
                request.path == "/" and method != "POST" and not request.given
            ):
                return self.whole(200, b"Ok.\n", [_PLAIN])
            if request.path == "/play" and method != "POST":
                return self._play()
            if request.path != "/":
                raise HttpError(404, f"There is no {request.path} here.")
            user = self.server.users.check(*credentials(headers, request.given))
            with self.server.known(self._socket):
                boundary = multipart.boundary_of(headers.get("Content-Type")) if method == "POST" else None
                body = Body(self._connection.body(), headers, self.server.limits.http_body_bytes)
                read_only = method != "POST" or request.read_only
                return self._statement(request, user, body, boundary, query_id, read_only=read_only)
        except ServerError as error:
            version = ".".join(map(str, self.server.engine.version))
            text = f"{error} (version {version})\n"
            answer = [_PLAIN, ("X-ClickHouse-Query-Id", query_id), ("X-ClickHouse-Exception-Code", str(error.code))]
            return self.whole(_STATUS.get(error.code, 500), text.encode("utf-8", "surrogateescape"), answer)
        except (GoneError, OSError, MemoryError):
            raise
        except HttpError as error:
            return self.whole(error.status, f"{error}\n".encode("utf-8", "replace"), [_PLAIN], close=True)
        except Exception as error:  # a bug of ours must cost one request, and the client is told
            log.exception("a request failed inside the server")
            text = f"Code: 1001. {type(error).__name__} inside the embedded server.\n"
            return self.whole(500, text.encode(), [_PLAIN], close=True)

    def whole(self, status: int, body: bytes, headers: list[tuple[str, str]], *, close: bool = False) -> bool:
        if self._connection.answering:  # an answer is under way, and cannot be taken back: it ends without its end
            self._connection.piece(body)
            return False
        close = close or not self._connection.read
        self._connection.start(status, [*headers, *self._own()], length=len(body), close=close)
        self._connection.piece(body)
        again = self._connection.finish() and not close
        if not again:
            self._connection.linger()
        return again

    def _own(self) -> list[tuple[str, str]]:
        return [
            ("X-ClickHouse-Timezone", self.server.engine.timezone),
            ("X-ClickHouse-Server-Display-Name", "counterpoise"),
        ]

    def start(self, headers: list[tuple[str, str]]) -> None:
        self._connection.start(200, [*headers, *self._own()], length=None, close=not self._connection.read)

    def piece(self, data: bytes) -> None:
        self._connection.piece(data)

    def finish(self) -> bool:
        return self._connection.finish()

    def _play(self) -> bool:
        """ClickHouse's own page of this name is an SQL console; the desk has one."""
        url = ""
        if self.server.desk_file is not None:
            with suppress(OSError, ValueError, ConfigError):
                url = read_private(self.server.desk_file).strip()
        if not _DESK_URL.fullmatch(url):
            raise HttpError(404, "There is no /play here: `counterpoise desk` serves the SQL console.")
        return self.whole(307, b"", [("Location", f"{url}/sql"), ("Cache-Control", "no-store")])

    # ---- the statement

    def _statement(
        self, request: Request, user: User, body: Body, boundary: bytes | None, query_id: str, *, read_only: bool
    ) -> bool:
        with self._session(request, user) as session:
            pieces = body.pieces()
            if boundary is not None:
                form = multipart.read_form(
                    pieces, boundary, max_field_bytes=MAX_SQL_BYTES, refuse_larger=session.refuse_larger_external
                )
                request.add_form(form.fields, {name + end for name in form.files for end in multipart.SUFFIXES})
                for table in multipart.tables_of(form.files, request.given):
                    session.add_external(table)
                pieces = iter(())
            if request.database:
                session.use(request.database)
            session.apply(request.settings)
            session.progress.clear()
            session.query_id = query_id
            if boundary is None and request.flag("decompress"):
                pieces = _unpacked(pieces, self.server.limits.http_body_bytes)
            head, data = _insert_head(request.query, pieces)
            answer = _Answer(self, session, request, query_id)
            if head is not None:
                if read_only or not session.may_write:
                    raise ServerError(164, f"{user.name}: Cannot execute query in readonly mode.")
                written = insert.run(session, head, head.format, _feed(data))
                return answer.whole(b"", written_rows=written.rows, written_bytes=written.size_bytes)
            sql = _text(request.query, data)
            with prepared(session, sql, read_only=read_only) as ready:
                answer.format = ready.format or request.format
                if ready.nothing:
                    return answer.whole(b"")
                if not session.may_write:
                    session.check_format(answer.format)
                # A reader that hangs up stops its query; a write goes on, as with any ClickHouse.
                watching: AbstractContextManager[object] = nullcontext()
                if ready.reads:
                    watching = self.server.watcher.watching(self._socket, session.interrupt)
                with watching:
                    return self._run(session, ready, answer, {**session.parameters, **request.query_parameters})

    @staticmethod
    def _run(session: Session, ready: Prepared, answer: _Answer, parameters: Mapping[str, str]) -> bool:
        if answer.format == "Native" and answer.revision:
            answer.form = NativeForm(session, ready.text, parameters, answer.revision)
        if not (ready.streams and answer.format in _STREAMED) or ready.adds:
            result = session.query(ready.text, answer.format, parameters)
            session.note(ready.word, ready.text)
            return answer.whole(
                b"" if ready.word == "INSERT" else answer.form(result.bytes()),
                result_rows=result.rows_read(),
                written_rows=result.rows_written(),
                written_bytes=result.bytes_written(),
            )
        with closing(session.stream(ready.text, parameters, answer.format)) as stream:
            ahead: list[bytes] = []
            size = 0
            while size < _AHEAD_BYTES:
                if (piece := stream.fetch()) is None:
                    return answer.whole(b"".join(ahead), result_rows=stream.rows)
                piece = answer.form(piece)
                ahead.append(piece)
                size += len(piece)
            answer.start(result_rows=stream.rows)
            answer.piece(b"".join(ahead))
            while (piece := stream.fetch()) is not None:
                answer.piece(answer.form(piece))
        return answer.finish()

    def _session(self, request: Request, user: User) -> AbstractContextManager[Session]:
        def open_session() -> Session:
            return Session(self.server.engine, user)

        name = request.given.get("session_id")
        if not name:
            return closing(open_session())
        timeout = request.given.get("session_timeout", "")
        must_exist = request.flag("session_check")
        return self.server.sessions.use((user.name, name), timeout, must_exist=must_exist, open_session=open_session)


class _Answer:
    """The answer to one statement, whole or in pieces."""

    def __init__(self, handler: _Handler, session: Session, request: Request, query_id: str) -> None:
        self._handler = handler
        self._session = session
        self._compress = request.flag("compress")
        self._query_id = query_id
        self.format = request.format
        self.revision = request.revision
        self.form: Callable[[bytes], bytes] = bytes  # what the client's revision makes of each piece

    def whole(self, body: bytes, **counts: int) -> bool:
        packed = compression.compress(body) if self._compress else body
        return self._handler.whole(200, packed, self._headers({"result_bytes": len(body), **counts}))

    def start(self, **counts: int) -> None:
        self._handler.start(self._headers(counts))

    def piece(self, data: bytes) -> None:
        self._handler.piece(compression.compress(data) if self._compress else data)

    def finish(self) -> bool:
        return self._handler.finish()

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


def _unpacked(pieces: Iterator[bytes], limit_bytes: int) -> Iterator[bytes]:
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


def _insert_head(query: str, pieces: Iterator[bytes]) -> tuple[InsertHead | None, Iterator[bytes]]:
    """The head of an INSERT with data, and its data; None, and the body, for any other statement.

    The statement is in the URL, at the start of the body, or starts in the URL and continues in the body.
    """
    start = b"" if query else _at_least(pieces, _HEAD_BYTES)
    text = query or start.decode("utf-8", "surrogateescape")
    head = parse_insert(text) if statements.first_word(text) == "INSERT" else None
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


def _text(query: str, body: Iterator[bytes]) -> str:
    """A statement from the URL and the body together."""
    out = bytearray()
    for piece in body:
        out += piece
        if len(out) > MAX_SQL_BYTES:
            raise HttpError(413, f"A statement of more than {MAX_SQL_BYTES} bytes is refused.")
    return "\n".join(part for part in (query, out.decode("utf-8", "surrogateescape")) if part)


def _feed(data: Iterator[bytes]) -> Callable[[Callable[[bytes], None], list[Described]], bool]:
    def feed(append: Callable[[bytes], None], _sample: list[Described]) -> bool:
        for piece in data:
            if piece:
                append(piece)
        return True

    return feed
