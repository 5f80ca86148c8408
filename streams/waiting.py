"""Wait for a sink that is down: say so, try again, lose nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeVar

from counterpoise.errors import RetryableError
from counterpoise.runtime.clock import Clock
from counterpoise.runtime.status import ServiceStatus

T = TypeVar("T")

FIRST_WAIT_SECONDS = 0.25
LONGEST_WAIT_SECONDS = 5.0
_STEP_SECONDS = 0.1
"""A stop is seen this soon, however long the wait."""


class StoppingError(Exception):
    """The service was told to stop while it waited: what it holds stays unacknowledged and comes again."""


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """What everything that waits shares: where a wait shows, by which clock it passes, and what cuts it short."""

    status: ServiceStatus
    clock: Clock
    stopping: Callable[[], bool]

    def until_done(self, action: Callable[[], T], *, on: str) -> T:
        """Run `action` until it no longer raises RetryableError; the wait shows in the status. StoppingError if told to stop."""
        try:
            return action()
        except RetryableError as error:
            reason = error
        for seconds in waits_seconds():
            self.status.waiting(on, str(reason))
            self._pause(seconds, on)
            try:
                result = action()
            except RetryableError as error:
                reason = error
            else:
                self.status.working()
                return result
        raise AssertionError("the waits have no end")

    def _pause(self, seconds: float, on: str) -> None:
        end = self.clock.monotonic() + seconds
        while (left := end - self.clock.monotonic()) > 0:
            if self.stopping():
                raise StoppingError(f"stopped while waiting for {on}")
            self.clock.sleep(min(left, _STEP_SECONDS))


def waits_seconds() -> Iterator[float]:
    """How long to wait before each new attempt: twice as long each time, up to LONGEST_WAIT_SECONDS; without end."""
    seconds = FIRST_WAIT_SECONDS
    while True:
        yield seconds
        seconds = min(LONGEST_WAIT_SECONDS, seconds * 2)
