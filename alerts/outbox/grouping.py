"""The groups of one receiver, by its rows: which message an alert joins, with which jobs, and what that message shows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from alerts.outbox.delivery_policy import Policy
from alerts.outbox.groups import GROUPED, GroupView, Root, open_root
from alerts.outbox.jobs import Job, job_of
from alerts.outbox.receivers.receiver import Ability
from alerts.outbox.sent import Sent
from counterpoise.contracts.alert_transition import AlertTransition


class Grouping:
    """One for each receiver. No alert joins another one's message where messages cannot be edited and answered."""

    def __init__(self, sent: Sent, policy: Policy, abilities: frozenset[Ability]) -> None:
        self._sent = sent
        self._policy = policy
        self._has_roots = {"edit", "thread"} <= abilities

    def root_for(self, job: Job) -> str | None:
        """The first alert of the message that the alert of a job joins; None where the job's message stands alone."""
        if job.action != "post" or job.transition is None or not self._has_roots:
            return None
        group = self._policy.group_of(job.transition)
        return open_root(group, self._open_roots(job.alert_id)) if group else None

    def _open_roots(self, besides: str) -> Iterator[Root]:
        """The messages here of which an alert fires."""
        for alert_id in {self._sent.group_root(one) or one for one in self._sent.firing if one != besides}:
            stands, fired = self._sent.root(alert_id), self._sent.fired(alert_id)
            group = self._policy.group_of(fired) if stands and fired else None
            if stands and group:
                yield Root(alert_id, group, stands.updated_at)

    def joining(self, fired: AlertTransition, *, inherited: bool) -> tuple[Job, Job]:
        """The reply with which an alert joins its root, and the edit of the root that lists it."""
        reply, edit = (job_of(fired, action, inherited=inherited) for action in (GROUPED, "update"))
        return reply, edit

    def unsent_joining(self, fired: AlertTransition) -> tuple[Job, ...]:
        """The same, of an alert whose row an earlier process wrote; nothing where it has its own message, or another firing."""
        is_line = self._sent.group_root(fired.alert_id) is not None
        first = self._sent.fired(fired.alert_id) if is_line else None
        return self.joining(fired, inherited=True) if first and first.sequence == fired.sequence else ()

    def is_elsewhere(self, job: Job) -> bool:
        """Whether another message shows the alert of a job: of a root that was posted late, and of a reply with which it did not
        join."""
        is_line = self._sent.group_root(job.alert_id) is not None
        return is_line if job.action == "post" else job.action == GROUPED and not is_line

    def view(self, job: Job, *, edits: bool) -> GroupView | None:
        """What the message of a job shows of its group; None without one. Only an edit shows the alerts of a root."""
        first = self._sent.group_root(job.alert_id) or job.alert_id
        fired = self._sent.fired(first)
        if job.transition is None or fired is None:
            return None
        group = self._policy.group_of(fired)
        members = self._sent.members(first) if edits else ()
        if group is None and len(members) < 2:
            return None
        return GroupView(dict(group.labels) if group else {}, tuple(self._sent.announced[one] for one in members))

    def covered(self, job: Job, jobs: Iterable[Job]) -> list[Job]:
        """The edits among `jobs` that the edit of a job made needless, because it showed every alert of the root as it is."""
        members = self._sent.members(self._sent.group_root(job.alert_id) or job.alert_id)
        if len(members) < 2:
            return []
        return [one for one in jobs if one.action == "update" and one.key != job.key and one.alert_id in members]
