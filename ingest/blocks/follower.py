"""Follow a live source's tip: which blocks are new, ancestors first, on whatever branch they are."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Mapping, Sequence

import structlog

from counterpoise.contracts.blocks import BlockEvent
from counterpoise.errors import StaleSourceError
from ingest.bad_item import BadItem
from ingest.blocks.sources.block_source import BlockBatch, LiveSource, Tip

MAX_WALK_BLOCKS = 2_016
"""No branch is walked back further: no deeper reorg is followed."""

KEPT_BLOCKS = 2 * MAX_WALK_BLOCKS

log = structlog.get_logger("ingest")


class Follower:
    """Knows the hashes that were published and walks back from a new block until it meets one of them.

    So a reorg gives every block of the new branch from the fork, and a block that was missed comes before its child. `known` are
    hashes and heights that need not be published again; nothing below the lowest of them is fetched.
    """

    def __init__(self, source: LiveSource, known: Mapping[str, int], floor: int) -> None:
        self._source = source
        self._known = dict(known)
        self._floor = floor

    def knows(self, block_hash: str) -> bool:
        """Whether the block was published, or given up."""
        return block_hash in self._known

    def published(self, events: Sequence[BlockEvent]) -> None:
        """These blocks are on their way now."""
        for event in events:
            self._known[event.hash] = event.height
        if len(self._known) > 2 * KEPT_BLOCKS:
            lowest = max(self._known.values()) - KEPT_BLOCKS
            self._known = {h: height for h, height in self._known.items() if height >= lowest}
            self._floor = max(self._floor, lowest)

    def new_at_tip(self, tip: Tip) -> BlockBatch:
        """The blocks from the fork up to the tip; empty where the tip is known. Raises StaleSourceError."""
        return self.new_at(tip.hash)

    def new_at(self, block_hash: str) -> BlockBatch:
        """The unknown blocks that end in this one, lowest first. Raises StaleSourceError."""
        if block_hash in self._known:
            return BlockBatch()
        found, bad = self._walk(block_hash, self._known)
        return BlockBatch(tuple(reversed(found)), tuple(bad))

    def with_ancestors(self, batch: BlockBatch) -> BlockBatch:
        """Blocks of a range, with those that are missing between them put in their places; marks all as published.

        While a range is fetched the source may change branch, or leave out a height: the next block then has a parent that was
        not given. Raises StaleSourceError where the source fails; then nothing is marked, and the same batch gives it all again.
        """
        complete: list[BlockEvent] = []
        bad = list(batch.bad)
        here: dict[str, int] = {}
        known = ChainMap(here, self._known)
        for event in batch.events:
            if event.prev_hash not in known and event.height > self._floor and known:
                log.info("fetching missing ancestors", height=event.height, hash=event.hash)
                found, rejected = self._walk(event.prev_hash, known)
                bad.extend(rejected)
                complete.extend(reversed(found))
                here.update({item.key: self._floor for item in rejected})
                here.update({ancestor.hash: ancestor.height for ancestor in found})
            complete.append(event)
            here[event.hash] = event.height
        self.give_up(bad[len(batch.bad) :])
        self.published(complete)
        return BlockBatch(tuple(complete), tuple(bad))

    def give_up(self, bad: Sequence[BadItem]) -> None:
        """These are no blocks as they are: do not ask for them again and again."""
        for item in bad:
            self._known[item.key] = self._floor

    def try_again(self, block_hash: str) -> None:
        """Ask for this one again when it is met, though it was given up."""
        self._known.pop(block_hash, None)

    def _walk(self, block_hash: str, known: Mapping[str, int]) -> tuple[list[BlockEvent], list[BadItem]]:
        """Blocks from this one back to a known one, highest first."""
        found: list[BlockEvent] = []
        while block_hash not in known and len(found) < MAX_WALK_BLOCKS:
            batch = self._source.block(block_hash)
            if batch.bad:
                return found, list(batch.bad)
            if not batch.events:
                if found:  # a parent that the source does not give: streams will ask for it
                    log.warning(
                        "source does not know the parent of its block", hash=block_hash, height=found[-1].height
                    )
                    return found, []
                raise StaleSourceError(f"{self._source.name} named block {block_hash} and does not know it")
            event = batch.events[0]
            found.append(event)
            if event.height <= self._floor:
                break
            block_hash = event.prev_hash
        return found, []
