"""The fold of a chain: what a batch changes is told once, and how events are batched or repeated changes no row."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import pairwise
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from counterpoise.contracts.blocks import BlockEvent
from counterpoise.pools.attribution_set import AttributionSet
from streams.blocks.fold.attributor import Attributor
from streams.blocks.fold.chain_fold import ChainFold, FoldResult, StoredChain
from tests.unit.block_fold.chains import HARD_BITS, POOLS, block, chain_of

Row = tuple[Any, ...]


@lru_cache(maxsize=1)
def attribution_set() -> AttributionSet:
    return AttributionSet.default()


def new_fold(stored: StoredChain | None = None, **more: Any) -> ChainFold:
    return ChainFold(Attributor(attribution_set()), stored, **more)


class Tables:
    """What ClickHouse would hold: the last row of each key."""

    def __init__(self) -> None:
        self.blocks: dict[str, str] = {}
        self.pools: dict[str, str] = {}
        self.scores: dict[tuple[int, int, int], Row] = {}

    def write(self, result: FoldResult) -> None:
        for stored in result.blocks:
            self.blocks[stored.event.hash] = stored.status
            self.pools[stored.event.hash] = stored.attribution.slug
        if result.scored is None:
            return
        scored = result.scored
        columns = scored.table.columns()
        names = [name for name in columns if name not in ("view_code", "window_blocks", "index")]
        for row in range(len(scored.table)):
            at = int(columns["index"][row])
            key = (int(columns["view_code"][row]), int(columns["window_blocks"][row]), scored.from_height + at)
            self.scores[key] = (
                scored.tip_hashes[at],
                int(scored.times[at]),
                *(columns[name][row].item() for name in names),
            )
        for height in scored.undone_heights:
            for key in [key for key in self.scores if key[2] == height]:
                del self.scores[key]

    def state(self) -> tuple[Any, ...]:
        return self.blocks, self.pools, self.scores


def fold_all(events: Sequence[BlockEvent], cuts: Iterable[int] = ()) -> Tables:
    tables, fold = Tables(), new_fold()
    edges = [0, *sorted(set(cuts)), len(events)]
    for low, high in pairwise(edges):
        tables.write(fold.apply(events[low:high]))
    return tables


def test_counts_are_those_of_the_labels() -> None:
    events = chain_of(200)
    fold = new_fold()
    result = fold.apply(events)
    assert result.scored is not None
    table = result.scored.table
    row = np.flatnonzero((table.view_code == 0) & (table.window_blocks == 144) & (table.index == 199))[0]
    expected = Counter(event.label for event in events[-144:]).most_common()
    assert [getattr(table, f"c{rank}")[row] for rank in range(1, 7)] == [count for _, count in expected[:6]]
    assert (table.n[row], table.unknown[row], bool(table.window_full[row])) == (144, 0, True)
    row = np.flatnonzero((table.view_code == 0) & (table.window_blocks == 1008) & (table.index == 199))[0]
    assert (table.n[row], bool(table.window_full[row])) == (200, False)
    assert result.scored.tip_hashes[-1].hex() == events[-1].hash


def test_redelivered_events_fold_to_nothing() -> None:
    events = chain_of(20)
    fold = new_fold()
    fold.apply(events)
    again = fold.apply(events)
    assert (again.blocks, again.scored, again.duplicates) == ([], None, 20 - 1 + 1)


def test_a_label_that_no_pool_has_counts_as_unknown() -> None:
    fold = new_fold()
    result = fold.apply(chain_of(10, labels=("nobody-knows-this-pool",)))
    assert result.scored is not None
    assert set(result.scored.table.unknown[result.scored.table.index == 9].tolist()) == {10}
    assert {stored.attribution.method for stored in result.blocks} == {"none"}


@pytest.mark.parametrize("depth", [1, 2, 10])
def test_after_a_reorg_the_tables_are_those_of_the_winner_alone(depth: int) -> None:
    base = chain_of(160)
    fork = base[-1 - depth]
    winner = chain_of(depth + 1, first_height=fork.height + 1, prev_hash=fork.hash, salt="b", labels=("luxor",))
    tables = fold_all([*base, *winner], range(160, 160 + depth + 2))
    alone = fold_all([*base[:-depth], *winner])
    assert tables.scores == alone.scores
    assert [tables.blocks[event.hash] for event in base[-depth:]] == ["stale"] * depth
    assert {tables.blocks[event.hash] for event in [*base[:-depth], *winner]} == {"canonical"}


def test_a_shorter_heavier_branch_leaves_no_scores_above_its_tip() -> None:
    base = chain_of(150)
    heavy = block(base[-4].height, base[-5].hash, label="luxor", bits=HARD_BITS)
    fold, tables = new_fold(), Tables()
    tables.write(fold.apply(base))
    result = fold.apply([heavy])
    tables.write(result)
    assert result.scored is not None
    assert result.scored.undone_heights == tuple(event.height for event in base[-3:])
    assert tables.scores == fold_all([*base[:-4], heavy]).scores


def test_an_orphan_is_parked_asks_for_its_parent_and_connects() -> None:
    base, fold = chain_of(150), new_fold()
    fold.apply(base[:147])
    result = fold.apply([base[149], base[148]])
    assert [stored.status for stored in result.blocks] == ["parked", "parked"]
    assert result.scored is None
    [gap] = fold.gaps()
    assert (gap.hash.hex(), gap.from_height, gap.to_height) == (base[147].hash, base[147].height, base[147].height)
    result = fold.apply([base[147]])
    assert fold.gaps() == ()
    assert result.scored is not None
    assert (result.scored.from_height, result.scored.height) == (base[147].height, base[149].height)
    assert [stored.status for stored in result.blocks].count("canonical") == 3


def test_bad_bits_and_heights_that_do_not_follow_are_rejected_alone() -> None:
    base, fold = chain_of(10), new_fold()
    bad_bits = base[8].model_copy(update={"hash": "ab" * 32, "bits": 0xFF7FFFFF})
    wrong_height = block(base[9].height + 5, base[9].hash)
    result = fold.apply([*base, bad_bits, wrong_height])
    assert [(rejected.reason, rejected.event) for rejected in result.rejected] == [
        ("bad-bits", bad_bits),
        ("wrong-height", wrong_height),
    ]
    assert result.scored is not None
    assert result.scored.height == base[-1].height


def test_a_restored_fold_goes_on_as_if_it_had_never_stopped() -> None:
    events = chain_of(700)
    straight = new_fold()
    straight.apply(events[:650])
    expected = straight.apply(events[650:])
    attributor = Attributor(attribution_set())
    stored = StoredChain(
        first_height=events[0].height,
        base_height=events[0].height,
        codes=[attributor.attribute(event).code for event in events[:650]],
        times=[event.time for event in events[:650]],
        bits=[event.bits for event in events[:650]],
        recent=events[600:650],
    )
    restored = new_fold(stored).apply(events[650:])
    first, second = Tables(), Tables()
    first.write(expected)
    second.write(restored)
    assert first.state() == second.state()


def test_pruning_forgets_old_blocks_but_not_the_windows() -> None:
    events = chain_of(6_000)
    small = new_fold(max_reorg_blocks=10)
    tables, whole = Tables(), Tables()
    for low in range(0, 6_000, 600):
        small_result = small.apply(events[low : low + 600])
    tables.write(small_result)
    large = new_fold()
    large.apply(events[:5_400])
    whole.write(large.apply(events[5_400:]))
    assert tables.scores == whole.scores


def test_a_stored_chain_that_does_not_end_at_its_newest_block_is_refused() -> None:
    events = chain_of(5)
    with pytest.raises(ValueError, match="ends at height 800003"):
        new_fold(StoredChain(events[0].height, events[0].height, [1, 2, 3, 4], [1, 2, 3, 4], [1, 2, 3, 4], events))


@st.composite
def histories(draw: st.DrawFn) -> tuple[list[BlockEvent], list[int]]:
    """Deliveries of a small random tree (each block after its parent or before it, some twice), and where to cut them."""
    blocks = [block(800_000, "00" * 32)]
    for index in range(1, draw(st.integers(3, 18))):
        parent = blocks[draw(st.integers(max(0, index - 4), index - 1))]
        bits = draw(st.sampled_from([0x1D00FFFF, 0x1D00FFFF, 0x1C7FFF80]))
        blocks.append(
            block(parent.height + 1, parent.hash, label=draw(st.sampled_from(POOLS)), salt=str(index), bits=bits)
        )
    order = [blocks[0], *draw(st.permutations(blocks[1:])), *draw(st.lists(st.sampled_from(blocks), max_size=4))]
    return order, draw(st.lists(st.integers(1, len(order) - 1), max_size=6))


@settings(max_examples=60, deadline=None)
@given(histories())
def test_how_events_are_batched_and_repeated_changes_no_row(history: tuple[list[BlockEvent], list[int]]) -> None:
    events, cuts = history
    one = fold_all(events)
    many = fold_all(events, cuts)
    assert one.scores == many.scores
    assert one.pools == many.pools
    assert one.blocks == many.blocks
