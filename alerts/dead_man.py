"""Rules on a timer: each instance of one has at most one episode open, and its rows are all the state there is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Final

from alerts.machine.ledger import Ledger, LedgerEntry
from alerts.machine.rule_state import alert_id
from alerts.rules.dead_letters_rule import LETTERS_BACK_SECONDS
from alerts.rules.rule import Finding, Rule, TimerRule
from alerts.rules.rule_types import MARKET_RULES
from alerts.signals.query_answer import QueryAnswer
from alerts.signals.release_facts import ReleaseFacts
from alerts.signals.timer_facts import TimerFacts
from alerts.store.alert_events_log import StoredEntry
from alerts.store.alert_store import AlertStore
from alerts.transition_evidence import timer_transition
from counterpoise.contracts.alert_transition import ANNOUNCING_STATES, AlertTransition

INGEST_SILENT_SECONDS: Final = 60.0
"""Ingest renews its status every few seconds while it lives."""


class DeadManRules:
    """All enabled dead-man rules."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        self._rules = [rule for rule in rules if isinstance(rule, TimerRule) and rule.enabled]
        self._ledgers: dict[tuple[str, str], Ledger] = {_key(rule): Ledger.of(()) for rule in self._rules}
        self._active_since: dict[tuple[str, str, str], float] = {}

    def needs_release_facts(self, chain: str) -> bool:
        """Whether any rule of the chain reads the AI side."""
        return any(isinstance(rule, MARKET_RULES) for rule in self._rules if rule.chain == chain)

    @property
    def chains(self) -> list[str]:
        """The chains that any rule reads."""
        return sorted({rule.chain for rule in self._rules})

    def load(self, entries: Iterable[StoredEntry]) -> None:
        """Take up the rows of earlier processes, of the rules as they were then too."""
        rows = list(entries)
        for rule in self._rules:
            mine = [row.entry for row in rows if not row.of_blocks and (row.rule_id, row.chain) == _key(rule)]
            self._ledgers[_key(rule)] = Ledger.of(mine)

    def tick(
        self, facts: TimerFacts, next_version: Callable[[], int], changed: Callable[[Rule], str] = lambda rule: ""
    ) -> list[AlertTransition]:
        """The transitions that the facts make; the ledgers hold them afterwards.

        An alert that was open when its rule was edited gets a step at once: it still fires, or it ended without having resolved.
        `changed` gives the words for what an edit changed.
        """
        made: list[AlertTransition] = []
        for rule in self._rules:
            if rule.chain != facts.chain:
                continue
            open_rows = {entry.instance: entry for entry in self._ledgers[_key(rule)].open()}
            open_keys = {instance: entry.start for instance, entry in open_rows.items()}
            findings = rule.findings(facts, open_keys)
            self._forget_gone(rule, findings)
            for instance, finding in findings:
                if finding is None or not self._holds(
                    rule, instance, finding, facts.now, is_open=instance in open_rows
                ):
                    continue
                entry, told = self._step(rule, instance, finding, open_rows.get(instance), facts.now, next_version)
                if entry is not None:
                    what = changed(rule) if entry.reason == "rule-changed" else ""
                    recorded_at_ms = int(facts.now * 1000) + len(made)
                    made.append(timer_transition(entry, rule, told, recorded_at_ms=recorded_at_ms, changed=what))
        return made

    def _forget_gone(self, rule: TimerRule, findings: Sequence[tuple[str, Finding | None]]) -> None:
        """An instance that is no longer found is no longer active. Where nothing was found, or an error, nothing is known."""
        if findings and not any(one and one.active and one.state == "error" for _, one in findings):
            there = {instance for instance, _ in findings}
            for place in [one for one in self._active_since if one[:2] == _key(rule) and one[2] not in there]:
                del self._active_since[place]

    def _holds(self, rule: TimerRule, instance: str, finding: Finding, now: float, *, is_open: bool) -> bool:
        """Whether a finding counts: one that would fire has been active for the rule's hold. An error does not wait."""
        place = (*_key(rule), instance)
        if is_open or not finding.active or finding.state == "error":
            self._active_since.pop(place, None)
            return True
        return now - self._active_since.setdefault(place, now) >= rule.hold_seconds

    def _step(  # noqa: PLR0917 - all that decides a row
        self,
        rule: TimerRule,
        instance: str,
        finding: Finding,
        open_row: LedgerEntry | None,
        now: float,
        next_version: Callable[[], int],
    ) -> tuple[LedgerEntry | None, Finding]:
        """The row that a finding makes, None where nothing changes, and the finding that it shows."""
        ledger = self._ledgers[_key(rule)]
        # An open alert's `height` is the second of what it last told.
        again = open_row is not None and finding.renews and finding.event_time > open_row.height
        edited = open_row is not None and open_row.rule_hash != rule.rule_hash
        if finding.active == (open_row is not None) and not again and not edited:
            return None, finding
        if edited:
            finding = replace(finding, event_time=int(now))
        name = open_row.alert_id if open_row else alert_id(rule.id, rule.chain, finding.key, instance)
        last = ledger.last(name)
        entry = LedgerEntry(
            name,
            ledger.next_sequence(name),
            finding.state if finding.active else "inactive" if edited else finding.ended,
            finding.event_time,
            "",
            "rule-changed" if edited else "observed",
            notify=True,
            start=open_row.start if open_row else finding.key,
            previous=last.state if last else None,
            version=next_version(),
            rule_hash=rule.rule_hash,
            instance=instance,
        )
        ledger.put(entry)
        return entry, finding

    def firing(self) -> list[str]:
        """The alerts that fire, and those whose query fails: both are renewed, and sent later where they were left out."""
        entries = (entry for ledger in self._ledgers.values() for entry in ledger.open())
        return [entry.alert_id for entry in entries if entry.state in ANNOUNCING_STATES]

    def firing_steps(self) -> list[tuple[str, int]]:
        """(alert, sequence) of the first announced step of each of these."""
        return [step for ledger in self._ledgers.values() for step in ledger.firing_steps()]


