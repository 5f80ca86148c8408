"""Say when the chain stands still because the source names a block and does not give it whole."""

from __future__ import annotations

import structlog

from counterpoise.errors import RetryableError
from counterpoise.formats import utc_second
from counterpoise.runtime.retry import Waiter
from counterpoise.runtime.status import ServiceStatus
from ingest.blocks.feed import Feed
from ingest.blocks.missing_blocks import MissingBlock, MissingBlocks
from ingest.blocks.sources.block_source import BlockBatch
from ingest.blocks.stored_blocks import StoredBlocks

_LOOK_SECONDS = 5.0
"""Between two questions to ClickHouse, asked only while a block is owed."""

log = structlog.get_logger("ingest")


class StallNotice:
    """Keeps what the source owes, and turns the status to `waiting` on `source` once a block is owed for `after_seconds`.

    `is_so` tells whether it does now.
    """

    def __init__(
        self, feed: Feed, stored: StoredBlocks, *, waiter: Waiter, status: ServiceStatus, after_seconds: float
    ) -> None:
        self._feed = feed
        self._held = stored
        self._waiter = waiter
        self._status = status
        self._withheld = MissingBlocks(after_seconds)
        self._by: str | None = None
        self._look_at = 0.0

    @property
    def is_so(self) -> bool:
        return self._by is not None

    def owes(self, block_hash: str, height: int, problem: str) -> bool:
        """The source was asked for a block and did not give it whole; whether that is new."""
        clock = self._waiter.clock
        return self._withheld.note(block_hash, height, problem, now=clock.monotonic(), utc=clock.now())

    def received(self, batch: BlockBatch) -> None:
        """The source gave these."""
        for event in batch.events:
            self._withheld.given(event.hash)

    def retry_due(self) -> list[str]:
        """Blocks to ask for again now."""
        return self._withheld.retry_due(self._waiter.clock.monotonic())

    def look(self, *, source_is_down: bool = False) -> bool:
        """Bring the status up to date and return `is_so`. A source that is down altogether keeps its own reason there."""
        now = self._waiter.clock.monotonic()
        if self._withheld and now >= self._look_at:
            self._look_at = now + _LOOK_SECONDS
            self._settle()
        block = self._withheld.overdue(now)
        if block is not None:
            self._say(block, source_is_down)
        elif self._by is not None:
            log.info("the chain is no longer held up", hash=self._by)
            self._by = None
            self._status.set(withheld_block=None)
            self._status.working()
        return self.is_so

    def _settle(self) -> None:
        try:
            tip = self._held.tip()
        except RetryableError as error:  # seen again at the next look
            log.debug("cannot see whether the chain stands still", reason=str(error))
            return
        newest = self._feed.newest
        self._withheld.settle(-1 if tip is None else tip.height, 0 if newest is None else newest.height)

    def _say(self, block: MissingBlock, source_is_down: bool) -> None:
        name = self._feed.source.name
        since = utc_second(block.since)
        reason = (
            f"{name} does not give block {block.height} ({block.hash}) whole since {since} UTC, and the chain cannot go on "
            f"without it ({block.problem}): mend {name}, or run a second ingester with another source for this dataset"
        )
        if self._by != block.hash:
            self._by = block.hash
            log.error("the chain is held up by a block", height=block.height, hash=block.hash, reason=reason)
        shown = {"height": block.height, "hash": block.hash, "since": block.since, "problem": block.problem}
        self._status.set(withheld_block=shown)
        if not source_is_down:
            self._status.waiting("source", reason)
