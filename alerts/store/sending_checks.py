"""What may have changed since the last message: whose epoch is the newest, what people asked for, which rules are muted."""

from __future__ import annotations

from typing import Final, NamedTuple

from alerts.store.alert_actions_log import MARK
from alerts.store.alert_mutes_log import MUTE, Mute, mute_of
from counterpoise.clickhouse.client import ClickHouse

_CHECKS: Final = f"""
SELECT
    (SELECT max(epoch) FROM epochs_log WHERE role = 'alerts'),
    (SELECT {MARK} FROM alert_actions_log),
    (SELECT groupArray({MUTE}) FROM alert_mutes_log FINAL)
"""  # noqa: S608


class Checked(NamedTuple):
    """The newest epoch of an alerter, what changes with every new action, and the newest mute of each rule (or `*`), even past."""

    epoch: int
    actions_mark: tuple[int, int]
    mutes: dict[str, Mute]


class SendingChecks:
    """Read only: one statement for what is asked before each message."""

    def __init__(self, ch: ClickHouse) -> None:
        self._ch = ch

    def read(self) -> Checked:
        """As of now."""
        [(epoch, (rows, newest), mutes)] = self._ch.query(_CHECKS)
        found = (mute_of(row) for row in mutes)
        return Checked(int(epoch), (int(rows), int(newest)), {mute.rule_id: mute for mute in found})
