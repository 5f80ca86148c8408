"""alert_deliveries_log: what became of each message."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from alerts.store.delivery import Delivery
from counterpoise.clickhouse.client import ClickHouse
from counterpoise.clickhouse.rows.times import ticks_of_seconds


class AlertDeliveriesLog:
    """One row per message of a receiver."""

    def __init__(self, ch: ClickHouse) -> None:
        self._ch = ch

    def read(self, alert_id: str | None = None) -> list[Delivery]:
        """What was sent or skipped."""
        rows = self._ch.query(
            "SELECT alert_id, sequence, notifier, action, status, channel, message_ts, attempts, detail, "
            "toUnixTimestamp64Milli(updated_at), version FROM alert_deliveries_log FINAL "
            "WHERE alert_id = {alert_id:String} OR {alert_id:String} = '' ORDER BY version",
            {"alert_id": alert_id or ""},
        )
        return [
            Delivery(
                alert,
                int(seq),
                receiver_name,
                action,
                status,
                channel,
                ts,
                int(tries),
                detail,
                millis / 1000,
                int(version),
            )
            for alert, seq, receiver_name, action, status, channel, ts, tries, detail, millis, version in rows
        ]

    def told_in(self, channel: str, alert_ids: Sequence[str]) -> set[str]:
        """Which of these alerts have a message in a channel. What was routed elsewhere, muted or only promised has none."""
        rows = self._ch.query(
            "SELECT DISTINCT alert_id FROM alert_deliveries_log FINAL "
            "WHERE has({alert_ids:Array(String)}, alert_id) AND channel = {channel:String} AND message_ts != ''",
            {"alert_ids": list(alert_ids), "channel": channel},
        )
        return {str(alert_id) for (alert_id,) in rows}

    def alerts_silenced(self) -> dict[str, int]:
        """Silence → how many alerts it kept back at a receiver. Each has a row of action `silenced-ID` that stays."""
        rows = self._ch.query(
            "SELECT substring(action, 10) AS silence, uniqExact(alert_id) FROM alert_deliveries_log "
            "WHERE startsWith(action, 'silenced-') GROUP BY silence"
        )
        return {str(silence): int(alerts) for silence, alerts in rows}

    def write(self, deliveries: Sequence[Delivery], version: int) -> None:
        """Store what became of messages, in one insert."""
        self._ch.insert(
            "alert_deliveries_log",
            {
                "alert_id": [d.alert_id for d in deliveries],
                "sequence": np.array([d.sequence for d in deliveries], np.uint32),
                "notifier": [d.receiver for d in deliveries],
                "action": [d.action for d in deliveries],
                "status": [d.status for d in deliveries],
                "channel": [d.channel for d in deliveries],
                "message_ts": [d.message_ts for d in deliveries],
                "attempts": np.array([d.attempts for d in deliveries], np.uint32),
                "detail": [d.detail[:500] for d in deliveries],
                "updated_at": ticks_of_seconds([d.updated_at for d in deliveries]),
                "version": np.full(len(deliveries), version, np.uint64),
            },
        )
