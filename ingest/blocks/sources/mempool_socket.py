"""The WebSocket of a mempool instance: a thread that stays connected and hands over each new block."""

from __future__ import annotations

import json
import threading
from collections import deque
from typing import Any, Final, Literal

import structlog
from pydantic_core import from_json
from websockets.sync.client import connect

from counterpoise.runtime.retry import Backoff, RetryPolicy
from counterpoise.urls import is_local, split_url

MAX_FRAME_BYTES: Final = 8 * 1024 * 1024
RECONNECT_RETRY = RetryPolicy(1.0, 60.0)
_PING_SECONDS = 20.0
_RECEIVE_STEP_SECONDS = 0.5
_MAX_WAITING = 64

log = structlog.get_logger("ingest")


class MempoolSocket:
    """Connects in the background, asks for blocks, and connects again, with growing pauses, whenever it was cut off.

    Nothing rests on it: what it misses, the caller's polling finds. Of more than _MAX_WAITING blocks the oldest is dropped for the
    same reason, and the thread outlives every error.
    """

    def __init__(self, url: str, timeout_seconds: float) -> None:
        parts = split_url(url)
        scheme = "wss" if parts.scheme == "https" else "ws"
        self._url = parts._replace(scheme=scheme, path=parts.path.rstrip("/") + "/api/v1/ws", query="").geturl()
        self.shown = self._url.replace(parts.netloc, parts.netloc.rpartition("@")[2])
        self._timeout_seconds = timeout_seconds
        # A proxy of the environment has no way to this machine's own servers.
        self._proxy: Literal[True] | None = None if is_local(parts.hostname or "") else True
        self._blocks: deque[Any] = deque(maxlen=_MAX_WAITING)
        self._arrived = threading.Condition()
        self._stop = threading.Event()
        self.connects = 0
        self._thread = threading.Thread(target=self._run, name="mempool-websocket", daemon=True)
        self._thread.start()

    def wait(self, seconds: float) -> list[Any]:
        """Payloads of new blocks, as soon as there is one; empty when time is over."""
        with self._arrived:
            self._arrived.wait_for(lambda: bool(self._blocks), seconds)
            found = list(self._blocks)
            self._blocks.clear()
            return found

    def close(self) -> None:
        """End the thread; a second call does nothing."""
        self._stop.set()
        self._thread.join(timeout=self._timeout_seconds + 1.0)

    def _run(self) -> None:
        backoff = Backoff(RECONNECT_RETRY)
        while not self._stop.is_set():
            try:
                self._listen(backoff)
            except Exception as error:  # whatever it is: a thread that ended would be silent for ever
                if self._stop.is_set():
                    return
                pause = backoff.next_seconds()
                reason = " ".join(str(error).split())[:200] or type(error).__name__
                log.warning(
                    "websocket cut off, polling continues", url=self.shown, reason=reason, again_seconds=round(pause, 1)
                )
                self._stop.wait(pause)

    def _listen(self, backoff: Backoff) -> None:
        with connect(
            self._url,
            open_timeout=self._timeout_seconds,
            close_timeout=1.0,
            ping_interval=_PING_SECONDS,
            ping_timeout=_PING_SECONDS,
            max_size=MAX_FRAME_BYTES,
            user_agent_header="counterpoise",
            proxy=self._proxy,
        ) as connection:
            self.connects += 1
            connection.send(json.dumps({"action": "want", "data": ["blocks"]}))
            while not self._stop.is_set():
                try:
                    text = connection.recv(timeout=_RECEIVE_STEP_SECONDS)
                except TimeoutError:
                    continue
                message = from_json(text, allow_inf_nan=False)
                backoff.reset()
                block = message.get("block") if isinstance(message, dict) else None
                if block is not None:
                    with self._arrived:
                        self._blocks.append(block)
                        self._arrived.notify()
