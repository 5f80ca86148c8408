"""The state of a chain from ClickHouse, and what an earlier worker left half written.

A worker can die between the insert of blocks and that of their concentration. So loading starts where blocks and concentration last
agree, and hands out every later block as an event to fold again: equal input, equal rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from counterpoise.clickhouse.client import ClickHouse
from counterpoise.contracts.blocks import BlockEvent
from counterpoise.windows import DAILY_BUCKET_BLOCKS, MAX_REORG_BLOCKS, ONE_SERIES
from streams.blocks.fold.attributor import Attributor
from streams.blocks.fold.chain_fold import FOLD_HISTORY_BLOCKS, ChainFold, FoldResult, StoredBlock, StoredChain
from streams.blocks.fold.concentration import TableCache
from streams.blocks.scoring_store import NO_HEIGHT, untrusted_from
from streams.blocks.state_store import older_blocks, stored_drift, stored_hours, stored_states

BATCH_BLOCKS = 4_000

_CHAINS = "SELECT DISTINCT chain FROM blocks_log ORDER BY chain"

# Two writers that overlapped can leave two canonical blocks at a height, or one whose parent is not the block below: from there on
# nothing is taken for granted.
_CANONICAL = """
    SELECT height, hash,
        row_number() OVER w = 1 OR (lagInFrame(height) OVER w = height - 1 AND lagInFrame(hash) OVER w = prev_hash) AS follows
    FROM blocks_log FINAL WHERE chain = {chain:String} AND status = 'canonical' AND height >= {low:UInt32}
    WINDOW w AS (ORDER BY height, version DESC ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)
"""

# The concentration of one view and window stands for all: they are written in one insert.
_SCORED = f"""
    SELECT height, tip_hash FROM concentration_log FINAL
    WHERE attribution_id = {{id:String}} AND chain = {{chain:String}} AND {ONE_SERIES} AND height >= {{low:UInt32}}
"""  # noqa: S608

_EDGE = "SELECT height FROM blocks_log WHERE chain = {chain:String} ORDER BY height"
_FIRST_CANONICAL = """
    SELECT count(), min(height) FROM blocks_log FINAL
    WHERE chain = {chain:String} AND status = 'canonical' AND height BETWEEN {low:UInt32} AND {high:UInt32}
"""

_BOUNDS = f"""
    WITH canonical AS ({_CANONICAL}), scored AS ({_SCORED})
    SELECT count(), min(height), max(height), countIf(not whole), minIf(height, not whole)
    FROM (SELECT height, follows AND (height, hash) IN scored AS whole FROM canonical)
"""  # noqa: S608 - composed of our own constants

# Detectors, drift, forecasts and windows of time are written before the concentration: they may reach higher.
_OF_SET = "WHERE attribution_id = {id:String} AND chain = {chain:String} AND height > {tip:UInt32}"
_ORPHAN_SCORES = f"""
    SELECT height FROM ({_SCORED})
    UNION DISTINCT SELECT height FROM detectors_log FINAL {_OF_SET}
    UNION DISTINCT SELECT height FROM drift_log FINAL {_OF_SET}
    UNION DISTINCT SELECT height FROM share_forecasts_log FINAL {_OF_SET}
    UNION DISTINCT SELECT height FROM time_windows_log FINAL {_OF_SET}
"""  # noqa: S608

_ORPHAN_DAYS = f"""
    SELECT bucket FROM concentration_daily_log
    WHERE attribution_id = {{id:String}} AND chain = {{chain:String}} AND {ONE_SERIES} AND bucket > {{bucket:UInt32}}
    GROUP BY bucket HAVING argMax(blocks, version) > 0 ORDER BY bucket
