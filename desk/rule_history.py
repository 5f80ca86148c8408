"""A history of blocks from a Parquet file, as rules on concentration read it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from alerts.rules.rule import HeightRule
from alerts.signals.window_counts import WindowCounts
from counterpoise.errors import ConfigError
from counterpoise.pools.attribution_set import AttributionSet
from counterpoise.windows import VIEWS
from streams.blocks.fold.concentration import ConcentrationTable, score_blocks

COLUMNS: Final = ("height", "pool_slug", "date")


class RuleHistory:
    """Every window of a file's blocks that some rules read, under both views.

    The file has one row per block, by height without a gap, with the columns `height`, `pool_slug` and `date` (header time, UTC).
    A slug that the shipped registry does not know counts as unknown. ConfigError names what is wrong with a file.
    """

    def __init__(self, path: Path, windows: Iterable[int]) -> None:
        heights, slugs, times = _read(path)
        attribution = AttributionSet.default()
        found = {slug: attribution.registry.find(slug) for slug in set(slugs)}
        code_of = {slug: 0 if pool is None else pool.code for slug, pool in found.items()}
        codes = np.array([code_of[slug] for slug in slugs], np.uint16)
        self._heights, self._times = heights, times
        self._windows = sorted(set(windows))
        self._table: ConcentrationTable = score_blocks(codes, times, 0, attribution.entity_table, self._windows)

    def series(self, rule: HeightRule) -> WindowCounts:
        """The rule's window under its view at every height. Leaders are not named: judging needs their counts only."""
        rows = len(self._heights)
        at = (VIEWS.index(rule.view) * len(self._windows) + self._windows.index(rule.window_blocks)) * rows

        def column(name: str) -> Any:
            return getattr(self._table, name)[at : at + rows]

        return WindowCounts.of(
            height=self._heights,
            tip_hash=("",) * rows,
            time=self._times,
            counts=np.stack([column(f"c{rank}") for rank in range(1, 7)], axis=1),
            leaders=np.zeros((rows, 6), np.int64),
            names=("",),
            further={name: column(name) for name in rule.further_columns},
            **{name: column(name) for name in ("n", "unknown", "window_full", "pools_seen", "p_top4_above_75")},
        )


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
