"""Dead letters that other services sent, into ClickHouse."""

from __future__ import annotations

from collections.abc import Sequence

from streams.intake.dead_letter import RawMessage, parsed_letter
from streams.worker import Output
from streams.worker_store import WorkerStore


class DeadLetterWorker:
    """It keeps no state, so any worker may store any letter."""

    def __init__(self, store: WorkerStore) -> None:
        self._store = store

    def assign(self, partitions: frozenset[int]) -> list[Output]:
        """Nothing depends on the partitions."""
        return []

    def handle(self, messages: Sequence[RawMessage]) -> list[Output]:
        """Store the letters; a message that holds none becomes a letter itself."""
        self._store.store_letters([parsed_letter(message, self._store.now_ms()) for message in messages])
        return []

    def refresh(self) -> list[Output]:
        """Nothing is due without a message."""
        return []

    def close(self) -> None:
        """Close the client; in the worker's thread."""
        self._store.close()
