"""Which message an alert of a group belongs to, and what that message shows. Pure.

The first alert of a group has its own message, the root. An alert of the group that fires while one of the root's alerts
still fires becomes a line of the root. That decision is a delivery row of the alert, written before anything is sent: it is the same
after a kill, whatever has ended meanwhile. The root is known by its first alert.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from alerts.outbox.routes import AlertGroup
from counterpoise.contracts.alert_transition import ANNOUNCING_STATES, AlertTransition

GROUPED: Final = "grouped"
"""The action of the reply with which an alert joins the root of its group."""

_LINE_OF: Final = "in the message of "

MAX_LINES: Final = 20
"""Alerts that a root lists."""


@dataclass(frozen=True, slots=True)
class Root:
    """A group's message: its first alert, the group of that, and when it was sent."""

    alert_id: str
    group: AlertGroup
    sent_at: float


@dataclass(frozen=True, slots=True)
class GroupView:
    """What a message shows of its group. `members`: the steps of each of the root's alerts so far, the first alert at first; empty
    where the message is no root."""

    labels: Mapping[str, str]
    members: tuple[Sequence[AlertTransition], ...] = ()


@dataclass(frozen=True, slots=True)
class GroupedAlert:
    """An alert in a root: its first firing, and its latest step."""

    fired: AlertTransition
    latest: AlertTransition

    @property
    def is_firing(self) -> bool:
        """Whether the latest step is that it fires, or cannot be judged."""
        return self.latest.state in ANNOUNCING_STATES


def open_root(group: AlertGroup, roots: Iterable[Root]) -> str | None:
    """The newest of the roots of a group, by its first alert; None without one. `roots` are those of which an alert fires."""
    found = max(((one.sent_at, one.alert_id) for one in roots if one.group == group), default=None)
    return found[1] if found else None


def lines_of(members: Iterable[Sequence[AlertTransition]]) -> list[GroupedAlert]:
    """The lines of a root: first what fires, in the order in which it fired, then what ended, the latest end first."""
    lines = []
    for steps in members:
        fired = next((step for step in steps if step.state in ANNOUNCING_STATES), None)
        if fired is not None:
            lines.append(GroupedAlert(fired, steps[-1]))
    firing = sorted((one for one in lines if one.is_firing), key=lambda one: _order(one.fired))
    ended = sorted((one for one in lines if not one.is_firing), key=lambda one: _order(one.latest), reverse=True)
    return [*firing, *ended]


def head_of(lines: Sequence[GroupedAlert]) -> str:
    """The state of a root: `🔴 2 of 3 FIRING`. It is RESOLVED only if every alert is."""
    firing = sum(one.is_firing for one in lines)
    if firing:
        is_judged = any(one.latest.state == "firing" for one in lines)
        return f"{'🔴' if is_judged else '🟠'} {firing} of {len(lines)} {'FIRING' if is_judged else 'ERROR'}"
    is_resolved = all(one.latest.state == "resolved" and one.latest.reason != "rule-changed" for one in lines)
    return f"{'🟢 RESOLVED' if is_resolved else '⚪ ENDED'}: {len(lines)} alerts"


def name_of(labels: Mapping[str, str]) -> str:
    """A group in words: `chain bitcoin, severity critical`."""
    return ", ".join(f"{name} {value or '–'}" for name, value in labels.items())


def line_of(root: str) -> str:
    """The detail of the delivery row of an alert that is a line of a root."""
    return f"{_LINE_OF}{root}"


def root_named(detail: str) -> str | None:
    """The root that a delivery row names, by its first alert; None where it names none."""
    return detail.removeprefix(_LINE_OF) if detail.startswith(_LINE_OF) else None


def _order(step: AlertTransition) -> tuple[int, str]:
    return step.recorded_at_ms, step.alert_id
