"""Rules on concentration, followed along their chains: what a score message or a query to ClickHouse makes of them.

A message that is exactly the next block of our branch is applied at once; anything else (a gap, a reorg, a flip of the attribution,
messages that were lost) is answered from ClickHouse, which holds every score before its message exists.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
import structlog

from alerts.evidence import bare_transition, height_transition
from alerts.machine.ledger import Cause, Ledger, LedgerEntry, rebase, reconcile, settle_rebase
from alerts.machine.machine import Step
from alerts.machine.rule_state import ALL_EARLIER, RING_HEIGHTS, RuleState
from alerts.rules.changes import changes
from alerts.rules.rule import HeightRule, Rule
from alerts.score_message import row_of_message
from alerts.signals.window_counts import WindowCounts
from alerts.store.alert_events_log import StoredEntry
from alerts.store.alert_store import AlertStore
from counterpoise.contracts.alerts import AlertTransition
from counterpoise.contracts.scores import ScoreEvent
from counterpoise.runtime.clock import Clock
from counterpoise.spans import HOUR_SECONDS

log = structlog.get_logger(__name__)

CHUNK_HEIGHTS = 50_000
LIVE_WITHIN_SECONDS = 3 * HOUR_SECONDS
"""A dataset is live from the first block whose time is within this of the clock: an hour of silence is common, three are not."""

_PROBE_HEIGHTS = 12


@dataclass(slots=True)
class EvaluatedRule:
    """A rule with its path and its rows. `compared`: whether the rows that were loaded were compared with the path.

    `recent` are the last heights of the path, as many as the rule looks back on; None where they have to be read.
    """

    rule: HeightRule
    rule_state: RuleState
    ledger: Ledger
    compared: bool = False
    recent: WindowCounts | None = None

    def recent_below(self, height: int) -> WindowCounts | None:
        """`recent`, where it ends at our block below `height`."""
        recent, state = self.recent, self.rule_state
        if (
            recent is None
            or state.height != height - 1
            or (int(recent.height[-1]), recent.tip_hash[-1])
            != (
                state.height,
                state.tip_hash,
            )
        ):
            return None
        return recent

    def keep(self, series: WindowCounts) -> None:
        """Take the end of `series` as `recent`."""
        back = self.rule.lookback_blocks
        self.recent = series.part(slice(max(0, len(series) - back), None)) if back else None


@dataclass(slots=True)
class EvaluatedScores:
    """What is to be written: the transitions in their order, and the tracks that moved. `done`: the chain's tip is reached.

    The rows are written under a version that is newer than any that was drawn while the batch was made.
    """

    transitions: list[AlertTransition] = field(default_factory=list)
    rule_states: list[RuleState] = field(default_factory=list)
    done: bool = True


class Evaluation:
    """All enabled rules on concentration of one dataset. Not safe to share between threads.

    `on_chunk` is called between chunks of a history that is read again, which takes a while.
    """

    def __init__(
        self,
        store: AlertStore,
        rules: Sequence[Rule],
        *,
        live: bool,
        clock: Clock,
        next_version: Callable[[], int],
        on_chunk: Callable[[], None] = lambda: None,
    ) -> None:
        self._store = store
        self._next_version = next_version
        self._on_chunk = on_chunk
        self._live = live
        self._clock = clock
        self._rules = [rule for rule in rules if isinstance(rule, HeightRule) and rule.enabled]
        self.evaluated: list[EvaluatedRule] = []

    @property
    def chains(self) -> list[str]:
        """The chains that any rule reads."""
        return sorted({w.rule.chain for w in self.evaluated})

    def load(self, entries: Iterable[StoredEntry], states: dict[tuple[str, str], str]) -> None:
        """Take up the checkpoints and rows of earlier processes.

        Rows of the rule before it was edited are history: what they claim is not compared with the chain any more.
        """
        rows = list(entries)
        self.evaluated = []
        for rule in self._rules:
            text = states.get((rule.id, rule.chain))
            rule_state = text and RuleState.from_json(text, rule_id=rule.id, chain=rule.chain, hold=rule.for_blocks)
            if not rule_state:
                rule_state = RuleState(rule.id, rule.rule_hash, rule.chain, rule.for_blocks)
            if not self._live:
                rule_state.go_live_height = -1
            mine = [row.entry for row in rows if row.of_blocks and (row.rule_id, row.chain) == (rule.id, rule.chain)]
            every = rule_state.frozen_version == ALL_EARLIER
            earlier = [e.version for e in mine if every or e.rule_hash != rule_state.rule_hash]
            rule_state.frozen_version = max([0 if every else rule_state.frozen_version, *earlier])
            self.evaluated.append(EvaluatedRule(rule, rule_state, Ledger.of(mine)))

    def take(self, event: ScoreEvent) -> EvaluatedScores | None:
        """Apply a message that is the next block for every rule of its chain; None where ClickHouse has to be asked."""
        mine = [w for w in self.evaluated if w.rule.chain == event.chain]
        parts = [(w, next_row(w, event)) for w in mine]
        batch = EvaluatedScores()
        if any(row is None for _, row in parts):
            return None
        for evaluated, row in parts:
            if row is not None:
                self._extend(evaluated, row, batch, fork=event.height - 1, cause="observed")
                evaluated.rule_state.seen_version = event.version
        return batch

    def is_taken_in(self, event: ScoreEvent) -> bool:
        """Whether every rule of its chain has taken in what the message announces: then it is old."""
        mine = [w for w in self.evaluated if w.rule.chain == event.chain]
        return all(event.version <= w.rule_state.seen_version for w in mine)

    def catch_up(self, chain: str, *, rewritten_from: int | None = None) -> EvaluatedScores:
        """Read on from ClickHouse, at most a chunk for each rule; `rewritten_from`: heights from there on were written anew."""
        batch = EvaluatedScores()
        attribution_id = self._store.attribution.current(chain)
        if attribution_id is None:
            return batch
        for evaluated in self.evaluated:
            if evaluated.rule.chain == chain:
                self._follow(evaluated, attribution_id, batch, rewritten_from)
        return batch

    def seen(self, chain: str, score_version: int) -> None:
        """Note that scores up to this version are taken in."""
        for evaluated in self.evaluated:
            if evaluated.rule.chain == chain:
                evaluated.rule_state.seen_version = max(evaluated.rule_state.seen_version, score_version)

    def firing(self) -> list[tuple[str, int]]:
        """(alert, sequence of its last row) of all that fire."""
        return [(e.alert_id, e.sequence) for w in self.evaluated for e in w.ledger.open() if e.state == "firing"]

    def _follow(
        self, evaluated: EvaluatedRule, attribution_id: str, batch: EvaluatedScores, rewritten_from: int | None
    ) -> None:
        rule_state = evaluated.rule_state
        if not rule_state.attribution_id:
            rule_state.attribution_id = attribution_id
        if rule_state.attribution_id != attribution_id or rule_state.rule_hash != evaluated.rule.rule_hash:
            self._rebase(evaluated, attribution_id, batch)
            return
        if rule_state.height is None:
            lowest = self._store.concentration.lowest(rule_state.chain, attribution_id)
            if lowest is not None:
                series = self._read(evaluated, lowest, self._far_enough(evaluated, lowest))
                self._extend(evaluated, series, batch, fork=lowest - 1, cause="observed")
            return
        fork, series = self._find_fork(evaluated)
        if rewritten_from is not None and fork is not None and rewritten_from <= fork:
            fork = rewritten_from - 1
        stray = None if evaluated.compared else _lowest_stray(evaluated)
        if fork is not None and stray is not None:
            fork = min(fork, stray - 1)
        evaluated.compared = True
        if fork is None or not any(mark.height == fork for mark in rule_state.marks):
            if len(series):
                self._rebuild(evaluated, batch)
            return
        if len(series) and fork + 1 < int(series.height[0]):  # what is rewritten begins below what was looked at
            series = self._read(evaluated, fork + 1, self._far_enough(evaluated, rule_state.height))
        undone = fork < rule_state.height
        rule_state.rewind(fork)
        new = series.part(slice(fork + 1 - int(series.height[0]), None))
        if undone or len(new) or evaluated.ledger.effective(fork, rule_state.frozen_version):
            self._extend(evaluated, new, batch, fork=fork, cause="reorg" if undone else "observed")

    def _find_fork(self, evaluated: EvaluatedRule) -> tuple[int | None, WindowCounts]:
        """The highest height on which we and ClickHouse agree, and ClickHouse's rows from some way below it on."""
        height = evaluated.rule_state.height or 0
        series = None
        for depth in (_PROBE_HEIGHTS, RING_HEIGHTS):
            series = self._read(evaluated, height - depth + 1, self._far_enough(evaluated, height))
            hashes = dict(zip(series.height.tolist(), series.tip_hash, strict=True))
            fork = evaluated.rule_state.fork(hashes)
            if fork is not None:
                return fork, series
        assert series is not None  # noqa: S101 - the loop ran
        return None, series

    def _far_enough(self, evaluated: EvaluatedRule, low: int) -> int:
        """A chunk, and all that rows were written for before a kill, so that none of them is taken for undone."""
        claims = evaluated.ledger.effective(low - 1, evaluated.rule_state.frozen_version).values()
        ahead = max((entry.height for entry in claims), default=0)
        return max(low + CHUNK_HEIGHTS, ahead)

    def _read(self, evaluated: EvaluatedRule, low: int, high: int) -> WindowCounts:
        return self._store.concentration.series_of(
            evaluated.rule, evaluated.rule_state.attribution_id, low=low, high=high
        )

    def _extend(
        self, evaluated: EvaluatedRule, series: WindowCounts, batch: EvaluatedScores, *, fork: int, cause: Cause
    ) -> None:
        rule_state = evaluated.rule_state
        self._go_live(rule_state, series)
        whole = self._with_lookback(evaluated, series)
        steps = rule_state.extend(series, evaluated.rule.levels(whole)[len(whole) - len(series) :])
        evaluated.keep(whole)
        hashes = {step.height: series.tip_hash[step.height - int(series.height[0])] for step in steps}
        entries = reconcile(
            evaluated.ledger, rule_state, steps, hashes=hashes, fork=fork, cause=cause, version=self._next_version()
        )
        self._record(evaluated, entries, whole, batch)
        batch.done = batch.done and len(series) < CHUNK_HEIGHTS

    def _with_lookback(self, evaluated: EvaluatedRule, series: WindowCounts) -> WindowCounts:
        """The series with the heights before it that the rule looks back on, as far as there are any."""
        back = evaluated.rule.lookback_blocks
        if not back or not len(series):
            return series
        first = int(series.height[0])
        before = evaluated.recent_below(first)
        if before is None:
            before = self._read(evaluated, first - back, first - 1) if first else series.part(slice(0, 0))
            if len(before) and int(before.height[-1]) != first - 1:
                before = before.part(slice(0, 0))
        return before.then(series)

    def _rebuild(self, evaluated: EvaluatedRule, batch: EvaluatedScores) -> None:
        """All history again: the fork is deeper than what can be rewound, or older heights were written anew."""
        log.warning("following all history again", rule=evaluated.rule.id, chain=evaluated.rule.chain)
        rule_state = evaluated.rule_state.fresh()
        steps, hashes, lowest = self._replay(evaluated, rule_state)
        if rule_state.height is None:
            return
        evaluated.rule_state, evaluated.recent = rule_state, None
        entries = reconcile(
            evaluated.ledger,
            rule_state,
            steps,
            hashes=hashes,
            fork=lowest - 1,
            cause="reorg",
            version=self._next_version(),
        )
        self._record(evaluated, entries, None, batch)

    def _rebase(self, evaluated: EvaluatedRule, attribution_id: str, batch: EvaluatedScores) -> None:
        """Another attribution is current, or the rule was edited: all history decides where the rule stands."""
        old, rule = evaluated.rule_state, evaluated.rule
        new = rebase(
            old,
            self._next_version(),
            attribution_id=attribution_id,
            rule_hash=rule.rule_hash,
            hold=rule.for_blocks,
        )
        self._replay(evaluated, new)
        if new.height is None:
            return  # not scored under the new set yet; the next look will find it
        log.info(
            "re-based",
            rule=rule.id,
            edited=old.rule_hash != new.rule_hash,
            attribution_id=attribution_id,
            before=old.attribution_id,
        )
        entries = settle_rebase(old, new, evaluated.ledger, self._next_version())
        evaluated.rule_state, evaluated.recent = new, None
        self._record(evaluated, entries, None, batch)

    def _replay(self, evaluated: EvaluatedRule, rule_state: RuleState) -> tuple[list[Step], dict[int, str], int]:
        """Extend an empty track over all history; its steps, the block hashes there, and the lowest height."""
        steps: list[Step] = []
        hashes: dict[int, str] = {}
        lowest = self._store.concentration.lowest(rule_state.chain, rule_state.attribution_id)
        low = lowest
        rule = evaluated.rule
        before: WindowCounts | None = None
        while low is not None:
            series = self._store.concentration.series_of(
                rule, rule_state.attribution_id, low=low, high=low + CHUNK_HEIGHTS - 1
            )
            if not len(series):
                break
            self._go_live(rule_state, series)
            whole = series if before is None else before.then(series)
            found = rule_state.extend(series, rule.levels(whole)[len(whole) - len(series) :])
            before = (
                whole.part(slice(max(0, len(whole) - rule.lookback_blocks), None)) if rule.lookback_blocks else None
            )
            hashes.update((step.height, series.tip_hash[step.height - low]) for step in found)
            steps.extend(found)
            low += len(series)
            self._on_chunk()
        return steps, hashes, lowest or 0

    def _go_live(self, rule_state: RuleState, series: WindowCounts) -> None:
        """The first block that is recent enough is where news begins, however the blocks before it are cut into chunks."""
        if rule_state.go_live_height is None and len(series):
            recent = np.flatnonzero(series.time >= self._clock.now() - LIVE_WITHIN_SECONDS)
            if len(recent):
                rule_state.go_live_height = int(series.height[recent[0]])

    def _record(
        self, evaluated: EvaluatedRule, entries: list[LedgerEntry], series: WindowCounts | None, batch: EvaluatedScores
    ) -> None:
        now_ms = int(self._clock.now() * 1000)
        for entry in entries:
            # A millisecond apart, so that the rows of one batch keep their order when they are read again.
            recorded_at_ms = now_ms + len(batch.transitions)
            batch.transitions.append(self._transition(evaluated, entry, series, recorded_at_ms))
        batch.rule_states.append(evaluated.rule_state)

    def _transition(
        self, evaluated: EvaluatedRule, entry: LedgerEntry, series: WindowCounts | None, recorded_at_ms: int
    ) -> AlertTransition:
        rule = evaluated.rule
        row = None if series is None else series.row(entry.height)
        if series is None or row is None or row < rule.lookback_blocks:
            series = self._store.concentration.up_to(rule, evaluated.rule_state.attribution_id, entry.height)
        if series.row(entry.height) is None:
            return bare_transition(entry, rule, recorded_at_ms=recorded_at_ms)
        edited = entry.reason == "rule-changed"
        return height_transition(
            entry,
            rule,
            series,
            attribution_id=evaluated.rule_state.attribution_id,
            recorded_at_ms=recorded_at_ms,
            changed=changes(self._store.events.newest_content(rule.id, rule.chain), rule) if edited else "",
        )


def _lowest_stray(evaluated: EvaluatedRule) -> int | None:
    """The lowest height of which a row claims something about another block than the one on our path; None where all agree.

    An alerter that was replaced in the middle of a reorganisation leaves such rows.
    """
    rule_state = evaluated.rule_state
    ours = {mark.height: mark.tip_hash for mark in rule_state.marks}
    claims = evaluated.ledger.effective(min(ours, default=0) - 1, rule_state.frozen_version).values()
    return min((e.height for e in claims if ours.get(e.height, e.tip_hash) != e.tip_hash), default=None)


def next_row(evaluated: EvaluatedRule, event: ScoreEvent) -> WindowCounts | None:
    """The message as a series of one height, where it is the next one on our branch; else None."""
    rule, rule_state = evaluated.rule, evaluated.rule_state
    is_next = (
        rule_state.height is not None
        and event.from_height == event.height == rule_state.height + 1
        and event.parent_hash == rule_state.tip_hash
        and event.attribution_id == rule_state.attribution_id
        and rule.rule_hash == rule_state.rule_hash
        and event.version > rule_state.seen_version
    )
    if not is_next or (rule.lookback_blocks and evaluated.recent_below(event.height) is None):
        return None
    return row_of_message(event, rule)
