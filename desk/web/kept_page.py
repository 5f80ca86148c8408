"""A page that costs many queries, drawn once for each state of what it shows."""

from __future__ import annotations

from collections.abc import Callable, Hashable


class KeptPage:
    """Keeps the newest drawing. Threads may ask at once: each then draws for itself, and the last drawing stays."""

    def __init__(self) -> None:
        self._kept: tuple[Hashable, str] | None = None

    def of(self, state: Hashable, draw: Callable[[], str]) -> str:
        """The kept drawing of this state, or a new one. What `draw` raises is not kept."""
        kept = self._kept
        if kept is None or kept[0] != state:
            kept = self._kept = (state, draw())
        return kept[1]
