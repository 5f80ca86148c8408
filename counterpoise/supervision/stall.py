"""Tell a stalled worker from one that waits and from one that has nothing to do. Pure: it is handed what was seen and when."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

SILENT_AFTER_SECONDS: Final = 15.0
"""A process renews its status every five seconds even where nothing changes; three of them missed, and it is frozen."""


@dataclass(frozen=True, slots=True)
class Sight:
    """What one look at a service saw.

    `status` is what the service says (None where it has not spoken); `lag` its messages not yet acknowledged and `committed` the sum
    of its committed offsets (None where the service reads no topic); `sinks_answer` is false while Kafka or ClickHouse is down, or
    unknown.
    """

    status: Mapping[str, Any] | None
    lag: int | None = None
    committed: int | None = None
    sinks_answer: bool = True


class StallWatch:
    """One watch a process. A stall is `stall_after_seconds` in which the process had something to do and did nothing, while
    everything that it needs answered and it did not say that it waits. A process that waits is none as long as it goes on saying so:
    one that says nothing any more, for SILENT_AFTER_SECONDS at least, was frozen in its wait.
    """

    def __init__(self, stall_after_seconds: float) -> None:
        self._limit_seconds = stall_after_seconds
        self._since: float | None = None
        self._last_marks: tuple[Any, ...] | None = None

    def look(self, now: float, sight: Sight) -> str | None:
        """Take one look at monotonic time `now`; return why it is a stall, or None."""
        status = sight.status
        if status is None or status.get("state") == "stopped" or not sight.sinks_answer:
            self._since = self._last_marks = None
            return None
        if status.get("state") == "waiting":
            return self._look_at_waiting(now, status.get("updated_at"))
        beats = status.get("last_beat_at")
        has_work = bool(sight.lag)
        marks = (status.get("last_progress_at"), sight.committed) if has_work else (beats,)
        marks = (has_work, *marks)
        if marks != self._last_marks or (not has_work and beats is None):
            self._last_marks, self._since = marks, now
            return None
        if self._since is None or now - self._since < self._limit_seconds:
            return None
        stood = f"{now - self._since:.0f} s"
        if has_work:
            return f"no progress for {stood} with {sight.lag} messages waiting, while Kafka and ClickHouse answer"
        return f"its main loop stood still for {stood}, while Kafka and ClickHouse answer"

    def _look_at_waiting(self, now: float, said_at: float | None) -> str | None:
        marks = ("waiting", said_at)
        if marks != self._last_marks or said_at is None:
            self._last_marks, self._since = marks, now
            return None
        if self._since is None or now - self._since < max(self._limit_seconds, SILENT_AFTER_SECONDS):
            return None
        return f"it waited, and has said nothing for {now - self._since:.0f} s, while Kafka and ClickHouse answer"
