"""Replay a file, or the packaged figures, through Kafka into ClickHouse, to its end."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import structlog

from counterpoise.clickhouse.client import connect
from counterpoise.clickhouse.datasets import open_dataset
from counterpoise.clock import Clock, SystemClock
from counterpoise.endpoints import clickhouse_target, kafka_bootstrap
from counterpoise.errors import ConfigError
from counterpoise.settings import Settings
from counterpoise.telemetry.status import ServiceStatus
from ingest.feed import BrokerLostMemory, Feed, OnProgress
from ingest.held import RECENT_BLOCKS, HeldBlocks
from ingest.pace import Pace
from ingest.publisher import Publisher
from ingest.sources.registry import replay_source
from ingest.sources.source import BlockSource, Tip
from ingest.waiting import Stopped, Waiter

log = structlog.get_logger("ingest")


@dataclass(frozen=True, slots=True)
class ReplayReport:
    """What a replay published; `complete` is false where it was stopped before its end. Seconds are of the wall clock."""

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


def run_replay(
    settings: Settings,
    path: Path | str,
    *,
    stop: threading.Event,
    status: ServiceStatus,
    on_progress: OnProgress | None = None,
    clock: Clock | None = None,
    speed: float | None = None,
    from_height: int | None = None,
    to_height: int | None = None,
    wait_until_held: bool = True,
    on_published: Callable[[], None] | None = None,
) -> ReplayReport:
    """Publish all blocks of `path` (or of `figures`) that ClickHouse does not hold yet, and wait until it holds the last.

    Goes on where an earlier replay of the same dataset ended. `speed` is a multiple of real time, 0 flat out, None what the settings
    say. `on_progress` gets (height, last height) as blocks are published, `on_published` is called once all are acknowledged.
    Migrations must have run; streams must run for the wait to end. ConfigError for a file, range or dataset that cannot be.
    """
    clock = clock or SystemClock()
    waiter = Waiter(clock, stop, status, stale_after_seconds=settings.ingest.stale_after_seconds)
    source = replay_source(settings, path, clock)
    tip = check_range(source, from_height, to_height)
    require_kind(settings, source)
    began = clock.monotonic()
    published_at = began
    losses = 0
    complete = False
    with connect(clickhouse_target(settings), settings.dataset) as clickhouse:
        publisher = Publisher(settings, kafka_bootstrap(settings), waiter, status)
        held = HeldBlocks(clickhouse, settings.ingest.chain)
        times = settings.ingest.replay.speed if speed is None else speed
        feed = Feed(
            source, publisher, held, waiter=waiter, status=status, pace=Pace(times, waiter) if times > 0 else None
        )
        first = tip.lowest_height if from_height is None else from_height
        last = tip.height if to_height is None else to_height
        try:
            waiter.until("clickhouse", lambda: open_dataset(clickhouse, settings.dataset_of))
            publisher.open()
            while not complete:
                try:
                    feed.publish_range(resume_height(feed, first), last, on_progress=on_progress)
                    publisher.flush()
                    published_at = clock.monotonic()
                    if on_published is not None:
                        on_published()
                        on_published = None
                    if wait_until_held:
                        feed.wait_until_held()
                    complete = True
                except BrokerLostMemory:
                    losses += 1
        except Stopped:
            log.info("replay stopped before its end", published_blocks=publisher.blocks_sent)
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
    """Where a replay goes on: a little below what ClickHouse holds, so that no branch is missed, or at its beginning."""
    tip = feed.held_tip()
    return first_height if tip is None else max(first_height, tip.height - RECENT_BLOCKS)


def check_range(source: BlockSource, from_height: int | None, to_height: int | None) -> Tip:
    """The source's end; ConfigError where the heights asked for are not in it."""
    tip = source.tip()
    first = tip.lowest_height if from_height is None else from_height
    last = tip.height if to_height is None else to_height
    if not tip.lowest_height <= first <= last <= tip.height:
        raise ConfigError(
            f"heights {first} to {last} were asked for; {source.name} has {tip.lowest_height} to {tip.height}: "
            "change --from-height or --to-height"
        )
    return tip


def require_kind(settings: Settings, source: BlockSource) -> None:
    """ConfigError where this source must not fill a dataset of this kind: replays never mix with live data."""
    kinds = source.capabilities.kinds
    if settings.dataset_kind not in kinds:
        raise ConfigError(
            f"source {source.name!r} must not fill dataset {settings.dataset!r}, which is {settings.dataset_kind}: expected "
            f"{' or '.join(sorted(kinds))}: set COUNTERPOISE_DATASET_KIND, and another COUNTERPOISE_DATASET"
        )
