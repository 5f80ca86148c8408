"""A clock for tests."""

from __future__ import annotations

import threading


class ManualClock:
    """A clock that moves only on request; `sleep` moves it. Safe to share between threads."""

    def __init__(self, now: float = 1_700_000_000.0) -> None:
        self._now = now
        self._lock = threading.Lock()

    def now(self) -> float:
        with self._lock:
            return self._now

    def monotonic(self) -> float:
        return self.now()

    def sleep(self, seconds: float) -> None:
        self.advance(max(0.0, seconds))

    def advance(self, seconds: float) -> None:
        """Move forward by `seconds` (negative moves back, as a stepped wall clock does)."""
        with self._lock:
            self._now += seconds
