"""A live source straight over a FakeChain: no network between."""

from __future__ import annotations

from collections.abc import Iterator

from counterpoise.contracts.blocks import BlockEvent
from counterpoise.errors import StaleSourceError
from counterpoise.runtime.probe import Probe
from ingest.bad_item import BadItem
from ingest.blocks.sources.block_source import BlockBatch, Capabilities, News, Tip
from testkit.fake_chain import FakeBlock, FakeChain


def event_of(block: FakeBlock) -> BlockEvent:
    """The event that a block is."""
    return BlockEvent(
        chain="bitcoin",
        height=block.height,
        hash=block.hash,
        prev_hash=block.prev_hash,
        time=block.time,
        bits=block.bits,
        coinbase_script=block.coinbase_script,
        payout_addresses=block.addresses,
        fees_sats=block.fees_sats,
        source="straight",
        seen_at_ms=1,
    )


class StraightSource:
    """`hidden` hashes are unknown to it, `bad` ones are no blocks, `down` makes it unreachable, `skipped` heights are left out.

    The next request for each hash in `fails_once` fails.
    """

    name = "straight"
    capabilities = Capabilities(live=True, kinds=frozenset({"live"}))
    poll_seconds = 1.0

    def __init__(self, chain: FakeChain) -> None:
        self.chain = chain
        self.hidden: set[str] = set()
        self.bad: set[str] = set()
        self.skipped: set[int] = set()
        self.fails_once: set[str] = set()
        self.down = False
        self.asked: list[str] = []

    def probe(self) -> Probe:
        return Probe("problem" if self.down else "ok", "straight")

    def tip(self) -> Tip:
        self._require_up()
        return Tip(self.chain.tip.height, self.chain.tip.hash)

    def blocks(self, from_height: int, to_height: int) -> Iterator[BlockBatch]:
        for height in range(from_height, to_height + 1):
            self._require_up()
            block = self.chain.at(height)
            if block is not None and height not in self.skipped:
                yield BlockBatch((event_of(block),))

    def block(self, block_hash: str) -> BlockBatch:
        self._require_up()
        self.asked.append(block_hash)
        if block_hash in self.fails_once:
            self.fails_once.remove(block_hash)
            raise StaleSourceError("straight failed")
        block = self.chain.get(block_hash)
        if block_hash in self.bad:
            return BlockBatch((), (BadItem(block_hash, "bad-block", "made so", b"{}"),))
        return BlockBatch() if block is None or block_hash in self.hidden else BlockBatch((event_of(block),))

    def wait(self, seconds: float) -> News:
        return News()

    def close(self) -> None:
        """Nothing is open."""

    def _require_up(self) -> None:
        if self.down:
            raise StaleSourceError("straight is down")
