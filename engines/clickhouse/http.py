"""ClickHouse's HTTP interface: queries and inserts, on loopback, for this machine's own programs only."""

from __future__ import annotations

import json
import logging
import re
import socket
import threading
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, closing, nullcontext
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import chain
from typing import Any, Final

from counterpoise.runtime.clock import SystemClock
from engines.clickhouse import compression, insert, statements
from engines.clickhouse.auth import User, Users
from engines.clickhouse.engine import Engine
from engines.clickhouse.exceptions import ServerError
from engines.clickhouse.http_request import Body, HttpError, Request, credentials, refuse_foreign
from engines.clickhouse.http_sessions import HttpSessions
from engines.clickhouse.insert_head import InsertHead, parse_insert
from engines.clickhouse.prepare import prepared
from engines.clickhouse.session import Described, Session
from engines.clickhouse.watcher import Watcher

log = logging.getLogger(__name__)

MAX_BODY_BYTES: Final = 1 << 30
MAX_SQL_BYTES: Final = 64 << 20
_POLL_SECONDS: Final = 0.05  # how soon the accepting thread sees that it must stop
_HEAD_BYTES: Final = 1 << 18  # an INSERT's statement must end within this much of the body
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


class HttpServer(ThreadingHTTPServer):
    """Serves a socket that already listens. One thread per connection, at most `max_connections`."""

    daemon_threads = True
    block_on_close = False

    def __init__(
        self, sock: socket.socket, engine: Engine, users: Users, watcher: Watcher, max_connections: int = 128
    ) -> None:
        host, port = sock.getsockname()[:2]
        super().__init__((host, port), _Handler, bind_and_activate=False)
        self.socket.close()
        self.socket = sock
        self.host: str = host
        self.port: int = port
        self.engine = engine
        self.users = users
        self.watcher = watcher
        self.sessions = HttpSessions(SystemClock())
        self._slots = threading.BoundedSemaphore(max_connections)

    def serve(self) -> None:
        """Accept connections in a separate thread; returns at once."""
        threading.Thread(target=self.serve_forever, args=(_POLL_SECONDS,), name="http-accept", daemon=True).start()

    def process_request(self, request: Any, client_address: Any) -> None:
        if not self._slots.acquire(blocking=False):
            request.close()
            return
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._slots.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        log.debug("an HTTP connection ended", exc_info=True)

    def close(self) -> None:
        self.shutdown()
        self.server_close()
        self.sessions.close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "ClickHouse"
    sys_version = ""
    timeout = 60
    disable_nagle_algorithm = True
    server: HttpServer

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        log.debug(format, *args)

    def do_GET(self) -> None:
        self._answer(read_only=True)

    do_HEAD = do_GET  # noqa: N815

    def do_POST(self) -> None:
        self._answer(read_only=False)

    # ---- the request

    def _answer(self, *, read_only: bool) -> None:
        query_id = str(uuid.uuid4())
        body: Body | None = None
        try:
            refuse_foreign(self.headers, self.server.host, self.server.port)
            request = Request(self.path, self.headers)
            query_id = request.given.get("query_id") or query_id
            body = Body(self.rfile, self.headers, MAX_BODY_BYTES)
            if request.path in ("/ping", "/replicas_status") or self._is_greeting(request):
                for _ in body.pieces():
                    pass
                self._reply(200, b"Ok.\n", [("Content-Type", "text/plain; charset=UTF-8")])
                return
            if request.path != "/":
                raise HttpError(404, f"There is no {request.path} here.")
            user = self.server.users.check(*credentials(self.headers, request.given))
            self._statement(request, user, body, query_id, read_only=read_only or request.read_only)
        except ServerError as error:
            self.close_connection = self.close_connection or body is None or not body.finished
            version = ".".join(map(str, self.server.engine.version))
            text = f"{error} (version {version})\n"
            headers = [("Content-Type", "text/plain; charset=UTF-8"), ("X-ClickHouse-Query-Id", query_id)]
            headers.append(("X-ClickHouse-Exception-Code", str(error.code)))
            self._reply(_STATUS.get(error.code, 500), text.encode("utf-8", "surrogateescape"), headers)
        except HttpError as error:
            self.close_connection = True
            self._reply(error.status, f"{error}\n".encode(), [("Content-Type", "text/plain; charset=UTF-8")])

    def _is_greeting(self, request: Request) -> bool:
        return request.path == "/" and self.command in ("GET", "HEAD") and not request.given

    def _reply(self, status: int, body: bytes, headers: Iterable[tuple[str, str]]) -> None:
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value.replace("\r", " ").replace("\n", " "))
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-ClickHouse-Timezone", self.server.engine.timezone)
        self.send_header("X-ClickHouse-Server-Display-Name", "counterpoise")
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    # ---- the statement

    def _statement(self, request: Request, user: User, body: Body, query_id: str, *, read_only: bool) -> None:
        if request.flag("decompress"):
            raise ServerError(48, "decompress=1 is not supported: use Content-Encoding gzip or lz4.")
        with self._session(request, user) as session:
            if request.database:
                session.use(request.database)
            session.apply(request.settings)
            session.progress.clear()
            pieces = body.pieces()
            head, data = _insert_head(request.query, pieces)
            output_format = request.format
            if head is not None:
                if read_only or not session.may_write:
                    raise ServerError(164, f"{user.name}: Cannot execute query in readonly mode.")
                written = insert.run(session, head, head.format, _feed(data))
                answer, rows, size = b"", written.rows, written.size_bytes
            else:
                sql = _text(request.query, data)
                answer, output_format, rows, size = self._run(session, sql, request, read_only=read_only)
            summary = self._summary(session, rows, size)
        if request.flag("compress"):
            answer = compression.compress(answer)
        self._reply(
            200,
            answer,
            [
                ("Content-Type", _content_type(output_format)),
                ("X-ClickHouse-Query-Id", query_id),
                ("X-ClickHouse-Format", output_format),
                ("X-ClickHouse-Summary", summary),
            ],
        )

    def _run(self, session: Session, sql: str, request: Request, *, read_only: bool) -> tuple[bytes, str, int, int]:
        with prepared(session, sql, read_only=read_only) as ready:
            output_format = ready.format or request.format
            if ready.nothing:
                return b"", output_format, 0, 0
            if not ready.format and not session.may_write:
                session.check_format(output_format)
            # A reader that hangs up stops its query; a write goes on, as with any ClickHouse.
            watching: AbstractContextManager[object] = nullcontext()
            if ready.reads:
                watching = self.server.watcher.watching(self.connection, session.interrupt)
            with watching:
                result = session.query(ready.text, output_format, {**session.parameters, **request.query_parameters})
            session.note(ready.word, ready.text)
            answer = b"" if ready.word == "INSERT" else result.bytes()
            return answer, output_format, result.rows_written(), result.bytes_written()

    def _session(self, request: Request, user: User) -> AbstractContextManager[Session]:
        def open_session() -> Session:
            return Session(self.server.engine, user)

        name = request.given.get("session_id")
        if not name:
            return closing(open_session())
        timeout = request.given.get("session_timeout", "")
        must_exist = request.flag("session_check")
        return self.server.sessions.use((user.name, name), timeout, must_exist=must_exist, open_session=open_session)

    @staticmethod
    def _summary(session: Session, written_rows: int, written_bytes: int) -> str:
        keys = ("read_rows", "read_bytes", "total_rows_to_read", "elapsed_ns")
        summary = {key: str(session.progress.get(key, 0)) for key in keys}
        return json.dumps(summary | {"written_rows": str(written_rows), "written_bytes": str(written_bytes)})


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
