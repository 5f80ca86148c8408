"""What a follower gives when the tip moves."""

from __future__ import annotations

import pytest

from counterpoise.contracts.blocks import BlockRequest
from counterpoise.errors import StaleSourceError
from ingest.blocks.block_requests import answer
from ingest.blocks.follower import Follower
from ingest.blocks.height_at_time import first_height_since
from ingest.blocks.sources.block_source import BlockBatch
from testkit.fake_chain import FakeChain
from tests.unit.ingest_blocks.live_source import StraightSource, event_of


def following(blocks: int = 10) -> tuple[FakeChain, StraightSource, Follower]:
    """A chain of heights 0 … blocks, all of which were published."""
    chain = FakeChain()
    chain.mine(blocks)
    source = StraightSource(chain)
    return chain, source, Follower(source, {b.hash: b.height for b in chain.best()}, 0)


def hashes(*batches: BlockBatch) -> list[str]:
    return [event.hash for batch in batches for event in batch.events]


def test_a_known_tip_is_no_news() -> None:
    _, source, follower = following()
    assert follower.new_at_tip(source.tip()) == BlockBatch()
    assert source.asked == []


def test_blocks_between_two_looks_come_oldest_first() -> None:
    chain, source, follower = following()
    mined = chain.mine(3)
    assert hashes(follower.new_at_tip(source.tip())) == [b.hash for b in mined]


@pytest.mark.parametrize("depth", [1, 2, 10])
def test_a_reorg_gives_the_whole_new_branch_from_the_fork(depth: int) -> None:
    chain, source, follower = following(20)
    branch = chain.reorg(depth)
    assert len(branch) == depth + 1
    batch = follower.new_at_tip(source.tip())
    assert hashes(batch) == [b.hash for b in branch]
    follower.published(batch.events)
    assert follower.new_at_tip(source.tip()) == BlockBatch()


def test_going_back_to_the_first_branch_gives_only_what_is_new_there() -> None:
    chain, source, follower = following(20)
    first = chain.tip
    chain.reorg(2)
    follower.published(follower.new_at_tip(source.tip()).events)
    more = chain.mine(3, on=first.hash)
    assert hashes(follower.new_at_tip(source.tip())) == [b.hash for b in more]


def test_a_named_block_of_a_branch_that_lost_is_given_too() -> None:
    chain, source, follower = following()
    rival = chain.mine(1, on=chain.tip.prev_hash, become_tip=False)[0]
    assert hashes(follower.new_at(rival.hash)) == [rival.hash]
    assert source.tip().hash != rival.hash


def test_a_named_block_that_the_source_does_not_know_is_a_stale_source() -> None:
    _, _, follower = following()
    with pytest.raises(StaleSourceError, match=f"straight named block {'ab' * 32} and does not know it"):
        follower.new_at("ab" * 32)


def test_an_ancestor_that_the_source_does_not_give_is_left_to_streams() -> None:
    chain, source, follower = following()
    mined = chain.mine(3)
    source.hidden.add(mined[0].hash)
    assert hashes(follower.new_at_tip(source.tip())) == [mined[1].hash, mined[2].hash]


def test_a_bad_ancestor_is_given_once_and_not_asked_for_again() -> None:
    chain, source, follower = following()
    mined = chain.mine(3)
    source.bad.add(mined[1].hash)
    batch = follower.new_at_tip(source.tip())
    assert hashes(batch) == [mined[2].hash]
    assert [item.key for item in batch.bad] == [mined[1].hash]
    follower.published(batch.events)
    follower.give_up(batch.bad)
    source.asked.clear()
    more = chain.mine(1)
    assert hashes(follower.new_at_tip(source.tip())) == [more[0].hash]
    assert source.asked == [more[0].hash]


def test_nothing_below_the_floor_is_fetched() -> None:
    chain = FakeChain()
    chain.mine(20)
    source = StraightSource(chain)
    follower = Follower(source, {}, 15)
    assert [event.height for event in follower.new_at_tip(source.tip()).events] == [15, 16, 17, 18, 19, 20]


