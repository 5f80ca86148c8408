"""What fired and cleared while nothing could be sent, gathered into one message. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from alerts.outbox.jobs import Job, JobKey, key_text
from counterpoise.contracts.alert_transition import OPEN_STATES, AlertTransition

OLD_SECONDS: Final = 60.0
"""A firing that could not be sent for this long is old news once its alert has ended."""

IN_A_DIGEST: Final = "in the digest"

FIRED_AGAIN: Final = "it fired again before this was sent"
"""The detail of what was left to a digest, once its alert has left that digest."""


def over(
    jobs: Iterable[Job], announced: Mapping[str, Sequence[AlertTransition]], *, now: float
) -> list[AlertTransition]:
    """The firings whose own message is among the `jobs`, could not be sent for a minute, and whose alert has ended meanwhile."""
    found = []
    for job in jobs:
        rows = announced.get(job.alert_id, ())
        waited = now - job.recorded_at >= OLD_SECONDS
        if job.action == "post" and job.transition and waited and rows and rows[-1].state not in OPEN_STATES:
            found.append(job.transition)
    return found


def digest_id(keys: Iterable[JobKey]) -> str:
    """The name of the digest of these messages, in the place of an alert's."""
    return hashlib.sha256("\n".join(sorted(map(key_text, keys))).encode()).hexdigest()[:16]


def detail_of(name: str) -> str:
    """The detail of a member's delivery row."""
    return f"{IN_A_DIGEST} {name}"


def digest_of(detail: str) -> str | None:
    """The digest that a delivery row names; None where it names none."""
    return detail.removeprefix(f"{IN_A_DIGEST} ") if detail.startswith(IN_A_DIGEST) else None
