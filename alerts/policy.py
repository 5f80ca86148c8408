"""What people asked for about alerts, and what follows for messages: acknowledgements, silences, repeats and steps. Pure.

People's actions are rows that are never changed. Their order does not matter: a silence that is ended stays ended, and of several
acknowledgements of an alert the first counts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Final, Literal

from counterpoise.spans import DAY_SECONDS

Labels = Mapping[str, str]
"""What an alert is known by to routes, silences and receivers: `rule`, `chain`, `alert`, and what else its rule has.

`metric` is the metric or signal of the value, and `instance` the key of an alert that is one of several of its rule."""

Verdict = Literal["useful", "noise"]
"""What a person thinks of an alert. It changes no message."""

ActionKind = Literal["acknowledge", "silence", "unsilence", "refused"] | Verdict
"""`refused`: a request that was not done; its `reason` is why."""
WEEK_SECONDS: Final = 7.0 * DAY_SECONDS

MAX_REASON: Final = 200
MAX_AUTHOR: Final = 80
"""Characters that are kept of what a person writes."""

SHORT_SILENCES: Final[Mapping[str, int]] = {"silence-4h": 4, "silence-24h": 24}
"""The silences that have a button, in Slack and on the page: hours by the button's name."""


@dataclass(frozen=True, slots=True)
class Action:
    """One thing that a person asked for, at `at` (seconds). `target`: the alert it is about, or
    the silence that is ended.

    `matchers` of a silence are labels with `*` and `?` as wildcards. It ends at `until` (None: at no time), for each alert with its
    resolution (`until_resolved`), and while the value is worse than `worse_than`.
    """

    id: str
    kind: ActionKind
    at: float
    author: str = ""
    reason: str = ""
    target: str = ""
    matchers: Labels = field(default_factory=dict)
    until: float | None = None
    until_resolved: bool = False
    worse_than: float | None = None
    via: str = "command"


@dataclass(frozen=True, slots=True)
class SilenceSubject:
    """An alert as a silence sees it. `fired_at`: when its first firing was recorded, None where it did not fire. `rises`: a higher
    value is worse."""

    labels: Labels
    is_open: bool
    fired_at: float | None
    value: float | None = None
    rises: bool = True


@dataclass(frozen=True, slots=True)
class Actions:
    """All that people asked for."""

    acknowledgements: Mapping[str, Action] = field(default_factory=dict)
    """Alert → its first acknowledgement."""
    silences: tuple[Action, ...] = ()
    """Those that were not ended, the oldest first."""
    ended: Mapping[str, Action] = field(default_factory=dict)
    """Silence → who ended it."""

    @classmethod
    def of(cls, rows: Iterable[Action]) -> Actions:
        """From all rows in any order, each once or several times."""
        by_id = {row.id: row for row in rows}
        ordered = sorted(by_id.values(), key=lambda row: (row.at, row.id))
        ended: dict[str, Action] = {}
        acknowledged: dict[str, Action] = {}
        for row in ordered:
            if row.kind == "unsilence":
                ended.setdefault(row.target, row)
            if row.kind == "acknowledge":
                acknowledged.setdefault(row.target, row)
        silences = tuple(row for row in ordered if row.kind == "silence" and row.id not in ended)
        return cls(acknowledged, silences, ended)

    def silence_of(self, subject: SilenceSubject, now: float) -> Action | None:
        """The first silence that holds an alert's messages back at this second; None without one."""
        return next((one for one in self.silences if silences(one, subject, now)), None)

    def outgrown(self, subject: SilenceSubject, now: float) -> Action | None:
        """The first silence that would hold an alert's messages back if its value were not worse than the silence allows."""
        return next((one for one in self.silences if applies(one, subject, now) and is_worse(one, subject)), None)

    def needs_value(self, labels: Labels, now: float) -> bool:
        """Whether a silence of these labels depends on the value."""
        return any(
            one.worse_than is not None and holds_at(one, now) and matches(one.matchers, labels) for one in self.silences
        )


