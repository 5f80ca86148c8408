"""When the channel is searched again for a message that may stand there twice. Pure.

Slack may accept a post minutes after its answer was given up, and its history may lag behind. A search just after the post then
finds one message, and the second one appears later.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field
from typing import Final

from alerts.outbox.jobs import Job

AFTER_SECONDS: Final = (30.0, 300.0, 3_600.0)
"""Time from a post with an unclear answer to each search."""


@dataclass(slots=True)
class LookUps:
    """Searches by the second at which they are due, of any one clock."""

    _due: list[tuple[float, int, Job]] = field(default_factory=list)
    _count: int = 0

    def __len__(self) -> int:
        return len(self._due)

    def plan(self, job: Job, sent_at: float, *, not_before: float = float("-inf")) -> None:
        """Search for a job's message that was sent at `sent_at`; what would be due before `not_before` is left out."""
        for seconds in AFTER_SECONDS:
            if sent_at + seconds >= not_before:
                self._count += 1
                heapq.heappush(self._due, (sent_at + seconds, self._count, job))

    def again(self, job: Job, at: float) -> None:
        """Search at `at`, because the last search had no answer."""
        self._count += 1
        heapq.heappush(self._due, (at, self._count, job))

    def take(self, now: float) -> Job | None:
        """The next job whose search is due; None where none is."""
        return heapq.heappop(self._due)[2] if self._due and self._due[0][0] <= now else None

    def next_at(self) -> float:
        """When the next search is due; infinite without one."""
        return self._due[0][0] if self._due else float("inf")
