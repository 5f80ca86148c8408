"""A node that stays below what it gave is reported, and one that reorganises is not."""

from __future__ import annotations

import structlog
from hypothesis import given
from hypothesis import strategies as st

from ingest.blocks.sources.block_source import Tip
from ingest.blocks.withdrawn_blocks import POLLS_ALLOWED, WithdrawnBlocks


@given(st.lists(st.integers(95, 105), max_size=40))
def test_the_problem_is_there_after_some_polls_below_in_a_row(heights: list[int]) -> None:
    withdrawn, below = WithdrawnBlocks(), 0
    for height in heights:
        below = below + 1 if height < 100 else 0
        found = withdrawn.poll(Tip(height, "aa" * 32), (100, "bb" * 32))
        assert (found is not None) == (below > POLLS_ALLOWED) == (withdrawn.problem is not None)


def test_it_is_logged_once_and_so_is_its_end() -> None:
    withdrawn = WithdrawnBlocks()
    with structlog.testing.capture_logs() as lines:
        assert withdrawn.poll(Tip(7, "aa" * 32), None) is None
        for _ in range(9):
            withdrawn.poll(Tip(97, "aa" * 32), (100, "bb" * 32))
        withdrawn.poll(Tip(100, "cc" * 32), (100, "bb" * 32))
        withdrawn.poll(Tip(101, "dd" * 32), (101, "dd" * 32))
    assert [line["log_level"] for line in lines] == ["error", "info"]
