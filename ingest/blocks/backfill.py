"""Publish a range of blocks, wait until ClickHouse holds it, and report: what a replay and a backfill have in common."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from counterpoise.clickhouse.client import connect_consistent
from counterpoise.clickhouse.dataset_mark import open_dataset
from counterpoise.errors import ConfigError
from counterpoise.kafka.broker_memory import BrokerLostMemory
from counterpoise.runtime.clock import Clock, SystemClock
from counterpoise.runtime.retry import StoppingError
from counterpoise.runtime.service_status import ServiceStatus
from counterpoise.settings.endpoints import clickhouse_target, kafka_target
from counterpoise.settings.model import Settings
from ingest.blocks.feed import Feed, OnProgress
from ingest.blocks.follower import Follower
from ingest.blocks.height_at_time import first_height_since
from ingest.blocks.pace import Pace
from ingest.blocks.sources.block_source import BlockSource, LiveSource
from ingest.blocks.stored_blocks import RECENT_BLOCKS, StoredBlocks
from ingest.ingest_waiter import ingest_waiter
from ingest.publisher import Publisher

log = structlog.get_logger("ingest")


@dataclass(frozen=True, slots=True)
class ReplayReport:
    """What was published; `complete` is false where it was stopped before its end. Seconds are of the wall clock."""

    source: str
    blocks: int
    messages: int
    message_bytes: int
    dead_letters: int
    first_height: int
    last_height: int
    publishing_seconds: float
    total_seconds: float
    broker_losses: int
    complete: bool


def run_backfill(
    settings: Settings,
    source: BlockSource,
    *,
    stop: threading.Event,
    status: ServiceStatus,
    on_progress: OnProgress | None = None,
    clock: Clock | None = None,
    speed: float = 0.0,
    from_height: int | None = None,
    from_time: int | None = None,
    to_height: int | None = None,
    wait_until_stored: bool = True,
    on_published: Callable[[], None] | None = None,
    on_stored: Callable[[int], None] | None = None,
) -> ReplayReport:
    """Publish the source's blocks from `from_height` (or the first of `from_time`, seconds) to `to_height` (its tip where None).

    What ClickHouse holds already is not sent again, apart from the newest blocks. `speed` is a multiple of real time, 0 flat out.
    `on_progress` gets (height, last height), `on_published` is called once all is acknowledged by Kafka, and from then
    `on_stored` gets the height that ClickHouse holds. Without `wait_until_stored` it returns then; otherwise streams must run for
    the wait to end. Migrations must have run. The source is closed at the end.

    ConfigError for a range that the source does not have or that does not adjoin what the dataset holds, and for a dataset of a kind
    that this source must not fill.
    """
    clock = clock or SystemClock()
    waiter = ingest_waiter(clock, stop, status, stale_after_seconds=settings.ingest.stale_after_seconds)
    began = published_at = clock.monotonic()
    losses, complete = 0, False
    first = last = 0
    with connect_consistent(clickhouse_target(settings), settings.dataset) as clickhouse:
        publisher = Publisher(settings, kafka_target(settings), waiter, status)
        stored = StoredBlocks(clickhouse, settings.ingest.chain)
        pace = Pace(speed, waiter) if speed > 0 else None
        feed = Feed(source, publisher, stored, waiter=waiter, status=status, pace=pace)
        try:
            require_kind(settings, source)
            if from_time is not None:
                from_height = waiter.until_done("source", lambda: first_height_since(source, from_time))
            first, last = waiter.until_done("source", lambda: height_range(source, from_height, to_height))
            waiter.until_done("clickhouse", lambda: open_dataset(clickhouse, settings.dataset_of))
            waiter.until_done("clickhouse", lambda: require_adjoining(settings, stored, first))
            publisher.open()
            while not complete:
                try:
                    start = resume_height(feed, first)
                    before = Follower(source, {}, start).with_ancestors if isinstance(source, LiveSource) else None
                    feed.publish_range(start, last, on_progress=on_progress, before=before)
                    publisher.flush()
                    published_at = clock.monotonic()
                    if on_published is not None:
                        on_published()
                        on_published = None
                    if wait_until_stored:
                        feed.wait_until_stored(on_stored=on_stored)
                    complete = True
                except BrokerLostMemory:
                    losses += 1
        except StoppingError:
            log.info("stopped before the end", published_blocks=publisher.blocks_sent)
        finally:
            publisher.close()
            source.close()
    return ReplayReport(
        source=source.name,
        blocks=publisher.blocks_sent,
        messages=publisher.messages_sent,
        message_bytes=publisher.bytes_sent,
        dead_letters=publisher.dead_letters_sent,
        first_height=first,
        last_height=last,
        publishing_seconds=published_at - began,
        total_seconds=clock.monotonic() - began,
        broker_losses=losses,
        complete=complete,
    )


def resume_height(feed: Feed, first_height: int) -> int:
    """Where to go on: far enough below what ClickHouse holds that no branch is missed, or at the beginning."""
    tip = feed.stored_tip()
    return first_height if tip is None else max(first_height, tip.height - RECENT_BLOCKS)


def height_range(source: BlockSource, from_height: int | None, to_height: int | None) -> tuple[int, int]:
    """The first and the last height to publish; ConfigError where those asked for are not in the source."""
    tip = source.tip()
    first = tip.lowest_height if from_height is None else from_height
    last = tip.height if to_height is None else to_height
    if not tip.lowest_height <= first <= last <= tip.height:
        raise ConfigError(
            f"heights {first} to {last} were asked for; source {source.name} has {tip.lowest_height} to {tip.height}: "
            "change --from-height or --to-height"
        )
    return first, last


def require_adjoining(settings: Settings, stored: StoredBlocks, first_height: int) -> None:
    """ConfigError where the dataset holds blocks and these would lie before them, or leave a gap after them."""
    lowest, tip = stored.lowest(), stored.tip()
    if lowest is None or tip is None:
        return
    if first_height < lowest:
        raise ConfigError(
            f"dataset {settings.dataset!r} begins at height {lowest}: earlier blocks ({first_height}) cannot be added, because every "
            "stored figure rests on them. Fill another dataset with --dataset"
        )
    if first_height > tip.height + 1:
        raise ConfigError(
            f"dataset {settings.dataset!r} ends at height {tip.height}: blocks from {first_height} would leave a gap: start at "
            f"{tip.height + 1} or below, or fill another dataset with --dataset"
        )


def require_kind(settings: Settings, source: BlockSource) -> None:
    """ConfigError where this source must not fill a dataset of this kind: replays never mix with live data."""
    kinds = source.capabilities.kinds
    if settings.dataset_kind not in kinds:
        raise ConfigError(
            f"source {source.name!r} must not fill dataset {settings.dataset!r}, which is {settings.dataset_kind}: expected "
            f"{' or '.join(sorted(kinds))}: give --dataset-kind, and another --dataset"
        )
