"""What became of a message, as a value. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

DeliveryStatus = Literal["pending", "sent", "skipped"]
"""`pending`: promised to a digest that is still to be sent."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """What became of one message: `message_ts` identifies it in its channel, `detail` is the reason for skipping it. `version` is
    of the row that was read, 0 before it is written."""

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
    version: int = 0

    @property
    def key(self) -> tuple[str, int, str]:
        """What identifies it to its receiver."""
        return self.alert_id, self.sequence, self.action
