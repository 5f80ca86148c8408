"""Answers to the slash command as Slack's Block Kit. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from alerts.outbox.explained import VIEW_WORDS
from alerts.outbox.render import (
    MAX_SECTION_CHARACTERS,
    MAX_TEXT_CHARACTERS,
    Message,
    cut,
    escape,
    mark_of,
    note_message,
)
from alerts.policy import Action
from alerts.rules.rule import Reading
from counterpoise.contracts.alert_transition import AlertTransition
from counterpoise.formats import TEXT, utc_minute

MAX_LISTED: Final = 10
"""Alerts that one answer has."""

_LEADERS: Final = 4
_SUMMARY_CHARACTERS: Final = 200


@dataclass(frozen=True, slots=True)
class Top4Now:
    """The top-4 share of a chain at its newest block. `views`: (view, blocks of the window, value); `leaders` are (name, blocks) of
    the first view."""

    chain: str
    height: int
    time: int
    views: Sequence[tuple[str, int, Reading]]
    leaders: Sequence[tuple[str, int]]


@dataclass(frozen=True, slots=True)
class Fires:
    """An alert that fires: its newest row, when it fired (seconds), and who acknowledged it."""

    latest: AlertTransition
    since: int
    acknowledged_by: str = ""


def top4_message(found: Sequence[Top4Now]) -> Message:
    """The top-4 share of each chain, in every view that is stored."""
    return _message([_chain(one) for one in found]) if found else note_message("No block is scored yet.")


def _chain(found: Top4Now) -> str:
    lines = [f"*Top-4 share of {escape(found.chain)}* at height {found.height} ({utc_minute(found.time)} UTC)"]
    lines += [f"• {escape(VIEW_WORDS.get(view, view))}: {_value(reading, n)}" for view, n, reading in found.views]
    n = found.views[0][1]
    leaders = ", ".join(f"{escape(name)} {TEXT.share(count / n)}" for name, count in found.leaders[:_LEADERS])
    return "\n".join([*lines, f"Largest: {leaders}"])


def _value(found: Reading, n: int) -> str:
    words = f"{TEXT.share(found.value)} of {n:,} blocks"
    if found.interval_low is not None and found.interval_high is not None:
        words += f", 95 % interval {TEXT.share_range(found.interval_low, found.interval_high)}"
    if found.high is not None and found.high > found.value:
        words += f", at most {TEXT.share(found.high)} with the unknown blocks"
    return words


def alerts_message(firing: Sequence[Fires], *, more: int, waiting: int) -> Message:
    """The alerts that fire, the newest first; `more` fire too, and `waiting` are pending or possible."""
    if not firing:
        return note_message(f"No alert fires.{_waiting(waiting)}")
    lines = [_line(one) for one in firing]
    rest = (f"{more} more: `counterpoise alerts list`." if more else "") + _waiting(waiting)
    return _message([*lines, rest.strip()] if rest else lines)


def _line(found: Fires) -> str:
    latest = found.latest
    by = f", acknowledged by {escape(found.acknowledged_by)}" if found.acknowledged_by else ""
    return (
        f"{mark_of(latest)} `{latest.alert_id[:8]}` {escape(latest.rule_id)} since {utc_minute(found.since)} UTC{by}\n"
        f"{cut(escape(latest.summary), _SUMMARY_CHARACTERS)}"
    )


def _waiting(count: int) -> str:
    return f" {count} {'is' if count == 1 else 'are'} pending or possible." if count else ""


def silenced_message(silence: Action) -> Message:
    """What a silence by command does."""
    until = f"until {utc_minute(silence.until)} UTC" if silence.until is not None else "without an end"
    return note_message(f"Alert {silence.matchers.get('alert', '')[:8]} is silenced {until}.")


def help_message(lines: str) -> Message:
    """Our own mrkdwn."""
    return _message([lines])


def _message(paragraphs: Sequence[str]) -> Message:
    """Paragraphs that are escaped already, each a section."""
    shown = "\n".join(paragraphs)
    blocks = tuple(
        {"type": "section", "text": {"type": "mrkdwn", "text": cut(one, MAX_SECTION_CHARACTERS), "verbatim": True}}
        for one in paragraphs
    )
    return Message(cut(shown, MAX_TEXT_CHARACTERS), blocks, shown)
