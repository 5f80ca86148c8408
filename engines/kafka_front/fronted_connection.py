"""One client's connection, passed on to the broker in both directions."""

from __future__ import annotations

import contextlib
import select
import socket
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from engines.kafka_front.appends import Appends
from engines.kafka_front.fetch_requests import (
    FETCH,
    PRODUCE,
    QUIET_KEYS,
    Fetch,
    Partition,
    read_fetch,
    read_produce,
)

LONGEST_REQUEST: Final = 100 * 1024 * 1024
"""In bytes, as `socket.request.max.bytes` of Apache Kafka. What claims more is no client of Kafka, and its connection is closed."""


@dataclass(frozen=True, slots=True)
class _Written:
    """A request that writes was sent; to any partition where `partitions` is None."""

    partitions: frozenset[Partition] | None


@dataclass(frozen=True, slots=True)
class _Asked:
    """A fetch was sent, with the mark of its partitions before."""

    fetch: Fetch
    mark: int


class FrontedConnection:
    """Two threads: one for requests, one for answers. Both end with the connection.

    A fetch that had an empty answer, and is asked again as it was, waits here until one of its partitions is written to, its
    client sends something else or goes, or the wait that it allows is over. The broker answers each at once.
    """

    def __init__(self, client: socket.socket, broker: socket.socket, appends: Appends) -> None:
        self._client = client
        self._broker = broker
        self._appends = appends
        self._under_way: dict[bytes, _Written | _Asked] = {}
        self._empty: _Asked | None = None
        self._awake, self._waker = socket.socketpair()
        self._awake.setblocking(False)
        self._waker.setblocking(False)

    def start(self) -> None:
        """Set off."""
        answers = threading.Thread(target=self._run, args=(self._pass_answers,), daemon=True)
        answers.start()
        threading.Thread(target=self._requests_until_end, args=(answers,), daemon=True).start()

    def _requests_until_end(self, answers: threading.Thread) -> None:
        self._run(self._pass_requests)
        answers.join()
        for one in (self._client, self._broker, self._awake, self._waker):
            one.close()

    def _run(self, work: Callable[[], None]) -> None:
        try:
            with contextlib.suppress(OSError):
                work()
        finally:
            for one in (self._client, self._broker):
                with contextlib.suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)

    def _pass_requests(self) -> None:
        while (request := _read_frame(self._client, LONGEST_REQUEST)) is not None:
            key = int.from_bytes(request[:2], "big", signed=True)
            if key == FETCH:
                request = self._waited_for(request)
            elif key == PRODUCE:
                self._note_produce(request)
            elif key not in QUIET_KEYS:
                self._under_way[bytes(request[4:8])] = _Written(None)
            _write_frame(self._broker, request)

    def _pass_answers(self) -> None:
        while (answer := _read_frame(self._broker, sys.maxsize)) is not None:
            request = self._under_way.pop(bytes(answer[:4]), None)
            if isinstance(request, _Written):
                self._appends.note(request.partitions)
            elif request is not None:
                self._empty = request if len(answer) == request.fetch.empty_bytes else None
            _write_frame(self._client, answer)

    def _note_produce(self, request: bytearray) -> None:
        produce = read_produce(request)
        if produce is not None and produce.acks == 0:  # nothing shows when it was stored
            self._appends.note(produce.partitions)
        else:
            self._under_way[bytes(request[4:8])] = _Written(None if produce is None else produce.partitions)

    def _waited_for(self, request: bytearray) -> bytearray:
        """The fetch as the broker gets it, once there may be an answer to it."""
        fetch = read_fetch(request)
        if fetch is None or fetch.min_bytes != 1 or not fetch.offsets:
            return request
        before, self._empty = self._empty, None
        if before is not None and before.fetch.offsets == fetch.offsets:
            self._wait(fetch, before.mark)
        self._under_way[bytes(request[4:8])] = _Asked(fetch, self._appends.mark(fetch.offsets))
        return fetch.without_wait(request)

    def _wait(self, fetch: Fetch, since: int) -> None:
        waits = select.poll()
        waits.register(self._client, select.POLLIN)
        waits.register(self._awake, select.POLLIN)
        with self._appends.waiting(fetch.offsets, since, self._wake):
            waits.poll(max(0, fetch.max_wait_ms))
        with contextlib.suppress(BlockingIOError):
            while self._awake.recv(64):
                pass

    def _wake(self) -> None:
        with contextlib.suppress(BlockingIOError):  # full: it is awake
            self._waker.send(b"!")


def _read_frame(connection: socket.socket, longest: int) -> bytearray | None:
    """What stands after a length; None at the end of the connection, or where the length is out of range."""
    head = _read_exactly(connection, 4)
    length = -1 if head is None else int.from_bytes(head, "big", signed=True)
    return _read_exactly(connection, length) if 0 <= length <= longest else None


def _read_exactly(connection: socket.socket, count: int) -> bytearray | None:
    data = bytearray(count)
    rest = memoryview(data)
    while rest:
        got = connection.recv_into(rest)
        if not got:
            return None
        rest = rest[got:]
    return data


def _write_frame(connection: socket.socket, frame: bytearray) -> None:
    connection.sendall(len(frame).to_bytes(4, "big") + frame)
