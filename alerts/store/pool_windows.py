"""Blocks by pool of two trailing windows, from attributions_log, blocks_log and concentration_log."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from alerts.store.pool_names_log import PoolNamesLog
from counterpoise.clickhouse.client import ClickHouse
from counterpoise.explain.explained_change import Window
from counterpoise.windows import RAW

NEVER: Final = (1 << 32) - 1
"""A time (seconds) that no block is later than."""

# One statement, and none of the wide views: planning those takes longer than the reading. An aggregate has a row even of no rows.
_COUNTS: Final = """
WITH
    {height:UInt32} AS last,
    toInt64({window:UInt16}) AS length,
    (
        SELECT (max(height), argMax(toUnixTimestamp(time), height), argMax(unknown, height))
        FROM concentration_log FINAL
        WHERE attribution_id = {id:String} AND chain = {chain:String} AND view = 'raw' AND window_blocks = {window:UInt16}
            AND height BETWEEN {low:UInt32} AND {high:UInt32} AND toUnixTimestamp(time) <= {until:UInt32}
    ) AS earlier
SELECT
    pool_code,
    countIf(height > toInt64(last) - length AND height <= last),
    countIf(height > toInt64(earlier.1) - length AND height <= earlier.1),
    any(earlier.1),
    any(earlier.2),
    any(earlier.3)
FROM attributions_log FINAL
WHERE attribution_id = {id:String} AND chain = {chain:String}
    AND (height > toInt64(last) - length AND height <= last OR height > toInt64(earlier.1) - length AND height <= earlier.1)
    AND (height, hash) IN
    (
        SELECT height, hash FROM blocks_log FINAL
        WHERE chain = {chain:String} AND status = 'canonical'
            AND (height > toInt64(last) - length AND height <= last OR height > toInt64(earlier.1) - length AND height <= earlier.1)
        ORDER BY height, version DESC LIMIT 1 BY height
    )
GROUP BY pool_code
"""


@dataclass(frozen=True, slots=True)
class PoolWindow:
    """Blocks of the pools of a window, as they sign, without unknown ones."""

    height: int
    time: datetime
    blocks: dict[str, int]
    unknown: int

    @property
    def whole(self) -> Window:
        """As an explanation takes it."""
        return Window(self.blocks, self.unknown, self.height)


PairRows = list[tuple[Any, ...]]


class PoolWindows:
    """Read only; names that were read are kept."""

    def __init__(self, ch: ClickHouse, names: PoolNamesLog) -> None:
        self._ch = ch
        self._names = names

    def begin_pair(
        self,
        chain: str,
        attribution_id: str,
        window_blocks: int,
        *,
        height: int,
        earlier: tuple[int, int],
        until: int = NEVER,
    ) -> Generator[None, None, PairRows]:
        """Ask for the counts of `pair` on a separate connection: the first step sends the query."""
        low, high = (max(0, each) for each in earlier)
        asked = {"id": attribution_id, "chain": chain, "window": window_blocks, "height": height}
        return self._ch.beside(1).begin_query(_COUNTS, asked | {"low": low, "high": high, "until": until})

    def pair(
        self, rows: PairRows, attribution_id: str, *, height: int, time: int, unknown: int
    ) -> tuple[PoolWindow, PoolWindow | None]:
        """The window at `height`, whose time (seconds) and unknown blocks are known, and the one at the highest scored height between
        the two of `earlier` with a header time up to `until`; None where there is none. `rows` are what `begin_pair` found."""
        names = self._names.of(attribution_id, RAW)
        if rows and max(int(code) for code, *_ in rows) >= len(names):  # a name that came after we read them
            self._names.forget(attribution_id, RAW)
            names = self._names.of(attribution_id, RAW)
        now, then = ({names[int(row[0])]: int(row[place]) for row in rows if row[0] and row[place]} for place in (1, 2))
        found = PoolWindow(height, datetime.fromtimestamp(time, UTC), now, unknown)
        before_height, before_time, before_unknown = rows[0][3:] if rows else (0, 0, 0)
        if not before_height:
            return found, None
        before_at = datetime.fromtimestamp(int(before_time), UTC)
        return found, PoolWindow(int(before_height), before_at, then, int(before_unknown))
