"""What `counterpoise alerts list` and `mutes` show: one alert on a line and a sentence below it, within 80 columns."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from rich.text import Text

from counterpoise.chain.chain_registry import BITCOIN
from counterpoise.formats import utc_minute
from counterpoise.visible import visible
from desk.cli.console import Console

if TYPE_CHECKING:
    from alerts.outbox.message_context import Renderer
    from alerts.policy import Actions, SilenceSubject
    from alerts.rules.rule import Rule
    from alerts.store.alert_mutes_log import Mute
    from alerts.store.alert_store import AlertStore
    from counterpoise.contracts.alert_transition import AlertTransition

STYLES: Final = {
    "firing": "bold red",
    "error": "bold red",
    "pending": "yellow",
    "possible": "yellow",
    "resolved": "green",
}
ID_DIGITS: Final = 8
"""Digits of an alert's id that a list shows: `alerts show` takes the beginning of an id."""
_COLUMNS: Final = (("alert", ID_DIGITS), ("state", 9), ("since (UTC)", 16), ("now", 9), ("rule", 30))


@dataclass(frozen=True, slots=True)
class ListedAlert:
    """An alert by its latest row; `since`: when it fired, or began where it never did; `fired`: whether it ever did. `announced`:
    its first firing that is sent, None without one."""

    latest: AlertTransition
    since: int
    fired: bool
    announced: AlertTransition | None = None


def listed(rows: Iterable[AlertTransition]) -> list[ListedAlert]:
    """Every alert of rows in the order in which they were written, the newest first."""
    from counterpoise.contracts.alert_transition import ANNOUNCING_STATES

    by_alert: dict[str, list[AlertTransition]] = {}
    for row in rows:
        by_alert[row.alert_id] = [*by_alert.pop(row.alert_id, []), row]
    found = []
    for history in by_alert.values():
        fired = [row for row in history if row.state == "firing" and row.previous_state != "firing"]
        began = [row for row in fired if row.reason != "restated"] or fired or history[:1]
        announced = next((row for row in history if row.notify and row.state in ANNOUNCING_STATES), None)
        found.append(ListedAlert(history[-1], began[-1].event_time, bool(fired), announced))
    return found[::-1]


def chosen(
    alerts: Sequence[ListedAlert],
    *,
    closed: bool,
    unfired: bool,
    rule: str | None,
    state: str | None,
    chain: str | None,
) -> tuple[list[ListedAlert], int]:
    """Those that a reader asks for, and how many are left out only because they never fired."""
    from counterpoise.contracts.alert_transition import OPEN_STATES

    asked = [
        one
        for one in alerts
        if (closed or state or one.latest.state in OPEN_STATES)
        and rule in (None, one.latest.rule_id)
        and state in (None, one.latest.state)
        and chain in (None, one.latest.evidence.chain)
    ]
    shown = [one for one in asked if one.fired or unfired or state]
    return shown, len(asked) - len(shown)


def values_now(renderer: Renderer, alerts: Sequence[ListedAlert]) -> Mapping[str, str]:
    """Alert → its rule's value at the tip, in the rule's unit; nothing for rules without a value at every height."""
    return {one.latest.alert_id: value[0] for one in alerts if (value := renderer.value_now(one.latest))}


def lines(
    alerts: Sequence[ListedAlert], now: Mapping[str, str], marks: Mapping[str, str], console: Console, width: int
) -> list[Text]:
    """The list. Nothing is wider than `width`, which is at least 60. `marks`: alert → what people asked for, in words."""
    heads = Text("  ".join(f"{name:<{size}}" for name, size in _COLUMNS).rstrip(), "dim")
    found = [heads]
    for one in alerts:
        row, digits = one.latest, one.latest.alert_id[:ID_DIGITS]
        mark = f" ({marks[row.alert_id]})" if row.alert_id in marks else ""
        cells = (digits, row.state, utc_minute(one.since), now.get(row.alert_id, "–"), visible(row.rule_id) + mark)
        line = Text()
        for (name, size), text in zip(_COLUMNS, cells, strict=True):
            line.append(
                text if name == "rule" else f"{text:<{size}}  ", STYLES.get(text, "") if name == "state" else ""
            )
        found += [*line.wrap(console, width)]
        indent = " " * (ID_DIGITS + 2)
        found += [Text(indent).append(part) for part in Text(visible(row.summary)).wrap(console, width - len(indent))]
    return found


def silence_subjects(
    alerts: Iterable[ListedAlert], actions: Actions, renderer: Renderer, rules: Sequence[Rule], at: float
) -> dict[str, SilenceSubject]:
    """Alert → the alert as silences see it at this second, with its value at the tip where a silence depends on it."""
    from alerts.outbox.delivery_policy import silence_subject
    from alerts.outbox.routes import labels_of

    by_name = {(rule.id, rule.chain): rule for rule in rules}
    found = {}
    for one in alerts:
        row = one.latest
        rule = by_name.get((row.rule_id, row.evidence.chain or BITCOIN.name))
        labels = labels_of(row, rule)
        value = renderer.reading_now(one.announced or row) if actions.needs_value(labels, at) else None
        found[row.alert_id] = silence_subject(row, one.announced, rule, labels, value)
    return found


def marks_of(
    alerts: Sequence[ListedAlert], store: AlertStore, renderer: Renderer, rules: Sequence[Rule], at: float
) -> Mapping[str, str]:
    """Alert → `muted`, `silenced` and `acknowledged`, where people asked for it and the alerter acts on it."""
    from alerts.policy import Actions

    muted = {mute.rule_id for mute in store.mutes.read().values() if mute.until > at}
    actions = Actions.of(store.actions.read())
    subjects = silence_subjects(alerts, actions, renderer, rules, at)
    found: dict[str, str] = {}
    for row in (one.latest for one in alerts):
        words = ["muted"] if muted & {row.rule_id, "*"} else []
        words += ["silenced"] if actions.silence_of(subjects[row.alert_id], at) else []
        words += ["acknowledged"] if row.alert_id in actions.acknowledgements else []
        if words:
            found[row.alert_id] = ", ".join(words)
    return found


def mute_lines(mutes: Iterable[Mute], at: float) -> list[str]:
    """One line for each mute that holds at this second: the rule, its end, who and why."""
    return [
        f"{_muted(mute)}: muted until {utc_minute(mute.until)} UTC by {visible(mute.author) or 'nobody named'}"
        + (f": {visible(mute.reason)}" if mute.reason else "")
        for mute in sorted(mutes, key=lambda mute: mute.until)
        if mute.until > at
    ]


def _muted(mute: Mute) -> str:
    from alerts.store.alert_mutes_log import ALL_RULES

    return "all rules" if mute.rule_id == ALL_RULES else visible(mute.rule_id)
