"""The demo's source: blocks drawn from real counts that the package carries (blocks per pool in bins of 144 blocks).

Real are the heights, how many blocks each pool mined in each bin, and the header time of a bin's last block. The order inside a
bin is drawn from a fixed seed and the times between are spread evenly, so no single block is one that was mined. Every run gives the
same blocks.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.resources import files
from itertools import groupby

import numpy as np

from counterpoise.errors import ConfigError
from counterpoise.runtime.clock import Clock
from counterpoise.runtime.probe import Probe
from counterpoise.settings.model import Settings
from ingest.blocks.sources.block_columns import BlockColumns, EventMaker
from ingest.blocks.sources.block_source import BlockBatch, Capabilities, Tip

SEED = 75
BIN_BLOCKS = 144
TABLE_NAME = f"blocks_per_pool_{BIN_BLOCKS}.csv"


@dataclass(frozen=True, slots=True)
class Bin:
    """At most BIN_BLOCKS consecutive blocks of one UTC month: how many each pool mined, after `start` and up to `end`, in seconds.

    `end` is the header time of the last block. Blocks of unknown origin count under `unknown`.
    """

    first_height: int
    start: int
    end: int
    blocks_by_pool: dict[str, int]

    @property
    def blocks(self) -> int:
        return sum(self.blocks_by_pool.values())


@dataclass(frozen=True, slots=True)
class MonthOfBins:
    """The bins of one UTC month (`2024-06`), in order. Its counts are exact: no bin reaches over its ends."""

    name: str
    bins: tuple[Bin, ...]

    @property
    def start(self) -> int:
        return self.bins[0].start

    @property
    def end(self) -> int:
        return self.bins[-1].end

    @property
    def blocks(self) -> int:
        return sum(one.blocks for one in self.bins)

    @property
    def blocks_by_pool(self) -> dict[str, int]:
        total: dict[str, int] = {}
        for one in self.bins:
            for pool, blocks in one.blocks_by_pool.items():
                total[pool] = total.get(pool, 0) + blocks
        return total


@dataclass(frozen=True, slots=True)
class Figures:
    """The table: its bins by month, in order of height and without gaps."""

    months: tuple[MonthOfBins, ...]

    @property
    def first_height(self) -> int:
        return self.months[0].bins[0].first_height

    @property
    def last_height(self) -> int:
        last = self.months[-1].bins[-1]
        return last.first_height + last.blocks - 1


def read_figures() -> Figures:
    """Read the packaged table; ConfigError where the installation lacks it or it was changed into something else."""
    resource = files("ingest").joinpath("data", TABLE_NAME)
    try:
        return parse_figures(resource.read_text(encoding="utf-8"))
    except (OSError, ValueError, KeyError) as error:
        raise ConfigError(
            f"the packaged table {TABLE_NAME} cannot be used ({error}): install counterpoise again"
        ) from None


def parse_figures(text: str) -> Figures:
    """Parse `height,last_time,POOL,…` rows under a head of comments; ValueError or KeyError where it is not such a table."""
    lines = text.splitlines()
    head = dict(line[1:].strip().partition(" ")[::2] for line in lines if line.startswith("#"))
    names, *rows = (line.split(",") for line in lines if line and not line.startswith("#"))
    if names[:2] != ["height", "last_time"] or len(set(names)) < len(names):
        raise ValueError("the columns are not height, last_time and one for each pool")
    before, bins = _seconds(head["first_time"]), list[Bin]()
    for row in rows:
        made = dict(zip(names, row, strict=True))
        height, end = int(made.pop("height")), _seconds(made.pop("last_time"))
        counts = {pool: int(cell) for pool, cell in made.items() if cell}
        if min(counts.values(), default=0) < 1 or end <= before:
            raise ValueError(f"the bin at height {height} is empty, or does not end after the one before")
        if bins and height != bins[-1].first_height + bins[-1].blocks:
            raise ValueError(f"the bin at height {height} does not follow on the one before")
        bins.append(Bin(height, max(before, _month_start(end)), end, counts))
        before = end
    if not bins:
        raise ValueError("no bins")
    return Figures(tuple(MonthOfBins(name, tuple(of_month)) for name, of_month in groupby(bins, _month_name)))


def draw(one: Bin, seed: int = SEED) -> list[str]:
    """The pools of a bin's blocks in an order drawn from the seed: as many of each as the bin has."""
    pools = sorted(one.blocks_by_pool)
    blocks = np.repeat(np.arange(len(pools)), [one.blocks_by_pool[pool] for pool in pools])
    # The raw stream of a bit generator, unlike numpy's distributions, is the same in every version.
    draws = np.random.PCG64(np.random.SeedSequence([seed, one.first_height])).random_raw(len(blocks))
    return [pools[code] for code in blocks[np.argsort(draws, kind="stable")].tolist()]


class FiguresSource:
    """See the module."""

    name = "figures"
    capabilities = Capabilities(live=False, kinds=frozenset({"simulated"}))

    def __init__(self, chain: str, clock: Clock, figures: Figures | None = None) -> None:
        self._chain = chain
        self._clock = clock
        self._figures = figures or read_figures()

    @classmethod
    def from_settings(cls, settings: Settings, clock: Clock) -> FiguresSource:
        """The packaged figures, under the chain of the settings."""
        return cls(settings.ingest.chain, clock)

    def probe(self) -> Probe:
        """The package holds them: nobody is asked."""
        return Probe("skipped", "blocks come from the figures that the package carries")

    def tip(self) -> Tip:
        """The last height of the last bin."""
        return Tip(self._figures.last_height, lowest_height=self._figures.first_height)

    def blocks(self, from_height: int, to_height: int) -> Iterator[BlockBatch]:
        """A batch per month."""
        maker = EventMaker(self._chain, self.name)
        for month in self._figures.months:
            columns = _columns(month)
            if columns.heights[0] > to_height:
                return
            if columns.heights[-1] < from_height:
                maker.skip(columns)
                continue
            events = maker.events(columns, int(self._clock.now() * 1000))
            yield BlockBatch(tuple(event for event in events if from_height <= event.height <= to_height))

    def close(self) -> None:
        """Nothing is open."""


def _columns(month: MonthOfBins) -> BlockColumns:
    first_height = month.bins[0].first_height
    return BlockColumns(
        first_row=1,
        heights=range(first_height, first_height + month.blocks),
        times=[time for one in month.bins for time in _times(one)],
        labels=[pool for one in month.bins for pool in draw(one)],
    )


def _times(one: Bin) -> list[int]:
    """Evenly spread, in seconds; the last is the bin's end."""
    span, blocks = one.end - one.start, one.blocks
    return [one.start + at * span // blocks for at in range(1, blocks + 1)]


def _month_name(one: Bin) -> str:
    return f"{datetime.fromtimestamp(one.end, UTC):%Y-%m}"


def _month_start(seconds: int) -> int:
    month = datetime.fromtimestamp(seconds, UTC).replace(day=1, hour=0, minute=0, second=0)
    return int(month.timestamp())


def _seconds(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp())
