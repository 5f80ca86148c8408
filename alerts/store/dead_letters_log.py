"""dead_letters_log: how many events could not be processed, and when."""

from __future__ import annotations

from counterpoise.clickhouse.client import ClickHouse


class DeadLettersLog:
    """Read only."""

    def __init__(self, ch: ClickHouse) -> None:
        self._ch = ch

    def per_second(self, since: float) -> tuple[tuple[int, int], ...]:
        """(second, count) of dead letters since a time."""
        rows = self._ch.query(
            "SELECT toUnixTimestamp(seen_at) AS second, count() FROM dead_letters_log FINAL "
            "WHERE seen_at >= fromUnixTimestamp64Milli({since:Int64}, 'UTC') GROUP BY second ORDER BY second",
            {"since": int(since * 1000)},
        )
        return tuple((int(second), int(count)) for second, count in rows)
