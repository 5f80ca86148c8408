"""What the estimates of a window rest on beside its counts: the stored drift, and the blocks that are weighed by age."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from counterpoise.clickhouse.client import ClickHouse
from counterpoise.clickhouse.pool_blocks import PoolBlocks
from counterpoise.estimates.discounted import HISTORY_BLOCKS
from counterpoise.estimates.drift import SHIPPED_DRIFT
from counterpoise.windows import RAW, View

_DRIFT: Final = """
SELECT family, argMax(drift, height) FROM drift
WHERE chain = {chain:String} AND view = {view:String} AND height <= {height:UInt32}
GROUP BY family
"""
_SUMS: Final = """
SELECT s2, s3, n - unknown, n FROM concentration
WHERE chain = {chain:String} AND view = {view:String} AND window_blocks = {window:UInt16} AND height = {height:UInt32}
"""
_POOLS: Final = """
SELECT pool FROM blocks
WHERE chain = {chain:String} AND height > toInt64({height:UInt32}) - {blocks:UInt32} AND height <= {height:UInt32}
ORDER BY height
"""
_MEMBERS: Final = """
SELECT JSONExtractString(member, 'pool'), JSONExtractString(entity, 'slug')
FROM
(
    SELECT arrayJoin(JSONExtractArrayRaw(document, 'entities', 'groups')) AS entity
    FROM attribution_sets WHERE attribution_id = {id:String}
)
ARRAY JOIN JSONExtractArrayRaw(entity, 'members') AS member
WHERE JSONExtractString(member, 'start') <= {day:String}
    AND (JSONExtractString(member, 'end') = '' OR {day:String} < JSONExtractString(member, 'end'))
"""


class WindowSums(NamedTuple):
    """The sums of the pools' squared and cubed blocks in a window, its attributed blocks, and all of them."""

    s2: int
    s3: int
    known: int
    n: int


def read_sums(clickhouse: ClickHouse, window: PoolBlocks, view: View) -> WindowSums:
    """The stored sums of a window that was read."""
    asked = {"chain": window.chain, "view": view, "window": window.window, "height": window.height}
    [row] = clickhouse.query(_SUMS, asked)
    return WindowSums(*map(int, row))


def read_drift(clickhouse: ClickHouse, chain: str, view: View, height: int) -> dict[str, float]:
    """σ² a block by family, as fitted last at or below `height`; the shipped constant where none is stored."""
    rows = clickhouse.query(_DRIFT, {"chain": chain, "view": view, "height": height})
    return {**SHIPPED_DRIFT, **{str(family): float(drift) for family, drift in rows}}


class NewestBlocks:
    """The producers of the newest blocks up to a window's last one, oldest first."""

    def __init__(self, clickhouse: ClickHouse, window: PoolBlocks, view: View) -> None:
        asked = {"chain": window.chain, "height": window.height, "blocks": HISTORY_BLOCKS}
        self._pools = np.array([str(pool) for (pool,) in clickhouse.query(_POOLS, asked)])
        self._owner: dict[str, str] = {}
        if view != RAW:
            # As in the window: the map at its last block decides for all.
            at = {"id": window.attribution_id, "day": window.time.date().isoformat()}
            self._owner = {str(pool): str(owner) for pool, owner in clickhouse.query(_MEMBERS, at)}

    def hits(self, leaders: tuple[str, ...]) -> NDArray[np.float64]:
        """1 where one of these pools or entities produced the block, else 0."""
        members = [pool for pool in set(self._pools.tolist()) if self._owner.get(pool, pool) in leaders]
        return np.isin(self._pools, members).astype(np.float64)
