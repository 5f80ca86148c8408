"""What people asked for, read once for all that one receiver's thread decides on in one pass."""

from __future__ import annotations

from alerts.policy import Action, Actions
from alerts.store.alert_actions_log import AlertActionsLog
from counterpoise.runtime.clock import Clock


class CurrentActions:
    """The rows that still matter. They are read again only where `refresh` finds that there are others."""

    def __init__(self, log: AlertActionsLog, clock: Clock) -> None:
        self._log, self._clock = log, clock
        self._mark: tuple[int, int] | None = None
        self._rows: tuple[Action, ...] = ()
        self._actions = Actions()

    def refresh(self, mark: tuple[int, int] | None = None) -> None:
        """Begin a pass: look whether people asked for more, by the mark of the rows that was read just now, if any."""
        mark = mark or self._log.mark()
        if mark != self._mark:
            # A row that comes in between is read now, and once more with the next pass.
            self._rows = tuple(self._log.read_current(self._clock.now()))
            self._actions, self._mark = Actions.of(self._rows), mark

    @property
    def rows(self) -> tuple[Action, ...]:
        """Each row, the oldest first."""
        self._require()
        return self._rows

    @property
    def actions(self) -> Actions:
        """What follows from them."""
        self._require()
        return self._actions

    def _require(self) -> None:
        if self._mark is None:
            self.refresh()
