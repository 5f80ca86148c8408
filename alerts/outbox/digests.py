"""The digests of one receiver: what fired and ended while nothing could be sent becomes one message.

Its members are promised to it in rows before it is sent: whoever takes over finds the same ones.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from alerts.outbox.delivery_policy import Policy
from alerts.outbox.digest import FIRED_AGAIN, detail_of, digest_id, digest_of, over
from alerts.outbox.job_queue import JobQueue
from alerts.outbox.jobs import Job, JobKey, digest_job, job_of
from alerts.outbox.sent import Sent
from alerts.store.delivery import Delivery, DeliveryStatus
from counterpoise.contracts.alert_transition import AlertTransition


class MakesRows(Protocol):
    """Makes the row of a job."""

    def __call__(self, job: Job, status: DeliveryStatus, *, ts: str = "", detail: str = "") -> Delivery: ...


class Queues(Protocol):
    """Queues a job, unless it is done."""

    def __call__(self, job: Job, *, ahead: bool = False) -> None: ...


@dataclass(slots=True)
class Digests:
    """`row` makes the row of a job, `write` stores rows, `queue` queues a job. `stands` is whether the message of a job is visible
    already, after a try with an unclear answer: it is finished then."""

    jobs: JobQueue
    sent: Sent
    policy: Policy
    row: MakesRows
    write: Callable[[list[Delivery]], None]
    queue: Queues
    stands: Callable[[Job], bool]

    def take_up(self, pending: Sequence[Delivery], transitions: Sequence[AlertTransition]) -> set[JobKey]:
        """Queue the digests that an earlier process had promised and may have sent; the keys of their members."""
        rows = {(row.alert_id, row.sequence): row for row in transitions}
        groups: dict[str, list[AlertTransition]] = {}
        for found in pending:
            name, fired = digest_of(found.detail), rows.get((found.alert_id, found.sequence))
            if name and fired:
                groups.setdefault(name, []).append(fired)
        for name, members in groups.items():
            sent = self.sent.done.get((name, 0, "digest"))
            job = digest_job(name, members, inherited=True)
            if sent is None:
                self.queue(job, ahead=True)
            else:
                finished = list(self.members(job, sent.message_ts))
                self.write(finished)
                self.sent.done |= {row.key: row for row in finished}
        return {(fired.alert_id, fired.sequence, "post") for members in groups.values() for fired in members}

    def gather(self, now: float) -> bool:
        """Make one digest of what fired and ended while nothing could be sent; whether there was anything to gather.

        The other messages of its alerts are left out.
        """
        members = over(self.jobs, self.sent.announced, now=now)
        members = [fired for fired in members if self.policy.left_out(fired, fired) is None]
        if not members:
            return False
        alerts = {row.alert_id for row in members}
        jobs = [job for job in self.jobs if job.alert_id in alerts]
        if any(job.action == "post" and self.stands(job) for job in jobs):
            return True  # the other messages of its alert follow it
        name = digest_id((row.alert_id, row.sequence, "post") for row in members)
        rest = [self.row(job, "skipped", detail=detail_of(name)) for job in jobs if job.action != "post"]
        self.write([*(self._member(row, name, "pending") for row in members), *rest])
        self.sent.done |= {row.key: row for row in rest}
        self.jobs.remove({job.key for job in jobs})
        self.queue(digest_job(name, members, inherited=False), ahead=True)
        return True

    def without(self, alert_id: str, now: float) -> list[Delivery]:
        """Take an alert that fires again out of the digest that is still to be sent; the new rows of its later steps, which were left
        to that digest and are history now."""
        for job in list(self.jobs):
            if rest := tuple(row for row in job.members if row.alert_id != alert_id):
                self.jobs.change(job.key, members=rest)
            elif job.members:
                self.jobs.remove({job.key})
        return [
            replace(found, detail=FIRED_AGAIN, updated_at=now)
            for found in self.sent.done.values()
            if found.alert_id == alert_id
            and (name := digest_of(found.detail))
            and (name, 0, "digest") not in self.sent.done
        ]

    def members(self, digest: Job, ts: str) -> Iterator[Delivery]:
        """The rows of the members of a digest that was sent; none of any other job."""
        return (self._member(row, digest.alert_id, "skipped", ts) for row in digest.members)

    def _member(self, fired: AlertTransition, name: str, status: DeliveryStatus, ts: str = "") -> Delivery:
        return self.row(job_of(fired, "post", inherited=True), status, ts=ts, detail=detail_of(name))
