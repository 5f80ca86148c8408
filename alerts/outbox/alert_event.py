"""A message as data, for receivers that are programs. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from alerts.outbox.jobs import ACKNOWLEDGED, REMINDER, WORSE, Job
from counterpoise.contracts.alert_transition import ANNOUNCING_STATES, OPEN_STATES, AlertTransition
from counterpoise.formats import utc_second

FORMAT_VERSION: Final = 1


@dataclass(frozen=True, slots=True)
class AlertEvent:
    """One step of an alert, and how the alert stands by its latest step. Times are in seconds.

    `fired_at`: when it fired first. `ended_at`: when it ended, None while it fires.
    """

    kind: str
    step: AlertTransition
    latest: AlertTransition
    labels: Mapping[str, str]
    title: str
    condition: str
    fired_at: int
    ended_at: int | None = None
    page_url: str = ""
    notes: Mapping[str, str] = field(default_factory=dict)
    """What else a person reads: owner, runbook and the like, where the rule has them."""
    group: Mapping[str, str] | None = None
    """The labels by which its route groups it; None where it does not."""

    def as_json(self) -> dict[str, Any]:
        """The `alert` of a webhook's body."""
        step = self.step
        return {
            "id": step.alert_id,
            "step": step.sequence,
            "rule": step.rule_id,
            "rule_hash": step.rule_hash,
            "state": step.state,
            "previous_state": step.previous_state,
            "reason": step.reason,
            "state_now": self.latest.state,
            "title": self.title,
            "condition": self.condition,
            "summary": step.summary,
            "labels": dict(self.labels),
            "value": step.value,
            "value_low": step.value_low,
            "value_high": step.value_high,
            "interval_low": step.interval_low,
            "interval_high": step.interval_high,
            "threshold": step.threshold,
            "fired_at": utc_text(self.fired_at),
            "time": utc_text(step.event_time),
            "ended_at": None if self.ended_at is None else utc_text(self.ended_at),
            "notes": dict(self.notes),
            "page_url": self.page_url or None,
            "sql": step.evidence.sql or None,
            **({} if self.group is None else {"group": dict(self.group)}),
        }


def event_of(
    job: Job,
    announced: Sequence[AlertTransition],
    *,
    labels: Mapping[str, str],
    title: str,
    condition: str,
    page_url: str = "",
    notes: Mapping[str, str] | None = None,
    group: Mapping[str, str] | None = None,
) -> AlertEvent | None:
    """The event of a job; None for one that is about no single alert. `announced` are the steps of its alert so far."""
    step = job.transition
    if step is None:
        return None
    latest = announced[-1] if announced else step
    fired = next((row for row in announced if row.state in ANNOUNCING_STATES), step)
    return AlertEvent(
        kind=_kind_of(job, step),
        step=step,
        latest=latest,
        labels=labels,
        title=title,
        condition=condition,
        fired_at=fired.event_time,
        ended_at=None if latest.state in OPEN_STATES else latest.event_time,
        page_url=page_url,
        notes=notes or {},
        group=group,
    )


def _kind_of(job: Job, step: AlertTransition) -> str:
    """The `type` of a message: `alert.firing` and the other states, a reminder's and the like."""
    return f"alert.{job.kind if job.kind in (REMINDER, ACKNOWLEDGED, WORSE) else step.state}"


def utc_text(seconds: float) -> str:
    """A time as RFC 3339, in UTC.

    >>> utc_text(0)
    '1970-01-01T00:00:00Z'
    """
    return utc_second(int(seconds)).replace(" ", "T") + "Z"
