"""alert_mutes_log: until when a rule is muted."""

from __future__ import annotations

from typing import Final

import numpy as np

from counterpoise.clickhouse.client import ClickHouse
from counterpoise.clickhouse.rows.times import ticks_of_seconds

ALL_RULES: Final = "*"
"""The name under which a mute holds for every rule."""


class AlertMutesLog:
    """One row per rule, or one for all of them."""

    def __init__(self, ch: ClickHouse) -> None:
        self._ch = ch

    def read(self) -> dict[str, float]:
        """Rule (or `*`) → end of its mute, in seconds; past ones too."""
        rows = self._ch.query("SELECT rule_id, toUnixTimestamp64Milli(until) FROM alert_mutes_log FINAL")
        return {str(rule_id): until / 1000 for rule_id, until in rows}

    def write(self, rule_id: str, until: float, now: float) -> None:
        """Mute a rule until a time; a time that is past lifts it. The latest one written holds, whatever its writer's clock shows."""
        [(newest,)] = self._ch.query(
            "SELECT max(version) FROM alert_mutes_log WHERE rule_id = {id:String}", {"id": rule_id}
        )
        self._ch.insert(
            "alert_mutes_log",
            {
                "rule_id": [rule_id],
                "until": ticks_of_seconds([until]),
                "muted_at": ticks_of_seconds([now]),
                "version": np.array([int(newest) + 1], np.uint64),
            },
        )
