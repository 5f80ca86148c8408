"""The messages that wait: their order, and which of them pause. Pure but for the pauses that it counts."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Final

from alerts.outbox.jobs import Job, JobKey
from counterpoise.runtime.retry import Backoff, RetryPolicy

HELD_RETRY: Final = RetryPolicy(5.0, 600.0, jitter=0.0)
"""Pauses of a message that is refused for a reason that we do not know, while the others pass it."""


@dataclass(slots=True)
class JobQueue:
    """Each message once, by its key. The messages of one alert keep their order."""

    _jobs: list[Job] = field(default_factory=list)
    _held: dict[str, tuple[float, Backoff]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self._jobs)

    def __iter__(self) -> Iterator[Job]:
        return iter(self._jobs)

    def __contains__(self, key: JobKey) -> bool:
        return any(job.key == key for job in self._jobs)

    def add(self, job: Job, *, ahead: bool = False) -> None:
        """At the end, or before all others."""
        if job.key not in self:
            self._jobs.insert(0 if ahead else len(self._jobs), job)

    def remove(self, keys: Collection[JobKey]) -> None:
        """Take messages out; their alerts pause no longer."""
        for job in self._jobs:
            if job.key in keys:
                self._held.pop(job.alert_id, None)
        self._jobs = [job for job in self._jobs if job.key not in keys]

    def change(self, key: JobKey, **changed: Any) -> Job | None:
        """The job of that key with other marks; None where it waits no more."""
        for at, job in enumerate(self._jobs):
            if job.key == key:
                self._jobs[at] = replace(job, **changed)
                return self._jobs[at]
        return None

    def hold(self, job: Job, now: float) -> None:
        """Let other alerts' messages pass this alert's for a while, longer each time."""
        _, backoff = self._held.get(job.alert_id, (0.0, Backoff(HELD_RETRY)))
        self._held[job.alert_id] = (now + backoff.next_seconds(), backoff)

    def first(self, now: float, rank: Callable[[Job], int]) -> Job | None:
        """The first of the lowest rank that does not pause; None without one."""
        held = {alert_id for alert_id, (until, _) in self._held.items() if until > now}
        return min((job for job in self._jobs if job.alert_id not in held), key=rank, default=None)

    def free_at(self) -> float:
        """When the next pause of a message ends; infinite without one."""
        return min((until for until, _ in self._held.values()), default=float("inf"))
