"""Every source of blocks by the name that settings give it. To add one: a file beside this, and a line in SOURCES.

A source that has settings also has a section of its name in `IngestSettings`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from counterpoise.errors import ConfigError
from counterpoise.runtime.clock import Clock
from counterpoise.settings.model import Settings
from ingest.blocks.sources.bitcoind import BitcoindSource
from ingest.blocks.sources.block_source import BlockSource
from ingest.blocks.sources.mempool import MempoolSource
from ingest.blocks.sources.replay_source import ReplaySource
from ingest.blocks.sources.simulated import FiguresSource

SOURCES: Final[dict[str, Callable[[Settings, Clock], BlockSource]]] = {
    "bitcoind": BitcoindSource.from_settings,
    "mempool": MempoolSource.from_settings,
    "replay": ReplaySource.from_settings,
    "figures": FiguresSource.from_settings,
}


def configured_source(settings: Settings, clock: Clock) -> BlockSource:
    """The source that the settings name. ConfigError where there is none of that name, or it cannot work as it is set."""
    name = settings.ingest.source
    if name not in SOURCES:
        raise ConfigError(f"COUNTERPOISE_INGEST__SOURCE is {name!r}, expected one of {', '.join(SOURCES)}")
    return SOURCES[name](settings, clock)
