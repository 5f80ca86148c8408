"""What a source owes, and when the chain stands still for it."""

from __future__ import annotations

from ingest.blocks.missing_blocks import MAX_WITHHELD, RETRY_SECONDS, MissingBlocks

A, B, C = "a" * 64, "b" * 64, "c" * 64


def owed(*blocks: tuple[str, int, float]) -> MissingBlocks:
    withheld = MissingBlocks(300.0)
    for block_hash, height, now in blocks:
        assert withheld.note(block_hash, height, f"no {height}", now=now, utc=1_700_000_000 + now)
    return withheld


def test_nothing_is_overdue_before_its_time_and_the_lowest_is_named_first() -> None:
    withheld = owed((B, 102, 0.0), (A, 101, 10.0))
    assert withheld.overdue(299.9) is None
    late = withheld.overdue(300.0)
    assert late is not None
    assert (late.hash, late.height, late.problem, late.since) == (B, 102, "no 102", 1_700_000_000)
    late = withheld.overdue(310.0)
    assert late is not None
    assert late.hash == A


def test_asking_again_keeps_the_first_time_and_takes_the_new_reason() -> None:
    withheld = owed((A, 101, 0.0))
    assert not withheld.note(A, 101, "still none", now=200.0, utc=0.0)
    late = withheld.overdue(300.0)
    assert late is not None
    assert (late.problem, late.since) == ("still none", 1_700_000_000)


def test_what_is_given_is_owed_no_longer() -> None:
    withheld = owed((A, 101, 0.0))
    withheld.given(C)
    assert withheld
    withheld.given(A)
    assert not withheld
    assert withheld.overdue(1_000.0) is None


def test_a_chain_that_went_past_a_block_is_not_held_up_by_it() -> None:
    withheld = owed((A, 101, 0.0), (B, 105, 0.0))
    withheld.settle(100, 104)
    assert withheld.overdue(300.0) is not None, "blocks above 100 wait"
    withheld.settle(104, 104)
    late = withheld.overdue(300.0)
    assert late is not None
    assert late.hash == B, "101 was on a branch that lost; 105 is the tip that nobody has"


def test_a_block_that_is_owed_on_a_branch_that_should_win_stays() -> None:
    withheld = owed((A, 101, 0.0))
    withheld.settle(102, 150)  # 102 is the loser's tip, and everything up to 150 waits for 101
    assert withheld.overdue(300.0) is not None


def test_each_is_asked_for_again_after_a_while() -> None:
    withheld = owed((A, 101, 0.0), (B, 102, 5.0))
    assert withheld.retry_due(RETRY_SECONDS - 0.1) == []
    assert withheld.retry_due(RETRY_SECONDS) == [A]
    assert withheld.retry_due(RETRY_SECONDS + 5.0) == [B]
    assert withheld.retry_due(2 * RETRY_SECONDS) == [A]


def test_it_does_not_grow_without_bound() -> None:
    withheld = MissingBlocks(300.0)
    for height in range(MAX_WITHHELD + 1):
        withheld.note(f"{height:064x}", height, "none", now=0.0, utc=0.0)
    late = withheld.overdue(300.0)
    assert late is not None
    assert late.height == 1
