"""The messages that wait: their order, and which of them pause. Pure but for the pauses that it counts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Final

from alerts.outbox.jobs import Job, JobKey
from counterpoise.runtime.retry import Backoff, RetryPolicy

HELD_RETRY: Final = RetryPolicy(5.0, 600.0, jitter=0.0)
"""Pauses of a message that is refused for a reason that we do not know, while the others pass it."""


@dataclass(slots=True)
class JobQueue:
    """Each message once, by its key. The messages of one alert keep their order. Without pauses and ranks, the time of a call does
    not grow with what waits."""

    _jobs: dict[JobKey, Job] = field(default_factory=dict)
    _held: dict[str, tuple[float, Backoff]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self._jobs)

    def __iter__(self) -> Iterator[Job]:
        return iter(self._jobs.values())

    def __contains__(self, key: JobKey) -> bool:
        return key in self._jobs

    def get(self, key: JobKey) -> Job | None:
        """The job of that key; None where it does not wait."""
        return self._jobs.get(key)

    def add(self, job: Job, *, ahead: bool = False) -> None:
        """At the end, or before all others."""
        if job.key in self._jobs:
            return
        if ahead:
            self._jobs = {job.key: job, **self._jobs}
        else:
            self._jobs[job.key] = job

    def remove(self, keys: Iterable[JobKey]) -> None:
        """Take messages out; their alerts pause no longer."""
        for key in keys:
            if self._jobs.pop(key, None) is not None:
                self._held.pop(key[0], None)

    def change(self, key: JobKey, **changed: Any) -> None:
        """Give the job of that key other marks, if it waits."""
        if key in self._jobs:
            self._jobs[key] = replace(self._jobs[key], **changed)

    def hold(self, job: Job, now: float) -> None:
        """Let other alerts' messages pass this alert's for a while, longer each time."""
        _, backoff = self._held.get(job.alert_id, (0.0, Backoff(HELD_RETRY)))
        self._held[job.alert_id] = (now + backoff.next_seconds(), backoff)

    def first(self, now: float, rank: Callable[[Job], int] | None = None) -> Job | None:
        """The first of the lowest rank, or the first at all, that does not pause; None without one."""
        held = {alert_id for alert_id, (until, _) in self._held.items() if until > now}
        free = (job for job in self if job.alert_id not in held)
        return min(free, key=rank, default=None) if rank else next(free, None)

    def free_at(self) -> float:
        """When the next pause of a message ends; infinite without one."""
        return min((until for until, _ in self._held.values()), default=float("inf"))
