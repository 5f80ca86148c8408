"""What the slash command does: it answers from stored rows about alerts of its channel, and a silence becomes a row."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import structlog

from alerts.outbox.command_messages import (
    MAX_LISTED,
    Fires,
    Top4Now,
    alerts_message,
    help_message,
    silenced_message,
    top4_message,
)
from alerts.outbox.receivers.slash_command import HELP, Command
from alerts.outbox.render import Message, note_message
from alerts.people.slack_presses import why
from alerts.policy import Action, Actions
from alerts.rules.rule import HeightRule, Reading, Rule
from alerts.rules.top_share_rule import TopShareRule
from alerts.store.alert_store import AlertStore
from counterpoise.chain.chain_registry import BITCOIN, CHAINS
from counterpoise.contracts.alert_transition import ANNOUNCING_STATES, AlertTransition
from counterpoise.windows import VIEWS

log = structlog.get_logger(__name__)

ELSEWHERE: Final = "The alert was not sent to this channel"

MAX_OPEN: Final = 1_000
"""Open alerts that are read for one answer."""


def carry_out(store: AlertStore, command: Command, rules: Sequence[Rule], now: float) -> Message:
    """Do what a command asks for, and return the answer. A refused one is recorded, and a repeated one gets its answer again."""
    known = store.actions.find(command.id)
    if known is not None:
        log.warning("a request of Slack's came again", request=command.id)
        return _answer_of(known)
    if command.refusal:
        return _stored(store, command.refused(command.refusal, now))
    if command.problem:
        return note_message(command.problem)
    if command.word == "top4":
        return top4_message(_top4(store, rules))
    if command.word == "alerts":
        return _alerts(store, command.channel, now)
    if command.word == "why":
        found = store.events.alerts_of(command.alert, limit=2)
        if len(found) != 1:
            return note_message(f"There is {_not_one(command.alert, found)}.")
        told = store.deliveries.told_in(command.channel, found)
        return why(store, found[0]) if told else note_message(f"{ELSEWHERE}.")
    if command.word == "silence":
        return _stored(store, _silence(store, command, now))
    return help_message(HELP)


def _stored(store: AlertStore, action: Action) -> Message:
    store.actions.write(action)
    return _answer_of(action)


def _answer_of(action: Action) -> Message:
    if action.kind == "refused":
        log.warning("a request of Slack's is refused", request=action.id, reason=action.reason)
        return note_message(f"Not done: {action.reason}.")
    return silenced_message(action)


def _silence(store: AlertStore, command: Command, now: float) -> Action:
    found = store.events.alerts_of(command.alert, limit=2)
    if len(found) != 1:
        return command.refused(f"there is {_not_one(command.alert, found)}", now)
    newest = store.events.transitions(alert_id=found[0], limit=1, newest_first=True)
    if not newest or newest[0].state not in ANNOUNCING_STATES:
        return command.refused("the alert fires no more", now, found[0])
    if not store.deliveries.told_in(command.channel, found):
        return command.refused(ELSEWHERE[0].lower() + ELSEWHERE[1:], now, found[0])
    return command.silence(found[0], now)


def _not_one(beginning: str, found: Sequence[str]) -> str:
    return f"{'more than one' if found else 'no'} alert with an id that begins with {beginning}"


def _alerts(store: AlertStore, channel: str, now: float) -> Message:
    """Those whose message went to the channel: whoever is there may read about them."""
    found = store.events.open_now(limit=MAX_OPEN)
    told = store.deliveries.told_in(channel, [row.alert_id for row in found])
    rows = [row for row in found if row.alert_id in told]
    firing = [row for row in rows if row.state in ANNOUNCING_STATES]
    acknowledged = Actions.of(store.actions.read_current(now)).acknowledgements
    listed = []
    for row in firing[:MAX_LISTED]:
        by = acknowledged.get(row.alert_id)
        listed.append(Fires(row, _since(store, row), "" if by is None else by.author or "nobody named"))
    return alerts_message(listed, more=len(firing) - len(listed), waiting=len(rows) - len(firing))


def _since(store: AlertStore, row: AlertTransition) -> int:
    """When the alert fired, as its newest firing has it."""
    rows = store.events.transitions(alert_id=row.alert_id)
    began = [one.event_time for one in rows if one.state == row.state != one.previous_state]
    return began[-1] if began else row.event_time


def _top4(store: AlertStore, rules: Sequence[Rule]) -> list[Top4Now]:
    """Of each chain that a rule judges."""
    judged = {rule.chain for rule in rules if isinstance(rule, HeightRule) and rule.enabled} | {BITCOIN.name}
    found = [_top4_of(store, chain) for chain in CHAINS if chain in judged]
    return [one for one in found if one is not None]


def _top4_of(store: AlertStore, chain: str) -> Top4Now | None:
    attribution_id = store.attribution.current(chain)
    tip = store.concentration.tip(chain, attribution_id) if attribution_id else None
    if attribution_id is None or tip is None:
        return None
    views: list[tuple[str, int, Reading]] = []
    leaders: tuple[tuple[str, int], ...] = ()
    for view in VIEWS:
        rule = TopShareRule(id="top4", chain=chain, view=view)
        series = store.concentration.up_to(rule, attribution_id, tip[0])
        if len(series) and int(series.n[0]):
            views.append((str(view), int(series.n[0]), rule.reading(series, 0)))
            leaders = leaders or series.named_counts(0)
    return Top4Now(chain, tip[0], tip[1], views, leaders) if views else None
