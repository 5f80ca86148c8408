"""How much a sender may send: requests a second, bytes a body, seconds a body."""

from __future__ import annotations

import math


class TokenBucket:
    """Lets `burst` requests through at once and then `per_second`. `now` is monotonic seconds; used by one thread."""

    def __init__(self, per_second: float, burst: int, now: float) -> None:
        self._per_second = per_second
        self._burst = float(burst)
        self._tokens = float(burst)
        self._at = now

    def take(self, now: float) -> float:
        """0 where the request may pass, else the seconds after which one may."""
        self._tokens = min(self._burst, self._tokens + max(0.0, now - self._at) * self._per_second)
        self._at = now
        if self._tokens >= 1.0:
            self._tokens -= 1.0
            return 0.0
        return (1.0 - self._tokens) / self._per_second


def retry_after(seconds: float) -> str:
    """The header's value: whole seconds, at least one."""
    return str(max(1, math.ceil(seconds)))
