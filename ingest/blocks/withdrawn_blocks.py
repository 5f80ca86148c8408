"""Whether a node took back blocks that it gave: `invalidateblock`, or another node behind the same address. Pure but for its log."""

from __future__ import annotations

from typing import Final

import structlog

from ingest.blocks.sources.block_source import Tip

POLLS_ALLOWED: Final = 3
"""Between a block that ZMQ names and the poll that shows it as the tip, and for a chain that switches branches."""

log = structlog.get_logger("ingest")


class WithdrawnBlocks:
    """Compares the node's tip with the highest block that it gave.

    A reorg leads to a branch of more work, so its tip is as high, but for a few blocks at a change of difficulty. A node that stays
    below withdrew what it gave. Facts are not retracted: the dataset keeps that branch until another has more work.
    """

    def __init__(self) -> None:
        self._polls = 0
        self.problem: str | None = None
        """In one line, while it lasts."""

    def poll(self, tip: Tip, highest: tuple[int, str] | None) -> str | None:
        """Take the tip of one poll, and height and hash of the highest published block. The problem, if there is one."""
        if highest is None or tip.height >= highest[0]:
            if self.problem is not None:
                log.info("the node's best block is as high as what it gave", height=tip.height)
            self._polls, self.problem = 0, None
            return None
        self._polls += 1
        if self._polls > POLLS_ALLOWED:
            height, block_hash = highest
            first = self.problem is None
            self.problem = (
                f"the node's best block {tip.height} is below block {height} ({block_hash[:16]}…) that it gave. If that was "
                "invalidated on purpose, the dataset follows once the node's branch has more work"
            )
            if first:
                log.error("the node took back a block", reason=self.problem)
        return self.problem
