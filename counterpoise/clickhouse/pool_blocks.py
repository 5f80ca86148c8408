"""Blocks by pool of one trailing window, under both views of control, from ClickHouse."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from time import sleep
from typing import Any, Final

from counterpoise.clickhouse.client import ClickHouse
from counterpoise.errors import ChangingError, ConfigError
from counterpoise.windows import RAW, VIEWS, WINDOWS_BLOCKS, View

UNKNOWN: Final = "unknown"
NOT_ATTRIBUTED: Final = ""
"""The attribution set of a block that is stored and has no pool yet."""

_OF_WINDOW: Final = (
    "SELECT toString(view), n, unknown, pools_seen, leaders, toUnixTimestamp(time), tip_hash, toString(attribution_id), height "
    "FROM {} WHERE chain = {{chain:String}} AND window_blocks = {{window:UInt16}}"
)
_NEWEST: Final = _OF_WINDOW.format("latest_shares")
_ROWS: Final = _OF_WINDOW.format("concentration_shares") + " AND height = {height:UInt32}"
_COUNTS: Final = """
SELECT pool, attribution_id, count() FROM blocks
WHERE chain = {chain:String} AND height > toInt64({height:UInt32}) - {window:UInt16} AND height <= {height:UInt32}
GROUP BY pool, attribution_id ORDER BY pool
"""
_READINGS: Final = 5
_PAUSE_SECONDS: Final = 0.1
"""Streams store a block, its pool and its windows within some tens of milliseconds. A reader between them reads again."""


@dataclass(frozen=True, slots=True)
class ViewOfWindow:
    """One view of a window: its integers and its leaders, largest first, at most six."""

    n: int
    unknown: int
    pools_seen: int
    leaders: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class PoolBlocks:
    """A scored window. `raw` has the blocks of every pool, without unknown ones."""

    chain: str
    window: int
    height: int
    time: datetime
    tip_hash: str
    attribution_id: str
    views: dict[View, ViewOfWindow]
    raw: dict[str, int]

    def pools(self, text: str, option: str) -> tuple[str, ...]:
        """Pools of the window that a text names, joined by +: each by its slug or by the one slug that begins so.

        ConfigError names what begins so where that is none or several.
        """
        found: list[str] = []
        for name in filter(None, text.lower().split("+")):
            near = [name] if name in self.raw else [pool for pool in self.raw if pool.startswith(name)]
            if len(near) != 1:
                which = f"could be {', '.join(sorted(near)[:5])}" if near else "made no block of the window"
                raise ConfigError(f"{option} {name[:40]!r}: {which}; expected the slug of one pool")
            found.append(near[0])
        return tuple(dict.fromkeys(found))

    @property
    def denominator(self) -> str:
        """The window and its denominator, for the line under a table."""
        view = self.views[RAW]
        return (
            f"{self.chain}, the last {view.n:,} blocks to height {self.height:,} ({self.time:%Y-%m-%d %H:%M} UTC); "
            f"shares are of all blocks, {view.unknown:,} of them unknown"
        )

    def to_json(self) -> dict[str, Any]:
        """The fields that every JSON of this window starts with."""
        return {
            "chain": self.chain,
            "window_blocks": self.window,
            "height": self.height,
            "time": self.time.isoformat().replace("+00:00", "Z"),
            "tip_hash": self.tip_hash,
            "attribution_id": self.attribution_id,
            "n": self.views[RAW].n,
            "unknown": self.views[RAW].unknown,
        }


def read_pool_blocks(
    clickhouse: ClickHouse, chain: str, window: int, height: int | None = None, *, is_past: bool = False
) -> PoolBlocks:
    """The window that ends at `height`, the newest scored one where that is None. ConfigError where it is not scored.

    `is_past`: the height is known to be below the newest, which is not looked at then. Blocks and windows are stored one after the
    other, so both are read until they agree. Where they do not, because a writer died between them, the pools are those of the
    blocks, and a block without a pool yet counts as unknown. ChangingError where the attribution set changed at every reading.
    """
    if window not in WINDOWS_BLOCKS:
        raise ConfigError(f"--window {window}: expected one of {', '.join(map(str, WINDOWS_BLOCKS))}")
    for _ in range(_READINGS - 1):
        found = _read_once(clickhouse, chain, window, height, is_past=is_past)
        if found.agrees():
            return found.window
        sleep(_PAUSE_SECONDS)
    found = _read_once(clickhouse, chain, window, height, is_past=is_past)
    if found.is_mixed():
        raise ChangingError(f"the pools of chain {chain!r} are being attributed anew: try again")
    return found.window


@dataclass(frozen=True, slots=True)
class _Reading:
    """A window, and what was read after it: the number of blocks without a known producer, and the attribution sets of all."""

    window: PoolBlocks
    unknown: int
    sets: frozenset[str]

    def agrees(self) -> bool:
        """Whether the blocks are those of the window."""
        raw, blocks = self.window.views[RAW], self.window.raw
        return (
            self.sets == {self.window.attribution_id}
            and self.unknown == raw.unknown
            and self.unknown + sum(blocks.values()) == raw.n
            and all(blocks.get(pool) == count for pool, count in raw.leaders)
        )

    def is_mixed(self) -> bool:
        """Whether the pool of some block is of another attribution set than the window."""
        return not self.sets <= {self.window.attribution_id, NOT_ATTRIBUTED}


def _read_once(clickhouse: ClickHouse, chain: str, window: int, height: int | None, *, is_past: bool) -> _Reading:
    # A small table has the newest window, which is nearly always the one that is asked for.
    rows = [] if is_past else clickhouse.query(_NEWEST, {"chain": chain, "window": str(window)})
    last = max((int(row[-1]) for row in rows), default=0) if height is None else height
    where = {"chain": chain, "window": str(window), "height": str(last)}
    if {int(row[-1]) for row in rows} != {last}:
        rows = clickhouse.query(_ROWS, where)
    by_view = {str(row[0]): row for row in rows}
    if set(by_view) != set(VIEWS):
        place = "is not scored yet" if height is None else f"has no scored block at height {height}"
        raise ConfigError(f"chain {chain!r} {place}: `counterpoise status` shows its blocks")
    views: dict[View, ViewOfWindow] = {
        view: ViewOfWindow(int(n), int(unknown), int(seen), tuple((str(pool), int(blocks)) for pool, blocks in leaders))
        for view in VIEWS
        for _, n, unknown, seen, leaders, *_ in [by_view[view]]
    }
    *_, seconds, tip_hash, attribution_id, _ = by_view[RAW]
    counts: dict[str, int] = {}
    sets = set()
    for pool, of_set, blocks in clickhouse.query(_COUNTS, where):
        counts[str(pool)] = counts.get(str(pool), 0) + int(blocks)
        sets.add(str(of_set))
    unknown_blocks = counts.pop(UNKNOWN, 0)
    time = datetime.fromtimestamp(int(seconds), UTC)
    found = PoolBlocks(chain, window, last, time, str(tip_hash), str(attribution_id), views, counts)
    return _Reading(found, unknown_blocks, frozenset(sets))
