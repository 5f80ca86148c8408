"""When most input is bad, the input is not the problem of single events: stop, and let a person look.

A wrong topic, a producer of another version or a corrupted broker would otherwise fill the dead letters with everything.
"""

from __future__ import annotations

from collections import deque

from counterpoise.errors import ConfigError


class DeadLetterLimit:
    """Counts the last `window_events` events; more than `ratio` of them bad is over the limit. A window of 0 switches it off.

    Nothing is judged before a whole window has been seen.
    """

    def __init__(self, window_events: int, ratio: float) -> None:
        if window_events < 0 or not 0 < ratio <= 1:
            raise ValueError(
                f"a limit has a window of 0 or more events and a ratio in (0, 1], not {window_events}, {ratio}"
            )
        self._window_events = window_events
        self._ratio = ratio
        self._batches: deque[tuple[int, int]] = deque()
        self._good = self._bad = 0

    def record(self, *, good: int, bad: int) -> None:
        """Count a batch. ConfigError once the limit is passed; the batch itself has been dealt with."""
        if not self._window_events or good + bad == 0:
            return
        self._batches.append((good, bad))
        self._good += good
        self._bad += bad
        while self._good + self._bad - sum(self._batches[0]) >= self._window_events:
            old_good, old_bad = self._batches.popleft()
            self._good -= old_good
            self._bad -= old_bad
        total = self._good + self._bad
        if total >= self._window_events and self._bad > self._ratio * total:
            raise ConfigError(
                f"{self._bad} of the last {total} events were bad, more than the limit of {self._ratio:.0%}. List them with "
                "`counterpoise dlq list`, fix the producer, or raise COUNTERPOISE_STREAMS__DEAD_LETTER_LIMIT_RATIO, and start again"
            )