"""  # noqa: S608

_BLOCKS = """
    SELECT height, lower(hex(hash)), lower(hex(prev_hash)), intDiv(toUnixTimestamp64Milli(time), 1000), bits,
           lower(hex(coinbase_script)), payout_addresses, label, source, synthetic, toUnixTimestamp64Milli(seen_at),
           fees_sats, transactions, size_bytes, weight, match_ratio, similarity_ratio, expected_fees_sats, expected_weight
    FROM blocks_log FINAL
    WHERE chain = {chain:String} AND height BETWEEN {low:UInt32} AND {high:UInt32}
"""

_CONTENT: Final = (
    "fees_sats", "transactions", "size_bytes", "weight", "match_ratio", "similarity_ratio", "expected_fees_sats", "expected_weight"
)  # fmt: skip
"""The last columns of `_BLOCKS`: NULL where the source has none."""

_CANONICAL_BLOCKS = _BLOCKS + " AND status = 'canonical' ORDER BY height, version DESC"
_STALE_BLOCKS = _BLOCKS + " AND status = 'stale' ORDER BY height, hash"
_PARKED_BLOCKS = _BLOCKS + " AND status = 'parked' ORDER BY version, height, hash"

# Every tip was scored, and a height that was undone keeps its tombstone: the highest of all, under whatever attribution. A set is
# stored before anything is scored under it.
_SETS = "SELECT DISTINCT attribution_id FROM attribution_sets_log"
_PEAK = f"""
    SELECT height FROM concentration_log WHERE attribution_id = {{id:String}} AND chain = {{chain:String}} AND {ONE_SERIES}
    ORDER BY height DESC LIMIT 1
"""  # noqa: S608

_STORED = """
    SELECT DISTINCT height, lower(hex(hash)) FROM blocks_log WHERE chain = {chain:String} AND height IN {heights:Array(UInt32)}
