"""What ClickHouse holds of a chain: the only memory that ingest has."""

from __future__ import annotations

from typing import NamedTuple

from counterpoise.clickhouse.client import ClickHouse

RECENT_BLOCKS = 2_016
"""No reorg deeper than this is followed, so nothing older needs to be looked at for one."""


class StoredTip(NamedTuple):
    """The best block that ClickHouse holds."""

    height: int
    hash: str


class StoredBlocks:
    """Questions about one chain of one dataset. Every method raises RetryableError while ClickHouse is away."""

    def __init__(self, clickhouse: ClickHouse, chain: str) -> None:
        self._clickhouse = clickhouse
        self._chain = chain

    def tip(self) -> StoredTip | None:
        """The highest canonical block, or None where there is none yet."""
        for since in ("max(height) - least(max(height), {recent:UInt32})", "min(height)"):
            rows = self._clickhouse.query(
                f"""SELECT height, lower(hex(hash)) FROM blocks_log FINAL
                WHERE chain = {{chain:String}} AND status = 'canonical'
                  AND height >= (SELECT {since} FROM blocks_log WHERE chain = {{chain:String}} AND status = 'canonical')
                ORDER BY height DESC LIMIT 1""",  # noqa: S608 - one of the two constants above
                {"chain": self._chain, "recent": RECENT_BLOCKS},
            )
            if rows:
                return StoredTip(int(rows[0][0]), str(rows[0][1]))
        return None

    def lowest(self) -> int | None:
        """The lowest canonical height, or None where there is none yet."""
        rows = self._clickhouse.query(
            "SELECT min(height), count() FROM blocks_log FINAL WHERE chain = {chain:String} AND status = 'canonical'",
            {"chain": self._chain},
        )
        return int(rows[0][0]) if rows and rows[0][1] else None

    def holds(self, height: int, block_hash: str) -> bool:
        """Whether the block is there, whatever became of it."""
        rows = self._clickhouse.query(
            "SELECT count() FROM blocks_log WHERE chain = {chain:String} AND height = {height:UInt32} "
            "AND hash = toFixedString(unhex({hash:String}), 32)",
            {"chain": self._chain, "height": height, "hash": block_hash},
        )
        return bool(rows and rows[0][0])

    def recent(self) -> dict[str, int]:
        """Hash and height of the blocks near the tip, of every branch.

        A false height may have a row too: none above the highest tip counts, and the canonical row of a hash does.
        """
        rows = self._clickhouse.query(
            """WITH (SELECT max(height) FROM blocks_log WHERE chain = {chain:String} AND status = 'canonical') AS highest
            SELECT lower(hex(hash)), height FROM blocks_log FINAL
            WHERE chain = {chain:String} AND status != 'parked'
              AND height BETWEEN highest - least(highest, {recent:UInt32}) AND highest
            ORDER BY status, height""",
            {"chain": self._chain, "recent": RECENT_BLOCKS},
        )
        return {str(block_hash): int(height) for block_hash, height in rows}

    def gaps(self) -> list[tuple[int, int]]:
        """Ranges of heights, first and last included, that lie between canonical blocks and are missing."""
        rows = self._clickhouse.query(
            """SELECT before + 1, height - 1 FROM (
                SELECT toInt64(height) AS height, lagInFrame(toInt64(height), 1, toInt64(height) - 1) OVER
                    (ORDER BY height ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) AS before
                FROM blocks_log FINAL WHERE chain = {chain:String} AND status = 'canonical'
            ) WHERE height > before + 1 ORDER BY height LIMIT 1000""",
            {"chain": self._chain},
        )
        return [(int(first), int(last)) for first, last in rows]
