"""Blocks in, rows and scores out: the one thread that folds every chain of this process.

Everything here is synchronous and runs in a single executor thread: the ClickHouse client, the folds and their order. The Faust agent
hands in raw messages, and acknowledges them after `handle` has returned and the scores are sent.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial

from counterpoise.clickhouse.inserts import nothing
from counterpoise.clickhouse.versions import Versions
from counterpoise.contracts.blocks import BLOCK_KIND, BlockEvent, BlockRequest
from counterpoise.contracts.scores import SCORE_KIND
from counterpoise.contracts.topics import BLOCK_REQUESTS, DEFAULT_PARTITIONS, SCORES
from counterpoise.errors import RetryableError
from counterpoise.kafka.partition import partition_of
from counterpoise.runtime.dead_letter_limit import DeadLetterLimit
from streams.blocks.attribution_store import current_id, current_set
from streams.blocks.fold.attributor import Attributor
from streams.blocks.fold.chain_fold import ChainFold, FoldResult, PlacedBatch
from streams.blocks.fold.concentration import TableCache
from streams.blocks.fold.score_message import score_event
from streams.blocks.loader import days_above, load_chain, not_stored, scored_above, stored_chains
from streams.blocks.scoring_store import mark_scored
from streams.blocks.sinks import BlockSinks
from streams.blocks.trace import BlockTrace
from streams.intake.dead_letter import RawMessage
from streams.intake.unpack import Fault, by_name, refused, refused_here, unpack
from streams.worker import Outgoing
from streams.worker_store import WorkerStore

REQUEST_AGAIN_SECONDS = 15.0

_ROLE = "streams:"
"""Before a chain: under which its writers claim their epochs; `reattribute` is one of them."""


@dataclass(slots=True)
class _AssignedChain:
    name: str
    fold: ChainFold
    versions: Versions
    version: int = 0
    requested: dict[bytes, float] = field(default_factory=dict)


class BlockWorker:
    """See the module. The store is used in the worker's own thread alone. `partitions` is how many the blocks topic has."""

    def __init__(
        self, store: WorkerStore, *, dataset: str, limit: DeadLetterLimit, partitions: int = DEFAULT_PARTITIONS
    ) -> None:
        self._store = store
        self._sinks = BlockSinks(store.clickhouse)
        self._status = store.status
        self._dataset = dataset
        self._limit = limit
        self._partitions = partitions
        self._chains: dict[str, _AssignedChain] = {}
        self._cache = TableCache()
        self._assigned: frozenset[int] = frozenset()

    def assign(self, partitions: frozenset[int]) -> list[Outgoing]:
        """Take over partitions: forget every chain, load those that ClickHouse knows and these partitions carry, heal them."""
        self._assigned = partitions
        self._chains.clear()
        scores: list[Outgoing] = []
        for chain in self._store.read(stored_chains):
            if self._partition(chain) in partitions:
                scores += self._load(chain)
        self._status.keep_chains(self._chains)
        return scores

    def handle(self, messages: Sequence[RawMessage]) -> list[Outgoing]:
        """Process messages for good; returns the scores to send. Raises only on a bug, on a stop, or at the dead-letter limit."""
        fetched_at = self._store.clock.now()
        good, bad = unpack(messages, BlockEvent, kind=BLOCK_KIND, dataset=self._dataset, fault=self._fault)
        rejected = letters = not_bad = 0
        scores: list[Outgoing] = []
        for chain, placed in by_name(good, lambda event: event.chain).items():
            if chain not in self._chains:
                scores += self._load(chain)
            state = self._chains[chain]
            trace = BlockTrace(placed, self._status, self._store.clock)
            trace.passed("append_to_fetch", fetched_at)
            batch = state.fold.place([one.event for one in placed])
            bad_blocks = [one for one in batch.result.rejected if one.is_bad]
            rejected += refused_here(bad_blocks, placed)
            not_bad += len(batch.result.rejected) - len(bad_blocks)
            # Before the rows: once these are stored the same event is a duplicate, and gives no letter.
            bad_now = refused(batch.result.rejected, placed)
            letters += len(bad_now)
            self._store.write_dead_letters(bad_now)
            result = self._fold_and_write(state, batch, partial(trace.passed, "fetch_to_store"))
            trace.passed("store_to_score")
            scores += self._scores(state, result)
            self._report(state, result)
        self._store.write_dead_letters(bad)
        self._limit.record(good=len(good) - rejected, bad=len(bad) + letters - not_bad)
        self._status.progress(len(good) + len(bad) + letters)
        return scores

    def refresh(self) -> list[Outgoing]:
        """Follow a flip of the attribution pointer; returns the scores of chains that were re-based or loaded again, and requests
        for blocks that are missing below parked ones, each at most once in REQUEST_AGAIN_SECONDS.

        Where someone claimed an epoch after ours, our rows lose from then on: whoever still owns the chain loads it again under a
        newer epoch, and a worker that lost it without an assignment forgets it.
        """
        scores: list[Outgoing] = []
        overtaken = self._store.overtaken(_ROLE, {chain: state.versions for chain, state in self._chains.items()})
        for chain, state in tuple(self._chains.items()):
            current = self._store.read(current_id, chain)
            rebased = current is not None and current != state.fold.attribution_set.attribution_id
            if self._partition(chain) not in self._assigned:
                del self._chains[chain]
                self._status.keep_chains(self._chains)
            elif rebased or chain in overtaken:
                scores += self._load(chain, rebased=rebased)
        return scores + [Outgoing(BLOCK_REQUESTS, request.chain, request) for request in self._requests()]

    def close(self) -> None:
        """Close the client; in the worker's thread."""
        self._store.close()

    def _requests(self) -> list[BlockRequest]:
        now = self._store.clock.monotonic()
        found = []
        for chain, state in self._chains.items():
            gaps = state.fold.gaps()
            state.requested = {gap.hash: state.requested[gap.hash] for gap in gaps if gap.hash in state.requested}
            for gap in gaps:
                if now - state.requested.get(gap.hash, -REQUEST_AGAIN_SECONDS) >= REQUEST_AGAIN_SECONDS:
                    state.requested[gap.hash] = now
                    found.append(
                        BlockRequest(
                            chain=chain,
                            hash=gap.hash.hex(),
                            from_height=gap.from_height,
                            to_height=gap.to_height,
                            requested_at_ms=self._store.now_ms(),
                        )
                    )
        return found

    def _partition(self, chain: str) -> int:
        """The partition that carries a chain: elsewhere its order would be lost, and two workers would both hold it."""
        return partition_of(chain.encode(), self._partitions)

    def _fault(self, event: BlockEvent, message: RawMessage) -> Fault | None:
        expected = self._partition(event.chain)
        if expected == message.partition:
            return None
        return (
            "wrong-partition",
            f"chain {event.chain!r} belongs to partition {expected}, not {message.partition}: the message's key is not the chain",
        )

    def _load(self, chain: str, *, rebased: bool = False) -> list[Outgoing]:
        """Load a chain under a new epoch and rewrite what an earlier worker left unfinished."""
        read, write = self._store.read, self._store.write
        versions = self._store.claim(_ROLE + chain)
        attribution_set = read(current_set, chain, versions.next())
        attribution_id = attribution_set.attribution_id
        loaded = read(load_chain, chain, Attributor(attribution_set), self._cache)
        if loaded.is_new:
            write(
                mark_scored,
                self._store.clickhouse,
                chain,
                attribution_id,
                to_height=0,
                whole=True,
                version=versions.next(),
            )
        state = _AssignedChain(chain, loaded.fold, versions)
        self._chains[chain] = state
        self._status.time_chains([chain])
        scores: list[Outgoing] = []
        while (result := write(loaded.fold_next)) is not None:
            self._write(state, result)
            scores += self._scores(state, result, rebased=rebased)
        tip = state.fold.tip
        if tip is not None:
            heights = read(scored_above, chain, attribution_id, tip.height)
            buckets = read(days_above, chain, attribution_id, tip.height)
            if heights or buckets:
                write(
                    self._sinks.undo_above,
                    heights,
                    buckets,
                    chain=chain,
                    attribution_id=attribution_id,
                    version=versions.next(),
                )
            self._status.set(last_hash=tip.hash)
            self._status.set_of_chain(tip.chain, last_height=tip.height, last_block_time=tip.time)
        return scores

    def _fold_and_write(self, state: _AssignedChain, batch: PlacedBatch, on_blocks: Callable[[], None]) -> FoldResult:
        """Score a batch while ClickHouse takes its blocks, and write the rest."""
        placed, attribution_id = batch.result, state.fold.attribution_set.attribution_id
        self._write_too_old(state, placed)
        state.version = state.versions.next()
        running = None
        with suppress(RetryableError):  # what is not stored here is written with the rest, which waits for ClickHouse
            running = self._sinks.begin_blocks(placed.blocks, attribution_id=attribution_id, version=state.version)
        result = state.fold.finish(batch)  # a bug in it ends the process
        with suppress(RetryableError):
            if running is not None:
                running.finish()
                on_blocks()
                on_blocks, result = nothing, replace(result, blocks=[])
        self._write_rows(state, result, on_blocks)
        return result

    def _write(self, state: _AssignedChain, result: FoldResult) -> None:
        self._write_too_old(state, result)
        state.version = state.versions.next()
        self._write_rows(state, result)

    def _write_too_old(self, state: _AssignedChain, result: FoldResult) -> None:
        if result.too_old and (new := self._store.read(not_stored, state.name, result.too_old)):
            attribution_id = state.fold.attribution_set.attribution_id
            self._store.write(self._sinks.write_too_old, new, attribution_id=attribution_id)

    def _write_rows(self, state: _AssignedChain, result: FoldResult, on_blocks: Callable[[], None] = nothing) -> None:
        self._store.write(
            self._sinks.write,
            result,
            chain=state.name,
            attribution_set=state.fold.attribution_set,
            version=state.version,
            on_blocks=on_blocks,
        )

    def _scores(self, state: _AssignedChain, result: FoldResult, *, rebased: bool = False) -> list[Outgoing]:
        tip = state.fold.tip
        if result.scored is None or tip is None:
            return []
        score = score_event(
            result.scored,
            tip,
            state.fold.attribution_set,
            version=state.version,
            scored_at_ms=self._store.now_ms(),
            rebased=rebased,
        )
        return [Outgoing(SCORES, score.chain, score, SCORE_KIND, crash_point="streams-after-score")]

    def _report(self, state: _AssignedChain, result: FoldResult) -> None:
        tip = state.fold.tip
        if tip is not None:
            self._status.set(last_hash=tip.hash)
            self._status.set_of_chain(tip.chain, last_height=tip.height, last_block_time=tip.time)
        if result.duplicates:
            self._status.count("duplicates", result.duplicates)
        if result.too_old:
            self._status.count("too_old", len(result.too_old))
        if tip is not None:
            self._status.set_of_chain(tip.chain, parked=len(state.fold.gaps()))
            if result.scored is not None:
                self._status.took("seen_to_stored", (self._store.now_ms() - tip.seen_at_ms) / 1000, tip.chain)
