"""blocks_log: how far the chain is stored."""

from __future__ import annotations

from counterpoise.clickhouse.client import ClickHouse


class BlocksLog:
    """Read only."""

    def __init__(self, ch: ClickHouse) -> None:
        self._ch = ch

    def tip(self, chain: str) -> int | None:
        """The highest canonical block."""
        rows = self._ch.query(
            "SELECT height FROM blocks_log FINAL WHERE chain = {chain:String} AND status = 'canonical' ORDER BY height DESC LIMIT 1",
            {"chain": chain},
        )
        return int(rows[0][0]) if rows else None

    def seen_at(self, chain: str, height: int) -> int | None:
        """When the source saw the canonical block at a height, in seconds."""
        rows = self._ch.query(
            "SELECT toUnixTimestamp(seen_at) FROM blocks_log FINAL WHERE chain = {chain:String} AND height = {height:UInt32} "
            "AND status = 'canonical'",
            {"chain": chain, "height": height},
        )
        return int(rows[0][0]) if rows else None
