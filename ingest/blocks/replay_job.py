"""Replay a file, or the packaged figures, through Kafka into ClickHouse, to its end."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

from counterpoise.runtime.clock import Clock, SystemClock
from counterpoise.runtime.service_status import ServiceStatus
from counterpoise.settings.model import Settings
from ingest.blocks.backfill import ReplayReport, run_backfill
from ingest.blocks.feed import OnProgress
from ingest.blocks.sources.replay_source import FIGURES, replay_source


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
    wait_until_stored: bool = True,
    on_published: Callable[[], None] | None = None,
) -> ReplayReport:
    """`run_backfill` with the blocks of a file, or of `figures`; `speed` None is what the settings say.

    A second replay into the same dataset goes on where the first one ended.
    """
    clock = clock or SystemClock()
    return run_backfill(
        settings,
        replay_source(settings, path, clock),
        stop=stop,
        status=status,
        on_progress=on_progress,
        clock=clock,
        speed=settings.ingest.replay.speed if speed is None else speed,
        from_height=from_height,
        to_height=to_height,
        wait_until_stored=wait_until_stored,
        on_published=on_published,
    )


__all__ = ["FIGURES", "ReplayReport", "run_replay"]
