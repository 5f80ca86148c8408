"""How much of the time the page may read: at once after a lone block, and about its share where blocks come without end."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class ReadingBudget:
    """Seconds of reading: they grow at `share` of the clock's pace up to `most`, and a reading takes its length.

    No pause is longer than `longest_wait`, so that a page on a slow machine still moves.

    >>> budget = ReadingBudget(share=0.25, most=2.0, longest_wait=3.0)
    >>> budget.spend(began=100.0, ended=101.5)
    >>> budget.wait(101.5)
    0.0
    >>> budget.spend(began=101.5, ended=102.5)
    >>> budget.wait(102.5), budget.wait(103.0)
    (1.0, 0.5)
    """

    share: float
    most: float
    longest_wait: float
    _left: float | None = None
    _at: float = 0.0

    def spend(self, *, began: float, ended: float) -> None:
        """A reading took this long, by a monotonic clock."""
        self._left = max(self._now(ended) - (ended - began), -self.share * self.longest_wait)
        self._at = ended

    def wait(self, now: float) -> float:
        """Seconds until the next reading may begin; 0 where it may now."""
        return max(0.0, -self._now(now) / self.share)

    def _now(self, now: float) -> float:
        if self._left is None:
            return self.most
        return min(self.most, self._left + self.share * (now - self._at))
