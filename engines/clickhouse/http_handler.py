"""The requests of one HTTP connection: who asks, in which session, and what is answered."""

from __future__ import annotations

import logging
import re
import socket
import uuid
from contextlib import AbstractContextManager, closing, nullcontext, suppress
from typing import TYPE_CHECKING, Final

from counterpoise.errors import ConfigError
from counterpoise.runtime.private_files import read_private
from engines.clickhouse import insert, multipart, temporary
from engines.clickhouse.auth import User
from engines.clickhouse.engine_session import Session
from engines.clickhouse.exceptions import ServerError
from engines.clickhouse.http_answer import StatementAnswer, send
from engines.clickhouse.http_connection import GoneError, HttpConnection
from engines.clickhouse.http_request import Body, HttpError, Request, credentials, refuse_foreign
from engines.clickhouse.http_statement import MAX_SQL_BYTES, insert_head, unpacked, whole_text
from engines.clickhouse.prepare import prepared

if TYPE_CHECKING:
    from engines.clickhouse.http_server import HttpServer

log = logging.getLogger(__name__)

_PLAIN: Final = ("Content-Type", "text/plain; charset=UTF-8")
_DESK_URL = re.compile(r"https?://[A-Za-z0-9.:\[\]-]+(/[A-Za-z0-9._~/-]*[A-Za-z0-9._~-])?")

# ClickHouse's exceptionCodeToHTTPStatus, what of it can happen here; anything else is 500.
_STATUS: Final = {
    **dict.fromkeys((16, 36, 43, 47, 50, 53, 62, 115, 117, 131, 372, 373, 374, 456, 457), 400),
    **dict.fromkeys((164, 516), 403),
    **dict.fromkeys((46, 60, 81), 404),
    48: 501,
    202: 503,
}


class Handler:
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
            session.tables.external = []  # of a request that failed
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
                pieces = unpacked(pieces, self.server.limits.http_body_bytes)
            head, data = insert_head(request.query, pieces)
            answer = StatementAnswer(self, session, request, query_id)
            if head is not None:
                if read_only or session.reads_only:
                    raise ServerError(164, f"{user.name}: Cannot execute query in readonly mode.")
                run = temporary.insert if user.readonly else insert.run
                written = run(session, head, head.format, insert.feed_of(data))
                return answer.whole(b"", written_rows=written.rows, written_bytes=written.size_bytes)
            sql = whole_text(request.query, data)
            with prepared(session, sql, read_only=read_only) as ready:
                answer.format = ready.format or request.format
                if ready.nothing:
                    return answer.whole(b"")
                if not session.may_write:
                    session.check_format(answer.format)
                # A reader that hangs up stops its query; a write goes on, as with any ClickHouse.
                watching: AbstractContextManager[object] = nullcontext()
                if ready.reads or ready.write is not None:
                    watching = self.server.watcher.watching(self._socket, session.interrupt)
                with watching:
                    return send(session, ready, answer, {**session.parameters, **request.query_parameters})

    def _session(self, request: Request, user: User) -> AbstractContextManager[Session]:
        def open_session() -> Session:
            return Session(self.server.engine, user)

        name = request.given.get("session_id")
        if not name:
            return closing(open_session())
        timeout = request.given.get("session_timeout", "")
        must_exist = request.flag("session_check")
        return self.server.sessions.use((user.name, name), timeout, must_exist=must_exist, open_session=open_session)
