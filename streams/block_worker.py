"""Blocks in, rows and scores out: the one thread that folds every chain of this process.

Everything here is synchronous and runs in a single executor thread: the ClickHouse client, the folds and their order. The Faust agent
hands in raw messages, and acknowledges them after `handle` has returned and the scores are sent.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache, partial
from typing import TypeVar

from counterpoise.clickhouse.client import ClickHouse
from counterpoise.clickhouse.epochs import claim_epoch, highest_epoch
from counterpoise.clickhouse.versions import Versions
from counterpoise.clock import Clock
from counterpoise.contracts.blocks import BLOCK_KIND, BlockEvent, BlockRequest
from counterpoise.contracts.envelope import BadEvent, decode
from counterpoise.contracts.scores import ScoreEvent
from counterpoise.contracts.topics import BLOCKS
from counterpoise.deadletter_limit import DeadLetterLimit
from counterpoise.kafka.partition import partition_of
from counterpoise.telemetry.status import ServiceStatus
from streams.attribution_store import current_id, current_set
from streams.attributor import Attributor
from streams.chain_fold import ChainFold, FoldResult
from streams.concentration import TableCache
from streams.dead_letter_box import RawMessage, bad_event, dead_letter, misplaced, parsed_letter
from streams.loader import load_chain, scored_above, stored_chains
from streams.score_message import score_event
from streams.sinks import Sinks
from streams.waiting import until_done

T = TypeVar("T")

REQUEST_AGAIN_SECONDS = 15.0


@lru_cache(maxsize=1024)
def _partition(chain: str) -> int:
    """The partition that carries a chain: elsewhere its order would be lost, and two workers would both hold it."""
    return partition_of(chain.encode(), BLOCKS.partitions)


def _role(chain: str) -> str:
    """Under which the writers of a chain claim their epochs; `reattribute` is one of them."""
    return f"streams:{chain}"


@dataclass(slots=True)
class _Chain:
    name: str
    fold: ChainFold
    versions: Versions
    version: int = 0
    requested: dict[bytes, float] = field(default_factory=dict)


class BlockWorker:
    """See the module. `connect` opens a ClickHouse client; it is called in the worker's own thread."""

    def __init__(
        self,
        connect: Callable[[], ClickHouse],
        *,
        dataset: str,
        status: ServiceStatus,
        clock: Clock,
        limit: DeadLetterLimit,
        stopping: Callable[[], bool],
    ) -> None:
        self._connect = connect
        self._dataset = dataset
        self._status = status
        self._clock = clock
        self._limit = limit
        self._stopping = stopping
        self._sinks: Sinks | None = None
        self._chains: dict[str, _Chain] = {}
        self._cache = TableCache()
        self._assigned: frozenset[int] = frozenset()

    def assign(self, partitions: frozenset[int]) -> list[ScoreEvent]:
        """Take over partitions: forget every chain, load those that ClickHouse knows and these partitions carry, heal them."""
        self._assigned = partitions
        self._chains.clear()
        chains = self._wait(lambda: stored_chains(self._client().clickhouse))
        scores: list[ScoreEvent] = []
        for chain in chains:
            if _partition(chain) in partitions:
                scores += self._load(chain)
        return scores

    def handle(self, messages: Sequence[RawMessage]) -> list[ScoreEvent]:
        """Process messages for good; returns the scores to send. Raises only on a bug, on a stop, or at the dead-letter limit."""
        by_chain: dict[str, list[tuple[BlockEvent, RawMessage, int]]] = {}
        bad: list[tuple[RawMessage, BadEvent]] = []
        good = rejected = 0
        for message in messages:
            decoded = decode(message.value, BlockEvent, kind=BLOCK_KIND, dataset=self._dataset)
            bad += [(message, event) for event in decoded.bad]
            for event, index in zip(decoded.events, decoded.indexes, strict=True):
                if _partition(event.chain) == message.partition:
                    good += 1
                    by_chain.setdefault(event.chain, []).append((event, message, index))
                else:
                    bad.append((message, misplaced(event, index, message.partition, _partition(event.chain))))
        scores: list[ScoreEvent] = []
        for chain, placed in by_chain.items():
            if chain not in self._chains:
                scores += self._load(chain)
            state = self._chains[chain]
            result = state.fold.apply([event for event, _, _ in placed])
            self._write(state, result)
            scores += self._scores(state, result)
            if result.rejected:
                places = {id(event): (message, index) for event, message, index in placed}
                for refused in result.rejected:
                    rejected += id(refused.event) in places  # or it came earlier, and waited as an orphan
                    message, index = places.get(id(refused.event), (messages[-1], -1))
                    bad.append((message, bad_event(refused, index)))
            self._tell(state, result)
        if bad:
            self._bury(bad)
        self._limit.record(good=good - rejected, bad=len(bad))
        self._status.progress(good + len(bad))
        return scores

    def refresh(self) -> list[ScoreEvent]:
        """Follow a flip of the attribution pointer; returns the scores of chains that were re-based or loaded again.

        Where someone claimed an epoch after ours, our rows lose from then on: whoever still owns the chain loads it again under a
        newer epoch, and a worker that lost it without being told forgets it.
        """
        scores: list[ScoreEvent] = []
        for chain, state in tuple(self._chains.items()):
            clickhouse = self._client().clickhouse
            current = self._wait(partial(current_id, clickhouse, chain))
            epoch = self._wait(partial(highest_epoch, clickhouse, _role(chain)))
            rebased = current is not None and current != state.fold.attribution_set.attribution_id
            if _partition(chain) not in self._assigned:
                del self._chains[chain]
            elif rebased or epoch > state.versions.epoch:
                scores += self._load(chain, rebased=rebased)
        return scores

    def requests(self) -> list[BlockRequest]:
        """What is missing below parked blocks, at most once in REQUEST_AGAIN_SECONDS each."""
        now = self._clock.monotonic()
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
                            requested_at_ms=int(self._clock.now() * 1000),
                        )
                    )
        return found

    def store_dead_letters(self, messages: Sequence[RawMessage]) -> None:
        """Store letters that other services sent; what is no letter becomes one itself."""
        letters = [parsed_letter(message, self._now_ms()) for message in messages]
        self._wait(lambda: self._client().write_dead_letters(letters))
        self._status.count("dead_letters", len(letters))

    def close(self) -> None:
        """Close the client; in the worker's thread."""
        if self._sinks is not None:
            self._sinks.clickhouse.close()
            self._sinks = None

    def _client(self) -> Sinks:
        if self._sinks is None:
            self._sinks = Sinks(self._connect())
        return self._sinks

    def _wait(self, action: Callable[[], T]) -> T:
        return until_done(action, on="clickhouse", status=self._status, clock=self._clock, stopping=self._stopping)

    def _now_ms(self) -> int:
        return int(self._clock.now() * 1000)

    def _load(self, chain: str, *, rebased: bool = False) -> list[ScoreEvent]:
        """Load a chain under a new epoch and rewrite what an earlier worker left unfinished."""
        versions = Versions(self._wait(lambda: claim_epoch(self._client().clickhouse, _role(chain))))
        clickhouse = self._client().clickhouse
        first_version = versions.next()
        attribution_set = self._wait(lambda: current_set(clickhouse, chain, first_version))
        loaded = self._wait(lambda: load_chain(clickhouse, chain, Attributor(attribution_set), self._cache))
        state = _Chain(chain, loaded.fold, versions)
        self._chains[chain] = state
        scores: list[ScoreEvent] = []
        while events := self._wait(loaded.next_events):
            result = state.fold.apply(events)
            self._write(state, result)
            scores += self._scores(state, result, rebased=rebased)
        tip = state.fold.tip
        if tip is not None:
            attribution_id = attribution_set.attribution_id
            if heights := self._wait(partial(scored_above, clickhouse, chain, attribution_id, tip.height)):
                version = versions.next()
                self._wait(
                    lambda: self._client().undo_heights(
                        heights, chain=chain, attribution_id=attribution_id, version=version
                    )
                )
            self._status.set(last_height=tip.height, last_hash=tip.hash, last_block_time=tip.time)
        return scores

    def _write(self, state: _Chain, result: FoldResult) -> None:
        if not result.blocks and result.scored is None:
            return
        version = state.version = state.versions.next()
        attribution_id = state.fold.attribution_set.attribution_id
        self._wait(
            lambda: self._client().write(result, chain=state.name, attribution_id=attribution_id, version=version)
        )

    def _scores(self, state: _Chain, result: FoldResult, *, rebased: bool = False) -> list[ScoreEvent]:
        tip = state.fold.tip
        if result.scored is None or tip is None:
            return []
        return [
            score_event(
                result.scored,
                tip,
                state.fold.attribution_set,
                version=state.version,
                scored_at_ms=self._now_ms(),
                rebased=rebased,
            )
        ]

    def _bury(self, bad: Sequence[tuple[RawMessage, BadEvent]]) -> None:
        letters = [dead_letter(event, message, self._now_ms()) for message, event in bad]
        self._wait(lambda: self._client().write_dead_letters(letters))
        self._status.count("dead_letters", len(letters))

    def _tell(self, state: _Chain, result: FoldResult) -> None:
        tip = state.fold.tip
        if tip is not None:
            self._status.set(last_height=tip.height, last_hash=tip.hash, last_block_time=tip.time)
        if result.duplicates:
            self._status.count("duplicates", result.duplicates)
        if result.too_old:
            self._status.count("too_old", result.too_old)
        self._status.set(parked=len(state.fold.gaps()))
