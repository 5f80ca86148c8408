"""alert_mutes_log: until when a rule is muted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from counterpoise.clickhouse.client import ClickHouse
from counterpoise.clickhouse.rows.times import ticks_of_seconds

ALL_RULES: Final = "*"
"""The name under which a mute holds for every rule."""


@dataclass(frozen=True, slots=True)
class Mute:
    """`rule_id` is silent until `until` (seconds; past where it was lifted), muted at `muted_at` by `author` for `reason`."""

    rule_id: str
    until: float
    author: str = ""
    reason: str = ""
    muted_at: float = 0.0


MUTE: Final = "(toString(rule_id), toUnixTimestamp64Milli(until), author, reason, toUnixTimestamp64Milli(muted_at))"
"""A row as `mute_of` takes it."""


def mute_of(row: Sequence[Any]) -> Mute:
    """The mute of a row."""
    rule_id, until, author, reason, muted_at = row
    return Mute(str(rule_id), until / 1000, str(author), str(reason), muted_at / 1000)


class AlertMutesLog:
    """One row per rule, or one for all of them."""

    def __init__(self, ch: ClickHouse) -> None:
        self._ch = ch

    def read(self) -> dict[str, Mute]:
        """The newest mute of each rule (or `*`), past ones too."""
        rows = self._ch.query(f"SELECT {MUTE} FROM alert_mutes_log FINAL")  # noqa: S608
        return {mute.rule_id: mute for mute in (mute_of(row) for (row,) in rows)}

    def write(self, mute: Mute) -> None:
        """Mute a rule until a time; a time that is past lifts it. The latest one written holds, whatever its writer's clock shows."""
        [(newest,)] = self._ch.query(
            "SELECT max(version) FROM alert_mutes_log WHERE rule_id = {id:String}", {"id": mute.rule_id}
        )
        self._ch.insert(
            "alert_mutes_log",
            {
                "rule_id": [mute.rule_id],
                "until": ticks_of_seconds([mute.until]),
                "author": [mute.author],
                "reason": [mute.reason],
                "muted_at": ticks_of_seconds([mute.muted_at]),
                "version": np.array([int(newest) + 1], np.uint64),
            },
        )
