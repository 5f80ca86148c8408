"""How events are cut into batches, and where the process restarts between, changes no row, no score, no dead letter, no request.

The tables are modelled as ClickHouse keeps them: the highest version of each key wins, and a height that was undone leaves a
tombstone. A restart builds the fold anew from these tables alone, by the steps of `streams.blocks.loader`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import pairwise
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from counterpoise.chain.tree import Gap
from counterpoise.contracts.blocks import BlockEvent
from counterpoise.pools.attribution_set import AttributionSet
from counterpoise.windows import SPANS_DAYS, VIEWS, WINDOWS_BLOCKS
from streams.blocks.fold.attributor import Attributor
from streams.blocks.fold.chain_fold import ChainFold, FoldResult, Scored, StoredBlock, StoredChain
from tests.unit.block_fold.chains import POOLS, block, chain_of

FIRST_HEIGHT = 800_000
MAX_REORG = 4
MAX_PARKED = 3
BITS = (0x1D00FFFF, 0x1D00FFFF, 0x1D00FFFF, 0x1C7FFF80, 0x1C3FFFC0)
"""Difficulty one, about two, and about four."""

Row = tuple[Any, ...]
Key = tuple[int, str]
"""Height and hash, as the tables know a block."""


def key_of(event: BlockEvent) -> Key:
    return event.height, event.hash


@lru_cache(maxsize=1)
def attributor() -> Attributor:
    return Attributor(AttributionSet.default())


@dataclass
class Tables:
    """Rows by key. `letters` are (height and hash, reason, place); a place is the delivery that settled the letter."""

    blocks: dict[Key, StoredBlock] = field(default_factory=dict)
    scores: dict[tuple[int, int, int], Row | None] = field(default_factory=dict)
    letters: set[tuple[Key, str, int]] = field(default_factory=set)
    hours: dict[tuple[int, int, int], Row | None] = field(default_factory=dict)

    def write(self, result: FoldResult) -> None:
        for stored in result.blocks:
            self.blocks[key_of(stored.event)] = stored
        for stored in result.too_old:  # version 0: any other row wins
            self.blocks.setdefault(key_of(stored.event), stored)
        if result.scored is None:
            return
        scored = result.scored
        columns = scored.table.columns()
        names = [name for name in columns if name not in ("view_code", "window_blocks", "index")]
        for row in range(len(scored.table)):
            at = int(columns["index"][row])
            key = (int(columns["view_code"][row]), int(columns["window_blocks"][row]), scored.from_height + at)
            values = tuple(columns[name][row].item() for name in names)
            self.scores[key] = (scored.tip_hashes[at], int(scored.times[at]), *values)
        for height in scored.undone_heights:
            self.scores |= {(view, window, height): None for view in range(len(VIEWS)) for window in WINDOWS_BLOCKS}
        self._write_hours(scored)
        first = {key[2] for key, row in self.scores.items() if row is not None}
        assert first == set(range(min(first), scored.height + 1)), "one row for each height up to the tip"

    def _write_hours(self, scored: Scored) -> None:
        hours = scored.time_windows
        for row in zip(*(column.tolist() for column in hours.columns.values()), strict=True):
            view, span, height = row[:3]
            self.hours[view, span, height] = (scored.tip_hashes[height - scored.from_height], repr(row))
        for height in (*hours.undone_heights, *scored.undone_heights):
            self.hours |= {(view, span, height): None for view in range(len(VIEWS)) for span in SPANS_DAYS}

    def shown_hours(self) -> dict[tuple[int, int, int], Row]:
        return {key: row for key, row in self.hours.items() if row is not None}

    def reject(self, result: FoldResult, places: dict[int, int]) -> None:
        self.letters |= {(key_of(one.event), one.reason, places[id(one.cause)]) for one in result.rejected}

    def standing(self) -> dict[Key, tuple[str, str]]:
        return {key: (stored.status, stored.attribution.slug) for key, stored in self.blocks.items()}

    def events(self, status: str) -> list[BlockEvent]:
        found = [stored.event for stored in self.blocks.values() if stored.status == status]
        return sorted(found, key=key_of)

    def load(self) -> ChainFold:
        """As `load_chain` and `LoadedChain` do: the stored chain short of its tip, the tip, the peak, the rest."""
        canonical = self.events("canonical")
        if not canonical:
            return ChainFold(attributor(), max_reorg_blocks=MAX_REORG, max_parked=MAX_PARKED)
        assert [event.height for event in canonical] == list(
            range(canonical[0].height, canonical[0].height + len(canonical))
        )
        whole, tip = canonical[:-1], canonical[-1:]
        stored = StoredChain(
            first_height=canonical[0].height,
            base_height=canonical[0].height,
            codes=[attributor().attribute(event).code for event in whole],
            times=[event.time for event in whole],
            bits=[event.bits for event in whole],
            recent=whole[-(MAX_REORG + 1) :],
        )
        fold = ChainFold(attributor(), stored if whole else None, max_reorg_blocks=MAX_REORG, max_parked=MAX_PARKED)
        fold.time_windows.note_stored({key[2] for key, row in self.hours.items() if row and key[2] > fold.root_height})
        self.write(fold.apply(tip))
        self.write(fold.raise_peak(max(key[2] for key in self.scores)))
        low = fold.root_height + 1
        stale = [event for event in self.events("stale") if event.height >= low]
        parked = [event for event in self.events("parked") if event.height >= low]
        again = fold.rejoin(stale, parked)
        assert not again.rejected
        self.write(again)
        return fold


@dataclass
class Outcome:
    """All that a run leaves behind."""

    standing: dict[Key, tuple[str, str]]
    scores: dict[tuple[int, int, int], Row | None]
    letters: set[tuple[Key, str, int]]
    gaps: tuple[Gap, ...]
    tip: str
    hours: dict[tuple[int, int, int], Row]


def run(events: Sequence[BlockEvent], cuts: Iterable[int] = (), restarts: Iterable[int] = ()) -> Outcome:
    """Fold `events` in batches that end at `cuts`, with a new process before the deliveries of `restarts`."""
    tables = Tables()
    fold = tables.load()
    anew = set(restarts)
    edges = sorted({0, *cuts, *anew, len(events)})
    places = {id(event): place for place, event in enumerate(events)}
    for low, high in pairwise(edges):
        if low in anew:
            before = tables.standing(), dict(tables.scores), tables.shown_hours()
            fold = tables.load()
            assert (tables.standing(), tables.scores, tables.shown_hours()) == before, "a restart alone changes nothing"
        result = fold.apply(events[low:high])
        tables.reject(result, places)
        tables.write(result)
    tip = fold.tip
    assert tip is not None
    # Every block has a row, or was refused for lack of room and has a letter that says so.
    refused = {letter[0] for letter in tables.letters if letter[1] == "orphan-dropped"}
    assert {key_of(event) for event in events} <= tables.blocks.keys() | refused
    return Outcome(tables.standing(), tables.scores, tables.letters, fold.gaps(), tip.hash, tables.shown_hours())


@st.composite
def deliveries(draw: st.DrawFn) -> list[BlockEvent]:
    """A tree with forks of any depth, delivered mostly in its order, with late blocks, duplicates, orphans and false heights."""
    trunk = chain_of(draw(st.integers(1, 6)))
    blocks = list(trunk)
    tip = trunk[-1]
    for index in range(draw(st.integers(2, 28))):
        kind = draw(
            st.sampled_from(["grow"] * 5 + ["fork"] * 3 + ["nowhere", "false height", "below", "another height"])
        )
        parent = tip if kind == "grow" else draw(st.sampled_from(blocks))
        height, prev_hash = parent.height + 1, parent.hash
        if kind == "nowhere":
            height, prev_hash = draw(st.integers(FIRST_HEIGHT - 1, FIRST_HEIGHT + 30)), f"{index:064x}"
        elif kind == "false height":
            height += draw(st.sampled_from([-1, 1, 2, 3, 9]))
        elif kind == "below":
            height, prev_hash = FIRST_HEIGHT - draw(st.integers(0, 3)), f"{index:064x}"
        label, bits = draw(st.sampled_from(POOLS)), draw(st.sampled_from(BITS))
        time = parent.time + draw(st.sampled_from([600, 600, 3_000, -1_200, 90_000]))
        made = block(height, prev_hash, label=label, salt=str(index), bits=bits, time=time)
        if kind == "another height":  # of a block that comes, or came, with its true one
            made = parent.model_copy(update={"height": parent.height + draw(st.sampled_from([-2, -1, 1, 2, 7]))})
        blocks.append(made)
        if kind == "grow" or (kind == "fork" and draw(st.booleans())):
            tip = made
    delays = [draw(st.integers(0, 12)) if draw(st.integers(0, 3)) == 0 else 0 for _ in blocks]
    order = sorted(range(1, len(blocks)), key=lambda place: (place + delays[place], place))
    again = draw(st.lists(st.tuples(st.sampled_from(blocks), st.integers(1, len(blocks))), max_size=5))
    events = [blocks[0], *(blocks[place] for place in order)]
    for extra, place in again:
        events.insert(place, extra)
    # Each delivery is an object of its own, as what a consumer decodes is.
    return [event.model_copy() for event in events]


def assert_cuts_change_nothing(events: list[BlockEvent], data: st.DataObject) -> None:
    places = st.lists(st.integers(1, len(events) - 1), max_size=8)
    whole = run(events)
    assert run(events, range(len(events))) == whole, "block by block"
    assert run(events, data.draw(places)) == whole, "random batches"
    assert run(events, range(len(events)), restarts=range(1, len(events))) == whole, "a new process for every block"
    assert run(events, data.draw(places), restarts=data.draw(places)) == whole, "random batches and restarts"


@settings(max_examples=8, deadline=None)
@given(deliveries(), st.data())
def test_batches_and_restarts_change_nothing(events: list[BlockEvent], data: st.DataObject) -> None:
    """New cases in every run; `make soak` draws seventy times as many."""
    assert_cuts_change_nothing(events, data)


@settings(max_examples=10, deadline=None)
@given(st.integers(1, 6), st.lists(st.integers(1, 9), min_size=1, max_size=8))
def test_a_batch_that_follows_on_the_tip_folds_at_once_as_it_folds_block_by_block(held: int, sizes: list[int]) -> None:
    """Object by object: rows, their order, scores, and what is remembered. `_fold` knows no shortcut."""
    blocks = chain_of(held + sum(sizes))
    quick, slow = (ChainFold(attributor(), max_reorg_blocks=MAX_REORG, max_parked=MAX_PARKED) for _ in range(2))
    start = 0
    for size in (held, *sizes):
        batch = blocks[start : start + size]
        start += size
        found = quick.apply(batch)
        wanted = slow.finish(slow._fold([(event, slow._tree.add) for event in batch]))
        assert quick._known == slow._known
        assert (found.blocks, found.rejected, found.duplicates, found.too_old) == (
            wanted.blocks,
            wanted.rejected,
            wanted.duplicates,
            wanted.too_old,
        )
        tables = []
        for result in (found, wanted):
            tables.append(Tables())
            tables[-1].write(result)
        assert tables[0] == tables[1]
        assert found.scored is not None
        assert wanted.scored is not None
        assert found.scored.parent_hash == wanted.scored.parent_hash
        assert found.scored.undone_heights == wanted.scored.undone_heights == ()


@pytest.mark.soak
@settings(max_examples=600, deadline=None)
@given(deliveries(), st.data())
def test_batches_and_restarts_change_nothing_in_many_more(events: list[BlockEvent], data: st.DataObject) -> None:
    assert_cuts_change_nothing(events, data)


def assert_nothing_changes(events: Sequence[BlockEvent], start: int, end: int, cuts: Sequence[int] = ()) -> None:
    """Deliver `events`; those of `start` … `end` twice, the second time after `end`, with a new process between and without."""
    before = run(events[:end])
    # The one exception: a block refused for lack of room left nothing behind, and may find room when it comes again.
    again = [event.model_copy() for event in events[start:end] if key_of(event) in before.standing]
    twice = [*events[:end], *again, *events[end:]]
    once = run(events)
    for restarts in ((), (end,)):
        found = run(twice, cuts, restarts)
        assert (found.standing, found.scores, found.gaps, found.tip, found.hours) == (
            once.standing,
            once.scores,
            once.gaps,
            once.tip,
            once.hours,
        )
        assert {letter[:2] for letter in found.letters} == {letter[:2] for letter in once.letters}


@settings(max_examples=10, deadline=None)
@given(deliveries(), st.data())
def test_what_is_delivered_again_changes_no_row(events: list[BlockEvent], data: st.DataObject) -> None:
    """A worker that dies unacknowledged is given its last batches again, in whatever cuts."""
    end = data.draw(st.one_of(st.just(len(events)), st.integers(1, len(events))))
    start = data.draw(st.integers(0, end - 1))
    cuts = data.draw(st.lists(st.integers(1, len(events) + end - start - 1), max_size=8))
    assert_nothing_changes(events, start, end, [cut for cut in cuts if cut < len(events) + end - start])


WRONG = {"ahead": (0, 2), "level": (2, 2), "far ahead": (1, 9)}
"""Height of the parent above the first block, and the height that is claimed."""


@pytest.mark.parametrize(("parent", "claimed"), WRONG.values(), ids=WRONG)
@pytest.mark.parametrize("waits", [False, True])
@pytest.mark.parametrize("more", range(8))
def test_a_wrong_height_keeps_its_row_and_letter_once_its_parent_is_forgotten(
    parent: int, claimed: int, more: int, waits: bool
) -> None:
    """It came again as an orphan without a parent, and got a row that it had not had."""
    trunk = chain_of(5 + more)
    wrong = block(FIRST_HEIGHT + claimed, trunk[parent].hash, salt="wrong")
    at = max(1, parent) if waits else 5  # nothing can wait for the first block of all
    events = [*trunk[:at], wrong, *trunk[at:]]
    assert_nothing_changes(events, 0, len(events))
    outcome = run(events)
    assert outcome.standing[key_of(wrong)][0] == "stale"
    assert [letter[0] for letter in outcome.letters] == [key_of(wrong)]


def test_a_false_height_does_not_stand_in_the_way_of_the_true_one() -> None:
    """Neither where the false one comes first, nor where both wait; and the chain goes on above the true one."""
    *trunk, parent, true, after = chain_of(9)
    false = true.model_copy(update={"height": true.height + 3})
    for events in (
        [*trunk, parent, false, true, after],
        [*trunk, parent, false, after, true],
        [*trunk, false, true, after, parent],
        [*trunk, after, true, false, parent],
        [*trunk, parent, true, after, false],
    ):
        outcome = run(events)
        assert outcome == run(events, range(len(events)), restarts=range(1, len(events)))
        assert outcome.tip == after.hash
        assert (outcome.standing[key_of(true)][0], outcome.standing[key_of(false)][0]) == ("canonical", "stale")
        assert {letter[0] for letter in outcome.letters} == {key_of(false)}
        assert_nothing_changes(events, 0, len(events))


def test_what_stands_on_a_false_height_above_the_tip_does_not_extend_the_tip() -> None:
    """The false copy of the tip has the tip's hash."""
    trunk = chain_of(3)
    false = trunk[-1].model_copy(update={"height": trunk[-1].height + 1})
    child = block(false.height + 1, false.hash)
    events = [*trunk, false, child]
    assert_nothing_changes(events, 0, len(events))
    assert run(events).tip == trunk[-1].hash
    assert run(events).standing[key_of(child)][0] == "stale"


