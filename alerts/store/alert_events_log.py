"""alert_events_log: every transition of every alert."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from alerts.machine.ledger import LedgerEntry
from counterpoise.clickhouse.client import ClickHouse
from counterpoise.clickhouse.rows.alert_events import alert_event_columns
from counterpoise.contracts.alerts import AlertEvidence, AlertTransition


class AlertEventsLog:
    """Rows are added and replaced by their key (alert, sequence), never taken away."""

    def __init__(self, ch: ClickHouse) -> None:
        self._ch = ch

    def write(self, transitions: Sequence[AlertTransition], version: int) -> None:
        """Store them, in one insert."""
        if transitions:
            self._ch.insert("alert_events_log", alert_event_columns(transitions, version))

    def entries(self) -> list[tuple[str, str, str, LedgerEntry]]:
        """(rule id, rule hash, chain, row) of everything that was ever written."""
        rows = self._ch.query(
            "SELECT rule_id, rule_hash, chain, alert_id, sequence, state, ifNull(height, toUnixTimestamp(event_time)), tip_hash, "
            "reason, undoes, notify, start_height, previous_state, version FROM alert_events_log FINAL ORDER BY version, recorded_at"
        )
        return [
            (
                str(rule_id),
                str(rule_hash),
                str(chain),
                LedgerEntry(
                    alert_id=str(alert_id),
                    sequence=int(sequence),
                    state=state,
                    height=int(height or 0),
                    tip_hash=str(tip_hash),
                    reason=reason,
                    undoes=tuple(int(x) for x in undoes),
                    notify=bool(notify),
                    start=int(start) if start is not None else -1,
                    previous=previous or None,
                    version=int(version),
                ),
            )
            for (
                rule_id,
                rule_hash,
                chain,
                alert_id,
                sequence,
                state,
                height,
                tip_hash,
                reason,
                undoes,
                notify,
                start,
                previous,
                version,
            ) in rows
        ]

    def transitions(
        self,
        *,
        announced: bool = False,
        alert_id: str | None = None,
        limit: int = 1_000_000,
        newest_first: bool = False,
    ) -> list[AlertTransition]:
        """Stored transitions in the order in which they were written; `announced`: only those that are sent to people."""
        order = "DESC" if newest_first else "ASC"
        rows = self._ch.query(
            "SELECT alert_id, sequence, rule_id, rule_hash, state, previous_state, reason, notify, undoes, "  # noqa: S608
            "toUnixTimestamp(event_time), toUnixTimestamp64Milli(recorded_at), start_height, value, value_low, value_high, "
            "interval_low, interval_high, threshold, summary, evidence FROM alert_events_log FINAL "
            "WHERE (notify OR NOT {announced:Bool}) AND (alert_id = {alert_id:String} OR {alert_id:String} = '') "
            f"ORDER BY version {order}, recorded_at {order}, sequence {order} LIMIT {{limit:UInt32}}",
            {"announced": announced, "alert_id": alert_id or "", "limit": limit},
        )
        return [_transition(row) for row in rows]


def _transition(row: Sequence[Any]) -> AlertTransition:
    names = (
        "alert_id",
        "sequence",
        "rule_id",
        "rule_hash",
        "state",
        "previous_state",
        "reason",
        "notify",
        "undoes",
        "event_time",
        "recorded_at_ms",
        "start_height",
        "value",
        "value_low",
        "value_high",
        "interval_low",
        "interval_high",
        "threshold",
        "summary",
    )
    fields: Mapping[str, Any] = dict(zip(names, row[:-1], strict=True))
    return AlertTransition.model_validate(
        {
            **fields,
            "previous_state": fields["previous_state"] or None,
            "notify": bool(fields["notify"]),
            "undoes": tuple(fields["undoes"]),
            "evidence": AlertEvidence.model_validate_json(row[-1]),
        }
    )
