"""The demo's source: blocks simulated from real monthly figures that the package carries (blocks per pool and month).

The counts of every pool in every month are real. The order inside a month is drawn from a fixed seed and the times are spread evenly
over it, so no single block is one that was mined; every run gives the same blocks.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.resources import files

import numpy as np

from counterpoise.errors import ConfigError
from counterpoise.runtime.clock import Clock
from counterpoise.runtime.probe import Probe
from counterpoise.settings.model import Settings
from ingest.blocks.sources.block_columns import BlockColumns, EventMaker
from ingest.blocks.sources.block_source import BlockBatch, Capabilities, Tip

SEED = 75
TABLE_NAME = "blocks_per_pool_month.csv"


@dataclass(frozen=True, slots=True)
class Month:
    """Blocks of one month: how many each pool mined, between two times in seconds (the end is not part of it)."""

    name: str
    start: int
    end: int
    blocks_by_pool: dict[str, int]

    @property
    def blocks(self) -> int:
        return sum(self.blocks_by_pool.values())


@dataclass(frozen=True, slots=True)
class Figures:
    """The table: months in order, and the height at which they begin."""

    first_height: int
    months: tuple[Month, ...]

    @property
    def last_height(self) -> int:
        return self.first_height + sum(month.blocks for month in self.months) - 1


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
    """Parse `month,pool,blocks` rows under a head of comments; ValueError or KeyError where it is not such a table."""
    head: dict[str, str] = {}
    counts: dict[str, dict[str, int]] = {}
    for line in text.splitlines():
        if line.startswith("#"):
            name, _, value = line[1:].strip().partition(" ")
            head[name] = value
        elif line and line != "month,pool,blocks":
            month, pool, blocks = line.split(",")
            counts.setdefault(month, {})[pool] = int(blocks)
    first_time, last_time = _seconds(head["first_time"]), _seconds(head["last_time"])
    months = []
    for name in sorted(counts):
        start, end = _month_bounds(name)
        months.append(Month(name, max(start, first_time), min(end, last_time + 1), counts[name]))
    return Figures(int(head["first_height"]), tuple(months))


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
        """The last height of the last month."""
        return Tip(self._figures.last_height, lowest_height=self._figures.first_height)

    def blocks(self, from_height: int, to_height: int) -> Iterator[BlockBatch]:
        """A batch a month."""
        maker = EventMaker(self._chain, self.name)
        height = self._figures.first_height
        for index, month in enumerate(self._figures.months):
            if height > to_height:
                return
            columns = _columns(month, index, height)
            height += len(columns)
            if height <= from_height:
                maker.skip(columns)
                continue
            events = maker.events(columns, int(self._clock.now() * 1000))
            yield BlockBatch(tuple(event for event in events if from_height <= event.height <= to_height))

    def close(self) -> None:
        """Nothing is open."""


def _columns(month: Month, index: int, first_height: int) -> BlockColumns:
    pools = sorted(month.blocks_by_pool)
    blocks = np.repeat(np.arange(len(pools)), [month.blocks_by_pool[pool] for pool in pools])
    # The raw stream of a bit generator, unlike numpy's distributions, is the same in every version.
    draws = np.random.PCG64(np.random.SeedSequence([SEED, index])).random_raw(len(blocks))
    order = blocks[np.argsort(draws, kind="stable")].tolist()
    span = month.end - month.start
    return BlockColumns(
        first_row=1,
        heights=range(first_height, first_height + len(order)),
        times=[month.start + (2 * i + 1) * span // (2 * len(order)) for i in range(len(order))],
        labels=[pools[code] for code in order],
    )


def _month_bounds(name: str) -> tuple[int, int]:
    start = datetime.strptime(name, "%Y-%m").replace(tzinfo=UTC)
    end = start.replace(year=start.year + start.month // 12, month=start.month % 12 + 1)
    return int(start.timestamp()), int(end.timestamp())


def _seconds(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp())
