"""The two windows of an explanation, read from ClickHouse under one view of control."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from counterpoise.chain.chain_registry import BITCOIN, CHAINS
from counterpoise.clickhouse.client import ClickHouse
from counterpoise.clickhouse.earlier_attribution import EarlierPools, read_document, read_earlier_pools
from counterpoise.clickhouse.pool_blocks import UNKNOWN, PoolBlocks, read_pool_blocks
from counterpoise.errors import ChangingError, ConfigError
from counterpoise.explain.explained_change import Window
from counterpoise.pools.attribution_set import AttributionSet
from counterpoise.windows import RAW, View

_HEIGHT_AT: Final = """
SELECT max(height) FROM concentration_shares
WHERE chain = {chain:String} AND view = 'raw' AND window_blocks = {window:UInt16}
  AND height >= {first:UInt32} AND height < {height:UInt32}
  AND time <= fromUnixTimestamp64Milli(toInt64({ms:Int64}))
"""


@dataclass(frozen=True, slots=True)
class WindowPair:
    """Two windows; `reattributed` and `remapped` as `explain` takes them, each None where nothing can differ from the step before.

    The second window is under the set `attribution_id`, the first one under `before_attribution_id`.
    """

    before: Window
    after: Window
    reattributed: Window | None
    remapped: Window | None
    before_time: datetime
    after_time: datetime
    before_attribution_id: str
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
    attribution_id: str | None = None,
) -> WindowPair:
    """The pair of one view: see `read_pairs`."""
    pairs = read_pairs(
        clickhouse,
        chain,
        window,
        (view,),
        height=height,
        from_height=from_height,
        over_seconds=over_seconds,
        attribution_id=attribution_id,
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
    attribution_id: str | None = None,
    after: PoolBlocks | None = None,
) -> dict[View, WindowPair]:
    """The window at `height` (the newest), and the one at `from_height`, or the last with a header time `over_seconds` earlier.

    Both are read once for all views, `after` only where it is not given. The first is under the set `attribution_id`, the current one
    where that is not given. ConfigError where one of them is not scored, the dataset lacks that set, the set lacks a block of the
    window, or the entity map of a set cannot be read; ChangingError where another set became current meanwhile.
    """
    after = after or read_pool_blocks(clickhouse, chain, window, height)
    if from_height is None:
        from_height = height_before(clickhouse, after, over_seconds)
        if not from_height:
            raise ConfigError(
                f"chain {chain!r} has no scored block {over_seconds // 86_400} days before height {after.height}"
            )
    before = after
    if from_height != after.height:
        before = read_pool_blocks(clickhouse, chain, window, from_height, is_past=True)
    if before.attribution_id != after.attribution_id:
        raise ChangingError(f"the pools of chain {chain!r} are being attributed anew: try again")
    earlier = None if attribution_id is None else read_earlier_pools(clickhouse, before, attribution_id)
    pairs = {}
    for view in views:
        if view == RAW:
            pairs[view] = _raw_pair(before, after, earlier)
        else:
            owners = read_set(clickhouse, after.attribution_id)
            then = None if earlier is None else read_set(clickhouse, earlier.attribution_id)
            pairs[view] = entity_pair(before, after, owners, earlier, then)
    return pairs


def _raw_pair(before: PoolBlocks, after: PoolBlocks, earlier: EarlierPools | None) -> WindowPair:
    first, last = (Window(each.raw, each.views[RAW].unknown, each.height) for each in (before, after))
    if earlier is None:
        return _pair(before, after, first, last)
    then = Window(earlier.raw, earlier.unknown, before.height)
    return _pair(before, after, then, last, reattributed=first, before_id=earlier.attribution_id)


def entity_pair(
    before: PoolBlocks,
    after: PoolBlocks,
    owners: AttributionSet,
    earlier: EarlierPools | None,
    earlier_owners: AttributionSet | None,
) -> WindowPair:
    """By the entities of `owners`. With `earlier`, the first window is by those of the set that named its pools, `earlier_owners`."""
    last, remapped = _by_entity(after, owners, after.time), _by_entity(before, owners, after.time)
    if earlier is None or earlier_owners is None:
        return _pair(before, after, _by_entity(before, owners, before.time), last, remapped=remapped)
    same_map = by_earlier_entity(before.raw, owners, earlier_owners, before.time)
    return _pair(
        before,
        after,
        Window(by_entity(earlier.raw, earlier_owners, before.time), earlier.unknown, before.height),
        last,
        reattributed=Window(same_map, before.views[RAW].unknown, before.height),
        remapped=remapped,
        before_id=earlier.attribution_id,
    )


def _by_entity(of: PoolBlocks, owners: AttributionSet, at: datetime) -> Window:
    return Window(by_entity(of.raw, owners, at), of.views[RAW].unknown, of.height)


def _pair(
    before: PoolBlocks,
    after: PoolBlocks,
    first: Window,
    last: Window,
    *,
    reattributed: Window | None = None,
    remapped: Window | None = None,
    before_id: str | None = None,
) -> WindowPair:
    return WindowPair(
        first,
        last,
        reattributed,
        remapped,
        before.time,
        after.time,
        before.attribution_id if before_id is None else before_id,
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
    return AttributionSet.from_json(read_document(clickhouse, attribution_id), f"attribution set {attribution_id}")


def by_entity(blocks: dict[str, int], owners: AttributionSet, time: datetime) -> dict[str, int]:
    """Blocks by entity: those of the pools that one entity controls at `time` added up, unknown ones left out."""
    seconds = int(time.astimezone(UTC).timestamp())
    found: dict[str, int] = {}
    for pool, count in blocks.items():
        if pool != UNKNOWN:
            entity = owners.entity_of(pool, seconds)
            found[entity] = found.get(entity, 0) + count
    return found


def by_earlier_entity(
    blocks: dict[str, int], owners: AttributionSet, earlier: AttributionSet, time: datetime
) -> dict[str, int]:
    """Blocks by entity of the map of `earlier` at `time`, of pools that `owners` names.

    A pool is the earlier one of its slug; where there is none, the one of its code, if that slug is gone. A pool that is new in
    `owners` is an entity of its own. Its name has a + in front, because an earlier entity may have that slug.
    """
    renamed = {pool.code: pool.slug for pool in earlier.registry if pool.slug not in owners.registry.by_slug}
    known: dict[str, int] = {}
    new: dict[str, int] = {}
    for pool, count in blocks.items():
        slug = pool if pool in earlier.registry.by_slug else renamed.get(owners.registry.by_slug[pool].code)
        if slug is None:
            new[f"+{pool}"] = count
        else:
            known[slug] = count
    return by_entity(known, earlier, time) | new
