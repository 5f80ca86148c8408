"""Wait for what is down: with growing pauses, visibly, and only until somebody says stop."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from typing import TypeVar

import structlog

from counterpoise.errors import RetryableError
from counterpoise.runtime.clock import Clock
from counterpoise.runtime.status import ServiceStatus

T = TypeVar("T")

_STEP_SECONDS = 0.1

log = structlog.get_logger("ingest")


class Stopped(Exception):  # noqa: N818 - no error: somebody asked for it
    """The service was asked to stop while it waited."""


class Backoff:
    """Pauses that double from `first_seconds` to `most_seconds`, each cut at random by up to half, so that many clients spread."""

    def __init__(self, first_seconds: float, most_seconds: float, rng: random.Random | None = None) -> None:
        self._first, self._most = first_seconds, most_seconds
        self._rng = rng or random.Random()  # noqa: S311 - jitter, no secret
        self._next = first_seconds

    def next_seconds(self) -> float:
        """The pause to make now."""
        pause = self._next * (0.5 + 0.5 * self._rng.random())
        self._next = min(self._most, self._next * 2)
        return pause

    def reset(self) -> None:
        """It worked: the next pause is short again."""
        self._next = self._first


class Waiter:
    """How one service waits. `until` retries a call, `pause` sleeps; both raise Stopped once `stop` is set."""

    def __init__(
        self, clock: Clock, stop: threading.Event, status: ServiceStatus, *, stale_after_seconds: float = 300.0
    ) -> None:
        self.clock = clock
        self._stop = stop
        self._status = status
        self._stale_after_seconds = stale_after_seconds

    def check(self) -> None:
        """Raise Stopped if the service is to stop."""
        if self._stop.is_set():
            raise Stopped

    def pause(self, seconds: float) -> None:
        """Sleep in steps short enough to notice a stop."""
        end = self.clock.monotonic() + seconds
        self.check()
        while (left := end - self.clock.monotonic()) > 0:
            self.clock.sleep(min(left, _STEP_SECONDS))
            self._status.beat()
            self.check()

    def until(self, on: str, call: Callable[[], T], *, most_seconds: float = 10.0) -> T:
        """Call until it does not raise RetryableError, and return what it gave.

        `on` names what is waited for in status and log. A wait longer than the service's stale time is logged once as an error.
        """
        backoff = Backoff(0.2, most_seconds)
        since: float | None = None
        called_stale = False
        while True:
            self.check()
            try:
                result = call()
            except RetryableError as error:
                now = self.clock.monotonic()
                since = now if since is None else since
                self._status.waiting(on, str(error))
                if now - since >= self._stale_after_seconds and not called_stale:
                    called_stale = True
                    self._status.set(stale=on)
                    log.error(
                        "still down, data is getting stale",
                        waiting_on=on,
                        seconds=round(now - since),
                        reason=str(error),
                    )
                self.pause(backoff.next_seconds())
            else:
                if since is not None:
                    self._status.working()
                    self._status.set(stale=None)
                return result