"""
HEIGHTS_A_QUERY = 2_000
_MAX_HEIGHT = 0x7FFF_FFFF
CHECKED_BLOCKS: Final = 65_536
"""Heights that a start compares at least. Half of them lie below whatever is not whole: far more than a reorganisation reaches."""


def stored_chains(clickhouse: ClickHouse) -> list[str]:
    """Every chain that has blocks here."""
    return [chain for (chain,) in clickhouse.query(_CHAINS)]


@dataclass(frozen=True, slots=True)
class ChainBounds:
    """What is stored of a chain: its canonical heights, and the first that does not stand on the one below or lacks concentration."""

    blocks: int
    first: int
    tip: int
    unscored_from: int


def newest_bounds(
    clickhouse: ClickHouse, chain: str, attribution_id: str, *, stretch: int = CHECKED_BLOCKS
) -> tuple[ChainBounds, int]:
    """`chain_bounds` and `untrusted_from` by the newest heights, so that a start costs the same whatever the length of the chain.

    The newest `stretch` heights are compared, and twice as many as long as the lower half of them is not whole and trusted.
    `blocks` counts those that were compared; `first` is the lowest canonical height of all.
    """
    lowest, highest = (clickhouse.query(f"{_EDGE} {order} LIMIT 1", {"chain": chain}) for order in ("ASC", "DESC"))
    if not lowest:
        return ChainBounds(0, 0, 0, 0), NO_HEIGHT
    bottom, top = int(lowest[0][0]), int(highest[0][0])
    while True:
        low = max(bottom, top + 1 - stretch)
        bounds = chain_bounds(clickhouse, chain, attribution_id, low=low)
        untrusted = untrusted_from(clickhouse, chain, attribution_id, low=low)
        if low == bottom:
            return bounds, untrusted
        if bounds.blocks and min(bounds.unscored_from, untrusted, bounds.tip) > low + stretch // 2:
            break
        stretch *= 2
    for high in (bottom + stretch, _MAX_HEIGHT):
        [(count, first)] = clickhouse.query(_FIRST_CANONICAL, {"chain": chain, "low": bottom, "high": high})
        if count:
            break
    return replace(bounds, first=int(first)), untrusted


def chain_bounds(clickhouse: ClickHouse, chain: str, attribution_id: str, *, low: int = 0) -> ChainBounds:
    """Compare blocks and concentration from height `low` on; `unscored_from` is tip + 1 where all is well.

    All 0 where there are no blocks.
    """
    asked = {"chain": chain, "id": attribution_id, "low": low}
    [(blocks, first, tip, unscored, unscored_from)] = clickhouse.query(_BOUNDS, asked)
    if not blocks:
        return ChainBounds(0, 0, 0, 0)
    return ChainBounds(int(blocks), int(first), int(tip), int(unscored_from) if unscored else int(tip) + 1)


def canonical_blocks(clickhouse: ClickHouse, chain: str, low: int, high: int) -> list[BlockEvent]:
    """The canonical blocks of heights `low` … `high`, both included, by height."""
    return _events(clickhouse, _CANONICAL_BLOCKS, chain, low, high)


def stale_blocks(clickhouse: ClickHouse, chain: str, low: int, high: int = _MAX_HEIGHT) -> list[BlockEvent]:
    """The blocks of these heights that lost, by height."""
    return _events(clickhouse, _STALE_BLOCKS, chain, low, high)


def parked_blocks(clickhouse: ClickHouse, chain: str, low: int, high: int = _MAX_HEIGHT) -> list[BlockEvent]:
    """The blocks of these heights that wait for a parent."""
    return _events(clickhouse, _PARKED_BLOCKS, chain, low, high)


def peak_height(clickhouse: ClickHouse, chain: str) -> int:
    """The height of the highest tip there ever was; 0 where there was none."""
    sets = [str(one) for (one,) in clickhouse.query(_SETS)]
    found = [clickhouse.query(_PEAK, {"chain": chain, "id": attribution_id}) for attribution_id in sets]
    return max((int(rows[0][0]) for rows in found if rows), default=0)


def not_stored(clickhouse: ClickHouse, chain: str, blocks: Iterable[StoredBlock]) -> list[StoredBlock]:
    """Those of the blocks that have no row, each once."""
    missing = {(block.event.height, block.event.hash): block for block in blocks}
    heights = sorted({height for height, _ in missing})
    for start in range(0, len(heights), HEIGHTS_A_QUERY):
        found = clickhouse.query(_STORED, {"chain": chain, "heights": heights[start : start + HEIGHTS_A_QUERY]})
        for height, block_hash in found:
            missing.pop((int(height), str(block_hash)), None)
    return list(missing.values())


def scored_above(clickhouse: ClickHouse, chain: str, attribution_id: str, tip_height: int) -> list[int]:
    """Heights above the tip that have concentration or anything beside it, lowest first.

    A worker left them behind that was replaced, or that died before it undid them.
    """
    asked = {"chain": chain, "id": attribution_id}
    found = clickhouse.query(_ORPHAN_SCORES, {**asked, "tip": tip_height, "low": tip_height + 1})
    return sorted(int(height) for (height,) in found)


def days_above(clickhouse: ClickHouse, chain: str, attribution_id: str, tip_height: int) -> list[int]:
    """Buckets above the tip's that `concentration_daily` shows something of, left behind as in `scored_above`."""
    asked = {"chain": chain, "id": attribution_id, "bucket": tip_height // DAILY_BUCKET_BLOCKS}
    return [int(bucket) for (bucket,) in clickhouse.query(_ORPHAN_DAYS, asked)]


@dataclass(slots=True)
class LoadedChain:
    """A fold, and the stored blocks that it must fold again: at least the tip, so that its score is published again.

    `fold` equals the one that wrote the rows once `fold_next` has returned None.
    """

    fold: ChainFold
    _clickhouse: ClickHouse
    _chain: str
    _next_height: int
    _tip_height: int
    _peak_is_known: bool = False
    _is_whole: bool = False

    @property
    def is_new(self) -> bool:
        """Whether the chain has no stored block yet."""
        return self._tip_height == 0

    def fold_next(self) -> FoldResult | None:
        """Fold the next batch; None at the end. After a RetryableError the same batch is folded by the next call."""
        if self._next_height <= self._tip_height:
            high = min(self._next_height + BATCH_BLOCKS - 1, self._tip_height)
            events = canonical_blocks(self._clickhouse, self._chain, self._next_height, high)
            self._next_height = high + 1
            return self.fold.apply(events)
        if self._is_whole:
            return None
        if not self._peak_is_known:
            peak = peak_height(self._clickhouse, self._chain)
            self._peak_is_known = True
            return self.fold.raise_peak(peak)
        low = 0 if self.fold.tip is None else self.fold.root_height + 1
        stale = stale_blocks(self._clickhouse, self._chain, low)
        parked = parked_blocks(self._clickhouse, self._chain, low)
        self._is_whole = True
        return self.fold.rejoin(stale, parked)


def load_chain(clickhouse: ClickHouse, chain: str, attributor: Attributor, cache: TableCache) -> LoadedChain:
    """Load a chain up to where its concentration is whole, short of its tip; see `LoadedChain` for what is left to do."""
    attribution_id = attributor.attribution_set.attribution_id
    bounds, untrusted = newest_bounds(clickhouse, chain, attribution_id)
    if not bounds.blocks:
        return LoadedChain(ChainFold(attributor, cache=cache), clickhouse, chain, 1, 0)
    stored = None
    whole_to = min(bounds.unscored_from, untrusted, bounds.tip) - 1
    if whole_to >= bounds.first:
        recent_from = max(bounds.first, whole_to - MAX_REORG_BLOCKS)
        base = max(bounds.first, recent_from - FOLD_HISTORY_BLOCKS)
        history = canonical_blocks(clickhouse, chain, base, whole_to)
        stored = stored_chain(
            clickhouse, chain, attributor, history, first_height=bounds.first, recent_from=recent_from
        )
    fold = ChainFold(attributor, stored, cache=cache)
    if stored is None:
        # Another block at such a height need not pass an hour, and so would not replace the row.
        fold.time_windows.note_stored(stored_hours(clickhouse, chain, attribution_id, 0))
    return LoadedChain(fold, clickhouse, chain, whole_to + 1, bounds.tip)


def stored_chain(
    clickhouse: ClickHouse,
    chain: str,
    attributor: Attributor,
    history: Sequence[BlockEvent],
    *,
    first_height: int,
    recent_from: int,
) -> StoredChain:
    """What a fold goes on from behind these consecutive blocks; a branch may begin at `recent_from` or above."""
    attribution_id = attributor.attribution_set.attribution_id
    return StoredChain(
        first_height=first_height,
        base_height=history[0].height,
        codes=[attributor.attribute(event).code for event in history],
        times=[event.time for event in history],
        bits=[event.bits for event in history],
        recent=history[recent_from - history[0].height :],
        older=older_blocks(clickhouse, chain, attribution_id, base_height=history[0].height, recent_from=recent_from),
        detectors=stored_states(clickhouse, chain, attribution_id, history),
        drift=stored_drift(clickhouse, chain, attribution_id, history[-1].height),
        hours=stored_hours(clickhouse, chain, attribution_id, recent_from),
    )


def _events(clickhouse: ClickHouse, sql: str, chain: str, low: int, high: int) -> list[BlockEvent]:
    found = clickhouse.query(sql, {"chain": chain, "low": max(0, low), "high": max(0, high)})
    return [
        BlockEvent.model_construct(  # what is stored was validated when it came
            chain=chain,
            height=height,
            hash=block_hash,
            prev_hash=prev_hash,
            time=time,
            bits=bits,
            coinbase_script=script,
            payout_addresses=tuple(addresses),
            label=label or None,
            source=source,
            synthetic=synthetic,
            seen_at_ms=seen_at_ms,
            **dict(zip(_CONTENT, content, strict=True)),
        )
        for (
            height,
            block_hash,
            prev_hash,
            time,
            bits,
            script,
            addresses,
            label,
            source,
            synthetic,
            seen_at_ms,
            *content,
        ) in found
    ]
