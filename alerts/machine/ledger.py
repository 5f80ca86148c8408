"""The written rows of a rule's alerts, and the next rows, after which they agree with the chain.

Rows are never taken away: what a reorg undid is retracted by a further row. `reconcile` compares what the rows claim above a
fork with the winning branch, and is idempotent: after a kill between rows and checkpoint it finds its own rows and
adds nothing. Pure.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from operator import itemgetter
from typing import Literal

from alerts.machine.machine import Step
from alerts.machine.rule_state import RuleState
from counterpoise.contracts.alert_transition import ANNOUNCING_STATES, OPEN_STATES, AlertReason, AlertState

Cause = Literal["observed", "reorg", "rebased", "rule-changed"]


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """What the ledger needs of a row. `height` is where it happened, `tip_hash` the block there; for a dead-man rule `height`
    is the second at which it happened. `rule_hash` is of the rule as it was then, `instance` the key of an alert that is one of
    several of its rule."""

    alert_id: str
    sequence: int
    state: AlertState
    height: int
    tip_hash: str
    reason: AlertReason = "observed"
    undoes: tuple[int, ...] = ()
    notify: bool = False
    start: int = -1
    previous: AlertState | None = None
    version: int = 0
    rule_hash: str = ""
    instance: str = ""


@dataclass(slots=True)
class Ledger:
    """Rows of one rule on one chain, by alert and sequence: all of an alert or none.

    Questions about what is open, or above a height, take time that grows with the answer, not with the rows.
    """

    rows: dict[str, dict[int, LedgerEntry]]
    _last: dict[str, LedgerEntry] = field(default_factory=dict)
    _open: set[str] = field(default_factory=set)
    _heights: list[tuple[int, int, str]] = field(default_factory=list)
    """(height, place of the alert among all, alert) of each row, ascending; also of rows that were replaced since."""
    _places: dict[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, entries: Iterable[LedgerEntry]) -> Ledger:
        """From rows in any order; of two with one key the higher version counts."""
        ledger = cls({})
        for entry in sorted(entries, key=lambda e: e.version):
            ledger._add(entry)
        ledger._heights = sorted(
            (entry.height, ledger._places[name], name) for name, rows in ledger.rows.items() for entry in rows.values()
        )
        return ledger

    def reaching(self, above: int) -> Ledger:
        """The rows of the alerts that are open or have a row above a height."""
        kept = self._open | {
            name for _, _, name in self._heights[bisect_right(self._heights, above, key=itemgetter(0)) :]
        }
        return Ledger.of(entry for name, rows in self.rows.items() if name in kept for entry in rows.values())

    def put(self, entry: LedgerEntry) -> None:
        """Add a row, or replace the row of its key."""
        self._add(entry)
        insort(self._heights, (entry.height, self._places[entry.alert_id], entry.alert_id))

    def _add(self, entry: LedgerEntry) -> None:
        name = entry.alert_id
        self._places.setdefault(name, len(self._places))
        self.rows.setdefault(name, {})[entry.sequence] = entry
        last = self._last.get(name)
        if last is None or entry.sequence >= last.sequence:
            self._last[name] = entry
            if entry.state in OPEN_STATES:
                self._open.add(name)
            else:
                self._open.discard(name)

    def of_alert(self, alert_id: str) -> list[LedgerEntry]:
        """An alert's rows in sequence."""
        rows = self.rows.get(alert_id, {})
        return [rows[sequence] for sequence in sorted(rows)]

    def last(self, alert_id: str) -> LedgerEntry | None:
        """An alert's latest row."""
        return self._last.get(alert_id)

    def next_sequence(self, alert_id: str) -> int:
        """The sequence of its next row."""
        last = self._last.get(alert_id)
        return last.sequence + 1 if last else 0

    def open(self) -> list[LedgerEntry]:
        """The latest rows of all alerts that are not closed, in the order of their heights."""
        return sorted((self._last[name] for name in self._open), key=lambda e: (e.height, e.alert_id))

    def firing_steps(self) -> list[tuple[str, int]]:
        """(alert, sequence) of the first step that is announced, with which a message begins, of each alert that fires or fails."""
        names = [entry.alert_id for entry in self.open() if entry.state in ANNOUNCING_STATES]
        return [
            (name, next(row.sequence for row in self.of_alert(name) if row.state in ANNOUNCING_STATES))
            for name in names
        ]

    def stands_firing(self, alert_id: str) -> bool:
        """Whether an alert fires by its rows that were not undone."""
        rows = self.of_alert(alert_id)
        undone = {sequence for entry in rows for sequence in entry.undoes}
        standing = [e for e in rows if e.sequence not in undone and e.state != "retracted"]
        return bool(standing) and standing[-1].state == "firing"

    def effective(self, above: int, newer_than: int) -> dict[tuple[str, int, AlertState], LedgerEntry]:
        """Rows that claim something of a height above `above` and stand: not retracted, not of an earlier attribution."""
        found: dict[tuple[str, int, AlertState], LedgerEntry] = {}
        begin = bisect_right(self._heights, above, key=itemgetter(0))
        for _, alert_id in sorted({place[1:] for place in self._heights[begin:]}):
            rows = self.rows[alert_id]
            undone = {sequence for entry in rows.values() for sequence in entry.undoes}
            for entry in self.of_alert(alert_id):
                stands = entry.reason == "observed" and entry.sequence not in undone and entry.version > newer_than
                if stands and entry.height > above:
                    found[(alert_id, entry.height, entry.state)] = entry
        return found


