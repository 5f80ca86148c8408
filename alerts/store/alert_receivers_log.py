"""alert_receivers_log: which receivers the alerter at work sends to, and since when each does."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from counterpoise.clickhouse.client import ClickHouse
from counterpoise.clickhouse.rows.times import ticks_of_seconds


class AlertReceiversLog:
    """One row per receiver."""

    def __init__(self, ch: ClickHouse) -> None:
        self._ch = ch

    def active(self) -> dict[str, int]:
        """Each receiver of the alerter that worked last → the version of rows at which it joined."""
        rows = self._ch.query("SELECT receiver, joined_version FROM alert_receivers_log FINAL WHERE is_active")
        return {str(receiver): int(joined) for receiver, joined in rows}

    def settle(self, names: Iterable[str], *, now: float, version: int) -> dict[str, int]:
        """Make these the active receivers, and return each with its joining version.

        One that was active keeps its version. One that was not joins now: what others sent before is not sent again by it.
        """
        before, wanted = self.active(), list(names)
        joined = {name: before.get(name, version) for name in wanted}
        changed = [name for name in (*before, *wanted) if (name in before) != (name in joined)]
        if changed:
            self._ch.insert(
                "alert_receivers_log",
                {
                    "receiver": changed,
                    "is_active": np.array([name in joined for name in changed], np.uint8),
                    "joined_version": np.array([joined.get(name, 0) for name in changed], np.uint64),
                    "updated_at": ticks_of_seconds([now] * len(changed)),
                    "version": np.full(len(changed), version, np.uint64),
                },
            )
        return joined