def _key(rule: Rule) -> tuple[str, str]:
    """A rule that names all chains is several rules of one id."""
    return rule.id, rule.chain


def gather_facts(
    store: AlertStore,
    chain: str,
    *,
    now: float,
    changed_at: float,
    ingest: dict[str, object] | None,
    market: ReleaseFacts | None = None,
    answers: Mapping[str, QueryAnswer] | None = None,
) -> TimerFacts:
    """Read ClickHouse and the last status of ingest (None: it runs elsewhere, or never ran)."""
    attribution_id = store.attribution.current(chain)
    tip = store.concentration.tip(chain, attribution_id) if attribution_id else None
    block_height = store.blocks.tip(chain)
    unscored_since = None
    if block_height is not None and (tip is None or block_height > tip[0]):
        unscored_since = store.blocks.seen_at(chain, tip[0] + 1 if tip else block_height)
    waiting_since, reason, silent_since = _ingest(ingest, now)
    return TimerFacts(
        now=now,
        changed_at=changed_at,
        chain=chain,
        scored_height=tip[0] if tip else None,
        scored_time=tip[1] if tip else None,
        block_height=block_height,
        unscored_since=unscored_since,
        ingest_waiting_since=waiting_since,
        ingest_waiting_reason=reason,
        ingest_silent_since=silent_since,
        letters=store.dead_letters.per_second(now - LETTERS_BACK_SECONDS),
        market=market or ReleaseFacts(),
        answers=answers or {},
    )


def _ingest(status: dict[str, object] | None, now: float) -> tuple[int | None, str, int | None]:
    if status is None:
        return None, "", None
    since = status.get("waiting_since")
    waits = status.get("state") == "waiting" and status.get("waiting_on") == "source"
    renewed = status.get("updated_at")
    silent = isinstance(renewed, (int, float)) and now - renewed > INGEST_SILENT_SECONDS
    return (
        int(since) if waits and isinstance(since, (int, float)) else None,
        str(status.get("wait_reason") or "")[:300] if waits else "",
        int(renewed) if silent and isinstance(renewed, (int, float)) else None,
    )