@dataclass(frozen=True, slots=True)
class _Claim:
    """The current state of the chain: one observed row."""

    alert_id: str
    step: Step
    state: AlertState
    previous: AlertState | None


def _claims(rule_state: RuleState, steps: Sequence[Step]) -> list[_Claim]:
    claims = []
    for step in steps:
        if step.height <= rule_state.settled_through:
            continue
        state, previous = step.state, step.previous
        if state == "resolved" and rule_state.silent(step.start, step.fired):
            state, previous = "inactive", "rebased"  # it was never announced as firing
        claims.append(_Claim(rule_state.identity(step.start), step, state, previous))
    return claims


def reconcile(
    ledger: Ledger,
    rule_state: RuleState,
    steps: Sequence[Step],
    *,
    hashes: Mapping[int, str],
    fork: int,
    cause: Cause,
    version: int,
) -> list[LedgerEntry]:
    """The rows to write, under `version`, after `track` took in the heights above `fork` with `steps` as its transitions there.

    `hashes` names the block at each height of a step. Retractions come first, then what is new or now rests on another block (same
    key, new evidence), then what stands after that. The ledger holds them afterwards.
    """
    written: list[LedgerEntry] = []
    tip, tip_hash = (rule_state.height if rule_state.height is not None else fork), rule_state.tip_hash

    def write(entry: LedgerEntry) -> None:
        stamped = replace(entry, version=version, rule_hash=rule_state.rule_hash)
        ledger.put(stamped)
        written.append(stamped)

    claims = _claims(rule_state, steps)
    standing = ledger.effective(fork, rule_state.frozen_version)
    wanted = {(claim.alert_id, claim.step.height, claim.state) for claim in claims}
    undone: dict[str, list[LedgerEntry]] = {}
    for key, entry in standing.items():
        if key not in wanted:
            undone.setdefault(entry.alert_id, []).append(entry)
    for alert_id, entries in undone.items():
        last = ledger.last(alert_id)
        write(
            LedgerEntry(
                alert_id,
                ledger.next_sequence(alert_id),
                "retracted",
                tip,
                tip_hash,
                "reorg",
                tuple(entry.sequence for entry in entries),
                any(entry.notify for entry in entries),
                entries[0].start,
                last.state if last else None,
            )
        )
    for claim in claims:
        step, known = claim.step, standing.get((claim.alert_id, claim.step.height, claim.state))
        if known is not None:
            if known.tip_hash != hashes[step.height]:
                write(replace(known, tip_hash=hashes[step.height]))
            continue
        if (
            claim.state == "resolved"
            and step.fired <= rule_state.settled_through
            and not ledger.stands_firing(claim.alert_id)
        ):
            continue  # it fired on blocks that were settled with another attribution or rule: no row says so
        sequence = ledger.next_sequence(claim.alert_id)
        notify = claim.state in ("firing", "resolved") and rule_state.announces(step.height)
        write(
            LedgerEntry(
                claim.alert_id,
                sequence,
                claim.state,
                step.height,
                hashes[step.height],
                notify=notify,
                start=step.start,
                previous=claim.previous,
            )
        )
    for entry in _settle(ledger, rule_state, tip, tip_hash, cause):
        write(entry)
    return written


