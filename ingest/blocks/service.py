"""The ingest service: history first, then the tip, for as long as it lives."""

from __future__ import annotations

import threading
from datetime import datetime

import structlog

from counterpoise.clickhouse.client import connect_consistent
from counterpoise.clickhouse.dataset_mark import open_dataset
from counterpoise.errors import RetryableError
from counterpoise.kafka.broker_memory import BrokerLostMemory
from counterpoise.runtime.clock import Clock, SystemClock
from counterpoise.runtime.retry import Backoff, RetryPolicy, StoppingError, Waiter
from counterpoise.runtime.service_status import ServiceStatus
from counterpoise.settings.endpoints import clickhouse_target, kafka_target
from counterpoise.settings.model import Settings
from ingest.blocks.backfill import require_kind, resume_height
from ingest.blocks.block_requests import BlockRequests, answer, last_height
from ingest.blocks.feed import Feed
from ingest.blocks.follower import Follower
from ingest.blocks.height_at_time import first_height_since
from ingest.blocks.pace import Pace
from ingest.blocks.sources.block_source import BlockBatch, BlockSource, LiveSource, Tip
from ingest.blocks.sources.block_sources import configured_source
from ingest.blocks.stall_notice import StallNotice
from ingest.blocks.stored_blocks import StoredBlocks
from ingest.blocks.withdrawn_blocks import WithdrawnBlocks
from ingest.ingest_waiter import SOURCE_RETRY, ingest_waiter
from ingest.publisher import Publisher

SOURCE_POLL_RETRY = RetryPolicy(1.0, 60.0)
"""Between two polls of a source that does not answer."""
_ROUND_SECONDS = 0.5
"""The longest that the main loop is deaf to gap requests, a stop, or a broker that forgot."""

_FAR_BEHIND_BLOCKS = 32
_REPEAT_LOG_SECONDS = 60.0

log = structlog.get_logger("ingest")


def run_ingest(
    settings: Settings,
    *,
    clock: Clock | None = None,
    stop: threading.Event,
    status: ServiceStatus,
    source: BlockSource | None = None,
    from_height: int | None = None,
    from_date: datetime | None = None,
) -> None:
    """Publish the configured source's blocks until `stop` is set: history, gaps, then every new block of every branch.

    A first start fetches `settings.ingest.history_blocks`, or what `from_height` or `from_date` says; a later one goes on from what
    ClickHouse holds. Whatever is down is waited for. Migrations must have run. ConfigError where a setting cannot work.
    """
    clock = clock or SystemClock()
    waiter = ingest_waiter(clock, stop, status, stale_after_seconds=settings.ingest.stale_after_seconds)
    source = source or configured_source(settings, clock)
    try:
        require_kind(settings, source)
        kafka = kafka_target(settings)
        with connect_consistent(clickhouse_target(settings), settings.dataset) as clickhouse:
            publisher = Publisher(settings, kafka, waiter, status)
            requests = BlockRequests(settings, kafka, clock)
            stored = StoredBlocks(clickhouse, settings.ingest.chain)
            speed = 0.0 if source.capabilities.live else settings.ingest.replay.speed
            pace = Pace(speed, waiter) if speed > 0 else None
            feed = Feed(source, publisher, stored, waiter=waiter, status=status, pace=pace)
            try:
                waiter.until_done("clickhouse", lambda: open_dataset(clickhouse, settings.dataset_of))
                publisher.open()
                service = _Ingest(settings, feed, stored, requests, waiter=waiter, status=status)
                service.run(from_height, from_date)
            finally:
                requests.close()
                publisher.close()
    except StoppingError:
        log.info("ingest stopped")
    finally:
        source.close()


