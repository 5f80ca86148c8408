"""Blocks for exercises: a few pools take turns, one block every ten minutes, and every run gives the same."""

from __future__ import annotations

from collections.abc import Iterator

from counterpoise.runtime.clock import Clock
from counterpoise.runtime.probe import Probe
from counterpoise.settings.model import Settings
from ingest.blocks.sources.block_columns import BlockColumns, EventMaker
from ingest.blocks.sources.block_source import BlockBatch, Capabilities, Tip

POOLS = ("antpool", "f2pool", "viabtc")
LAST_HEIGHT = 2_999
FIRST_TIME = 1_600_000_000
SPACING_SECONDS = 600


class RotaSource:
    """See the module."""

    name = "rota"
    capabilities = Capabilities(live=False, kinds=frozenset({"simulated"}))

    def __init__(self, chain: str, clock: Clock) -> None:
        self._chain = chain
        self._clock = clock

    @classmethod
    def from_settings(cls, settings: Settings, clock: Clock) -> RotaSource:
        """Under the chain of the settings."""
        return cls(settings.ingest.chain, clock)

    def probe(self) -> Probe:
        """There is nothing to ask."""
        return Probe("skipped", "blocks come from the rota of pools")

    def tip(self) -> Tip:
        """The last of a fixed number of blocks."""
        return Tip(LAST_HEIGHT)

    def blocks(self, from_height: int, to_height: int) -> Iterator[BlockBatch]:
        """One batch: hashes are derived from the first block on."""
        heights = range(min(to_height, LAST_HEIGHT) + 1)
        columns = BlockColumns(
            first_row=1,
            heights=heights,
            times=[FIRST_TIME + SPACING_SECONDS * height for height in heights],
            labels=[POOLS[height % len(POOLS)] for height in heights],
        )
        events = EventMaker(self._chain, self.name).events(columns, int(self._clock.now() * 1000))
        yield BlockBatch(tuple(events[from_height:]))

    def close(self) -> None:
        """Nothing is open."""
