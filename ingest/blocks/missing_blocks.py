"""Blocks that the source names and does not give whole: since when, why, and whether they hold up the chain. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

RETRY_SECONDS: Final = 20.0
"""So long a block is left alone before the source is asked for it again."""

MAX_WITHHELD: Final = 1_000


@dataclass(slots=True)
class MissingBlock:
    """One of them. Times are seconds of the caller's clocks: `noted_at` monotonic, `since` UTC."""

    hash: str
    height: int
    problem: str
    noted_at: float
    since: float
    retry_at: float


class MissingBlocks:
    """What a source owes. A block stays until it is given, or until the chain is scored as high as anything that is known."""

    def __init__(self, overdue_after_seconds: float) -> None:
        self._overdue_after_seconds = overdue_after_seconds
        self._blocks: dict[str, MissingBlock] = {}

    def __bool__(self) -> bool:
        return bool(self._blocks)

    def note(self, block_hash: str, height: int, problem: str, *, now: float, utc: float) -> bool:
        """The source was asked for this block and did not give it; whether that is new. Of more than MAX_WITHHELD the first goes."""
        found = self._blocks.get(block_hash)
        if found is not None:
            found.problem, found.retry_at = problem, now + RETRY_SECONDS
            return False
        self._blocks[block_hash] = MissingBlock(block_hash, height, problem, now, utc, now + RETRY_SECONDS)
        if len(self._blocks) > MAX_WITHHELD:
            del self._blocks[next(iter(self._blocks))]
        return True

    def given(self, block_hash: str) -> None:
        """The source gave it after all."""
        self._blocks.pop(block_hash, None)

    def settle(self, stored_height: int, newest_height: int) -> None:
        """Forget what holds nothing up: ClickHouse's chain has reached the newest block published and the block itself."""
        if stored_height >= newest_height:
            self._blocks = {h: block for h, block in self._blocks.items() if block.height > stored_height}

    def retry_due(self, now: float) -> list[str]:
        """Those to ask for again now; each is named once in RETRY_SECONDS."""
        due = [block for block in self._blocks.values() if block.retry_at <= now]
        for block in due:
            block.retry_at = now + RETRY_SECONDS
        return [block.hash for block in due]

    def overdue(self, now: float) -> MissingBlock | None:
        """The lowest block that has been owed for too long; everything above it waits."""
        late = [block for block in self._blocks.values() if now - block.noted_at >= self._overdue_after_seconds]
        return min(late, key=lambda block: (block.height, block.noted_at), default=None)
