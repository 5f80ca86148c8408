"""The rules of one chain with their ways and rows, what they read together, and what an evaluation gives."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from alerts.machine.ledger import Ledger, is_settled
from alerts.machine.many_standings import ManyStandings
from alerts.machine.path import Path
from alerts.machine.rule_state import RuleState
from alerts.rules.many_levels import ManyLevels
from alerts.rules.rule import HeightRule
from alerts.score_messages import MessageRows, Windows, has_series, windows_of
from alerts.signals.window_counts import WindowCounts, WindowPlace
from counterpoise.contracts.alert_transition import AlertTransition
from counterpoise.contracts.scores import ScoreEvent
from counterpoise.windows import View

MAX_STRETCHES: Final = 64


@dataclass(frozen=True, slots=True, eq=False)
class SharedSeries:
    """What the rules on one window read together: every column that any of them needs, and as far back as any of them looks."""

    chain: str
    view: View
    window_blocks: int
    beside: tuple[WindowPlace, ...]
    further_columns: tuple[str, ...]
    lookback_blocks: int


@dataclass(slots=True)
class EvaluatedRule:
    """A rule with its way and its rows.

    `compared`: whether the rows that were loaded were compared with the way, `settled`: whether they agree with it since.
    `whole`: whether the ledger has all rows, not only those of alerts that are open or that a rewind can reach. `stored_rows`: how
    many there were at the start.
    """

    rule: HeightRule
    rule_hash: str
    rule_state: RuleState
    ledger: Ledger
    series: SharedSeries
    compared: bool = False
    settled: bool = False
    whole: bool = True
    stored_rows: int = 0


@dataclass(slots=True)
class EvaluatedScores:
    """What is to be written: the transitions in their order, and of each chain that moved the rule states that may have changed.

    `done`: the chain's tip is reached. The rows are written under a version that is newer than any that was drawn while the batch
    was made. `messages`: those that were taken in, by chain and block.
    """

    transitions: list[AlertTransition] = field(default_factory=list)
    messages: dict[tuple[str, str], ScoreEvent] = field(default_factory=dict)
    moved: dict[str, list[RuleState]] = field(default_factory=dict)
    done: bool = True

    def touch(self, rule_state: RuleState) -> None:
        """Note that a state moved."""
        self.moved.setdefault(rule_state.chain, []).append(rule_state)


class ReadStretch(NamedTuple):
    """Heights that were taken in by a read in which all rows up to `version` were visible."""

    low: int
    high: int
    version: int


class ChainRules:
    """The rules of one chain. `seen_version` is the newest version of scores that all of them took in.

    `path` is the one that they share. `together`: every rule is at its end, unedited and with one attribution, so that a message that
    follows it is for all of them. `compared`: each was followed since the start, so that no row is of a later height.
    """

    def __init__(self, chain: str, evaluated: Sequence[EvaluatedRule], seen_version: int) -> None:
        self.chain = chain
        self.evaluated = evaluated
        self.seen_version = seen_version
        self.levels = ManyLevels([one.rule for one in evaluated], [one.series for one in evaluated])
        self.series = list(dict.fromkeys(one.series for one in evaluated))
        self.path = Path()
        self.together = False
        self.compared = False
        self.all_live = False
        self.unsettled: set[int] = set()
        self.standings = ManyStandings((), ())
        self._recent: dict[SharedSeries, WindowCounts] = {}
        self._stretches: deque[ReadStretch] = deque(maxlen=MAX_STRETCHES)
        self.unite()

    @property
    def states(self) -> list[RuleState]:
        """The states of all rules."""
        return [one.rule_state for one in self.evaluated]

    def unite(self) -> None:
        """See again where the rules stand, after they were followed one by one."""
        states = self.states
        highest = max((state.height or -1 for state in states), default=-1)
        at_tip = [state.path for state in states if (state.height or -1) == highest]
        # The one with the fewest heights: what it can be rewound to, all others can.
        self.path = max(at_tip, key=lambda path: path.first, default=Path())
        for state in states:
            if state.path is not self.path and state.path.ends_as(self.path):
                state.path = self.path
        self.together = len({state.attribution_id for state in states}) == 1 and all(
            one.rule_state.path is self.path and one.rule_state.rule_hash == one.rule_hash for one in self.evaluated
        )
        self.all_live = all(state.go_live_height is not None for state in states)
        for one in self.evaluated:
            one.settled = one.settled or is_settled(one.ledger, one.rule_state)
        self.unsettled = {at for at, one in enumerate(self.evaluated) if not one.settled}
        self.standings = ManyStandings([s.standing for s in states], [s.hold for s in states])

    def was_read(self, stretch: ReadStretch) -> None:
        """Note heights that a read took in anew, for all rules."""
        if stretch.low <= stretch.high:
            self._stretches.append(stretch)

    def is_taken_in(self, event: ScoreEvent) -> bool:
        """Whether every rule has taken in what a message announces. A read may have been ahead of it: then the newest stretch that
        has its height is of its version or a later one, and its block is on our path."""
        if event.version <= self.seen_version:
            return True
        if event.from_height != event.height or self.path.hash_at(event.height) != event.tip_hash:
            return False
        if not self.together or event.attribution_id != self.evaluated[0].rule_state.attribution_id:
            return False
        newest = next((one for one in reversed(self._stretches) if one.low <= event.height <= one.high), None)
        return newest is not None and event.version <= newest.version

    def following(self, events: Sequence[ScoreEvent]) -> tuple[int, dict[SharedSeries, WindowCounts]]:
        """How many of the messages, from the first one on, are the next blocks for all rules, one after another, and lack nothing.

        With their windows as each series of the rules, after the heights before them that the rules look back on.
        """
        windows = self._windows_of_next(events)
        taken = events[: len(windows)]
        messages = MessageRows(taken, windows)
        found: dict[SharedSeries, WindowCounts] = {}
        for series in self.series if windows else ():
            rows = messages.series(series)
            if series.lookback_blocks:
                before = self.recent_below(series, taken[0].height, self.path.tip_hash)
                if before is None:
                    return 0, {}
                rows = before.then(rows)
            found[series] = rows
        return len(windows), found

    def _windows_of_next(self, events: Sequence[ScoreEvent]) -> list[Windows]:
        """The windows of each message that follows the path and those before it, up to the first one that does not."""
        found: list[Windows] = []
        height, tip_hash, version = self.path.height, self.path.tip_hash, self.seen_version
        if not self.together or height is None:
            return found
        for event in events:
            is_next = (
                event.from_height == event.height == height + 1
                and event.parent_hash == tip_hash
                and event.attribution_id == self.evaluated[0].rule_state.attribution_id
                and event.version > version
            )
            windows = windows_of(event) if is_next else {}
            if not is_next or not all(has_series(windows, series) for series in self.series):
                break
            found.append(windows)
            height, tip_hash, version = event.height, event.tip_hash, event.version
        return found

    def recent_below(self, series: SharedSeries, height: int, tip_hash: str) -> WindowCounts | None:
        """The last heights of a series, where they are known and end at this block below `height`."""
        recent = self._recent.get(series)
        if recent is None or (int(recent.height[-1]), recent.tip_hash[-1]) != (height - 1, tip_hash):
            return None
        return recent

    def forget(self) -> None:
        """Forget the ends of all series."""
        self._recent.clear()

    def keep(self, series: SharedSeries, whole: WindowCounts) -> None:
        """Remember the end of a series, as far as the rules look back."""
        back = series.lookback_blocks
        if back and len(whole):
            self._recent[series] = whole.part(slice(max(0, len(whole) - back), None))


def shared_series(rules: Sequence[HeightRule]) -> list[SharedSeries]:
    """The series of each rule; rules on the same windows of one chain have the same."""
    keys = [(rule.chain, rule.view, rule.window_blocks, rule.beside) for rule in rules]
    found: dict[object, SharedSeries] = {}
    for key in dict.fromkeys(keys):
        mine = [rule for rule, its in zip(rules, keys, strict=True) if its == key]
        columns = dict.fromkeys(column for rule in mine for column in rule.further_columns)
        found[key] = SharedSeries(*key, tuple(columns), max(rule.lookback_blocks for rule in mine))
    return [found[key] for key in keys]
