"""An alert's message as data, for receivers that are programs."""

from __future__ import annotations

from typing import Any

from alerts.outbox.alert_event import event_of
from alerts.outbox.jobs import job_of
from alerts.outbox.render import Message
from counterpoise.contracts.alert_transition import AlertEvidence, AlertTransition

ALERT = "ab" * 8
FIRED_AT = 1_700_000_000
LABELS = {"rule": "top4-share", "chain": "bitcoin", "alert": ALERT, "severity": "critical"}


def step(state: str, sequence: int, at: int, **more: Any) -> AlertTransition:
    return AlertTransition.model_validate(
        {
            "alert_id": ALERT,
            "sequence": sequence,
            "rule_id": "top4-share",
            "rule_hash": "0" * 12,
            "state": state,
            "notify": True,
            "event_time": at,
            "recorded_at_ms": at * 1000,
            "value": 0.751,
            "threshold": 0.75,
            "summary": "Four pools hold most",
            "evidence": AlertEvidence(chain="bitcoin"),
            **more,
        }
    )


FIRED = step("firing", 1, FIRED_AT)
RESOLVED = step("resolved", 2, FIRED_AT + 3_600, previous_state="firing")


def message(of: AlertTransition, *announced: AlertTransition, page_url: str = "") -> Message:
    """The message of a step after these were announced."""
    event = event_of(
        job_of(of, "post" if of.state == "firing" else "thread", inherited=False),
        announced or (of,),
        labels=LABELS,
        title="Top 4",
        condition="over 75 %",
        page_url=page_url,
    )
    return Message("text", (), "a line", event)
