"""How long to wait before a process that ended is started again."""

from __future__ import annotations

import random
from dataclasses import dataclass, field


@dataclass(slots=True)
class RestartBackoff:
    """Doubles from `first_seconds` to `longest_seconds`, each wait drawn from the upper half (several processes that fell together
    then do not rise together), and starts over after a run of `healthy_after_seconds`.
    """

    first_seconds: float = 0.5
    longest_seconds: float = 30.0
    healthy_after_seconds: float = 30.0
    random: random.Random = field(default_factory=random.Random)
    _failures: int = 0

    @property
    def failures(self) -> int:
        """Runs in a row that ended before they were healthy."""
        return self._failures

    def next_wait_seconds(self, ran_seconds: float) -> float:
        """The wait after a process that ran this long; between half of the step and the step."""
        if ran_seconds >= self.healthy_after_seconds:
            self._failures = 0
        step = min(self.longest_seconds, self.first_seconds * 2.0 ** min(self._failures, 30))
        self._failures += 1
        return step * self.random.uniform(0.5, 1.0)
