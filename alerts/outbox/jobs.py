"""What there is to send: one message each, known everywhere by its key. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from counterpoise.contracts.alert_transition import ANNOUNCING_STATES, AlertTransition

JobKey = tuple[str, int, str]
"""(alert, sequence, action): what identifies a message to its receiver and in `alert_deliveries`."""


@dataclass(frozen=True, slots=True)
class Start:
    """The state-at-start message of the rules that went live at one height; `time` is its block's, in seconds."""

    height: int
    time: int
    rule_ids: tuple[str, ...]
    chain: str


@dataclass(frozen=True, slots=True)
class Job:
    """One message. `inherited`: another process may have sent it. `tries` counts what went wrong, `refusals` what was
    refused for an unknown reason. `recorded_at`: in seconds,
    when it could have been sent at the earliest. `members`: the firings that a digest stands for. `after_seconds`: of a
    reminder, how long its alert had fired."""

    alert_id: str
    sequence: int
    action: str
    rule_id: str
    recorded_at: float
    transition: AlertTransition | None = None
    start: Start | None = None
    after_seconds: float = 0.0
    members: tuple[AlertTransition, ...] = ()
    inherited: bool = False
    tries: int = 0
    refusals: int = 0

    @property
    def kind(self) -> str:
        """Its action without a number or a name."""
        return self.action.partition("-")[0]

    @property
    def key(self) -> JobKey:
        """What identifies it to its receiver."""
        return self.alert_id, self.sequence, self.action

    @property
    def key_text(self) -> str:
        """The same, as its message carries it."""
        return key_text(self.key)


def key_text(key: JobKey) -> str:
    """A key as one text."""
    return ":".join(map(str, key))


def start_id(dataset: str, chain: str, height: int) -> str:
    """The name of a state-at-start message, in the place of an alert's."""
    return hashlib.sha256(f"start\0{dataset}\0{chain}\0{height}".encode()).hexdigest()[:16]


REMINDER, ACKNOWLEDGED, WORSE = "reminder", "acknowledged", "worse"
"""Beginnings of actions about an alert that still fires."""

RENEW: Final = "renew"
"""Sends again what fires. It leaves no row: it is due every minute anyway."""


def actions(transition: AlertTransition, *, fired_before: bool, as_events: bool = False) -> tuple[str, ...]:
    """The actions for a notified transition. The first firing is a separate message; later ones edit it and reply to it.

    `restated` rows only correct the root: the retraction before them states why. `as_events`: every step is a message by itself.
    """
    if transition.state in ANNOUNCING_STATES and not fired_before:
        return ("post",)
    if as_events:
        return ("thread",)
    if transition.reason == "restated":
        return ("update",)
    return ("update", "thread")


def digest_job(name: str, members: Sequence[AlertTransition], *, inherited: bool) -> Job:
    """The message that stands for the firings of `members`."""
    at = min(row.recorded_at_ms for row in members) / 1000
    return Job(name, 0, "digest", "*", at, members=tuple(members), inherited=inherited)


def job_of(transition: AlertTransition, action: str, *, inherited: bool) -> Job:
    """One message of a transition."""
    at = transition.recorded_at_ms / 1000
    return Job(
        transition.alert_id,
        transition.sequence,
        action,
        transition.rule_id,
        at,
        transition=transition,
        inherited=inherited,
    )
