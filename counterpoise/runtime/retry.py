"""The one way to try again: how pauses grow, what ends a wait, and where it shows.

`RetryPolicy` names the pauses, `Backoff` counts through them, and a `Waiter` repeats a call until what it needs answers.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import structlog

from counterpoise.errors import RetryableError
from counterpoise.runtime.clock import Clock
from counterpoise.runtime.service_status import ServiceStatus

T = TypeVar("T")

_STEP_SECONDS: Final = 0.1
"""A stop is seen this soon, however long the pause."""


class StoppingError(Exception):
    """The service was asked to stop while it waited: what it holds stays unacknowledged and comes again."""


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Pauses double from `first_seconds` to `longest_seconds`.

    Each is cut at random by at most `jitter` of it (0 … 1), so that many clients which failed together do not return together.
    """

    first_seconds: float
    longest_seconds: float
    jitter: float = 0.5


SINK_RETRY: Final = RetryPolicy(0.25, 5.0, jitter=0.0)
"""For ClickHouse and Kafka, where few clients wait and a short outage should stay short."""


class Backoff:
    """The pauses of a policy, one after the other. One thread at a time."""

    def __init__(self, policy: RetryPolicy, rng: random.Random | None = None) -> None:
        self._policy = policy
        self._rng = rng or random.Random()  # noqa: S311 - jitter, no secret
        self.failures = 0
        """Pauses since the last success."""
        self._next_seconds = policy.first_seconds

    def next_seconds(self) -> float:
        """The pause to make now."""
        pause = self._next_seconds * (1.0 - self._policy.jitter * (1.0 - self._rng.random()))
        self._next_seconds = min(self._policy.longest_seconds, self._next_seconds * 2)
        self.failures += 1
        return pause

    def reset(self) -> None:
        """Note a success: the next pause is short again."""
        self._next_seconds = self._policy.first_seconds
        self.failures = 0


class Waiter:
    """How one service waits. Safe to share between threads.

    A wait shows in the status. One that lasts for `stale_after_seconds` (None: never) is logged once as an error and sets `stale`.
    `on_step` is called at each step of a pause. With `stops_at_once` no call is made after a stop; without, a call is tried once, so
    that current work can finish.
    """

    def __init__(
        self,
        clock: Clock,
        status: ServiceStatus,
        stopping: Callable[[], bool],
        *,
        policy: RetryPolicy = SINK_RETRY,
        stale_after_seconds: float | None = None,
        on_step: Callable[[], None] | None = None,
        stops_at_once: bool = False,
        logger: str = "retry",
    ) -> None:
        self.clock = clock
        self.status = status
        self._stopping = stopping
        self._policy = policy
        self._stale_after_seconds = stale_after_seconds
        self._on_step = on_step
        self._stops_at_once = stops_at_once
        self._log = structlog.get_logger(logger)

    def check(self, on: str | None = None) -> None:
        """Raise StoppingError if the service is to stop; `on` names what is waited for."""
        if self._stopping():
            raise StoppingError(f"stopped while waiting for {on}" if on else "stopped")

    def pause(self, seconds: float, on: str | None = None) -> None:
        """Sleep in steps short enough to notice a stop."""
        end = self.clock.monotonic() + seconds
        self.check(on)
        while (left := end - self.clock.monotonic()) > 0:
            self.clock.sleep(min(left, _STEP_SECONDS))
            if self._on_step is not None:
                self._on_step()
            self.check(on)

    def until_done(self, on: str, call: Callable[[], T], *, policy: RetryPolicy | None = None) -> T:
        """Call until it does not raise RetryableError, and return its result; StoppingError on a stop meanwhile.

        `on` names what is waited for in status and log.
        """
        outage = _Outage(self, on, policy or self._policy)
        if self._stops_at_once:
            self.check(on)
        while True:
            try:
                result = call()
            except RetryableError as error:
                self.pause(outage.failed(error), on)
            else:
                outage.end()
                return result

    async def until_done_async(
        self, on: str, call: Callable[[], Awaitable[T]], *, policy: RetryPolicy | None = None
    ) -> T:
        """As `until_done`, on an event loop."""
        outage = _Outage(self, on, policy or self._policy)
        if self._stops_at_once:
            self.check(on)
        while True:
            try:
                result = await call()
            except RetryableError as error:
                await self._pause_async(outage.failed(error), on)
            else:
                outage.end()
                return result

    async def _pause_async(self, seconds: float, on: str) -> None:
        self.check(on)
        while seconds > 0:
            await asyncio.sleep(min(seconds, _STEP_SECONDS))
            seconds -= _STEP_SECONDS
            if self._on_step is not None:
                self._on_step()
            self.check(on)

    def _is_stale(self, down_seconds: float) -> bool:
        return self._stale_after_seconds is not None and down_seconds >= self._stale_after_seconds

    def _report_stale(self, on: str, down_seconds: float, error: RetryableError) -> None:
        self.status.set(stale=on)
        fields: dict[str, Any] = {"waiting_on": on, "seconds": round(down_seconds), "reason": str(error)}
        self._log.error("still down, data is getting stale", **fields)

    def _report_end(self) -> None:
        self.status.working()
        if self._stale_after_seconds is not None:
            self.status.set(stale=None)


class _Outage:
    """One wait: its pauses, and what was reported of it."""

    def __init__(self, waiter: Waiter, on: str, policy: RetryPolicy) -> None:
        self._waiter = waiter
        self._on = on
        self._backoff = Backoff(policy)
        self._since: float | None = None
        self._stale = False

    def failed(self, error: RetryableError) -> float:
        """Report a failure; the pause to make before the next attempt."""
        now = self._waiter.clock.monotonic()
        self._since = now if self._since is None else self._since
        self._waiter.status.waiting(self._on, str(error))
        if not self._stale and self._waiter._is_stale(now - self._since):
            self._stale = True
            self._waiter._report_stale(self._on, now - self._since, error)
        return self._backoff.next_seconds()

    def end(self) -> None:
        """Report the end of the wait, if there was one: a call without a wait does not end another's wait."""
        if self._since is not None:
            self._waiter._report_end()
