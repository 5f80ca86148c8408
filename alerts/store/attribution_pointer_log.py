"""attribution_pointer_log: which attribution set is the current one of a chain."""

from __future__ import annotations

from counterpoise.clickhouse.client import ClickHouse


class AttributionPointerLog:
    """Read only."""

    def __init__(self, ch: ClickHouse) -> None:
        self._ch = ch

    def current(self, chain: str) -> str | None:
        """The chain's current attribution set; None before its first block."""
        rows = self._ch.query(
            "SELECT attribution_id FROM attribution_pointer_log FINAL WHERE chain = {chain:String}", {"chain": chain}
        )
        return str(rows[0][0]) if rows else None
