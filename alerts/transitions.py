"""The transition of a ledger's row about blocks, with evidence from the heights at hand or from ClickHouse."""

from __future__ import annotations

from alerts.evaluated import EvaluatedRule
from alerts.machine.ledger import LedgerEntry
from alerts.rules.changes import changes
from alerts.signals.window_counts import WindowCounts
from alerts.store.alert_store import AlertStore
from alerts.transition_evidence import bare_transition, height_transition
from counterpoise.contracts.alert_transition import AlertTransition


def transition_of(
    store: AlertStore, evaluated: EvaluatedRule, entry: LedgerEntry, series: WindowCounts | None, recorded_at_ms: int
) -> AlertTransition:
    """`series` reach the row's height, with what its rule looks back on; they are read where they are not at hand."""
    rule, attribution_id = evaluated.rule, evaluated.rule_state.attribution_id
    if series is None:
        series = store.concentration.up_to(rule, attribution_id, entry.height)
    if series.row(entry.height) is None:
        return bare_transition(entry, rule, recorded_at_ms=recorded_at_ms)
    edited = entry.reason == "rule-changed"
    return height_transition(
        entry,
        rule,
        series,
        attribution_id=attribution_id,
        recorded_at_ms=recorded_at_ms,
        changed=changes(store.events.newest_content(rule.id, rule.chain), rule) if edited else "",
    )
