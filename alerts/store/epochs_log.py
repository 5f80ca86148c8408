"""epochs_log: who claimed last to be the alerter."""

from __future__ import annotations

from counterpoise.clickhouse.client import ClickHouse


class EpochsLog:
    """Read only; an alerter claims an epoch at its start."""

    def __init__(self, ch: ClickHouse) -> None:
        self._ch = ch

    def highest(self) -> int:
        """The newest claim to be the alerter."""
        return int(self._ch.query("SELECT max(epoch) FROM epochs_log WHERE role = 'alerts'")[0][0])
