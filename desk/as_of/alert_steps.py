"""Rules and open alerts at a moment, from the steps of alerts. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from counterpoise.contracts.alert_transition import OPEN_STATES


@dataclass(frozen=True, slots=True)
class AlertStep:
    """One row of `alert_events`. `undoes` are the steps of the same alert that a retraction takes back."""

    alert_id: str
    sequence: int
    rule_id: str
    rule_hash: str
    threshold: float | None
    state: str
    undoes: tuple[int, ...]
    event_time: datetime
    recorded_at: datetime


def rules_known(steps: Iterable[AlertStep], known: datetime) -> dict[str, tuple[str, float | None]]:
    """(hash, line) of each rule at its last step by a moment."""
    last: dict[str, AlertStep] = {}
    for step in sorted(steps, key=lambda one: (one.event_time, one.recorded_at, one.sequence, one.alert_id)):
        if step.event_time <= known:
            last[step.rule_id] = step
    return {rule: (last[rule].rule_hash, last[rule].threshold) for rule in sorted(last)}


def alerts_open(steps: Iterable[AlertStep], at: datetime, known: datetime) -> dict[str, str]:
    """The state of each alert that is open at a moment, without steps that were taken back by `known`."""
    given = list(steps)
    undone = {(one.alert_id, number) for one in given if one.event_time <= known for number in one.undoes}
    last: dict[str, AlertStep] = {}
    for step in sorted(given, key=lambda one: one.sequence):
        if step.event_time <= at and not step.undoes and (step.alert_id, step.sequence) not in undone:
            last[step.alert_id] = step
    return {name: last[name].state for name in sorted(last) if last[name].state in OPEN_STATES}