class _Ingest:
    def __init__(
        self,
        settings: Settings,
        feed: Feed,
        stored: StoredBlocks,
        requests: BlockRequests,
        *,
        waiter: Waiter,
        status: ServiceStatus,
    ) -> None:
        self._settings = settings
        self._feed = feed
        self._stored = stored
        self._requests = requests
        self._waiter = waiter
        self._status = status
        self._source_backoff = Backoff(SOURCE_POLL_RETRY)
        self._source_down_since: float | None = None
        self._source_logged_at = 0.0
        self._withdrawn = WithdrawnBlocks()
        self._stall_notice = StallNotice(
            feed, stored, waiter=waiter, status=status, after_seconds=settings.ingest.stale_after_seconds
        )

    def run(self, from_height: int | None, from_date: datetime | None) -> None:
        """Until StoppingError is raised; starts over from ClickHouse each time the broker lost its memory."""
        if from_date is not None:
            source, when = self._feed.source, int(from_date.timestamp())
            from_height = self._waiter.until_done("source", lambda: first_height_since(source, when))
        while True:
            try:
                if isinstance(self._feed.source, LiveSource):
                    self._follow(self._feed.source, from_height)
                else:
                    self._replay(from_height)
            except BrokerLostMemory:
                self._requests.from_the_beginning()

    def _replay(self, from_height: int | None) -> None:
        """A source that ends: publish it, wait until ClickHouse holds it, then only answer requests."""
        tip = self._tip()
        first = tip.lowest_height if from_height is None else from_height
        self._feed.publish_range(resume_height(self._feed, first), tip.height, on_progress=self._report)
        self._feed.wait_until_stored()
        log.info("replay is done, all of it is in ClickHouse", source=self._feed.source.name, height=tip.height)
        self._status.set(done=True)
        while True:
            self._serve_requests(None)
            self._feed.check_broker()
            if not self._stall_notice.poll():
                self._status.working()
            self._waiter.pause(_ROUND_SECONDS)

    def _follow(self, source: LiveSource, from_height: int | None) -> None:
        """A live source: what is missing up to its tip, then its tip."""
        stored = self._feed.stored_tip()
        tip = self._tip()
        start = self._start_height(tip, stored.height if stored else None, from_height)
        known = self._waiter.until_done("clickhouse", self._stored.recent) if stored else {}
        # What ClickHouse holds near its tip is sent again, so it does not count as published: the newest of it may be lost.
        follower = Follower(
            source, {h: height for h, height in known.items() if height < start}, min([start, *known.values()])
        )
        if stored:
            self._repair_gaps()
        log.info("fetching history", source=source.name, from_height=start, to_height=tip.height)
        self._feed.publish_range(start, tip.height, on_progress=self._report, before=follower.with_ancestors)
        self._feed.publisher.flush()
        log.info("following the tip", source=source.name, height=tip.height)
        self._follow_tip(source, follower)

    def _follow_tip(self, source: LiveSource, follower: Follower) -> None:
        clock = self._waiter.clock
        poll_at = clock.monotonic()
        while True:
            self._waiter.check()
            self._status.beat()
            now = clock.monotonic()
            news = source.wait(min(_ROUND_SECONDS, max(0.0, poll_at - now)))
            try:
                for block_hash in news.hashes:
                    self._publish_new(follower, follower.new_at(block_hash))
                for block_hash in self._stall_notice.retry_due():
                    follower.try_again(block_hash)
                if news.changed or clock.monotonic() >= poll_at:
                    poll_at = clock.monotonic() + source.poll_seconds
                    self._poll(source, follower, by_news=news.changed)
                    self._source_answers()
            except RetryableError as error:
                poll_at = clock.monotonic() + self._source_fails(error)
            self._serve_requests(follower)
            self._feed.check_broker()
            self._stall_notice.poll(source_is_down=self._source_down_since is not None)

    def _poll(self, source: LiveSource, follower: Follower, *, by_news: bool) -> None:
        tip = source.tip()
        self._status.set(source=source.name, source_hash=tip.hash)
        self._status.set_of_chain(self._settings.ingest.chain, source_height=tip.height)
        newest = self._feed.newest
        highest = None if newest is None else (newest.height, newest.hash)
        self._status.set(source_problem=self._withdrawn.poll(tip, highest))
        if follower.knows(tip.hash):
            return
        if newest is not None and tip.height - newest.height > _FAR_BEHIND_BLOCKS:
            first = max(newest.height + 1, tip.lowest_height)
            self._feed.publish_range(first, tip.height, on_progress=self._report, before=follower.with_ancestors)
            return
        batch = follower.new_at_tip(tip)
        self._publish_new(follower, batch)
        if batch.events and not by_news:
            log.debug("new tip found by polling", height=tip.height)

    def _publish_new(self, follower: Follower, batch: BlockBatch) -> None:
        """Publish what a walk gave: new blocks, and below them at most one that the source does not give whole."""
        if not batch.events and not batch.bad:
            return
        newest = self._feed.newest
        below = batch.events[0].height - 1 if batch.events else 0 if newest is None else newest.height + 1
        bad = [
            item
            for item in batch.bad
            if self._stall_notice.add_missing(
                item.key, below if item.height is None else item.height, f"{item.reason}: {item.detail}"
            )
        ]
        self._feed.publish(BlockBatch(batch.events, tuple(bad)))
        self._feed.publisher.flush()
        self._received(follower, batch)
        for event in batch.events:
            log.info("block", height=event.height, hash=event.hash, source=event.source)

    def _serve_requests(self, follower: Follower | None) -> None:
        requests, bad = self._requests.take()
        for item in bad:
            self._feed.publisher.dead_letter(item, "block-requests")
        for request in requests:
            problem = f"{self._feed.source.name} does not know it"
            blocks, is_given = 0, False
            is_part = last_height(request) < request.to_height
            try:
                for batch in answer(self._feed.source, request):
                    blocks += len(batch.events)
                    is_given = is_given or any(event.hash == request.hash for event in batch.events)
                    problem = next((f"{item.reason}: {item.detail}" for item in batch.bad), problem)
                    if is_part:  # what is requested then does not name the block that the source lacks
                        for item in batch.bad:
                            reason = f"{item.reason}: {item.detail}"
                            self._stall_notice.add_missing(item.key, item.height or request.from_height, reason)
                    new = tuple(item for item in batch.bad if follower is None or not follower.knows(item.key))
                    self._feed.publish(BlockBatch(batch.events, new))
                    self._received(follower, batch)
            except RetryableError as error:
                self._requests.failed(request)
                log.warning("cannot answer a block request", hash=request.hash, reason=str(error))
                problem = str(error)
            else:
                log.info("block request", hash=request.hash, from_height=request.from_height, blocks=blocks)
                self._status.count("block_requests")
            if not is_given and not (is_part and blocks):
                self._stall_notice.add_missing(request.hash, request.to_height, problem)

    def _received(self, follower: Follower | None, batch: BlockBatch) -> None:
        """Remember what was published and what was no block."""
        self._stall_notice.received(batch)
        if follower is not None:
            follower.published(batch.events)
            follower.give_up(batch.bad)

    def _repair_gaps(self) -> None:
        for first, last in self._waiter.until_done("clickhouse", self._stored.gaps):
            log.warning("clickhouse lacks blocks, publishing them again", from_height=first, to_height=last)
            self._feed.publish_range(first, last)

    def _tip(self) -> Tip:
        return self._waiter.until_done("source", self._feed.source.tip, policy=SOURCE_RETRY)

    def _start_height(self, tip: Tip, stored_height: int | None, from_height: int | None) -> int:
        settings = self._settings.ingest
        if stored_height is not None:
            start = stored_height + 1 - settings.reorg_margin_blocks
        else:
            start = tip.height + 1 - settings.history_blocks if from_height is None else from_height
        start = max(start, 0)
        if start < tip.lowest_height:
            log.error(
                "the source has no blocks that far back (a pruned node): history starts later",
                wanted_height=start,
                lowest_height=tip.lowest_height,
            )
            start = tip.lowest_height
        return min(start, tip.height)

    def _report(self, height: int, last_height: int) -> None:
        self._status.set(history_height=height, history_to_height=last_height)

    def _source_fails(self, error: RetryableError) -> float:
        """Say so, and how long to leave the source alone."""
        now = self._waiter.clock.monotonic()
        if self._source_down_since is None:
            self._source_down_since = now
        down_seconds = now - self._source_down_since
        stale = down_seconds >= self._settings.ingest.stale_after_seconds
        self._status.waiting("source", str(error))
        self._status.set(stale="source" if stale else None)
        if now - self._source_logged_at >= _REPEAT_LOG_SECONDS or down_seconds == 0:
            self._source_logged_at = now
            write_line = log.error if stale else log.warning
            write_line(
                "source is down" + (", data is stale" if stale else ""), seconds=round(down_seconds), reason=str(error)
            )
        return self._source_backoff.next_seconds()

    def _source_answers(self) -> None:
        if self._source_down_since is not None:
            log.info("source answers again", seconds=round(self._waiter.clock.monotonic() - self._source_down_since))
            self._status.set(stale=None)
        self._source_down_since = None
        self._source_backoff.reset()
        if not self._stall_notice.is_stalled:
            self._status.working()
