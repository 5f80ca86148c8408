"""Places, turns and deadlines: what one client takes is not missing to the others."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from threading import Thread

import pytest

from engines.clickhouse.client_limits import Budget, Limits, Turns
from engines.clickhouse.exceptions import ServerError
from engines.clickhouse.http_connection import GoneError, HttpConnection
from engines.clickhouse.http_request import HttpError
from engines.clickhouse.strangers import Strangers


def test_turns() -> None:
    turns = Turns(2)
    with ExitStack() as running:
        running.enter_context(turns.one())
        running.enter_context(turns.one())
        with pytest.raises(ServerError) as caught, turns.one():
            pass
        assert caught.value.code == 202
    with turns.one():
        pass


@pytest.mark.parametrize(
    ("process_mib", "statements_mib"), [(4096, 3328), (1600, 832), (1536, 768), (1024, 512), (512, 256)]
)
def test_the_process_needs_memory_beside_its_statements(process_mib: int, statements_mib: int) -> None:
    assert Limits(server_memory_bytes=process_mib << 20).statements_memory_bytes == statements_mib << 20


def test_budget() -> None:
    budget = Budget(10)
    budget.take(6)
    with pytest.raises(ServerError) as caught:
        budget.take(5)
    assert caught.value.code == 307
    budget.take(4)
    budget.give_back(6)
    budget.take(6)


def test_the_oldest_stranger_makes_room() -> None:
    strangers = Strangers(2)
    pairs = [socket.socketpair() for _ in range(4)]
    for ours, _ in pairs[:2]:
        strangers.arrive(ours)
    strangers.leave(pairs[0][0])  # it is known now, and stays
    for ours, _ in pairs[2:]:
        strangers.arrive(ours)
    for number, (ours, theirs) in enumerate(pairs):
        theirs.settimeout(0)
        if number == 1:
            assert theirs.recv(1) == b""
        else:
            with pytest.raises(BlockingIOError):
                theirs.recv(1)
        ours.close()
        theirs.close()


Asked = Callable[..., HttpConnection]


@pytest.fixture
def asked() -> Iterator[Asked]:
    """A connection whose client sent these bytes, and no more."""
    opened: list[socket.socket] = []

    def ask(*pieces: bytes, limits: Limits | None = None) -> HttpConnection:
        ours, theirs = socket.socketpair()
        opened.extend((ours, theirs))
        for piece in pieces:
            theirs.sendall(piece)
        theirs.shutdown(socket.SHUT_WR)
        return HttpConnection(ours, limits or Limits())

    yield ask
    for sock in opened:
        sock.close()


GET = b"GET /?query=SELECT+1 HTTP/1.1\r\nHost: a\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: a\r\n"


def test_requests_follow_each_other(asked: Asked) -> None:
    connection = asked(GET, POST + b"Content-Length: 3\r\n\r\nabc" + GET, GET)
    for body in (b"", b"abc", b"", b""):
        found = connection.request()
        assert found is not None
        assert found[0] == ("POST" if body else "GET")
        assert b"".join(connection.body()) == body
        connection.start(200, [], length=0, close=False)
        assert connection.finish()
    assert connection.request() is None


def test_chunks(asked: Asked) -> None:
    connection = asked(POST + b"Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1;x=y\r\nc\r\n0\r\nTrailer: x\r\n\r\n")
    assert connection.request()
    assert b"".join(connection.body()) == b"abc"


@pytest.mark.parametrize(
    "head",
    [
        b"Content-Length: 3\r\nContent-Length: 3\r\n",
        b"Content-Length: 3\r\nContent-Length: 4\r\n",
        b"Content-Length: 3, 3\r\n",
        b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n",
        b"Transfer-Encoding: chunked\r\ncontent-length : 3\r\n",
        b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
        b"Transfer-Encoding: gzip\r\n",
        b"Content-Length: +3\r\n",
        b"Content-Length: 0x3\r\n",
        b"Content-Length:\r\n 3\r\n",
        b"X: a\r\n b\r\n",
        b"Content Length: 3\r\n",
        b"\x00: 3\r\n",
        b"Host: b\r\n",
    ],
)
def test_what_two_readers_could_read_in_two_ways(asked: Asked, head: bytes) -> None:
    with pytest.raises(HttpError) as caught:
        asked(POST + head + b"\r\nabc").request()
    assert caught.value.status in (400, 501)


def test_a_head_has_a_size(asked: Asked) -> None:
    with pytest.raises(HttpError) as caught:
        asked(b"GET /" + b"x" * 2000, limits=Limits(http_head_bytes=1000)).request()
    assert caught.value.status == 431


@pytest.mark.parametrize("sent", [b"GET / HT", POST + b"Content-Length: 9\r\n\r\n"])
def test_who_sends_byte_by_byte_is_not_waited_for(sent: bytes) -> None:
    ours, theirs = socket.socketpair()
    limits = Limits(handshake_seconds=0.3, http_body_seconds=0.3, http_idle_seconds=0.3)
    connection = HttpConnection(ours, limits)
    ended: list[type[Exception]] = []

    def serve() -> None:
        try:
            connection.request()
            list(connection.body())
        except GoneError as error:
            ended.append(type(error))

    thread = Thread(target=serve)
    thread.start()
    theirs.sendall(sent)
    deadline = time.monotonic() + 20
    while thread.is_alive() and time.monotonic() < deadline:
        if sent.startswith(b"GET"):
            theirs.sendall(b"x")
        thread.join(0.05)
    assert ended == [GoneError]
    ours.close()
    theirs.close()
