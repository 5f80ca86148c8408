"""alert_deliveries_log: what became of each message."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from counterpoise.clickhouse.client import ClickHouse
from counterpoise.clickhouse.rows.times import ticks_of_seconds

DeliveryStatus = Literal["sent", "skipped"]


@dataclass(frozen=True, slots=True)
class Delivery:
    """What became of one message: `message_ts` identifies it in its channel, `detail` is the reason for skipping it."""

    alert_id: str
    sequence: int
    receiver: str
    action: str
    status: DeliveryStatus
    channel: str = ""
    message_ts: str = ""
    attempts: int = 1
    detail: str = ""
    updated_at: float = 0.0

    @property
    def key(self) -> tuple[str, int, str]:
        """What identifies it to its receiver."""
        return self.alert_id, self.sequence, self.action


class AlertDeliveriesLog:
    """One row per message of a receiver."""

    def __init__(self, ch: ClickHouse) -> None:
        self._ch = ch

    def read(self, receiver: str | None = None, alert_id: str | None = None) -> list[Delivery]:
        """What was sent or skipped."""
        rows = self._ch.query(
            "SELECT alert_id, sequence, notifier, action, status, channel, message_ts, attempts, detail, "
            "toUnixTimestamp64Milli(updated_at) FROM alert_deliveries_log FINAL "
            "WHERE (notifier = {notifier:String} OR {notifier:String} = '') "
            "AND (alert_id = {alert_id:String} OR {alert_id:String} = '') ORDER BY version",
            {"notifier": receiver or "", "alert_id": alert_id or ""},
        )
        return [
            Delivery(alert, int(seq), receiver_name, action, status, channel, ts, int(attempts), detail, millis / 1000)
            for alert, seq, receiver_name, action, status, channel, ts, attempts, detail, millis in rows
        ]

    def write(self, delivery: Delivery, version: int) -> None:
        """Store what became of a message."""
        self._ch.insert(
            "alert_deliveries_log",
            {
                "alert_id": [delivery.alert_id],
                "sequence": np.array([delivery.sequence], np.uint32),
                "notifier": [delivery.receiver],
                "action": [delivery.action],
                "status": [delivery.status],
                "channel": [delivery.channel],
                "message_ts": [delivery.message_ts],
                "attempts": np.array([delivery.attempts], np.uint32),
                "detail": [delivery.detail[:500]],
                "updated_at": ticks_of_seconds([delivery.updated_at]),
                "version": np.array([version], np.uint64),
            },
        )
