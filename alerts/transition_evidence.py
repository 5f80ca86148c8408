"""From a row of the ledger to the transition that is stored: value, bounds, evidence and the SQL that reproduces the value. Pure."""

from __future__ import annotations

import math
from typing import Any

from alerts.machine.ledger import LedgerEntry
from alerts.rules.rule import Finding, HeightRule, Reading, Rule, TimerRule
from alerts.signals.window_counts import WindowCounts
from counterpoise.contracts.alert_transition import OPEN_STATES, AlertEvidence, AlertTransition
from counterpoise.formats import TEXT, counted


def evidence_of(rule: HeightRule, series: WindowCounts, at: int, attribution_id: str) -> AlertEvidence:
    """The integers of one height, and how to find them again."""
    height, n = int(series.height[at]), int(series.n[at])
    return AlertEvidence(
        chain=rule.chain,
        view=rule.view,
        window_blocks=rule.window_blocks,
        from_height=max(0, height - n + 1),
        height=height,
        tip_hash=series.tip_hash[at],
        attribution_id=attribution_id,
        n=n,
        unknown=int(series.unknown[at]),
        pools_seen=int(series.pools_seen[at]),
        counts=series.named_counts(at),
        metric=rule.metric_name,
        sql=rule.reproducing_sql(attribution_id, height),
    )


def height_transition(
    entry: LedgerEntry,
    rule: HeightRule,
    series: WindowCounts,
    *,
    attribution_id: str,
    recorded_at_ms: int,
    changed: str = "",
) -> AlertTransition:
    """The transition for a row about the blocks of `series`, which must reach the row's height (ValueError if not).

    `changed`: what an edit changed in the rule, where the row is because of one.
    """
    at = series.row(entry.height)
    if at is None:
        raise ValueError(f"height {entry.height} is not in the series")
    reading = rule.reading(series, at) if int(series.n[at]) else None
    evidence = evidence_of(rule, series, at, attribution_id)
    return _transition(
        entry,
        rule,
        event_time=int(series.time[at]),
        recorded_at_ms=recorded_at_ms,
        value=_known(reading.value) if reading else None,
        value_low=_known(reading.low) if reading else None,
        value_high=_known(reading.high) if reading else None,
        interval_low=reading.interval_low if reading else None,
        interval_high=reading.interval_high if reading else None,
        threshold=reading.threshold if reading else None,
        summary=_summary(entry, rule, reading, evidence, changed)[:1_000],
        evidence=evidence,
    )


def bare_transition(entry: LedgerEntry, rule: Rule, *, recorded_at_ms: int) -> AlertTransition:
    """The transition for a row without evidence: its height is scored no more."""
    return _transition(
        entry,
        rule,
        event_time=recorded_at_ms // 1000,
        recorded_at_ms=recorded_at_ms,
        summary=f"{rule.name}: {entry.state} at height {entry.height}, which is scored no more",
        evidence=AlertEvidence(chain=rule.chain, height=entry.height, tip_hash=entry.tip_hash or None),
    )


def timer_transition(
    entry: LedgerEntry, rule: TimerRule, finding: Finding, *, recorded_at_ms: int, changed: str = ""
) -> AlertTransition:
    """The transition for a row of a dead-man rule; `changed` as in `height_transition`."""
    summary = finding.summary
    if entry.reason == "rule-changed":
        summary = (
            f"{_edit(changed)} {summary if entry.state in OPEN_STATES else 'The rule as it is now does not fire.'}"
        )
    return _transition(
        entry,
        rule,
        event_time=finding.event_time,
        recorded_at_ms=recorded_at_ms,
        value=finding.value,
        interval_low=finding.interval_low,
        interval_high=finding.interval_high,
        threshold=finding.threshold,
        summary=summary[:1_000],
        evidence=AlertEvidence(chain=rule.chain, sql=finding.sql, instance=entry.instance or None),
    )


def _transition(entry: LedgerEntry, rule: Rule, evidence: AlertEvidence, **more: Any) -> AlertTransition:
    """Fields of every transition from the ledger and the rule, with the rest in `more`."""
    return AlertTransition(
        alert_id=entry.alert_id,
        sequence=entry.sequence,
        rule_id=rule.id,
        rule_hash=rule.rule_hash,
        state=entry.state,
        previous_state=entry.previous,
        reason=entry.reason,
        notify=entry.notify,
        undoes=entry.undoes,
        start_height=max(0, entry.start),
        evidence=evidence.model_copy(update=rule.as_evidence),
        **more,
    )


def _known(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def _edit(changed: str) -> str:
    return f"Rule changed: {changed}." if changed else "The rule was changed."


def _summary(
    entry: LedgerEntry, rule: HeightRule, reading: Reading | None, evidence: AlertEvidence, changed: str
) -> str:
    """The value against its line, and what follows from it; it stands alone."""
    at = f"(height {entry.height})"
    if reading is None:
        return f"{rule.name}: no {'value' if evidence.n else 'blocks in the window'} {at}."
    line = rule.format_line(reading.threshold)
    breach = rule.breach(reading)
    n = evidence.n or 0
    statement = rule.statement(reading, n)
    sentence = statement[0].upper() + statement[1:]
    if entry.reason == "rule-changed":
        tail = {
            "firing": f"still {breach}" if entry.previous == "firing" else breach,
            "inactive": f"the rule as it is now does not fire (line {line})",
        }.get(entry.state, f"{entry.state} under the rule as it is now")
        return f"{_edit(changed)} {sentence}: {tail} {at}."
    if entry.reason == "rebased":
        tail = {
            "rebased": f"{breach} under the new attribution; recorded, not announced",
            "firing": f"still {breach} under the new attribution",
            "resolved": "the new attribution does not support the alert",
        }.get(entry.state, f"{entry.state} under the new attribution")
        return f"{sentence}: {tail} {at}."
    if entry.state == "retracted":
        return f"The blocks that this rested on were undone (a reorganisation or a repair). Now {statement} {at}."
    if entry.reason == "restated":
        return f"{sentence}: {entry.state} is what stands after the retraction {at}."
    hold = f" for {counted(rule.for_blocks, 'block')}" if rule.for_blocks else ""
    leaders = ", ".join(
        f"{name} {TEXT.share(count / max(n, 1))}" for name, count in evidence.counts[: rule.leaders_named]
    )
    unknown, high = evidence.unknown or 0, _known(reading.high)
    was = "was" if unknown == 1 else "were"
    bound = (
        "" if high is None else f": {rule.format_value(high)} if the {counted(unknown, 'unknown block')} {was} theirs"
    )
    tail = {
        "possible": f"possibly {breach}{bound}",
        "pending": f"{breach}; it fires once that has held{hold}",
        "firing": f"{breach}{hold}: {leaders}",
        "resolved": rule.cleared(),
        "inactive": f"no longer {breach}",
    }.get(entry.state, entry.state)
    return f"{sentence}, {tail} {at}."
