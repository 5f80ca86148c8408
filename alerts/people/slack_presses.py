"""What a pressed button does: it is checked against the rows, written as a row, and answered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import structlog

from alerts.outbox.message_context import Renderer
from alerts.outbox.receivers.slack_buttons import UNTIL_WORSE, Pressed
from alerts.outbox.render import Message, note_message, why_message
from alerts.policy import Action, Actions
from alerts.rules.rule import HeightRule, Rule
from alerts.store.alert_store import AlertStore
from counterpoise.contracts.alert_transition import ANNOUNCING_STATES, AlertTransition

log = structlog.get_logger(__name__)

_VERDICT_WORDS: Final = {"useful": "useful to you", "noise": "noise to you"}


def press(store: AlertStore, pressed: Pressed, rules: Sequence[Rule], now: float) -> Message | None:
    """Check a request against the rows, write what it requests, and return what to show; None where the message shows it."""
    known = store.actions.find(pressed.id)
    if known is not None:
        log.warning("a request of Slack's came again", request=pressed.id)
        return _not_done(known)
    rows = [] if pressed.refusal else store.events.transitions(alert_id=pressed.alert_id)
    checked = replace(pressed, refusal=pressed.refusal or _refusal(store, pressed, rows, now))
    found = None
    if pressed.button == UNTIL_WORSE and not checked.refusal:
        found = Renderer(store, rules, "").at_tip(_first_of(rows))
    action = checked.action(now, found[1] if found else None)
    if action is not None:
        store.actions.write(action)
    if action is not None and action.kind == "refused":
        log.warning("a request of Slack's is refused", request=pressed.id, reason=action.reason)
        return _not_done(action)
    if pressed.is_verdict:
        return note_message(f"Stored: the alert is {_VERDICT_WORDS[pressed.button]}.")
    if found is not None:
        return note_message(_until_worse(*found))
    return why_message(_first_of(rows)) if pressed.button == "why" else None


def _not_done(action: Action) -> Message | None:
    """What a person reads of a refused request; None for one that is done."""
    return note_message(f"Not done: {action.reason}.") if action.kind == "refused" else None


def why(store: AlertStore, alert_id: str) -> Message:
    """Why an alert fires, or cannot be judged, from the first step that shows it."""
    return why_message(_first_of(store.events.transitions(alert_id=alert_id)))


def _first_of(rows: Sequence[AlertTransition]) -> AlertTransition:
    """The first step that shows an alert to people, or the last one where none does."""
    return next((row for row in rows if row.state in ANNOUNCING_STATES), rows[-1])


def _until_worse(rule: HeightRule, value: float, height: int) -> str:
    return f"Silenced until the value is worse than {rule.format_value(value)}, the value at height {height}."


def _refusal(store: AlertStore, pressed: Pressed, rows: Sequence[AlertTransition], now: float) -> str:
    """Why a request that fits in itself is not done; empty where it is. `rows` are the alert's steps."""
    sent = store.deliveries.read(alert_id=pressed.alert_id)
    if not rows or not any(d.message_ts == pressed.message_ts and d.channel == pressed.channel for d in sent):
        return "the message is not one of ours for this alert"
    if pressed.button == "why" or pressed.is_verdict:
        return ""
    if rows[-1].state not in ANNOUNCING_STATES:
        return "the alert fires no more"
    if pressed.button != "acknowledge":
        return ""
    first = Actions.of(store.actions.read_current(now)).acknowledgements.get(pressed.alert_id)
    if first is None or first.id == pressed.id:
        return ""
    return f"{first.author or 'somebody'} acknowledged it before"
