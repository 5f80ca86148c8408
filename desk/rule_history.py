"""A history of blocks, as rules on concentration read it: from a Parquet file, or from the scores of a dataset."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from alerts.rules.rule import HeightRule
from alerts.signals.detector_columns import DETECTOR_COLUMNS
from alerts.signals.window_counts import WindowCounts, WindowPlace
from alerts.store.alert_store import AlertStore
from counterpoise.chain.chain_registry import BITCOIN
from counterpoise.clickhouse.client import connect
from counterpoise.detectors.tracks import LEADERS_WINDOW_BLOCKS, track_of
from counterpoise.errors import ConfigError
from counterpoise.pools.attribution_set import AttributionSet
from counterpoise.settings.endpoints import clickhouse_target
from counterpoise.settings.model import Settings
from counterpoise.spans import DAY_SECONDS
from counterpoise.windows import SHORTEST_WINDOW_BLOCKS, VIEWS, View
from streams.blocks.fold.concentration import ConcentrationTable, score_blocks
from streams.blocks.fold.detectors import BlocksSeen, DetectorHistory, DetectorTable

MAX_HEIGHT: Final = 0xFFFF_FFFF
COLUMNS: Final = ("height", "pool_slug", "date")

Codes = NDArray[np.uint16]
"""Who made each block, by the codes of the registry; 0 for a block without a known producer."""


class History(Protocol):
    """Where a backtest reads."""

    def judges(self, rule: HeightRule) -> bool:
        """Whether it has the rule's chain."""

    def series(self, rule: HeightRule) -> WindowCounts:
        """The rule's window under its view at every height."""


class RuleHistory:
    """Every window of a file's blocks that some rules read, under both views.

    The file has one row per block, by height without a gap, with the columns `height`, `pool_slug` and `date` (header time, UTC).
    A slug that the shipped registry does not know counts as unknown. ConfigError names what is wrong with a file.
    """

    def __init__(self, path: Path, windows: Iterable[int]) -> None:
        heights, codes, times = read_blocks(path)
        self._entities = AttributionSet.default().entity_table
        names = self._entities.names
        self._names = tuple(names[code][0] if code in names else "" for code in range(max(names) + 1))
        self._heights, self._times = heights, times
        self._windows = sorted(set(windows)) or [SHORTEST_WINDOW_BLOCKS]
        self._score(codes)

    def _score(self, codes: Codes) -> None:
        self.codes = codes
        self._table: ConcentrationTable = score_blocks(codes, self._times, 0, self._entities, self._windows)

    def with_codes(self, codes: Codes) -> RuleHistory:
        """The same heights and times with blocks of other pools: one code for each height."""
        other = copy.copy(self)
        other.__dict__.pop("_detectors", None)  # of the blocks before
        other._score(codes)
        return other

    @property
    def days(self) -> float:
        """From the first block to the last, by header time."""
        first, last = self.span
        return (last - first) / DAY_SECONDS

    @property
    def span(self) -> tuple[int, int]:
        """Header times of the first block and of the last, in UTC seconds."""
        return int(self._times[0]), int(self._times[-1])

    def judges(self, rule: HeightRule) -> bool:
        """The file is of bitcoin: the shipped registry and entity map are about it."""
        return rule.chain == BITCOIN.name

    def series(self, rule: HeightRule) -> WindowCounts:
        """The rule's windows at every height."""
        series = self.window(WindowPlace(rule.view, rule.window_blocks), rule.further_columns)
        return replace(series, beside={place: self.window(place, rule.further_columns) for place in rule.beside})

    def window(self, place: WindowPlace, further: Sequence[str] = ()) -> WindowCounts:
        """One of the windows that were asked for, at every height, with further columns of `concentration_log`."""
        rows = len(self._heights)
        at = (VIEWS.index(place.view) * len(self._windows) + self._windows.index(place.window_blocks)) * rows

        def column(name: str) -> Any:
            return getattr(self._table, name)[at : at + rows]

        return WindowCounts.of(
            height=self._heights,
            tip_hash=("",) * rows,
            time=self._times,
            counts=np.stack([column(f"c{rank}") for rank in range(1, 7)], axis=1),
            leaders=np.stack([column(f"l{rank}") for rank in range(1, 7)], axis=1),
            names=self._names,
            further={
                name: self._detector(name, place.view) if name in DETECTOR_COLUMNS else column(name) for name in further
            },
            **{name: column(name) for name in ("n", "unknown", "window_full", "pools_seen", "p_top4_above_75")},
        )

    def _detector(self, name: str, view: View) -> NDArray[np.float64]:
        """1 where the detector fires, else 0; NaN before the detectors start."""
        of, found = DETECTOR_COLUMNS[name], np.full(len(self._heights), np.nan)
        fires = self._detectors.firing[:, track_of(view, of.name, of.promise_years)]
        found[len(found) - len(fires) :] = fires
        return found

    @cached_property
    def _detectors(self) -> DetectorTable:
        """The detectors as a worker folds them."""
        first, entities = int(self._heights[0]), self._entities
        seen = BlocksSeen(
            self.codes,
            first,
            owners=entities.codes,
            epochs=np.searchsorted(entities.boundaries, self._times, side="right"),
            leaders_from=first,
            leaders=score_blocks(self.codes, self._times, 0, entities, (LEADERS_WINDOW_BLOCKS,)).leaders(
                LEADERS_WINDOW_BLOCKS
            ),
        )
        return DetectorHistory().score(seen, first, first, first + len(self.codes), first)


