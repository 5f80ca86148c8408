"""The pools of a scored window under an earlier attribution set, from ClickHouse."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from counterpoise.clickhouse.client import ClickHouse
from counterpoise.clickhouse.pool_blocks import UNKNOWN, PoolBlocks
from counterpoise.errors import ConfigError
from counterpoise.windows import RAW

# The conditions reach the primary keys of both tables behind the view, so only rows near the window are read.
_COUNTS: Final = """
SELECT pool, count() FROM attributions_of(attribution_id = {id:String})
WHERE chain = {chain:String} AND height > toInt64({height:UInt32}) - {window:UInt16} AND height <= {height:UInt32}
GROUP BY pool
"""
_DOCUMENT: Final = "SELECT document FROM attribution_sets WHERE attribution_id = {id:String}"


@dataclass(frozen=True, slots=True)
class EarlierPools:
    """The blocks of a window by pool, as the set `attribution_id` names pools; unknown ones apart."""

    attribution_id: str
    raw: dict[str, int]
    unknown: int


def read_earlier_pools(clickhouse: ClickHouse, window: PoolBlocks, attribution_id: str) -> EarlierPools:
    """The same blocks under another set. ConfigError where the dataset lacks the set, or the set lacks some of the blocks.

    A set that was superseded has no block that came later, and one whose computation was interrupted has some of them.
    """
    where = {"chain": window.chain, "window": str(window.window), "height": str(window.height), "id": attribution_id}
    raw = {str(pool): int(blocks) for pool, blocks in clickhouse.query(_COUNTS, where)}
    found, blocks = sum(raw.values()), window.views[RAW].n
    if found != blocks:
        read_document(clickhouse, attribution_id)
        raise ConfigError(
            f"attribution set {attribution_id!r} has {found:,} of the {blocks:,} blocks of the window that ends at height "
            f"{window.height}: choose a window that ended while it was current, with --from-height"
        )
    unknown = sum(raw.pop(name, 0) for name in (UNKNOWN, ""))  # a pool without a name is unknown, as in the view blocks
    return EarlierPools(attribution_id, raw, unknown)


def read_document(clickhouse: ClickHouse, attribution_id: str) -> str:
    """What an attribution set was computed with, as JSON. ConfigError where it is not in the dataset."""
    rows = clickhouse.query(_DOCUMENT, {"id": attribution_id})
    if not rows:
        raise ConfigError(
            f"attribution set {attribution_id[:40]!r} is not in this dataset: see the view attribution_sets"
        )
    return str(rows[0][0])
