"""Rules on concentration, followed along their chains: what a score message or a query to ClickHouse makes of them.

A message that is exactly the next block of our branch is applied at once; anything else (a gap, a reorg, a flip of the attribution,
messages that were lost) is answered from ClickHouse, which holds every score before its message exists.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np
import structlog

from alerts.evaluated import ChainRules, EvaluatedRule, EvaluatedScores, ReadStretch, SharedSeries, shared_series
from alerts.machine.checkpoints import CheckpointRow, Checkpoints
from alerts.machine.ledger import Cause, Ledger, LedgerEntry, rebase, reconcile, settle_rebase
from alerts.machine.machine import Step
from alerts.machine.path import RING_HEIGHTS, Path
from alerts.machine.rule_state import ALL_EARLIER, RuleState
from alerts.rules.rule import HeightRule, Rule
from alerts.shared_reads import SharedReads
from alerts.signals.levels import LevelArray
from alerts.signals.window_counts import WindowCounts
from alerts.store.alert_events_log import StoredEntry
from alerts.store.alert_state_log import StoredStates
from alerts.store.alert_store import AlertStore
from alerts.store.concentration_log import NewestScores
from alerts.transitions import transition_of
from counterpoise.contracts.scores import ScoreEvent
from counterpoise.runtime.clock import Clock
from counterpoise.spans import HOUR_SECONDS

log = structlog.get_logger(__name__)

CHUNK_HEIGHTS = 50_000
LIVE_WITHIN_SECONDS = 3 * HOUR_SECONDS
"""A dataset is live from the first block whose time is within this of the clock: an hour of silence is common, three are not."""

ROWS_AT_ONCE = 200_000
"""At most so many rows of alerts are read for rules that are compared with all history, unless one rule has more."""

_PROBE_HEIGHTS = 12


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
        self._chains: dict[str, ChainRules] = {}
        self._reads = SharedReads(store.concentration)
        self._highest: int | None = None
        self._rewritten_from: int | None = None
        self._fork: tuple[Path, int | None] = (Path(), None)
        """The path that the rules of the chain had, and the highest height on which it and ClickHouse agreed."""
        self.evaluated: list[EvaluatedRule] = []

    @property
    def chains(self) -> list[str]:
        """The chains that any rule reads."""
        return sorted(self._chains)

    def load(self, entries: Iterable[StoredEntry], stored: StoredStates) -> None:
        """Take up the checkpoints and rows of earlier processes: `entries` are those that `stored.reach` asks for, or more.

        Rows of the rule before it was edited are history: what they claim is not compared with the chain any more.
        """
        rows: dict[tuple[str, str], list[LedgerEntry]] = {}
        for row in entries:
            if row.of_blocks:
                rows.setdefault((row.rule_id, row.chain), []).append(row.entry)
        written = self._store.events.written_by_rule()
        self.evaluated = []
        for rule, series in zip(self._rules, shared_series(self._rules), strict=True):
            key, rule_hash = (rule.id, rule.chain), rule.rule_hash
            rule_state = stored.state(rule.id, rule.chain, hold=rule.for_blocks)
            if rule_state is None:
                rule_state = RuleState(rule.id, rule_hash, rule.chain, rule.for_blocks)
            if not self._live:
                rule_state.go_live_height = -1
            every = rule_state.frozen_version == ALL_EARLIER
            its = written.get(key, {})
            earlier = [one.newest for content, one in its.items() if every or content != rule_state.rule_hash]
            rule_state.frozen_version = max([0 if every else rule_state.frozen_version, *earlier])
            ledger, stored_rows = Ledger.of(rows.get(key, ())), sum(one.rows for one in its.values())
            self.evaluated.append(
                EvaluatedRule(
                    rule, rule_hash, rule_state, ledger, series, whole=not stored_rows, stored_rows=stored_rows
                )
            )
        for chain in dict.fromkeys(rule.chain for rule in self._rules):
            # Those on one window after each other: a long stretch of it is read once, and not kept for long.
            mine = [
                one
                for series in dict.fromkeys(one.series for one in self.evaluated if one.rule.chain == chain)
                for one in self.evaluated
                if one.series is series
            ]
            self._chains[chain] = ChainRules(chain, mine, stored.seen_version(chain))

    def take(self, events: Sequence[ScoreEvent], batch: EvaluatedScores) -> int:
        """Apply the messages of one chain, from the first one on, that are the next blocks for every rule of it, and add what
        follows to `batch`. How many they are; 0 where ClickHouse has to be asked."""
        chain = self._chains.get(events[0].chain)
        if chain is None:
            return len(events)
        count, series = chain.following(events)
        if not count:
            return 0
        levels = chain.levels.at_last(series, count)
        exact: dict[int, LevelArray] = {}
        batch.moved.setdefault(chain.chain, [])
        for at, event in enumerate(events[:count]):
            batch.messages[chain.chain, event.tip_hash] = event
            self._take_height(chain, event, levels[at:], exact, series, batch)
        for evaluated in chain.evaluated:
            evaluated.rule_state.path = chain.path
        for one, whole in series.items():
            chain.keep(one, whole)
        chain.seen_version = events[count - 1].version
        return count

    def _take_height(  # noqa: PLR0917 - one height of `take`
        self,
        chain: ChainRules,
        event: ScoreEvent,
        levels: LevelArray,
        exact: dict[int, LevelArray],
        series: Mapping[SharedSeries, WindowCounts],
        batch: EvaluatedScores,
    ) -> None:
        """Apply one message, with the levels of each rule at its height and those after it, with which `series` end.

        Only the rules that it changes extend their paths. `exact` keeps the levels of rules that are asked alone.
        """
        from_end = len(levels)
        changing = set(chain.standings.changing(levels[0], event.height).tolist())
        due = chain.unsettled
        if not chain.all_live and self._is_recent(event.time):  # the first recent block is where news begins
            due = set(range(len(chain.evaluated)))
        before, chain.path = chain.path, chain.path.then(event.height, (event.tip_hash,))
        upto: dict[SharedSeries, WindowCounts] = {}
        for at in sorted(changing | due):
            evaluated = chain.evaluated[at]
            whole = series[evaluated.series]
            level = levels[0, at : at + 1]
            if not chain.levels.is_exact(at):
                if at not in exact:
                    exact[at] = chain.levels.alone(at, whole, from_end)
                level = exact[at][len(exact[at]) - from_end :][:1]
                if at not in due and not chain.standings.changes(at, int(level[0]), event.height):
                    continue
            if evaluated.series not in upto:
                end = len(whole) - from_end + 1
                upto[evaluated.series] = whole.part(slice(end - 1, end))
            evaluated.rule_state.path = before
            row = upto[evaluated.series]
            self._extend(evaluated, row, level, whole, batch, fork=event.height - 1, cause="observed")
            chain.standings.put(at, evaluated.rule_state.standing)
        chain.unsettled.clear()
        if not chain.all_live:
            chain.all_live = all(state.go_live_height is not None for state in chain.states)

    def is_taken_in(self, event: ScoreEvent) -> bool:
        """Whether every rule of its chain has taken in what the message announces: then it is old."""
        chain = self._chains.get(event.chain)
        return chain is None or chain.is_taken_in(event)

    def catch_up(self, chain: str, *, rewritten_from: int | None = None) -> EvaluatedScores:
        """Read on from ClickHouse, at most a chunk for each rule; `rewritten_from`: heights from there on were written anew."""
        batch = EvaluatedScores()
        attribution_id = self._store.attribution.current(chain)
        rules = self._chains.get(chain)
        if attribution_id is None or rules is None:
            return batch
        # All rules are followed to the height that is the highest now: what is stored meanwhile would put them at different ones.
        height = rules.path.height or 0
        newest = self._store.concentration.newest(chain, attribution_id, height - RING_HEIGHTS, height)
        self._reads = SharedReads(self._store.concentration)
        if newest and rewritten_from is None and self._is_as_before(rules, newest, attribution_id):
            return batch
        self._highest = newest.height if newest else None
        self._rewritten_from = rewritten_from
        before = rules.path
        self._fork = (before, before.fork(newest.tips) if newest else None)
        for evaluated in rules.evaluated:
            self._follow(evaluated, attribution_id, batch, rewritten_from)
            _forget_unreached(evaluated)
        if chain in batch.moved:
            together = rules.together
            rules.unite()
            batch.moved[chain] = rules.states
            if newest and together and rules.path.height is not None:
                fork = before.fork(dict(enumerate(rules.path.hashes, rules.path.first)))
                low = rules.path.first if fork is None else fork + 1
                rules.was_read(ReadStretch(low, rules.path.height, newest.version))
        if rules.together:
            self._read_lookback(rules, attribution_id)
        rules.compared = newest is not None
        self._reads = SharedReads(self._store.concentration)  # nothing is kept until the next look
        return batch

    def _is_as_before(self, chain: ChainRules, newest: NewestScores, attribution_id: str) -> bool:
        """Whether ClickHouse has no other block than all rules have taken in, and none has to be compared with its rows."""
        height = chain.path.height
        return (
            chain.compared
            and chain.together
            and chain.evaluated[0].rule_state.attribution_id == attribution_id
            and height is not None
            and (newest.height, newest.tips.get(height)) == (height, chain.path.tip_hash)
        )

    def _read_lookback(self, chain: ChainRules, attribution_id: str) -> None:
        """Read the heights that rules look back on, where they are not in memory: else the first message would need a read."""
        height, tip_hash = chain.path.height, chain.path.tip_hash
        for series in chain.series if height is not None else ():
            assert height is not None  # noqa: S101 - else there is no series
            back = series.lookback_blocks
            if back and chain.recent_below(series, height + 1, tip_hash) is None:
                found = self._reads.series(series, attribution_id, low=height - back + 1, high=height)
                if len(found) and (int(found.height[-1]), found.tip_hash[-1]) == (height, tip_hash):
                    chain.keep(series, found)

    def seen(self, chain: str, score_version: int) -> None:
        """Note that scores up to this version are taken in."""
        rules = self._chains.get(chain)
        if rules is not None:
            rules.seen_version = max(rules.seen_version, score_version)

    def checkpoint(self, batch: EvaluatedScores, checkpoints: Checkpoints) -> list[CheckpointRow]:
        """The checkpoint rows that a batch asks for."""
        found: list[CheckpointRow] = []
        for chain, changed in batch.moved.items():
            rules = self._chains[chain]
            found += checkpoints.rows(chain, rules.path, rules.states, changed, rules.seen_version)
        return found

    def positions(self, batch: EvaluatedScores) -> list[RuleState]:
        """The position of each chain that a batch moved."""
        return [self.position(chain) for chain in batch.moved]

    def position(self, chain: str) -> RuleState:
        """The state of the chain's first rule."""
        return self._chains[chain].evaluated[0].rule_state

    def firing_steps(self) -> list[tuple[str, int]]:
        """(alert, sequence) of the first announced step of each alert that fires."""
        return [step for evaluated in self.evaluated for step in evaluated.ledger.firing_steps()]

    def _complete(self, evaluated: EvaluatedRule) -> None:
        """Read all rows of a rule, for what compares all history, and in the same query those of the rules after it for which the
        same is due."""
        if evaluated.whole:
            return
        together = self._with_alike(evaluated)
        rows: dict[str, list[LedgerEntry]] = {one.rule.id: [] for one in together}
        for row in self._store.events.entries(rule_ids=list(rows), chain=evaluated.rule.chain):
            if row.of_blocks:
                rows[row.rule_id].append(row.entry)
        for one in together:
            one.ledger, one.whole = Ledger.of(rows[one.rule.id]), True
        self._on_chunk()

    def _with_alike(self, evaluated: EvaluatedRule) -> list[EvaluatedRule]:
        """A rule and those after it on its chain that stand at the same place for the same reason, as many as ROWS_AT_ONCE allow."""

        def place(one: EvaluatedRule) -> tuple[Path, str, bool]:
            state = one.rule_state
            return state.path, state.attribution_id if state.path.hashes else "", state.rule_hash == one.rule_hash

        every = self._chains[evaluated.rule.chain].evaluated
        after = every[next(at for at, one in enumerate(every) if one is evaluated) + 1 :]
        found, room = [evaluated], ROWS_AT_ONCE - evaluated.stored_rows
        for one in after:
            if not one.whole and place(one) == place(evaluated):
                room -= one.stored_rows
                if room < 0:
                    break
                found.append(one)
        return found

    def _follow(
        self, evaluated: EvaluatedRule, attribution_id: str, batch: EvaluatedScores, rewritten_from: int | None
    ) -> None:
        rule_state = evaluated.rule_state
        if not rule_state.attribution_id:
            rule_state.attribution_id = attribution_id
        if rule_state.attribution_id != attribution_id or rule_state.rule_hash != evaluated.rule_hash:
            self._rebase(evaluated, attribution_id, batch)
            return
        if rule_state.height is None:
            self._complete(evaluated)
            lowest = self._reads.lowest(rule_state.chain, attribution_id)
            if lowest is not None:
                series = self._read(evaluated, lowest, self._far_enough(evaluated, lowest))
                self._extend_by(evaluated, series, batch, fork=lowest - 1, cause="observed")
            return
        fork, series = self._find_fork(evaluated)
        if rewritten_from is not None and fork is not None and rewritten_from <= fork:
            fork = rewritten_from - 1
        stray = None if evaluated.compared else _lowest_stray(evaluated)
        if fork is not None and stray is not None:
            fork = min(fork, stray - 1)
        evaluated.compared = True
        if fork is None or rule_state.path.hash_at(fork) is None:
            if len(series):
                self._rebuild(evaluated, batch)
            return
        if len(series) and fork + 1 < int(series.height[0]):  # what is rewritten begins below what was looked at
            series = self._read(evaluated, fork + 1, self._far_enough(evaluated, rule_state.height))
            if (
                not len(series) or int(series.height[0]) != fork + 1
            ):  # undone between the two reads: the next look finds it
                return
        undone = fork < rule_state.height
        new = self._reads.above(series, fork)
        if undone or len(new) or evaluated.ledger.effective(fork, rule_state.frozen_version):
            rule_state.rewind(fork)
            self._extend_by(evaluated, new, batch, fork=fork, cause="reorg" if undone else "observed")

    def _find_fork(self, evaluated: EvaluatedRule) -> tuple[int | None, WindowCounts]:
        """The highest height on which we and ClickHouse agree, and ClickHouse's rows from some way below it on."""
        height = evaluated.rule_state.height or 0
        high = self._far_enough(evaluated, height)
        for low in dict.fromkeys((self._lowest_needed(evaluated), height - RING_HEIGHTS + 1)):
            series = self._read(evaluated, low, high)
            fork = self._reads.fork(evaluated.rule_state.path, series)
            if fork is not None or low <= height - RING_HEIGHTS + 1:
                break  # else another reorganisation came since the blocks were read
        return fork, series

    def _lowest_needed(self, evaluated: EvaluatedRule) -> int:
        """From which height on all that a rule needs of its series is read at once: some way below the fork, and what its rules look
        back on from there."""
        path, chain, series = evaluated.rule_state.path, self._chains[evaluated.rule.chain], evaluated.series
        height = path.height or 0
        followed, fork = self._fork
        if fork is None or path is not followed:
            return height - RING_HEIGHTS + 1 - series.lookback_blocks
        if self._rewritten_from is not None:
            fork = min(fork, self._rewritten_from - 1)
        tip_hash = path.hash_at(fork)
        is_known = tip_hash is not None and chain.recent_below(series, fork + 1, tip_hash) is not None
        back = 0 if is_known else series.lookback_blocks
        return fork + 1 - max(back, _PROBE_HEIGHTS)

    def _far_enough(self, evaluated: EvaluatedRule, low: int) -> int:
        """A chunk, and all that rows were written for before a kill, so that none of them is taken for undone."""
        claims = evaluated.ledger.effective(low - 1, evaluated.rule_state.frozen_version).values()
        ahead = max((entry.height for entry in claims), default=0)
        return self._not_above_highest(max(low + CHUNK_HEIGHTS, ahead))

    def _not_above_highest(self, height: int) -> int:
        return height if self._highest is None else min(height, self._highest)

    def _read(self, evaluated: EvaluatedRule, low: int, high: int) -> WindowCounts:
        return self._reads.series(evaluated.series, evaluated.rule_state.attribution_id, low=low, high=high)

    def _extend_by(
        self, evaluated: EvaluatedRule, series: WindowCounts, batch: EvaluatedScores, *, fork: int, cause: Cause
    ) -> None:
        """Extend by a stretch that was read."""
        whole = self._with_lookback(evaluated, series)
        levels = evaluated.rule.levels(whole)[len(whole) - len(series) :]
        self._extend(evaluated, series, levels, whole, batch, fork=fork, cause=cause)
        self._chains[evaluated.rule.chain].keep(evaluated.series, whole)
        batch.done = batch.done and len(series) < CHUNK_HEIGHTS

    def _extend(
        self,
        evaluated: EvaluatedRule,
        series: WindowCounts,
        levels: LevelArray,
        whole: WindowCounts,
        batch: EvaluatedScores,
        *,
        fork: int,
        cause: Cause,
    ) -> None:
        """Take in heights with the rule's levels there; `whole` are these and what the rule looks back on."""
        rule_state = evaluated.rule_state
        self._go_live(rule_state, series)
        steps = rule_state.extend(series, levels)
        hashes = {step.height: series.tip_hash[step.height - int(series.height[0])] for step in steps}
        entries = reconcile(
            evaluated.ledger, rule_state, steps, hashes=hashes, fork=fork, cause=cause, version=self._next_version()
        )
        evaluated.settled = True
        self._record(evaluated, entries, whole, batch)

    def _with_lookback(self, evaluated: EvaluatedRule, series: WindowCounts) -> WindowCounts:
        """The series with the heights before it that its rules look back on, as far as there are any."""
        back = evaluated.series.lookback_blocks
        if not back or not len(series):
            return series
        first = int(series.height[0])
        tip_hash = evaluated.rule_state.path.hash_at(first - 1)
        chain = self._chains[evaluated.rule.chain]
        before = chain.recent_below(evaluated.series, first, tip_hash) if tip_hash else None

        def read() -> WindowCounts:
            below = not self._begins_at_lowest(evaluated, series)
            found = self._read(evaluated, first - back, first - 1) if below else series.part(slice(0, 0))
            return found if len(found) and int(found.height[-1]) == first - 1 else found.part(slice(0, 0))

        return self._reads.joined(before, series, read)

    def _rebuild(self, evaluated: EvaluatedRule, batch: EvaluatedScores) -> None:
        """All history again: the fork is deeper than what can be rewound, or older heights were written anew."""
        log.warning("following all history again", rule=evaluated.rule.id, chain=evaluated.rule.chain)
        self._complete(evaluated)
        rule_state = evaluated.rule_state.fresh()
        steps, hashes, lowest = self._replay(evaluated, rule_state)
        if rule_state.height is None:
            return
        evaluated.rule_state, evaluated.settled = rule_state, True
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
        self._complete(evaluated)
        self._chains[evaluated.rule.chain].forget()  # what rules look back on has other values now
        old, rule = evaluated.rule_state, evaluated.rule
        new = rebase(
            old,
            self._next_version(),
            attribution_id=attribution_id,
            rule_hash=evaluated.rule_hash,
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
        evaluated.rule_state, evaluated.settled = new, True
        self._record(evaluated, entries, None, batch)

    def _replay(self, evaluated: EvaluatedRule, rule_state: RuleState) -> tuple[list[Step], dict[int, str], int]:
        """Extend an empty track over all history; its steps, the block hashes there, and the lowest height."""
        steps: list[Step] = []
        hashes: dict[int, str] = {}
        lowest = self._reads.lowest(rule_state.chain, rule_state.attribution_id)
        low = lowest
        rule = evaluated.rule
        before: WindowCounts | None = None
        while low is not None:
            high = self._not_above_highest(low + CHUNK_HEIGHTS - 1)
            series = self._reads.series(evaluated.series, rule_state.attribution_id, low=low, high=high)
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

    def _is_recent(self, time: float) -> bool:
        return time >= self._clock.now() - LIVE_WITHIN_SECONDS

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
            at_hand = series if series is not None and self._is_enough(evaluated, series, entry.height) else None
            batch.transitions.append(transition_of(self._store, evaluated, entry, at_hand, recorded_at_ms))
        batch.touch(evaluated.rule_state)

    def _is_enough(self, evaluated: EvaluatedRule, series: WindowCounts, height: int) -> bool:
        """Whether a series has a height with all that there is of what the rule looks back on."""
        row = series.row(height)
        if row is None:
            return False
        return row >= evaluated.rule.lookback_blocks or self._begins_at_lowest(evaluated, series)

    def _begins_at_lowest(self, evaluated: EvaluatedRule, series: WindowCounts) -> bool:
        """Whether nothing is scored below a series."""
        lowest = self._reads.lowest(evaluated.rule.chain, evaluated.rule_state.attribution_id)
        return lowest is None or int(series.height[0]) <= lowest


def _forget_unreached(evaluated: EvaluatedRule) -> None:
    """Leave out what was read for a comparison and no rewind reaches: of a thousand rules it would fill the memory."""
    height = evaluated.rule_state.height
    if evaluated.whole and evaluated.stored_rows and height is not None:
        evaluated.ledger = evaluated.ledger.reaching(evaluated.rule_state.path.first - 1)
        evaluated.whole = False


def _lowest_stray(evaluated: EvaluatedRule) -> int | None:
    """The lowest height of which a row claims something about another block than the one on our path; None where all agree.

    An alerter that was replaced in the middle of a reorganisation leaves such rows.
    """
    rule_state = evaluated.rule_state
    path = rule_state.path
    claims = evaluated.ledger.effective(path.first - 1, rule_state.frozen_version).values()
    return min((e.height for e in claims if path.hash_at(e.height) not in (None, e.tip_hash)), default=None)
