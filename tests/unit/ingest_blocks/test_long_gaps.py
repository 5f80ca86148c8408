"""From any gap the chain reaches the source's tip: the real block tree, its gaps, and the real answers to them, without Kafka.

A round is what streams and ingest do in fifteen seconds: each gap is requested, and answered by the source as it is now.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from counterpoise.chain.tree import BlockTree, Link, Seen
from counterpoise.contracts.blocks import BlockEvent, BlockRequest
from counterpoise.runtime.probe import Probe
from counterpoise.windows import MAX_REORG_BLOCKS
from ingest.blocks import block_requests
from ingest.blocks.block_requests import answer
from ingest.blocks.sources.block_source import LIVE, BlockBatch, News, Tip
from testkit.fake_chain import BITS, FIRST_TIME

BATCH_BLOCKS = 15


class LongSource:
    """A best chain from height 0 that grows and changes branch. Blocks in `lacking` are not given."""

    name = "long"
    capabilities = LIVE
    poll_seconds = 1.0

    def __init__(self, blocks: int) -> None:
        self.best: list[BlockEvent] = []
        self.lacking: set[str] = set()
        self._by_hash: dict[str, BlockEvent] = {}
        self.mine(blocks)

    def mine(self, blocks: int) -> list[BlockEvent]:
        for _ in range(blocks):
            event = BlockEvent.model_construct(
                chain="bitcoin",
                time=FIRST_TIME,
                bits=BITS,
                source=self.name,
                seen_at_ms=1,
                height=len(self.best),
                hash=f"{len(self._by_hash) + 1:064x}",
                prev_hash=self.best[-1].hash if self.best else "0" * 64,
            )
            self.best.append(event)
            self._by_hash[event.hash] = event
        return self.best[-blocks:]

    def reorg(self, depth: int) -> list[BlockEvent]:
        """The new branch, one block longer than what it replaces."""
        del self.best[len(self.best) - depth :]
        return self.mine(depth + 1)

    def tip(self) -> Tip:
        return Tip(self.best[-1].height, self.best[-1].hash)

    def blocks(self, from_height: int, to_height: int) -> Iterator[BlockBatch]:
        found = [event for event in self.best[from_height : to_height + 1] if event.hash not in self.lacking]
        for start in range(0, len(found), BATCH_BLOCKS):
            yield BlockBatch(tuple(found[start : start + BATCH_BLOCKS]))

    def block(self, block_hash: str) -> BlockBatch:
        event = self._by_hash.get(block_hash)
        return BlockBatch() if event is None or block_hash in self.lacking else BlockBatch((event,))

    def wait(self, seconds: float) -> News:
        return News()

    def probe(self) -> Probe:
        return Probe("ok", self.name)

    def close(self) -> None:
        """Nothing is open."""


def put(tree: BlockTree, events: Iterable[BlockEvent]) -> list[Seen]:
    return [
        tree.add(Link(bytes.fromhex(event.hash), bytes.fromhex(event.prev_hash), event.height, 1)).seen
        for event in events
    ]


def tip_height(tree: BlockTree) -> int:
    assert tree.tip is not None
    return tree.tip.height


def play_round(tree: BlockTree, source: LongSource) -> None:
    for gap in tree.gaps():
        request = BlockRequest(
            chain="bitcoin",
            hash=gap.hash.hex(),
            from_height=gap.from_height,
            to_height=gap.to_height,
            requested_at_ms=0,
        )
        for batch in answer(source, request):
            put(tree, batch.events)


def rounds_until_whole(tree: BlockTree, source: LongSource, *, at_most: int) -> int:
    """A block is mined in each round, so what was refused shows itself as a gap."""
    for rounds in range(at_most):
        if tree.tip is not None and tree.tip.hash.hex() == source.best[-1].hash:
            return rounds
        put(tree, source.mine(1))
        play_round(tree, source)
    raise AssertionError(f"after {at_most} rounds the tip is {tip_height(tree)} of {source.best[-1].height}")


def test_a_block_that_the_source_did_not_have_for_long_holds_up_nothing_once_it_has_it() -> None:
    """The tip moved to H + 2,000 and stopped for good."""
    source = LongSource(12_000)
    missing = source.best[1_000]
    source.lacking.add(missing.hash)
    tree = BlockTree(max_reorg_blocks=MAX_REORG_BLOCKS)
    put(tree, source.best[:1_000])
    seen = put(tree, source.best[1_001:])
    assert (seen.count(Seen.PARKED), seen.count(Seen.CROWDED_OUT)) == (2_000, 8_999)
    for _ in range(3):
        put(tree, source.mine(1))
        play_round(tree, source)
        assert tip_height(tree) == 999
        assert [(gap.from_height, gap.to_height) for gap in tree.gaps()] == [(999, 1_000)]
    source.lacking.clear()
    assert rounds_until_whole(tree, source, at_most=10) == 1 + 5  # 9,000 ÷ 2,017


@pytest.mark.parametrize("depth", [0, 1, 40, MAX_REORG_BLOCKS])
def test_what_kafka_forgot_is_fetched_from_the_bottom_also_across_a_reorganisation(depth: int) -> None:
    """Streams come back after longer than Kafka keeps messages; the source has changed branch below their tip meanwhile."""
    source = LongSource(3_000)
    tree = BlockTree(max_reorg_blocks=MAX_REORG_BLOCKS)
    put(tree, source.best)
    source.reorg(depth)
    source.mine(6_000)
    kept = source.mine(3_000)
    put(tree, kept)
    assert tip_height(tree) == 2_999
    assert rounds_until_whole(tree, source, at_most=12) <= 9


def test_of_a_long_range_the_lower_part_is_given_and_not_its_end() -> None:
    source = LongSource(5_000)
    asked = BlockRequest(
        chain="bitcoin", hash=source.best[4_990].hash, from_height=100, to_height=4_990, requested_at_ms=0
    )
    heights = [event.height for batch in answer(source, asked) for event in batch.events]
    assert heights == list(range(100, 100 + 2_017))
    assert block_requests.last_height(asked) == 2_116


@st.composite
def losses(draw: st.DrawFn) -> tuple[list[tuple[int, int]], list[int], int, int]:
    """Ranges that never reached streams, heights that the source lacks at first, a reorganisation's depth and its height."""
    lost = draw(st.lists(st.tuples(st.integers(41, 300), st.integers(0, 150)), min_size=1, max_size=4))
    return lost, draw(st.lists(st.integers(41, 300), max_size=3)), draw(st.integers(0, 19)), draw(st.integers(0, 300))


@settings(max_examples=25, deadline=None)
@given(losses(), st.integers(0, 6))
def test_from_any_gap_the_tip_reaches_the_tip_of_the_source(
    losses: tuple[list[tuple[int, int]], list[int], int, int], lacking_rounds: int
) -> None:
    """Orphans, answers and reorganisations in small: 20 blocks at most for each."""
    lost, lacking, depth, reorg_at = losses
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(block_requests, "MAX_WALK_BLOCKS", 20)
        patch.setattr(block_requests, "_WALK_BLOCKS", 4)
        source = LongSource(40)
        tree = BlockTree(max_reorg_blocks=20, max_parked=20)
        put(tree, source.best)
        for height in range(40, 320):
            new = source.reorg(depth) if height == max(41, reorg_at) else source.mine(1)
            put(tree, [one for one in new if not any(low <= one.height <= low + more for low, more in lost)])
        source.lacking = {source.best[height].hash for height in lacking}
        for _ in range(lacking_rounds):
            put(tree, source.mine(1))
            play_round(tree, source)
        source.lacking.clear()
        # At most 21 blocks of the gap close in a round, and of a branch from below the tip one block is given in a round.
        rounds_until_whole(tree, source, at_most=320 // 20 + depth + 2 * len(lost) + 8)
