"""The rows with which messages begin: each is read once at most, and none that was noted when it was stored."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import cast

from alerts.firing_rows import FiringRows
from alerts.machine.ledger import LedgerEntry
from alerts.store.alert_events_log import AlertEventsLog
from counterpoise.contracts.alert_transition import AlertTransition
from tests.unit.alerts.slack_world import transition_of

Step = tuple[str, int]


def a_row(alert: str, sequence: int, state: str = "firing") -> AlertTransition:
    return transition_of(LedgerEntry(alert * 16, sequence, state, 10, "t", rule_hash="c" * 12), 1_700_000_000.0)  # type: ignore[arg-type]


@dataclass
class Stored:
    """The table: what it holds, and what it was asked for."""

    rows: dict[Step, AlertTransition] = field(default_factory=dict)
    asked: list[set[Step]] = field(default_factory=list)

    def read_steps(self, steps: Collection[Step]) -> dict[Step, AlertTransition]:
        self.asked.append(set(steps))
        return {step: self.rows[step] for step in steps if step in self.rows}


def test_a_row_is_read_once_and_what_was_noted_is_not_read() -> None:
    old, new, ended = a_row("a", 1), a_row("b", 0), a_row("b", 1, "resolved")
    stored = Stored({("a" * 16, 1): old})
    firing = FiringRows(cast(AlertEventsLog, stored))
    assert firing.of([("a" * 16, 1), ("d" * 16, 0)]) == [old], "a step that is in no row is left out"
    firing.note([new, ended])
    assert firing.of([("b" * 16, 0), ("a" * 16, 1)]) == [new, old]
    assert stored.asked == [{("a" * 16, 1), ("d" * 16, 0)}]


def test_what_fires_no_more_is_forgotten_and_what_was_written_anew_is_kept_as_it_is_now() -> None:
    before, now = a_row("a", 1), a_row("a", 1).model_copy(update={"summary": "on another block"})
    stored = Stored({("a" * 16, 1): now})
    firing = FiringRows(cast(AlertEventsLog, stored))
    firing.note([before])
    firing.note([now])
    assert firing.of([("a" * 16, 1)]) == [now]
    assert firing.of([]) == []
    assert firing.of([("a" * 16, 1)]) == [now] and len(stored.asked) == 1
