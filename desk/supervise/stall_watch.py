"""Distinguish a stalled worker from a waiting and from an idle one. Pure: the caller passes observations and times."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

SILENT_AFTER_SECONDS: Final = 15.0
"""A process renews its status every five seconds even where nothing changes; three of them missed, and it is frozen."""


@dataclass(frozen=True, slots=True)
class Sight:
    """One observation of a service.

    `status` is its status file (None before the first). `lag` is its number of unacknowledged messages and `committed` the sum of its
    committed offsets (None if the service reads no topic). `sinks_answer` is false while Kafka or ClickHouse is down, or unknown.
    """

    status: Mapping[str, Any] | None
    lag: int | None = None
    committed: int | None = None
    sinks_answer: bool = True


class StallWatch:
    """One watch per process. A stall is `stall_after_seconds` in which everything that the process needs answered, and the process

    - renewed no status (and SILENT_AFTER_SECONDS have passed): it is frozen, possibly during a start or a wait;
    - or reported no wait, had work, and made no progress;
    - or reported no wait, and its main loop, which ran before, did not advance.
    """

    def __init__(self, stall_after_seconds: float) -> None:
        self._stall_after_seconds = stall_after_seconds
        self._said = _Unchanged()
        self._done = _Unchanged()

    def look(self, now: float, sight: Sight) -> str | None:
        """Add one observation at monotonic time `now`; return why it is a stall, or None."""
        status = sight.status
        if status is None or status.get("state") == "stopped" or not sight.sinks_answer:
            self._said, self._done = _Unchanged(), _Unchanged()
            return None
        return self._silence(now, status) or self._standstill(now, status, sight)

    def _silence(self, now: float, status: Mapping[str, Any]) -> str | None:
        silent_seconds = self._said.seconds(now, status.get("updated_at"))
        if silent_seconds < max(self._stall_after_seconds, SILENT_AFTER_SECONDS):
            return None
        what = "it waited, and has" if status.get("state") == "waiting" else "it has"
        return f"{what} reported nothing for {silent_seconds:.0f} s, while Kafka and ClickHouse answer"

    def _standstill(self, now: float, status: Mapping[str, Any], sight: Sight) -> str | None:
        beat_at = status.get("last_beat_at")
        if status.get("state") == "waiting" or (not sight.lag and beat_at is None):
            self._done = _Unchanged()
            return None
        marks = (status.get("last_progress_at"), sight.committed) if sight.lag else (beat_at,)
        still_seconds = self._done.seconds(now, (bool(sight.lag), *marks))
        if still_seconds < self._stall_after_seconds:
            return None
        if sight.lag:
            return f"no progress for {still_seconds:.0f} s with {sight.lag} messages waiting, while Kafka and ClickHouse answer"
        return f"its main loop did not advance for {still_seconds:.0f} s, while Kafka and ClickHouse answer"


class _Unchanged:
    """For how long a mark has been what it is. None is no mark: it is never old."""

    def __init__(self) -> None:
        self._mark: object = None
        self._since = 0.0

    def seconds(self, now: float, mark: object) -> float:
        if mark is None or mark != self._mark:
            self._mark, self._since = mark, now
        return now - self._since
