"""Limits for a whole answer over httpx: its own timeouts are for each part, and a peer may send parts for ever."""

from __future__ import annotations

import time
from typing import Any

import httpx


class NotInTimeError(httpx.ReadTimeout):
    """The answer was not whole in time."""


class TooLargeError(httpx.ReadError):
    """The answer has more bytes than is read."""


def limit_time(client: httpx.Client) -> None:
    """From here on the read timeout of each request of a client is the time for all of it: connection, TLS, head and body.

    Every redirect has that time anew. NotInTimeError where it is over. One thread uses the client.
    """
    end = _End()
    client.event_hooks = {**client.event_hooks, "request": [*client.event_hooks["request"], end.begin]}
    # httpx takes no backend of ours, and has no event between two parts of a head.
    for transport in (client._transport, *client._mounts.values()):
        if isinstance(transport, httpx.HTTPTransport):
            pool = transport._pool
            pool._network_backend = _TimedBackend(pool._network_backend, end)  # type: ignore[assignment]


def limit_size(client: httpx.Client, max_bytes: int) -> None:
    """From here on a client reads each answer whole at once. TooLargeError beyond `max_bytes`."""

    def read(response: httpx.Response) -> None:
        # As Response.read does, which has no limit.
        response._content = read_body(response, max_bytes)

    client.event_hooks = {**client.event_hooks, "response": [*client.event_hooks["response"], read]}


def read_body(response: httpx.Response, max_bytes: int) -> bytes:
    """The body of an answer that is not read yet. TooLargeError beyond `max_bytes`."""
    body = bytearray()
    for part in response.iter_bytes():
        body += part
        if len(body) > max_bytes:
            raise TooLargeError(f"it answered more than {max_bytes} bytes")
    return bytes(body)


class _End:
    """When the request that is under way has to be over."""

    def __init__(self) -> None:
        self._at, self._seconds = float("inf"), float("inf")

    def begin(self, request: httpx.Request) -> None:
        seconds = request.extensions["timeout"]["read"]
        self._seconds = float("inf") if seconds is None else float(seconds)
        self._at = time.monotonic() + self._seconds

    def left(self, timeout: float | None) -> float | None:
        """A step's timeout, or what is left of the whole where that is less. NotInTimeError where nothing is left."""
        left = self._at - time.monotonic()
        if left <= 0:
            raise NotInTimeError(f"it did not answer whole within {self._seconds:g} s")
        return timeout if left == float("inf") else left if timeout is None else min(timeout, left)


class _Timed:
    """A backend or a stream of httpx, whose every step ends at the end of the whole."""

    def __init__(self, inner: Any, end: _End) -> None:
        self._inner, self._end = inner, end

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def _step(self, name: str, *arguments: Any, timeout: float | None, **more: Any) -> Any:
        try:
            return getattr(self._inner, name)(*arguments, timeout=self._end.left(timeout), **more)
        except Exception:
            self._end.left(None)  # over: that is why the step ended
            raise


class _TimedBackend(_Timed):
    def connect_tcp(self, host: str, port: int, timeout: float | None = None, **more: Any) -> _TimedStream:
        return _TimedStream(self._step("connect_tcp", host, port, timeout=timeout, **more), self._end)


class _TimedStream(_Timed):
    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        data: bytes = self._step("read", max_bytes, timeout=timeout)
        return data

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._step("write", buffer, timeout=timeout)

    def start_tls(
        self, ssl_context: Any, server_hostname: str | None = None, timeout: float | None = None
    ) -> _TimedStream:
        inner = self._step("start_tls", ssl_context, server_hostname, timeout=timeout)
        return _TimedStream(inner, self._end)
