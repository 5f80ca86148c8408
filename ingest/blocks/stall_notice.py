"""Say when the chain stands still because the source names a block and does not give it whole."""

from __future__ import annotations

import structlog

from counterpoise.errors import RetryableError
from counterpoise.formats import utc_second
from counterpoise.runtime.retry import Waiter
from counterpoise.runtime.service_status import ServiceStatus
from ingest.blocks.feed import Feed
from ingest.blocks.missing_blocks import MissingBlock, MissingBlocks
from ingest.blocks.sources.block_source import BlockBatch
from ingest.blocks.stored_blocks import StoredBlocks

_POLL_SECONDS = 5.0
"""Between two questions to ClickHouse, asked only while a block is missing."""

log = structlog.get_logger("ingest")


class StallNotice:
    """Keeps the blocks that the source does not give, and turns the status to `waiting` on `source` once one is missing for
    `after_seconds`. `is_stalled`: whether that is so now.
    """

    def __init__(
        self, feed: Feed, stored: StoredBlocks, *, waiter: Waiter, status: ServiceStatus, after_seconds: float
    ) -> None:
        self._feed = feed
        self._stored = stored
        self._waiter = waiter
        self._status = status
        self._missing = MissingBlocks(after_seconds)
        self._by: str | None = None
        self._poll_at = 0.0

    @property
    def is_stalled(self) -> bool:
        return self._by is not None

    def add_missing(self, block_hash: str, height: int, problem: str) -> bool:
        """The source was asked for a block and did not give it whole; whether that is new."""
        clock = self._waiter.clock
        return self._missing.note(block_hash, height, problem, now=clock.monotonic(), utc=clock.now())

    def received(self, batch: BlockBatch) -> None:
        """The source gave these."""
        for event in batch.events:
            self._missing.given(event.hash)

    def retry_due(self) -> list[str]:
        """Blocks to ask for again now."""
        return self._missing.retry_due(self._waiter.clock.monotonic())

    def poll(self, *, source_is_down: bool = False) -> bool:
        """Bring the status up to date and return `is_so`. A source that is down altogether keeps its own reason there."""
        now = self._waiter.clock.monotonic()
        if self._missing and now >= self._poll_at:
            self._poll_at = now + _POLL_SECONDS
            self._settle()
        block = self._missing.overdue(now)
        if block is not None:
            self._publish(block, source_is_down)
        elif self._by is not None:
            log.info("the chain is no longer stalled", hash=self._by)
            self._by = None
            self._status.set(withheld_block=None)
            self._status.working()
        return self.is_stalled

    def _settle(self) -> None:
        try:
            tip = self._stored.tip()
        except RetryableError as error:  # seen again at the next poll
            log.debug("cannot see whether the chain is stalled", reason=str(error))
            return
        newest = self._feed.newest
        self._missing.settle(-1 if tip is None else tip.height, 0 if newest is None else newest.height)

    def _publish(self, block: MissingBlock, source_is_down: bool) -> None:
        name = self._feed.source.name
        since = utc_second(block.since)
        reason = (
            f"{name} does not give block {block.height} ({block.hash}) whole since {since} UTC, and the chain stalls "
            f"without it ({block.problem}). Fix {name}, or run a second ingester with another source for this dataset"
        )
        if self._by != block.hash:
            self._by = block.hash
            log.error("a missing block stalls the chain", height=block.height, hash=block.hash, reason=reason)
        shown = {"height": block.height, "hash": block.hash, "since": block.since, "problem": block.problem}
        self._status.set(withheld_block=shown)
        if not source_is_down:
            self._status.waiting("source", reason)
