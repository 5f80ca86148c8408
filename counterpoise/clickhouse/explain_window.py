"""The two windows of an explanation, read from ClickHouse under one view of control."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from counterpoise.chain.chain_registry import BITCOIN, CHAINS
from counterpoise.clickhouse.client import ClickHouse
from counterpoise.clickhouse.pool_blocks import UNKNOWN, PoolBlocks, read_pool_blocks
from counterpoise.errors import ConfigError
from counterpoise.explain.explained_change import Window
from counterpoise.pools.attribution_set import AttributionSet
from counterpoise.windows import RAW, View

_HEIGHT_AT: Final = """
SELECT max(height) FROM concentration_shares
WHERE chain = {chain:String} AND view = 'raw' AND window_blocks = {window:UInt16}
  AND height >= {first:UInt32} AND height < {height:UInt32}
  AND time <= fromUnixTimestamp64Milli(toInt64({ms:Int64}))
"""
_DOCUMENT: Final = "SELECT document FROM attribution_sets WHERE attribution_id = {id:String}"


@dataclass(frozen=True, slots=True)
class WindowPair:
    """Two windows; `remapped` is the first under the second's entity map, None where it is the same (raw view)."""

    before: Window
    after: Window
    remapped: Window | None
    before_time: datetime
    after_time: datetime
    attribution_id: str


def read_pair(
    clickhouse: ClickHouse,
    chain: str,
    view: View,
    window: int,
    *,
    height: int | None,
    from_height: int | None,
    over_seconds: int,
) -> WindowPair:
    """The pair of one view: see `read_pairs`."""
    pairs = read_pairs(
        clickhouse, chain, window, (view,), height=height, from_height=from_height, over_seconds=over_seconds
    )
    return pairs[view]


def read_pairs(
    clickhouse: ClickHouse,
    chain: str,
    window: int,
    views: Iterable[View],
    *,
    height: int | None,
    from_height: int | None,
    over_seconds: int,
    after: PoolBlocks | None = None,
) -> dict[View, WindowPair]:
    """The window at `height` (the newest), and the one at `from_height`, or the last with a header time `over_seconds` earlier.

    Both are read once for all views, `after` only where it is not given. ConfigError where one of them is not scored, or the entity
    map of the current attribution set cannot be read.
    """
    after = after or read_pool_blocks(clickhouse, chain, window, height)
    if from_height is None:
        from_height = height_before(clickhouse, after, over_seconds)
        if not from_height:
            raise ConfigError(
                f"chain {chain!r} has no scored block {over_seconds // 86_400} days before height {after.height}"
            )
    before = read_pool_blocks(clickhouse, chain, window, from_height, is_past=True)
    return {
        view: pair_of(before, after, None if view == RAW else read_set(clickhouse, after.attribution_id))
        for view in views
    }


def pair_of(before: PoolBlocks, after: PoolBlocks, owners: AttributionSet | None) -> WindowPair:
    """Two windows as pools sign, or by the entities of `owners`."""
    return _raw_pair(before, after) if owners is None else _entity_pair(before, after, owners)


def _raw_pair(before: PoolBlocks, after: PoolBlocks) -> WindowPair:
    first, last = (Window(each.raw, each.views[RAW].unknown, each.height) for each in (before, after))
    return WindowPair(first, last, None, before.time, after.time, after.attribution_id)


def _entity_pair(before: PoolBlocks, after: PoolBlocks, owners: AttributionSet) -> WindowPair:
    def window(of: PoolBlocks, at: datetime) -> Window:
        return Window(by_entity(of.raw, owners, at), of.views[RAW].unknown, of.height)

    return WindowPair(
        window(before, before.time),
        window(after, after.time),
        window(before, after.time),
        before.time,
        after.time,
        after.attribution_id,
    )


def height_before(clickhouse: ClickHouse, after: PoolBlocks, over_seconds: int) -> int:
    """The last scored height with a header time `over_seconds` before that of `after`; 0 where there is none.

    Four times the blocks that the time usually takes are read first, and the whole history only where that is too few.
    """
    entry = CHAINS.get(after.chain, BITCOIN)
    near = after.height - 4 * (over_seconds // entry.block_spacing_seconds) - 144
    ms = int(1_000 * (after.time.timestamp() - over_seconds))
    given = {"chain": after.chain, "window": str(after.window), "height": str(after.height), "ms": str(ms)}
    for first in dict.fromkeys((max(near, 0), 0)):
        found = int(clickhouse.query(_HEIGHT_AT, given | {"first": str(first)})[0][0])
        if found:
            return found
    return 0


def read_set(clickhouse: ClickHouse, attribution_id: str) -> AttributionSet:
    """The attribution set of that id. ConfigError where it is not in the dataset."""
    rows = clickhouse.query(_DOCUMENT, {"id": attribution_id})
    if not rows:
        raise ConfigError(f"attribution set {attribution_id!r} is not in this dataset: see the view attribution_sets")
    return AttributionSet.from_json(str(rows[0][0]), f"attribution set {attribution_id}")


def by_entity(blocks: dict[str, int], owners: AttributionSet, time: datetime) -> dict[str, int]:
    """Blocks by entity: those of the pools that one entity controls at `time` added up, unknown ones left out."""
    seconds = int(time.astimezone(UTC).timestamp())
    found: dict[str, int] = {}
    for pool, count in blocks.items():
        if pool != UNKNOWN:
            entity = owners.entity_of(pool, seconds)
            found[entity] = found.get(entity, 0) + count
    return found