def test_a_branch_that_leaves_below_the_root_decides_no_height() -> None:
    """A restart cannot tell that it once led to the chain: a block beside it had a letter, and after a restart none."""
    trunk = chain_of(4)
    branch = [
        chain_of(length, first_height=FIRST_HEIGHT + 3, prev_hash=trunk[2].hash, salt=str(length)) for length in (4, 6)
    ]
    beside = block(branch[0][1].height, branch[0][1].hash, salt="beside")
    events = [*trunk[:3], *branch[0], *branch[1][:5], beside, branch[1][5]]
    assert run(events) == run(events, range(len(events)), restarts=range(1, len(events)))


def test_a_block_that_found_no_room_is_taken_when_it_comes_again_and_there_is_room() -> None:
    """The exception among what is delivered again: the refusal leaves a letter and no row, and the block is welcome later."""
    trunk = chain_of(8)
    events = [*trunk[:2], *reversed(trunk[3:])]
    once = run(events)
    assert {letter[:2] for letter in once.letters} == {(key_of(event), "orphan-dropped") for event in trunk[3:5]}
    assert once.standing.keys() == {key_of(event) for event in [*trunk[:2], *trunk[5:]]}
    healed = run([*events, *(event.model_copy() for event in trunk[2:])], restarts=[len(events)])
    assert healed.tip == trunk[-1].hash
    assert {status for status, _ in healed.standing.values()} == {"canonical"}


def test_a_fork_one_deeper_than_the_limit_loses_in_any_batch_and_keeps_its_rows() -> None:
    trunk = chain_of(12)
    for depth, wins in ((MAX_REORG, True), (MAX_REORG + 1, False)):
        fork = trunk[-1 - depth]
        branch = chain_of(depth + 2, first_height=fork.height + 1, prev_hash=fork.hash, salt="late")
        events = [*trunk, *branch]
        outcomes = [
            run(events),
            run(events, range(len(events))),
            run(events, [3], restarts=[len(trunk), len(trunk) + 1]),
        ]
        assert outcomes[0] == outcomes[1] == outcomes[2]
        assert (outcomes[0].tip == branch[-1].hash) is wins
        assert {outcomes[0].standing[key_of(event)][0] for event in branch} == {"canonical" if wins else "stale"}
        assert outcomes[0].letters == set()
