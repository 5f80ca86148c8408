"""What is due for an alert that still fires: its renewal, who acknowledged it, that it got worse, and that it still fires."""

from __future__ import annotations

from collections.abc import Iterator

from alerts.outbox.delivery_policy import Policy
from alerts.outbox.jobs import ACKNOWLEDGED, REMINDER, RENEW, WORSE, Job, job_of
from alerts.outbox.receivers.receiver import Ability
from alerts.outbox.sent import NOT_ROUTED, Sent
from alerts.policy import repeats_due
from counterpoise.contracts.alert_transition import AlertTransition


def due(
    first: AlertTransition,
    sent: Sent,
    *,
    policy: Policy,
    abilities: frozenset[Ability],
    now: float,
    repeat_seconds: float,
) -> Iterator[Job]:
    """The messages of an alert, by its first firing, that are due at this second. Each keeps its key from call to call.

    Repeats count from the alert's own message, or from the state at start where it fired before go-live. They end with an
    acknowledgement. Missed ones are not made up.
    """
    root = sent.root(first.alert_id)
    if "renew" in abilities:
        if root and policy.left_out(first, first) != NOT_ROUTED:
            yield job_of(first, RENEW, inherited=False)
        return
    acknowledged = policy.acknowledgement(first.alert_id)
    if root and acknowledged:
        yield _job(first, f"{ACKNOWLEDGED}-{acknowledged.id[:8]}", acknowledged.at)
    outgrown = policy.outgrown(first) if root else None
    if outgrown:
        yield _job(first, f"{WORSE}-{outgrown.id[:8]}", now)
    start = sent.start() if root is None else None
    since = start.updated_at if start else sent.announced_at(first.alert_id)
    if acknowledged or since is None:
        return
    count, after = repeats_due(now - since, repeat_seconds)
    if count:
        yield _job(first, f"{REMINDER}-{count}", since + after, after_seconds=after)


def _job(first: AlertTransition, action: str, at: float, *, after_seconds: float = 0.0) -> Job:
    return Job(
        first.alert_id,
        first.sequence,
        action,
        first.rule_id,
        at,
        transition=first,
        after_seconds=after_seconds,
        inherited=True,
    )
