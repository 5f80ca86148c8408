"""Which panels are read next: what a block waits for first, then one panel at a time."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from desk.web.panels.panel import SLOW_SECONDS, Panel


class ReadingOrder:
    """The panels of the first tier are read together. One of the others is read at a look, so that news waits for one panel at most.

    Those that change with every block take turns, however often blocks come; then come the slow ones that are due.
    """

    def __init__(self, panels: Iterable[Panel]) -> None:
        every = tuple(panels)
        self.first = tuple(panel for panel in every if not panel.slow and panel.tier == "now")
        """Read at once where something changed."""
        self._turns = deque(panel for panel in every if not panel.slow and panel.tier != "now")
        self._slow = tuple(panel for panel in every if panel.slow)
        self._waiting: set[str] = set()
        self._slow_at: dict[str, float] = {}

    @property
    def pending(self) -> bool:
        """Whether a panel waits that changes with every block."""
        return bool(self._waiting)

    def news(self) -> None:
        """Something changed: every panel of the rest waits again."""
        self._waiting = {panel.name for panel in self._turns}

    def next(self) -> Panel | None:
        """The panel that waits and was read longest ago; it waits no more."""
        found = next((panel for panel in self._turns if panel.name in self._waiting), None)
        if found is not None:
            self._waiting.remove(found.name)
            self._turns.remove(found)
            self._turns.append(found)
        return found

    def due_slow(self, now: float) -> list[Panel]:
        """The slow panels to read now, by a monotonic clock; they count as read.

        These are all that were never read, or else the one that waits longest.
        """
        due = [panel for panel in self._slow if panel.name not in self._slow_at]
        if not due:
            old = [panel for panel in self._slow if now - self._slow_at[panel.name] >= SLOW_SECONDS]
            due = sorted(old, key=lambda panel: self._slow_at[panel.name])[:1]
        self._slow_at |= dict.fromkeys((panel.name for panel in due), now)
        return due
