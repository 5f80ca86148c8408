"""Several rules on one chain, by messages and by reads, in random orders: they end where each alone ends on the chain as it is.

Messages are lost, late and behind a read; the chain is reorganised; the alerter is killed between rows and checkpoint; rules are
edited, switched off and on.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from alerts import evaluate
from alerts.evaluate import LIVE_WITHIN_SECONDS, Evaluation
from alerts.evaluated import EvaluatedScores
from alerts.machine import path, rule_state
from alerts.machine.checkpoints import SHARED_PATH, Checkpoints
from alerts.machine.ledger import Ledger, LedgerEntry
from alerts.machine.rule_state import RuleState, SharedPath
from alerts.rules.rule import HeightRule, Rule
from alerts.rules.top_share_rule import TopShareRule
from alerts.rules.when import WhenRule
from alerts.signals.window_counts import WindowCounts
from alerts.store.alert_events_log import StoredEntry, Written
from alerts.store.alert_state_log import StoredStates
from alerts.store.alert_store import AlertStore
from alerts.store.concentration_log import NewestScores
from counterpoise.clickhouse.versions import Versions
from counterpoise.contracts.alert_transition import AlertTransition
from counterpoise.contracts.scores import ScoreEvent, WindowScore
from counterpoise.runtime.clock import Clock
from tests.unit.alerts.chains import a_hash, a_series

N, FIRST, SET = 1008, 10, "set-a"
BEGAN = 1_600_000_000
NEWS_FROM = FIRST + 8
STORIES, CHUNKS = 120, 4
TOPS = (757, 757, 757, 750, 735, 735)
RULES: tuple[dict[str, Any], ...] = (
    {"id": "share", "type": "top_share", "for_blocks": 2},
    {"id": "at-once", "type": "top_share", "for_blocks": 0, "above": 0.74, "clear_below": 0.74},
    {"id": "rise", "type": "when", "when": {"signal": "top2_share", "change_blocks": 3}, "fire": {"above": 0.005}},
    {"id": "kept", "type": "when", "when": {"signal": "top2_share"}, "fire": {"above": 0.75}, "keep_firing_for": 2},
)


def a_rule(fields: dict[str, Any], line: float) -> HeightRule:
    if fields["type"] == "top_share":
        return TopShareRule.model_validate({"above": line, "clear_below": min(0.73, line), **fields})
    return WhenRule.model_validate(fields)


class Database:
    """What the evaluation reads of ClickHouse: scores by height, and the rows of alerts."""

    def __init__(self) -> None:
        self.blocks: list[tuple[str, int]] = []
        self.version = 1_000
        self.rows: dict[tuple[str, int], tuple[str, LedgerEntry]] = {}
        self.states: dict[tuple[str, str], str] = {}
        self.concentration = self.events = self.attribution = self
        self.reads = self.evidence_reads = self.completions = 0
        self.attribution_id = SET

    def series(self, low: int, high: int) -> WindowCounts:
        low, high = max(low, FIRST), min(high, FIRST + len(self.blocks) - 1)
        blocks = self.blocks[low - FIRST : max(low, high + 1) - FIRST]
        found = a_series([top for _, top in blocks], first=low, time=BEGAN + 600 * (low - FIRST))
        hashes = tuple(a_hash(branch, low + at) for at, (branch, _) in enumerate(blocks))
        return replace(found, tip_hash=hashes)

    def series_of(self, _of: object, _set: str, *, low: int, high: int) -> WindowCounts:
        self.reads += 1
        return self.series(low, high)

    def up_to(self, rule: HeightRule, _set: str, height: int) -> WindowCounts:
        self.evidence_reads += 1
        return self.series(height - rule.lookback_blocks, height)

    def newest(self, _chain: str, _set: str, low: int, known: int) -> NewestScores | None:
        if not self.blocks:
            return None
        found = self.series(low, known)
        tips = dict(zip(found.height.tolist(), found.tip_hash, strict=True))
        return NewestScores(FIRST + len(self.blocks) - 1, self.version, tips)

    def lowest(self, _chain: str, _set: str) -> int | None:
        return FIRST if self.blocks else None

    def current(self, _chain: str) -> str | None:
        return self.attribution_id if self.blocks else None

    def entries(
        self, *, rule_ids: Sequence[str] = (), above: dict[str, int] | None = None, chain: str = ""
    ) -> list[StoredEntry]:
        found = [(rule, entry) for rule, entry in self.rows.values() if not chain or rule in rule_ids]
        self.completions += bool(chain)
        if above is not None:
            floor = above.get("bitcoin", 1 << 40)
            opened = {entry.alert_id for entry in Ledger.of(entry for _, entry in found).open()}
            reached = {entry.alert_id for _, entry in found if entry.height > floor}
            found = [(rule, entry) for rule, entry in found if entry.alert_id in opened | reached]
        return [StoredEntry(rule, "bitcoin", True, entry) for rule, entry in found]

    def written_by_rule(self) -> dict[tuple[str, str], dict[str, Written]]:
        found: dict[tuple[str, str], dict[str, Written]] = {}
        for rule, entry in self.rows.values():
            of = found.setdefault((rule, "bitcoin"), {})
            before = of.get(entry.rule_hash, Written(0, 0))
            of[entry.rule_hash] = Written(max(entry.version, before.newest), before.rows + 1)
        return found

    def newest_content(self, _rule_id: str, _chain: str) -> None:
        return None

    def keep(self, rows: list[AlertTransition], version: int) -> None:
        for row in rows:
            height, tip = row.evidence.height, row.evidence.tip_hash
            assert height is not None
            entry = LedgerEntry(
                row.alert_id,
                row.sequence,
                row.state,
                height,
                tip or "",
                row.reason,
                row.undoes,
                row.notify,
                row.start_height if row.start_height is not None else -1,
                row.previous_state,
                version,
                row.rule_hash,
            )
            self.rows[row.alert_id, row.sequence] = (row.rule_id, entry)


class Story:
    def __init__(self, seed: int, live_from: float | None = None) -> None:
        """`live_from`: what the clock of a live dataset shows; blocks of the last hours are news."""
        self.rng = random.Random(seed)
        self.now = live_from
        self.db = Database()
        self.line = 0.75
        self.off: set[str] = set()
        self.epoch = 0
        self.late: list[ScoreEvent] = []
        self.branch = 0
        self.begin()

    def begin(self) -> None:
        """An alerter starts, as the session does."""
        self.epoch += 1
        self.versions = Versions(self.epoch)
        self.checkpoints = Checkpoints(self.epoch)
        self.rules = [a_rule(fields, self.line) for fields in RULES if fields["id"] not in self.off]
        clock = SimpleNamespace(now=lambda: float(BEGAN) if self.now is None else self.now)
        self.evaluation = Evaluation(
            cast(AlertStore, self.db),
            cast(list[Rule], self.rules),
            live=self.now is not None,
            clock=cast(Clock, clock),
            next_version=self.versions.next,
        )
        stored = self.stored()
        reach = stored.reach({(rule.id, rule.chain): rule.for_blocks for rule in self.rules})
        self.evaluation.load(self.db.entries(above=reach), stored)
        self.read()

    def stored(self) -> StoredStates:
        paths = {
            chain: SharedPath.from_json(text) for (rule, chain), text in self.db.states.items() if rule == SHARED_PATH
        }
        return StoredStates(self.db.states, paths)

    def read(self, rewritten_from: int | None = None) -> None:
        chain = self.evaluation._chains["bitcoin"]
        blocks = self.db.series(0, 1 << 30)
        fork = chain.path.fork(dict(zip(blocks.height.tolist(), blocks.tip_hash, strict=True)))
        if fork is not None and rewritten_from is not None:
            fork = min(fork, rewritten_from - 1)
        is_near = fork is not None and chain.path.hash_at(fork) is not None
        most = 1 if chain.together and chain.compared and is_near else 8  # else all history, or rows of before a kill
        self.db.reads = 0
        batch = self.evaluation.catch_up("bitcoin", rewritten_from=rewritten_from)
        assert self.db.reads <= most, "each stretch of a series is read once, and rules that stand together need one"
        self.write(batch)

    def write(self, batch: EvaluatedScores) -> None:
        self.db.keep(batch.transitions, self.versions.next())
        if self.rng.random() < 0.08:
            self.begin()  # killed: the rows are there, the checkpoint is not
            return
        for row in self.evaluation.checkpoint(batch, self.checkpoints):
            self.db.states[row.rule_id, row.chain] = row.state
        stored = self.stored()
        for one in self.evaluation.evaluated if batch.moved else ():
            its = stored.state(one.rule.id, "bitcoin", hold=one.rule.for_blocks)
            assert its == one.rule_state or one.rule_state.height is None, "what the next alerter finds"

    def receive(self, *events: ScoreEvent) -> None:
        batch, evaluation = EvaluatedScores(), self.evaluation
        waiting = list(events)
        while waiting:
            if evaluation.is_taken_in(waiting[0]):
                waiting.pop(0)
                continue
            taken = evaluation.take(waiting[: self.rng.randint(1, 4)], batch)
            if taken:
                del waiting[:taken]
                continue
            event = waiting.pop(0)
            self.write(batch)
            if evaluation is self.evaluation:
                self.read(event.from_height)
            self.evaluation.seen("bitcoin", event.version)
            batch, evaluation = EvaluatedScores(), self.evaluation
        if evaluation is self.evaluation:
            self.write(batch)

    def grow(self, keep: int, count: int) -> list[ScoreEvent]:
        """Blocks after the first `keep`, and the message of each; one message for all where they replace others."""
        self.branch += 1
        replaces = keep < len(self.db.blocks)
        self.db.blocks = self.db.blocks[:keep]
        events = []
        for _ in range(count):
            self.db.blocks.append((f"b{self.branch}", self.rng.choice(TOPS)))
            self.db.version += 1
            events.append(self.event(FIRST + keep if replaces else FIRST + len(self.db.blocks) - 1))
        return events[-1:] if replaces else events

    def event(self, from_height: int) -> ScoreEvent:
        series = self.db.series(0, 1 << 30)
        height = int(series.height[-1])
        window = WindowScore(
            view="raw",
            window_blocks=N,
            n=N,
            unknown=0,
            pools_seen=20,
            leaders=(("alpha", int(series.counts[-1][0])),),
        )
        return ScoreEvent(
            chain="bitcoin",
            from_height=from_height,
            height=height,
            tip_hash=series.tip_hash[-1],
            parent_hash=series.tip_hash[from_height - FIRST - 1] if from_height > FIRST else "00" * 32,
            time=int(series.time[-1]),
            version=self.db.version,
            attribution_id=SET,
            scored_at_ms=0,
            windows=(window,),
        )

    def tell(self) -> None:
        for _ in range(self.rng.randint(3, 14)):
            self.rng.choice((self.mine, self.mine, self.mine, self.reorg, self.poll, self.restart, self.change))()
        if self.off or self.rng.random() < 0.5:
            self.off.clear()
            self.begin()
        self.read()
        self.receive(*self.late)

    def mine(self) -> None:
        self.deliver(self.grow(len(self.db.blocks), self.rng.randint(1, 5)))

    def reorg(self) -> None:
        depth = min(len(self.db.blocks), self.rng.randint(1, 4))
        # A branch that is shorter than the other one's ring is deep is not looked for.
        least = depth if path.RING_HEIGHTS < 10 else 1
        self.deliver(self.grow(len(self.db.blocks) - depth, self.rng.randint(least, 5)))

    def deliver(self, events: list[ScoreEvent]) -> None:
        how = self.rng.choice(("now", "now", "one by one", "lost", "late"))
        if how == "late":
            self.late += events
        elif how == "now":
            self.receive(*events)
        elif how == "one by one":
            for event in events:
                self.receive(event)

    def poll(self) -> None:
        self.read()
        late, self.late = self.late, []
        self.receive(*late)

    def restart(self) -> None:
        self.begin()

    def change(self) -> None:
        """The rules file is another one now."""
        if self.rng.random() < 0.5:
            self.line = self.rng.choice((0.75, 0.745, 0.73))
        else:
            self.off = set(self.rng.sample([fields["id"] for fields in RULES], self.rng.randint(0, 2)))
        self.begin()


def check(story: Story) -> None:
    series = story.db.series(0, 1 << 30)
    ledgers = {
        rule.id: Ledger.of(entry for its, entry in story.db.rows.values() if its == rule.id) for rule in story.rules
    }
    for evaluated in story.evaluation.evaluated:
        rule, state = evaluated.rule, evaluated.rule_state
        alone = RuleState(rule.id, rule.rule_hash, "bitcoin", rule.for_blocks)
        alone.extend(series, rule.levels(series))
        assert state.standing == alone.standing, rule.id
        assert state.tip_hash == alone.tip_hash
        assert {mark.height: mark for mark in alone.marks}.items() >= {
            mark.height: mark for mark in state.marks
        }.items()
        shown = state.shown()
        assert [(e.alert_id, e.state) for e in ledgers[rule.id].open()] == ([shown] if shown else []), rule.id
        for rows in ledgers[rule.id].rows.values():
            assert sorted(rows) == list(range(len(rows)))
    paths = {id(state.path) for state in (one.rule_state for one in story.evaluation.evaluated)}
    assert len(paths) == 1, "rules at one height share their path"


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_rules_together_end_where_each_alone_ends(chunk: int, monkeypatch: pytest.MonkeyPatch) -> None:
    if chunk % 2:  # most rows are out of reach, and some reorganisations are deeper than what can be rewound
        for module in (path, rule_state, evaluate):
            monkeypatch.setattr(module, "RING_HEIGHTS", 3)
    for seed in range(chunk, STORIES, CHUNKS):
        story = Story(seed)
        try:
            story.tell()
            if story.db.blocks:
                check(story)
        except BaseException as error:
            error.add_note(f"story {seed}")
            raise


def test_a_new_branch_at_the_height_of_a_new_attribution_is_sent() -> None:
    """A hold of 2 ends on a block that replaced one which was the tip when the attribution changed."""
    story = Story(1)
    never_killed(story)
    stays = [("a", 735)] * 6 + [("a", 757)] * 2
    for attribution_id, tip in ((SET, ("a", 750)), ("set-b", ("a", 750)), ("set-b", ("b", 757))):
        story.db.attribution_id, story.db.blocks = attribution_id, [*stays, tip]
        story.write(story.evaluation.catch_up("bitcoin"))
    rows = [entry for rule, entry in story.db.rows.values() if rule == "share"]
    assert [(row.state, row.notify) for row in rows][-1] == ("firing", True)


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_news_begins_with_the_first_recent_block(chunk: int) -> None:
    """However the alerter came to it: by messages, by a read, after a restart, beside a reorganisation."""
    for seed in range(chunk, STORIES // 2, CHUNKS):
        story = Story(seed, live_from=BEGAN + 600 * (NEWS_FROM - FIRST) + LIVE_WITHIN_SECONDS)
        try:
            story.tell()
            if not story.db.blocks:
                continue
            check(story)
            height = FIRST + len(story.db.blocks) - 1
            for one in story.evaluation.evaluated:
                found = one.rule_state.go_live_height
                assert found == NEWS_FROM or (found is None and height < NEWS_FROM), one.rule.id
        except BaseException as error:
            error.add_note(f"story {seed}")
            raise


def test_a_chain_of_the_same_height_is_read_again() -> None:
    story = Story(0)
    story.rng = random.Random(99)
    story.write = lambda batch: story.db.keep(batch.transitions, story.versions.next())  # type: ignore[method-assign]
    story.receive(*story.grow(0, 6))
    for keep in (5, 3, 5):
        story.grow(keep, 6 - keep)
        story.read()
        tips = {one.rule_state.tip_hash for one in story.evaluation.evaluated}
        assert tips == {story.db.series(0, 99).tip_hash[-1]}


def test_each_chain_of_a_batch_has_its_position() -> None:
    """Scores of two chains that came together are one batch."""
    db = Database()
    rules = [
        TopShareRule.model_validate({"id": "share", "type": "top_share", "chain": chain, "above": 0.75})
        for chain in ("bitcoin", "litecoin")
    ]
    evaluation = Evaluation(
        cast(AlertStore, db),
        cast(list[Rule], rules),
        live=False,
        clock=cast(Clock, SimpleNamespace(now=lambda: float(BEGAN))),
        next_version=Versions(1).next,
    )
    evaluation.load([], StoredStates({}, {}))
    story = Story(0)
    story.db = db
    batch = EvaluatedScores()
    story.grow(0, 3)
    for chain in evaluation.chains:
        evaluation.catch_up(chain)
    [event] = story.grow(3, 1)
    assert all(evaluation.take([event.model_copy(update={"chain": chain})], batch) for chain in evaluation.chains)
    assert [(state.chain, state.height) for state in evaluation.positions(batch)] == [
        ("bitcoin", FIRST + 3),
        ("litecoin", FIRST + 3),
    ]


def test_the_next_block_is_taken_from_its_message_alone() -> None:
    story = Story(0)
    story.rng = random.Random(99)
    story.write = lambda batch: story.db.keep(batch.transitions, story.versions.next())  # type: ignore[method-assign]
    story.receive(*story.grow(0, 6))
    story.db.reads = 0
    events = story.grow(6, 5)
    batch = EvaluatedScores()
    assert story.evaluation.take(events[:2], batch) == 2
    assert story.db.reads == 0
    story.read()  # ahead of the messages that follow
    assert all(story.evaluation.is_taken_in(event) for event in events)
    again = events[-1].model_copy(update={"version": events[-1].version + 1})
    assert not story.evaluation.is_taken_in(again), "written anew since"
    assert np.array_equal(story.db.series(0, 99).height, np.arange(FIRST, FIRST + 11))


def test_a_first_start_reads_each_series_once() -> None:
    """Also for the rows of rules that look back further than the first heights."""
    story = Story(0)
    story.db.blocks = [("a", top) for top in (757, 735, 757, 735, 757, 757)]
    story.begin()
    assert {rule for rule, _ in story.db.rows.values()} >= {"share", "at-once"}
    assert (story.db.reads, story.db.evidence_reads) == (1, 0), "all rules are on one window"


def test_a_start_without_checkpoints_reads_the_rows_of_all_rules_at_once() -> None:
    """Also after a new attribution's or an edit's comparison, the ledgers hold what a rewind can reach, and no more."""
    story = Story(0)
    story.rng = random.Random(99)
    story.db.blocks = [("a", top) for top in (757, 735, 757, 735, 757, 757) * 60]
    story.begin()
    rows = dict(story.db.rows)
    story.db.states.clear()
    story.db.completions = 0
    story.begin()
    assert story.db.completions == 1
    assert story.db.rows.keys() == rows.keys(), "it wrote what was there"
    at_once = next(one for one in story.evaluation.evaluated if one.rule.id == "at-once")
    kept = [entry for of in at_once.ledger.rows.values() for entry in of.values()]
    assert 0 < len(kept) < at_once.stored_rows
    reached = {entry.alert_id for entry in kept if entry.height >= at_once.rule_state.path.first}
    assert {entry.alert_id for entry in kept} == reached | {entry.alert_id for entry in at_once.ledger.open()}


def never_killed(story: Story) -> None:
    story.write = lambda batch: story.db.keep(batch.transitions, story.versions.next())  # type: ignore[method-assign]


@pytest.mark.parametrize("seed", range(24))
def test_messages_together_give_what_they_give_one_by_one(seed: int) -> None:
    """The same rows and the same states, whether an alerter keeps up or takes several heights at once."""
    found = []
    for together in (1, 3, 40):
        story = Story(seed, live_from=BEGAN + 600.0 * (NEWS_FROM - FIRST) + LIVE_WITHIN_SECONDS)
        never_killed(story)
        story.receive(*story.grow(0, 4))
        events = [event for at in range(10) for event in story.grow(4 * (at + 1), 4)]
        batch = EvaluatedScores()
        at = 0
        while at < len(events):
            taken = story.evaluation.take(events[at : at + together], batch)
            assert taken == len(events[at : at + together])
            at += taken
        story.write(batch)
        rows = {key: (rule, replace(entry, version=0)) for key, (rule, entry) in story.db.rows.items()}
        found.append((rows, [one.rule_state.to_json() for one in story.evaluation.evaluated]))
    assert found[0] == found[1] == found[2]
    assert len(found[0][0]) > 8


def test_the_first_message_after_a_start_needs_no_read() -> None:
    """Also where rules look back: a thousand rules that are read one after another let the messages wait."""
    story = Story(0)
    story.rng = random.Random(99)
    story.db.blocks = [("a", top) for top in (757, 735, 757, 735, 757, 757)]
    story.begin()
    story.begin()
    assert story.db.reads == 1, "what rules look back on is read together with the newest heights"
    story.read()
    assert story.db.reads == 0, "nothing is new"
    assert not story.evaluation._chains["bitcoin"].unsettled, "and no rule waits for the first message"
    assert story.evaluation.take(story.grow(6, 2), EvaluatedScores()) == 2
    assert story.db.reads == 0