class StoredHistory:
    """The scores of a dataset under the current attribution, from the lowest height up to the first that is missing."""

    def __init__(self, store: AlertStore) -> None:
        self._store = store
        self._found: dict[tuple[object, ...], WindowCounts] = {}

    def judges(self, rule: HeightRule) -> bool:
        """Whether the rule's chain is scored."""
        attribution_id = self._store.attribution.current(rule.chain)
        return attribution_id is not None and self._store.concentration.lowest(rule.chain, attribution_id) is not None

    def series(self, rule: HeightRule) -> WindowCounts:
        """The rule's window under its view at every height; ConfigError where nothing is scored."""
        key = rule.series_key
        if key not in self._found:
            attribution_id = self._store.attribution.current(rule.chain)
            lowest = self._store.concentration.lowest(rule.chain, attribution_id) if attribution_id else None
            if not attribution_id or lowest is None:
                raise ConfigError(
                    f"no block of {rule.chain} is scored: start `counterpoise run`, or name a file with --blocks"
                )
            self._found[key] = self._store.concentration.series_of(rule, attribution_id, low=lowest, high=MAX_HEIGHT)
        return self._found[key]


@contextmanager
def open_history(blocks: Path | None, rules: Iterable[HeightRule], *, also: Iterable[int] = ()) -> Iterator[History]:
    """The history of a file, with these windows too, or of the dataset of the settings without one."""
    if blocks is not None:
        places = (place for rule in rules for place in ((rule.view, rule.window_blocks), *rule.beside))
        yield RuleHistory(blocks, (*(window for _, window in places), *also))
        return
    settings = Settings.load()
    with connect(clickhouse_target(settings, read_only=True), settings.dataset) as ch:
        yield StoredHistory(AlertStore(ch))


def read_blocks(path: Path) -> tuple[Any, Codes, Any]:
    """Heights, codes and header times (UTC seconds) of a file as `RuleHistory` takes it. ConfigError names what is wrong with it."""
    heights, slugs, times = _read(path)
    registry = AttributionSet.default().registry
    code_of = {slug: 0 if (pool := registry.find(slug)) is None else pool.code for slug in set(slugs)}
    return heights, np.array([code_of[slug] for slug in slugs], np.uint16), times


def _read(path: Path) -> tuple[Any, list[str], Any]:
    try:
        table = pq.read_table(path)
        missing = [name for name in COLUMNS if name not in table.column_names]
        if missing:
            raise ConfigError(f"blocks file {str(path)!r} lacks {', '.join(missing)}, expected {', '.join(COLUMNS)}")
        heights = table.column("height").cast("int64").to_numpy()
        times = table.column("date").cast("timestamp[s]", safe=False).cast("int64").to_numpy()
    except (OSError, pa.ArrowException) as error:
        raise ConfigError(
            f"blocks file {str(path)!r} cannot be read ({error}): expected a Parquet file with {', '.join(COLUMNS)}"
        ) from None
    if not len(heights) or bool(np.any(np.diff(heights) != 1)):
        raise ConfigError(f"blocks file {str(path)!r} is empty or has gaps, expected heights that ascend by one")
    return heights, [str(slug) for slug in table.column("pool_slug").to_pylist()], times
