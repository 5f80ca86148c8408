"""Wait for a sink that is down: say so, try again, lose nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from counterpoise.clock import Clock
from counterpoise.errors import RetryableError
from counterpoise.telemetry.status import ServiceStatus

T = TypeVar("T")

FIRST_WAIT_SECONDS = 0.25
LONGEST_WAIT_SECONDS = 5.0


class StoppingError(Exception):
    """The service was told to stop while it waited: what it holds stays unacknowledged and comes again."""


def until_done(
    action: Callable[[], T], *, on: str, status: ServiceStatus, clock: Clock, stopping: Callable[[], bool]
) -> T:
    """Run `action` until it no longer raises RetryableError; the wait shows in the status. Raises StoppingError if told to stop."""
    wait_seconds = FIRST_WAIT_SECONDS
    waited = False
    while True:
        try:
            result = action()
        except RetryableError as error:
            status.waiting(on, str(error))
            waited = True
            if stopping():
                raise StoppingError(f"stopped while waiting for {on}") from error
            clock.sleep(wait_seconds)
            wait_seconds = min(LONGEST_WAIT_SECONDS, wait_seconds * 2)
        else:
            if waited:
                status.working()
            return result