def matches(matchers: Labels, labels: Labels) -> bool:
    """Whether every label of `matchers` is there with a value that fits; empty matchers always are."""
    return all(name in labels and fits(labels[name], wanted) for name, wanted in matchers.items())


def fits(text: str, pattern: str) -> bool:
    """Whether a text is of a pattern, in which `*` is any text, `?` any character, and all else itself.

    >>> fits("top4-share", "top?-*"), fits("pool [eu]", "pool [eu]"), fits("pool e", "pool [eu]")
    (True, True, False)
    """
    return fnmatchcase(text, pattern.replace("[", "[[]"))


def holds_at(silence: Action, now: float) -> bool:
    """Whether its time has not ended."""
    return silence.until is None or now < silence.until


def applies(silence: Action, subject: SilenceSubject, now: float) -> bool:
    """Whether a silence is meant for an alert at this second, whatever its value is.

    One until the resolution is meant for alerts that fired before it was made, and not for their end.
    """
    if not holds_at(silence, now) or not matches(silence.matchers, subject.labels):
        return False
    if not silence.until_resolved:
        return True
    return subject.is_open and subject.fired_at is not None and subject.fired_at <= silence.at


def is_worse(silence: Action, subject: SilenceSubject) -> bool:
    """Whether the value is worse than a silence allows; a value that is not known is not."""
    if silence.worse_than is None or subject.value is None:
        return False
    return subject.value > silence.worse_than if subject.rises else subject.value < silence.worse_than


def silences(silence: Action, subject: SilenceSubject, now: float) -> bool:
    """Whether a silence holds an alert's messages back at this second."""
    return applies(silence, subject, now) and not is_worse(silence, subject)


def is_over(silence: Action, subjects: Iterable[SilenceSubject], now: float) -> bool:
    """Whether a silence can hold no message back from this second on. `subjects`: the open alerts.

    One until the resolution is meant for no later alert.
    """
    if not holds_at(silence, now):
        return True
    return silence.until_resolved and not any(applies(silence, one, now) for one in subjects)


def is_outgrown(silence: Action, subjects: Iterable[SilenceSubject], now: float) -> bool:
    """Whether each open alert that a silence is meant for has a worse value than it allows; False where there is none."""
    meant = [is_worse(silence, one) for one in subjects if applies(silence, one, now)]
    return bool(meant) and all(meant)


def repeats_due(elapsed_seconds: float, first_seconds: float) -> tuple[int, float]:
    """How many repeats are due so long after a message, and when the last of them was due (seconds after the message).

    The first comes after `first_seconds`; each pause is twice the one before, and a week at most.

    >>> repeats_due(3_599, 3_600), repeats_due(3_600, 3_600), repeats_due(3 * 3_600, 3_600)
    ((0, 0.0), (1, 3600.0), (2, 10800.0))
    >>> repeats_due(15 * 86_400, WEEK_SECONDS)
    (2, 1209600.0)
    """
    count, due, pause = 0, 0.0, min(first_seconds, WEEK_SECONDS)
    while pause < WEEK_SECONDS and due + pause <= elapsed_seconds:
        count, due, pause = count + 1, due + pause, min(2 * pause, WEEK_SECONDS)
    if pause >= WEEK_SECONDS:
        weeks = max(0, int((elapsed_seconds - due) // WEEK_SECONDS))
        count, due = count + weeks, due + weeks * WEEK_SECONDS
    return count, due


def inhibitor_of(alert: Labels, firing: Iterable[Labels], above: Sequence[str]) -> str | None:
    """The first of the higher steps that fires on the alert's chain; None where none does.

    Where both alerts have an instance, as those of rules of type `sql`, it is the same.
    """
    fires = {other["rule"] for other in firing if _is_beside(alert, other)}
    return next((rule_id for rule_id in above if rule_id in fires), None)


def _is_beside(alert: Labels, other: Labels) -> bool:
    if alert["chain"] != other["chain"] or alert["alert"] == other["alert"]:
        return False
    instances = alert.get("instance"), other.get("instance")
    return None in instances or instances[0] == instances[1]
