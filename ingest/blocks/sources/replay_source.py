"""A file of blocks: Parquet, CSV or JSON lines with height, time and a pool label or coinbase evidence.

The whole file is checked before the first block is given; one error lists every mistake with its column and row.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from counterpoise.errors import ConfigError
from counterpoise.runtime.clock import Clock
from counterpoise.runtime.probe import Probe
from counterpoise.settings.model import Settings
from ingest.blocks.sources.block_columns import BlockColumns, EventMaker
from ingest.blocks.sources.block_source import BlockBatch, BlockSource, Capabilities, Tip
from ingest.blocks.sources.replay_columns import MAX_HEIGHT, Layout, typed_columns
from ingest.blocks.sources.replay_faults import FileFaults
from ingest.blocks.sources.replay_formats import open_table
from ingest.blocks.sources.replay_gaps import GapFiller, OrderCheck, ParentCheck
from ingest.blocks.sources.simulated import FiguresSource

FIGURES = "figures"
"""In place of a path: the figures that the package carries."""


def replay_source(settings: Settings, path: Path | str, clock: Clock) -> BlockSource:
    """A file of blocks, or with the word `figures` the packaged ones."""
    if str(path) == FIGURES:
        return FiguresSource(settings.ingest.chain, clock)
    return ReplaySource(Path(path), settings.ingest.chain, clock, fills_gaps=settings.ingest.replay.gaps == "unknown")


@dataclass(frozen=True, slots=True)
class FileFacts:
    """What the check of a file found."""

    rows: int
    """Without filled ones."""
    filled: int
    """Heights that the file leaves out, filled as unknown."""
    lowest_height: int
    highest_height: int


class ReplaySource:
    """Blocks of a file, in its order.

    Without a `prev_hash` column heights must go up by one from row to row: each row is the parent of the next. Without a `hash`
    column, too, hashes are derived (see EventMaker). With both, rows may be of several branches and in any order, as a node would
    have seen them, as long as each parent is there. `fills_gaps` puts blocks of unknown producers where heights are left out.
    """

    name = "replay"
    capabilities = Capabilities(live=False, kinds=frozenset({"historical", "simulated"}))

    def __init__(self, path: Path, chain: str, clock: Clock, *, fills_gaps: bool = False) -> None:
        self._path = path
        self._chain = chain
        self._clock = clock
        self._fills_gaps = fills_gaps
        self._layout: Layout | None = None
        self._facts: FileFacts | None = None

    @property
    def facts(self) -> FileFacts:
        """Check the file, once; ConfigError lists what is wrong."""
        if self._facts is None:
            self._facts = self._check()
        return self._facts

    @classmethod
    def from_settings(cls, settings: Settings, clock: Clock) -> BlockSource:
        """The file that the settings name, or the packaged figures."""
        path = settings.ingest.replay.path
        if path is None:
            raise ConfigError(
                "source replay needs a file: set COUNTERPOISE_INGEST__REPLAY__PATH to a .parquet, .csv or .jsonl file, or to "
                "figures"
            )
        return replay_source(settings, path, clock)

    def probe(self) -> Probe:
        """Whether the file is there; what it holds is checked when it is replayed."""
        if not self._path.is_file():
            return Probe("problem", f"{self._path}: no such file: check COUNTERPOISE_INGEST__REPLAY__PATH")
        return Probe("skipped", "blocks come from a file")

    def tip(self) -> Tip:
        """The highest height of the file."""
        return Tip(self.facts.highest_height, lowest_height=self.facts.lowest_height)

    def blocks(self, from_height: int, to_height: int) -> Iterator[BlockBatch]:
        """The rows whose height is in the range, in the file's order."""
        facts = self.facts
        if from_height > facts.highest_height or to_height < facts.lowest_height:
            return
        maker = EventMaker(self._chain, self.name)
        in_order = self._opened_layout().prev_hash is None
        for columns in self._columns():
            low, high = min(columns.heights), max(columns.heights)
            if high < from_height or low > to_height:
                if in_order and low > to_height:
                    return
                maker.skip(columns)
                continue
            events = maker.events(columns, int(self._clock.now() * 1000))
            if low < from_height or high > to_height:
                events = [event for event in events if from_height <= event.height <= to_height]
            if events:
                yield BlockBatch(tuple(events))

    def close(self) -> None:
        """Nothing stays open between calls."""

    def _opened_layout(self) -> Layout:
        if self._layout is None:
            self._layout = Layout.detect(self._path, open_table(self._path).names)
        return self._layout

    def _columns(self) -> Iterator[BlockColumns]:
        faults = FileFaults(self._path)
        filler = GapFiller()
        for columns in self._typed(faults):
            faults.raise_any()  # the file changed after it was checked
            yield filler.fill(columns) if self._fills_gaps else columns

    def _typed(self, faults: FileFaults) -> Iterator[BlockColumns]:
        layout = self._opened_layout()
        for first_row, table in open_table(self._path).chunks(layout.used, faults):
            yield typed_columns(faults, layout, table, first_row)

    def _check(self) -> FileFacts:
        rows, lowest, highest = 0, MAX_HEIGHT + 1, -1
        layout = self._opened_layout()
        faults = FileFaults(self._path)
        order = OrderCheck(faults, layout.height, fills=self._fills_gaps)
        parents = ParentCheck(faults, layout.prev_hash or "", fills=self._fills_gaps)
        filler = GapFiller()
        for columns in self._typed(faults):
            rows += len(columns)
            lowest, highest = min(lowest, *columns.heights), max(highest, *columns.heights)
            if layout.prev_hash is None:
                order.check(columns)
            if not faults.count:
                parents.add(filler.fill(columns) if self._fills_gaps else columns)
        parents.close()
        faults.raise_any()
        if not rows:
            raise ConfigError(f"{self._path}: it has no rows: a replay needs at least one block")
        return FileFacts(rows, filler.filled, lowest, highest)
