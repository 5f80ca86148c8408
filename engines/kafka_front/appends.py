"""Which partitions were written to, and who waits for one of them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager

from engines.kafka_front.fetch_requests import Partition


class Appends:
    """Safe to share between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: dict[Partition, int] = {}
        self._all = 0
        self._waiting: dict[Callable[[], None], Collection[Partition]] = {}

    def mark(self, partitions: Collection[Partition]) -> int:
        """Greater than before where one of the partitions was written to since."""
        with self._lock:
            return self._mark(partitions)

    def note(self, partitions: Collection[Partition] | None) -> None:
        """These were written to, or any may have been (None): wake who waits for them."""
        with self._lock:
            if partitions is None:
                self._all += 1
            else:
                for one in partitions:
                    self._counts[one] = self._counts.get(one, 0) + 1
            for wake, wanted in self._waiting.items():
                if partitions is None or not set(partitions).isdisjoint(wanted):
                    wake()

    @contextmanager
    def waiting(self, partitions: Collection[Partition], since: int, wake: Callable[[], None]) -> Iterator[None]:
        """Call `wake`, which returns at once, when one was written to after the mark `since`."""
        with self._lock:
            if self._mark(partitions) != since:
                wake()
            self._waiting[wake] = partitions
        try:
            yield
        finally:
            with self._lock:
                del self._waiting[wake]

    def _mark(self, partitions: Collection[Partition]) -> int:
        return self._all + sum(self._counts.get(one, 0) for one in partitions)
