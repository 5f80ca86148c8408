"""Alerts whose rule is gone: removed, switched off, or judged in another way now."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from alerts.machine.ledger import Ledger, close_all
from alerts.rules.rule import HeightRule, Rule
from alerts.store.alert_events_log import AlertEventsLog, StoredEntry
from counterpoise.contracts.alert_transition import AlertTransition


def closed_orphans(
    read: Iterable[StoredEntry], rules: Sequence[Rule], events: AlertEventsLog, *, now: float, version: int
) -> list[AlertTransition]:
    """The rows that close what is open under such rules. `read` has all rows of every alert that is open."""
    current = {(rule.id, rule.chain, isinstance(rule, HeightRule)) for rule in rules if rule.enabled}
    entries = [row.entry for row in read if (row.rule_id, row.chain, row.of_blocks) not in current]
    now_ms = int(now * 1000)
    rows: list[AlertTransition] = []
    for entry in close_all(Ledger.of(entries), version):
        last = events.transitions(alert_id=entry.alert_id)[-1]
        rows.append(
            last.model_copy(
                update={
                    "sequence": entry.sequence,
                    "state": entry.state,
                    "previous_state": entry.previous,
                    "reason": entry.reason,
                    "undoes": (),
                    "notify": entry.notify,
                    "event_time": now_ms // 1000,
                    "recorded_at_ms": now_ms + len(rows),
                    "summary": f"Rule {last.rule_id} was removed or switched off: the alert is closed, not resolved.",
                }
            )
        )
    return rows
