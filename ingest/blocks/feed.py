"""Bring ranges of a source's blocks into Kafka, and find out where to go on after anything was lost.

No cursor is kept anywhere: what ClickHouse holds is where ingest stands. A broker that forgot what it acknowledged is noticed, and
what ClickHouse does not hold is sent again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import structlog

from counterpoise.contracts.blocks import BlockEvent
from counterpoise.errors import RetryableError
from counterpoise.kafka.broker_memory import BrokerLostMemory
from counterpoise.runtime.retry import Waiter
from counterpoise.runtime.service_status import ServiceStatus
from ingest.blocks.pace import Pace
from ingest.blocks.sources.block_source import BlockBatch, BlockSource
from ingest.blocks.stored_blocks import StoredBlocks, StoredTip
from ingest.publisher import Publisher

OnProgress = Callable[[int, int], None]
"""Called with the height reached and the last height wanted."""

Before = Callable[[BlockBatch], BlockBatch]
"""Gets a batch before it is published and may put blocks between."""

log = structlog.get_logger("ingest")


class Feed:
    """One source, one publisher, one chain; used by one thread. Waits for whatever is down; StoppingError when told to stop."""

    def __init__(
        self,
        source: BlockSource,
        publisher: Publisher,
        stored: StoredBlocks,
        *,
        waiter: Waiter,
        status: ServiceStatus,
        pace: Pace | None = None,
    ) -> None:
        self.source = source
        self.publisher = publisher
        self._stored = stored
        self._waiter = waiter
        self._status = status
        self._pace = pace
        self.newest: BlockEvent | None = None
        """The highest block published, the last of several."""
        self.last: BlockEvent | None = None
        """The block published last."""

    def stored_tip(self) -> StoredTip | None:
        """What ClickHouse holds; waits for it."""
        return self._waiter.until_done("clickhouse", self._stored.tip)

    def publish_range(
        self,
        from_height: int,
        to_height: int,
        *,
        on_progress: OnProgress | None = None,
        before: Before | None = None,
    ) -> None:
        """Publish heights of the source, lowest first; `before` may put missing ancestors in front of a batch.

        A source that fails half way is asked again from the height reached. Raises BrokerLostMemory.
        """
        cursor = from_height
        while cursor <= to_height:
            publish = partial(self._publish_until_failure, cursor, to_height, on_progress, before)
            reached = self._waiter.until_done("source", publish)
            if reached is None:
                return
            cursor = reached + 1

    def publish(self, batch: BlockBatch) -> None:
        """Publish what one request gave: its blocks in order, and what is no block as dead letters."""
        self._status.beat()
        for item in batch.bad:
            self.publisher.dead_letter(item, self.source.name)
        if not batch.events:
            return
        if self._pace is None:
            self._send(batch.events)
        else:
            for events in self._pace.portions(batch.events):
                self._send(events)
                self.publisher.flush()
                self.check_broker()

    def check_broker(self, *, now: bool = False) -> None:
        """Raise BrokerLostMemory where the broker lost what ClickHouse may not hold yet."""
        if self.publisher.lost_memory(now=now):
            log.warning("kafka lost its messages: publishing again what clickhouse does not hold")
            raise BrokerLostMemory

    def wait_until_stored(self, *, on_stored: Callable[[int], None] | None = None, poll_seconds: float = 0.25) -> None:
        """Return when ClickHouse holds the block that was published last; `on_stored` gets the height held meanwhile.

        Raises BrokerLostMemory.
        """
        self.publisher.flush()
        last = self.last
        if last is None:
            return
        while not self._waiter.until_done("clickhouse", lambda: self._stored.holds(last.height, last.hash)):
            self.check_broker()
            if on_stored is not None:
                tip = self.stored_tip()
                on_stored(0 if tip is None else tip.height)
            self._waiter.pause(poll_seconds)
        if on_stored is not None:
            on_stored(last.height)

    def _publish_until_failure(
        self,
        from_height: int,
        to_height: int,
        on_progress: OnProgress | None,
        before: Before | None,
    ) -> int | None:
        """None when all is published; the height reached where the source failed after some of it."""
        reached: int | None = None
        try:
            for batch in self.source.blocks(from_height, to_height):
                self._waiter.check()
                self.publish(batch if before is None else before(batch))
                if batch.events:
                    reached = max(event.height for event in batch.events)
                    if on_progress is not None:
                        on_progress(reached, to_height)
                self.check_broker()
        except RetryableError:
            if reached is None:
                raise
            return reached
        return None

    def _send(self, events: Sequence[BlockEvent]) -> None:
        self.publisher.send(events)
        self.last = events[-1]
        highest = max(events, key=lambda event: event.height)
        if self.newest is None or highest.height >= self.newest.height:
            self.newest = highest
        self._status.set(source=self.source.name, published_hash=self.newest.hash)
        self._status.set_of_chain(
            self.newest.chain, published_height=self.newest.height, published_time=self.newest.time
        )