def is_settled(ledger: Ledger, rule_state: RuleState) -> bool:
    """Whether `reconcile` would write nothing at the next height, if that changes no standing: the rows agree with the track."""
    height = rule_state.height
    if height is None or ledger.effective(height, rule_state.frozen_version):
        return False
    return not _settle(ledger, rule_state, height, rule_state.tip_hash, "observed")


def _settle(ledger: Ledger, rule_state: RuleState, tip: int, tip_hash: str, cause: Cause) -> list[LedgerEntry]:
    """Rows after which every alert's last row agrees with the track: its own alert open as it is, all others closed."""
    shown = rule_state.shown()
    rows: list[LedgerEntry] = []
    for entry in ledger.open():
        if shown is None or entry.alert_id != shown[0]:
            fired = entry.state == "firing"
            state: AlertState = "retracted" if cause == "reorg" else "resolved" if fired else "inactive"
            if cause == "rule-changed":
                state = "inactive"  # the value did not fall: somebody moved the line
            reason: AlertReason = cause if cause != "observed" else "restated"
            sequence = ledger.next_sequence(entry.alert_id)
            notify = fired and rule_state.announces(tip)
            rows.append(
                LedgerEntry(
                    entry.alert_id, sequence, state, tip, tip_hash, reason, (), notify, entry.start, entry.state
                )
            )
    if shown is not None:
        alert_id, state = shown
        last = ledger.last(alert_id)
        edited = cause == "rule-changed" and state == "firing" and last and last.rule_hash != rule_state.rule_hash
        if last is None or last.state != state or edited:
            reason = cause if cause in ("rebased", "rule-changed") else "restated"
            notify = state == "firing" and rule_state.announces(tip)
            previous = last.state if last else None
            sequence = ledger.next_sequence(alert_id)
            rows.append(
                LedgerEntry(
                    alert_id, sequence, state, tip, tip_hash, reason, (), notify, rule_state.standing.start, previous
                )
            )
    return rows


def close_all(ledger: Ledger, version: int) -> list[LedgerEntry]:
    """Rows that close every open alert because its rule was removed or switched off; the ledger has them afterwards.

    They name the height of the alert's last row: the rule did not read any further.
    """
    rows = []
    for entry in ledger.open():
        closed = replace(
            entry,
            sequence=ledger.next_sequence(entry.alert_id),
            state="inactive",
            reason="rule-changed",
            undoes=(),
            previous=entry.state,
            notify=entry.state in ANNOUNCING_STATES and entry.notify,
            version=version,
        )
        ledger.put(closed)
        rows.append(closed)
    return rows


def rebase(old: RuleState, frozen_version: int, *, attribution_id: str, rule_hash: str, hold: int) -> RuleState:
    """A track at the beginning of the chain for another attribution or a rule that was edited; extend it to the tip, then
    `settle_rebase`."""
    return RuleState(
        old.rule_id,
        rule_hash,
        old.chain,
        hold,
        attribution_id,
        frozen_version=frozen_version,
        go_live_height=old.go_live_height,
    )


def settle_rebase(old: RuleState, new: RuleState, ledger: Ledger, version: int) -> list[LedgerEntry]:
    """Bring the rows in line with the history that the new attribution, or the edited rule, gives.

    An alert that was firing continues under its own name if it fires now too. After a new attribution only the end of an open
    alert is notified; what fires under it alone is marked `rebased` and not sent. After an edit every change is notified: an alert
    that continues, one that ends without having resolved, and one that fires by the new line.
    """
    settled = max(-1 if old.height is None else old.height, -1 if new.height is None else new.height)
    edited = old.rule_hash != new.rule_hash
    before, now = old.shown(), new.standing
    new.settled_through = settled
    if not edited or (before is not None and before[1] == "rebased"):
        new.silent_through = settled  # what the attribution alone made fire stays silent
    if before is not None and before[1] == "firing" and now.state == "firing":
        new.adopted = (now.start, before[0])
    cause: Cause = "rule-changed" if edited else "rebased"
    return reconcile(ledger, new, (), hashes={}, fork=settled, cause=cause, version=version)
