"""alert_actions_log: what people asked for about alerts."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from alerts.policy import Action
from counterpoise.clickhouse.client import ClickHouse
from counterpoise.clickhouse.rows.times import ticks_of_seconds
from counterpoise.spans import DAY_SECONDS

OVER_SECONDS: Final = 30 * DAY_SECONDS
"""So long after its end a silence explains no message that still waits."""

MARK: Final = "[toInt64(count()), toUnixTimestamp64Milli(max(acted_at))]"
"""What changes with every new row, of the whole table."""

_SELECT: Final = (
    "SELECT action_id, kind, toUnixTimestamp64Milli(acted_at), author, reason, target, matchers, "
    "if(isNull(until), NULL, toUnixTimestamp64Milli(assumeNotNull(until))), until_resolved, worse_than, via "
    "FROM alert_actions_log FINAL "
)


class AlertActionsLog:
    """One row per action, never changed."""

    def __init__(self, ch: ClickHouse) -> None:
        self._ch = ch

    def mark(self) -> tuple[int, int]:
        """What changes with every new row; it may change without one."""
        [((rows, newest),)] = self._ch.query(f"SELECT {MARK} FROM alert_actions_log")  # noqa: S608
        return int(rows), int(newest)

    def read(self) -> list[Action]:
        """All of them, the oldest first."""
        return self._read(None)

    def find(self, action_id: str) -> Action | None:
        """The one of this id; None where it was never written."""
        found = self._ch.query(_SELECT + "WHERE action_id = {id:String} LIMIT 1", {"id": action_id})
        return _action(found[0]) if found else None

    def read_current(self, now: float) -> list[Action]:
        """Those on which anything may depend at `now` (seconds) or later: none that was refused, and no silence that is long over."""
        return self._read(now - OVER_SECONDS)

    def _read(self, over_before: float | None) -> list[Action]:
        """Without the refused ones and the silences that were over before this second, if one is given."""
        rows = self._ch.query(
            "WITH fromUnixTimestamp64Milli({over_ms:Int64}, 'UTC') AS over "  # noqa: S608
            + _SELECT
            + "WHERE {all:Bool} OR kind = 'acknowledge' OR kind = 'unsilence' AND acted_at >= over "
            "OR kind = 'silence' AND ifNull(until >= over, true) "
            "AND action_id NOT IN (SELECT target FROM alert_actions_log WHERE kind = 'unsilence' AND acted_at < over) "
            "ORDER BY acted_at, action_id",
            {"all": over_before is None, "over_ms": int((over_before or 0.0) * 1_000)},
        )
        return [_action(row) for row in rows]

    def write(self, action: Action) -> None:
        """Store one. Twice is once."""
        has_end = action.until is not None
        self._ch.insert(
            "alert_actions_log",
            {
                "action_id": [action.id],
                "kind": [action.kind],
                "target": [action.target],
                "matchers": [json.dumps(dict(action.matchers), ensure_ascii=False, sort_keys=True)],
                "until": np.ma.masked_array(ticks_of_seconds([action.until or 0.0]), mask=[not has_end]),
                "until_resolved": np.array([action.until_resolved], np.uint8),
                "worse_than": [action.worse_than],
                "author": [action.author],
                "reason": [action.reason],
                "via": [action.via],
                "acted_at": ticks_of_seconds([action.at]),
                "version": np.array([1], np.uint64),
            },
        )


def _action(row: Sequence[Any]) -> Action:
    action_id, kind, at, author, reason, target, matchers, until, until_resolved, worse_than, via = row
    return Action(
        str(action_id),
        kind,
        at / 1000,
        str(author),
        str(reason),
        str(target),
        json.loads(matchers or "{}"),
        None if until is None else until / 1000,
        bool(until_resolved),
        None if worse_than is None else float(worse_than),
        str(via),
    )
