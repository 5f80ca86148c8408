"""The row with which the message of each alert that fires begins, in memory: a look for reminders reads nothing of the history."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from alerts.store.alert_events_log import AlertEventsLog
from counterpoise.contracts.alert_transition import ANNOUNCING_STATES, AlertTransition

Step = tuple[str, int]
"""(alert, sequence)."""


class FiringRows:
    """Rows that were not noted are read, all in one query."""

    def __init__(self, events: AlertEventsLog) -> None:
        self._events = events
        self._rows: dict[Step, AlertTransition] = {}

    def note(self, stored: Iterable[AlertTransition]) -> None:
        """Keep what was stored just now, as far as a message may begin with it."""
        self._rows |= {(row.alert_id, row.sequence): row for row in stored if row.state in ANNOUNCING_STATES}

    def of(self, steps: Sequence[Step]) -> list[AlertTransition]:
        """The rows of these steps: they are kept, and no others."""
        missing = [step for step in steps if step not in self._rows]
        every = self._rows | (self._events.read_steps(missing) if missing else {})
        self._rows = {step: every[step] for step in steps if step in every}
        return list(self._rows.values())
