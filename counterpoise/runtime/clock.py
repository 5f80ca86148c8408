"""Time as a value that is handed in, so that nothing waits or stamps behind a test's back."""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """What anything that waits or stamps takes as an argument."""

    def now(self) -> float:
        """UTC now, in seconds since 1970-01-01, with fractions."""

    def monotonic(self) -> float:
        """Seconds that only go forward; for durations."""

    def sleep(self, seconds: float) -> None:
        """Wait that long; a negative or zero duration returns at once."""


class SystemClock:
    """The machine's clock."""

    def now(self) -> float:
        return time.time()

    def monotonic(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        if seconds > 0:
            time.sleep(seconds)