def test_a_range_that_changes_branch_half_way_is_made_whole() -> None:
    chain = FakeChain()
    chain.mine(20)
    source = StraightSource(chain)
    follower = Follower(source, {}, 10)
    first = follower.with_ancestors(BlockBatch(tuple(event_of(b) for b in chain.best()[10:16])))
    assert [event.height for event in first.events] == [10, 11, 12, 13, 14, 15]
    branch = chain.reorg(8)  # heights 13 and up are other blocks now
    rest = follower.with_ancestors(BlockBatch((event_of(branch[3]), event_of(branch[4]))))
    assert hashes(rest) == [b.hash for b in branch[:5]]
    assert rest.events[0].height == 13


def test_a_height_that_is_left_out_of_a_range_is_fetched() -> None:
    chain = FakeChain()
    chain.mine(6)
    source = StraightSource(chain)
    follower = Follower(source, {}, 1)
    best = chain.best()
    given = follower.with_ancestors(BlockBatch(tuple(event_of(best[h]) for h in (1, 2, 4, 5))))
    assert [event.height for event in given.events] == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("is_bad", [False, True])
def test_what_was_fetched_before_a_failure_is_given_when_the_batch_comes_again(is_bad: bool) -> None:
    """Height 5 is fetched, and then 8 fails once. A letter of 5 is not lost either."""
    chain = FakeChain()
    chain.mine(9)
    source = StraightSource(chain)
    best = chain.best()
    follower = Follower(source, {best[3].hash: 3}, 1)
    batch = BlockBatch(tuple(event_of(best[height]) for height in (4, 6, 7, 9)))
    source.fails_once.add(best[8].hash)
    if is_bad:
        source.bad.add(best[5].hash)
    with pytest.raises(StaleSourceError, match="straight failed"):
        follower.with_ancestors(batch)
    assert not any(follower.knows(best[height].hash) for height in range(4, 10))
    given = follower.with_ancestors(batch)
    assert [event.height for event in given.events] == ([4, 6, 7, 8, 9] if is_bad else [4, 5, 6, 7, 8, 9])
    assert [item.key for item in given.bad] == ([best[5].hash] if is_bad else [])
    assert all(follower.knows(best[height].hash) for height in range(4, 10))


def request(block_hash: str, first: int, last: int) -> BlockRequest:
    return BlockRequest(chain="bitcoin", hash=block_hash, from_height=first, to_height=last, requested_at_ms=0)


def test_a_short_gap_is_answered_on_the_branch_that_was_asked_for() -> None:
    chain = FakeChain()
    chain.mine(10)
    source = StraightSource(chain)
    rivals = chain.mine(3, on=chain.best()[7].hash, become_tip=False)
    assert hashes(*answer(source, request(rivals[-1].hash, 8, 10))) == [b.hash for b in rivals]


def test_a_long_gap_is_answered_by_height_and_then_by_hash() -> None:
    chain = FakeChain()
    chain.mine(60)
    source = StraightSource(chain)
    best = chain.best()
    assert hashes(*answer(source, request(best[50].hash, 5, 50))) == [b.hash for b in best[5:51]]
    assert source.asked == []
    rival = chain.mine(1, on=best[49].hash, become_tip=False)[0]
    assert hashes(*answer(source, request(rival.hash, 5, 50))) == [b.hash for b in best[5:51]] + [rival.hash]


def test_a_gap_that_the_source_cannot_fill_is_empty() -> None:
    chain = FakeChain()
    source = StraightSource(chain)
    assert hashes(*answer(source, request("ab" * 32, 0, 5))) == []


@pytest.mark.parametrize(
    ("offset_seconds", "expected"),
    [
        (0, 88),  # exactly block 100: found, twelve blocks earlier to be safe
        (1, 89),  # just after it: 101 is the first
        (-(10**9), 0),
        (10**9, 188),  # after the tip: the tip
    ],
)
def test_the_height_of_a_date(offset_seconds: int, expected: int) -> None:
    chain = FakeChain()
    chain.mine(200)
    source = StraightSource(chain)
    hundredth = chain.best()[100].time
    assert first_height_since(source, hundredth + offset_seconds) == expected
