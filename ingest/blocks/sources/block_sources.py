"""Every source by the name that settings give it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

from counterpoise.errors import ConfigError
from counterpoise.runtime.clock import Clock
from counterpoise.settings.model import Settings
from ingest.blocks.sources.bitcoind import BitcoindSource
from ingest.blocks.sources.block_source import BlockSource
from ingest.blocks.sources.mempool import MempoolSource
from ingest.blocks.sources.replay import ReplaySource
from ingest.blocks.sources.simulated import FiguresSource

FIGURES = "figures"
"""In place of a path: the figures that the package carries."""


def replay_source(settings: Settings, path: Path | str, clock: Clock) -> BlockSource:
    """A file of blocks, or with the word `figures` the packaged ones."""
    if str(path) == FIGURES:
        return FiguresSource(settings.ingest.chain, clock)
    return ReplaySource(Path(path), settings.ingest.chain, clock)


def _configured_replay(settings: Settings, clock: Clock) -> BlockSource:
    path = settings.ingest.replay.path
    if path is None:
        raise ConfigError(
            "source replay needs a file: set COUNTERPOISE_INGEST__REPLAY__PATH to a .parquet, .csv or .jsonl file, or to figures"
        )
    return replay_source(settings, path, clock)


def _bitcoind(settings: Settings, clock: Clock) -> BlockSource:
    return BitcoindSource(settings.ingest.bitcoind, settings.ingest.chain, clock)


def _mempool(settings: Settings, clock: Clock) -> BlockSource:
    return MempoolSource(settings.ingest.mempool, settings.ingest.chain, clock)


SOURCES: Final[dict[str, Callable[[Settings, Clock], BlockSource]]] = {
    "bitcoind": _bitcoind,
    "mempool": _mempool,
    "replay": _configured_replay,
}
