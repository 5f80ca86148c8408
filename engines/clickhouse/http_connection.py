"""One HTTP connection: h11 reads its requests and writes its answers; deadlines and sizes are kept here."""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Iterable, Iterator
from email.utils import formatdate
from http import HTTPStatus
from typing import Final

import h11

from engines.clickhouse.client_limits import Limits
from engines.clickhouse.http_request import Headers, HttpError, refuse_ambiguous

_RECEIVE_BYTES: Final = 1 << 18
_END_OF_HEAD: Final = re.compile(rb"\n\r?\n")
_LINGER_BYTES: Final = 1 << 20


class GoneError(Exception):
    """The client left, broke the protocol, or took too long: there is no client to answer."""


class HttpConnection:
    """`request` reads the next head; then `body` may be read, and one answer is sent, whole or piece by piece."""

    def __init__(self, sock: socket.socket, limits: Limits) -> None:
        self.socket = sock
        self._limits = limits
        self._h11 = self._fresh()
        self._early = bytearray()  # received, and not given to the parser: the parser sees a head whole
        self.method = ""
        self.answering = False
        self.read = True  # the body, to its end

    # ---- in

    def request(self) -> tuple[str, str, Headers] | None:
        """Method, target and headers of the next request; None where the client has no more.

        Raises HttpError for a head that is not valid, and GoneError where it takes longer than the deadline, however many bytes
        come one by one.
        """
        self.method = ""
        self.answering = False
        head = self._head()
        if head is None:
            return None
        refuse_ambiguous(head)
        try:
            self._h11.receive_data(head)
            event = self._h11.next_event()
        except h11.RemoteProtocolError as error:
            raise HttpError(error.error_status_hint or 400, f"{error}.") from None
        if not isinstance(event, h11.Request):
            raise GoneError
        self.method = event.method.decode("latin-1")
        headers = Headers(event.headers)
        self.read = headers.get("Transfer-Encoding") is None and headers.get("Content-Length") in (None, "0")
        if self.read:
            self._h11.next_event()
        return self.method, event.target.decode("latin-1"), headers

    def _head(self) -> bytes | None:
        deadline = None if self._early else time.monotonic() + self._limits.http_idle_seconds
        began = time.monotonic() if self._early else None
        while not (end := _END_OF_HEAD.search(self._early)):
            if len(self._early) > self._limits.http_head_bytes:
                raise HttpError(431, f"A head of more than {self._limits.http_head_bytes} bytes is refused.")
            until = began + self._limits.handshake_seconds if began is not None else deadline
            piece = self._receive((until or 0) - time.monotonic())
            if not piece:
                return None
            began = time.monotonic() if began is None else began
            self._early += piece
        head = bytes(self._early[: end.end()])
        del self._early[: end.end()]
        return head

    def _receive(self, left_seconds: float) -> bytes:
        if left_seconds <= 0:
            raise GoneError
        self.socket.settimeout(left_seconds)
        try:
            return self.socket.recv(_RECEIVE_BYTES)
        except OSError:
            raise GoneError from None

    def body(self) -> Iterator[bytes]:
        """The request's body without its transfer coding."""
        if self.read:
            return
        deadline = time.monotonic() + self._limits.http_body_seconds
        if self._h11.they_are_waiting_for_100_continue:
            self._send(self._h11.send(h11.InformationalResponse(status_code=100, headers=[])))
        while True:
            try:
                event = self._h11.next_event()
            except h11.RemoteProtocolError as error:
                raise HttpError(400, f"The body cannot be read: {error}.") from None
            if event is h11.NEED_DATA:
                self._feed(min(deadline - time.monotonic(), self._limits.http_body_pause_seconds))
            elif isinstance(event, h11.Data):
                yield bytes(event.data)
            else:
                if isinstance(event, h11.EndOfMessage):
                    self.read = True
                    self._early = bytearray(self._h11.trailing_data[0]) + self._early
                return

    def _feed(self, left_seconds: float) -> None:
        if self._early:
            piece, self._early = bytes(self._early), bytearray()
        else:
            piece = self._receive(left_seconds)
        try:
            self._h11.receive_data(piece)
        except h11.RemoteProtocolError as error:
            raise HttpError(400, f"The body cannot be read: {error}.") from None

    # ---- out

    def start(self, status: int, headers: Iterable[tuple[str, str]], *, length: int | None, close: bool) -> None:
        """The head of the answer; without a `length` the pieces follow in chunks."""
        listed = [("Date", formatdate(usegmt=True)), ("Server", "ClickHouse"), *headers]
        listed.append(("Transfer-Encoding", "chunked") if length is None else ("Content-Length", str(length)))
        if close:
            listed.append(("Connection", "close"))
        encoded = [(name.encode("latin-1"), _one_line(value)) for name, value in listed]
        if self._h11.our_state is h11.IDLE:  # no request was understood
            return self._send(_bare_head(status, encoded))
        self._send(self._h11.send(h11.Response(status_code=status, headers=encoded, reason=_reason(status))))
        self.answering = True

    def piece(self, data: bytes) -> None:
        if self.method != "HEAD" and data:
            if self._h11.our_state is h11.IDLE:
                return self._send(data)
            for part in self._h11.send_with_data_passthrough(h11.Data(data=data)) or ():
                self._send(part)

    def finish(self) -> bool:
        """End the answer; whether another request may follow on this connection."""
        if self._h11.our_state is h11.IDLE:
            return False
        self._send(self._h11.send(h11.EndOfMessage()))
        if self._h11.our_state is not h11.DONE or self._h11.their_state is not h11.DONE:
            return False
        self._h11 = self._fresh()  # what came early is here, and not in the parser
        return True

    def _fresh(self) -> h11.Connection:
        return h11.Connection(h11.SERVER, max_incomplete_event_size=self._limits.http_head_bytes)

    def _send(self, data: bytes | None) -> None:
        if not data:
            return
        self.socket.settimeout(self._limits.packet_seconds)
        try:
            self.socket.sendall(data)
        except OSError:
            raise GoneError from None

    def linger(self) -> None:
        """Take what the client still sends, a little of it: closing at once would take the answer away from it."""
        left = _LINGER_BYTES
        try:
            self.socket.shutdown(socket.SHUT_WR)
            self.socket.settimeout(1.0)
            while left > 0 and (piece := self.socket.recv(_RECEIVE_BYTES)):
                left -= len(piece)
        except OSError:
            return


def _one_line(value: str) -> bytes:
    return " ".join(value.split()).encode("utf-8", "surrogateescape")


def _reason(status: int) -> bytes:
    return HTTPStatus(status).phrase.encode("ascii")


def _bare_head(status: int, headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    lines = [b"HTTP/1.1 %d %b" % (status, _reason(status)), *(name + b": " + value for name, value in headers)]
    return b"\r\n".join(lines) + b"\r\n\r\n"
