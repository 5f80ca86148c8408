"""Answer streams' requests for blocks that it lacks."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any, Final, NamedTuple

import structlog
from kafka import TopicPartition
from kafka.errors import KafkaError
from pydantic import ValidationError

from counterpoise.contracts.blocks import BlockEvent, BlockRequest
from counterpoise.contracts.topics import BLOCK_REQUESTS
from counterpoise.errors import RetryableError
from counterpoise.kafka.clients import make_consumer
from counterpoise.runtime.clock import Clock
from counterpoise.runtime.retry import Backoff, RetryPolicy
from counterpoise.settings.endpoints import KafkaTarget
from counterpoise.settings.model import Settings
from ingest.bad_item import BadItem
from ingest.blocks.follower import MAX_WALK_BLOCKS
from ingest.blocks.sources.block_source import BlockBatch, BlockSource, LiveSource

MAX_AGE_SECONDS: Final = 600.0
"""Older requests are passed over: streams asks again for what it still lacks."""

REPEAT_SECONDS: Final = 20.0
"""The same request within this time is answered once."""

MAX_REPEAT_SECONDS: Final = 320.0
"""The same long range again means that the answer closed nothing. Each time it is answered half as often, down to this."""

_REPEAT: Final = RetryPolicy(REPEAT_SECONDS, MAX_REPEAT_SECONDS, jitter=0.0)

_WALK_BLOCKS = 32
"""A longer range is fetched by height, which costs less."""

_RETRY_SECONDS = 5.0
_MAX_REQUESTS_A_ROUND = 16
_POLL_RECORDS = 500
_MAX_RECORDS_A_ROUND = 20 * _POLL_RECORDS
"""Read in one round, far more than streams writes meanwhile: most are too old, of other chains, or repetitions."""

_MAX_WAITING = 10_000

log = structlog.get_logger("ingest")


class _Answered(NamedTuple):
    """When a request was answered, and from when on it is answered again (both monotonic); and the waits after that."""

    at: float
    again_at: float
    waits: Backoff


class BlockRequests:
    """Reads block-requests.v1 without a group: every ingest worker hears every request, and a lost one is asked again."""

    def __init__(self, settings: Settings, target: KafkaTarget, clock: Clock) -> None:
        self._settings = settings
        self._target = target
        self._clock = clock
        self._partition = TopicPartition(BLOCK_REQUESTS.full_name(settings.dataset), 0)
        self._consumer: Any = None
        self._retry_at = 0.0
        self._answered: dict[tuple[str, int, int], _Answered] = {}
        self._waiting: dict[str, BlockRequest] = {}

    def take(self) -> tuple[list[BlockRequest], list[BadItem]]:
        """New requests for this chain, at most a few at a time, and what was no request. Never waits, never raises for Kafka.

        The others wait here, each block's newest request alone. So the reader keeps up, however many requests there are.
        """
        if self._clock.monotonic() < self._retry_at:
            return [], []
        bad: list[BadItem] = []
        try:
            self._read(bad)
        except (KafkaError, RetryableError) as error:
            log.warning("cannot read block requests", reason=str(error)[:200])
            self.close()
            self._retry_at = self._clock.monotonic() + _RETRY_SECONDS
        requests: list[BlockRequest] = []
        while self._waiting and len(requests) < _MAX_REQUESTS_A_ROUND:
            request = self._waiting.pop(next(iter(self._waiting)))
            if self._is_due(request):
                requests.append(request)
        return requests, bad

    def failed(self, request: BlockRequest) -> None:
        """The source failed at this request: that the range comes again means nothing."""
        key = (request.hash, request.from_height, request.to_height)
        one = self._answered.get(key)
        if one is not None:
            self._answered[key] = _Answered(one.at, one.at + REPEAT_SECONDS, Backoff(_REPEAT))

    def from_the_beginning(self) -> None:
        """The broker forgot everything: read what is new there from its start. What was answered may be lost with the rest."""
        self.close()
        self._answered.clear()

    def close(self) -> None:
        """Let go of the connection."""
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            consumer.close(autocommit=False)

    def _connect(self) -> Any:
        consumer = make_consumer(
            self._target, (), client_id="counterpoise-ingest-requests", group_id=None, kafka=self._settings.kafka
        )
        consumer.assign([self._partition])
        consumer.seek_to_beginning(self._partition)
        return consumer

    def _read(self, bad: list[BadItem]) -> None:
        """Read what is there, within bounds. What is no request goes to `bad`."""
        if self._consumer is None:
            self._consumer = self._connect()
        records = 0
        while records < _MAX_RECORDS_A_ROUND and len(self._waiting) < _MAX_WAITING and len(bad) < _POLL_RECORDS:
            polled = self._consumer.poll(timeout_ms=0, max_records=_POLL_RECORDS).get(self._partition, ())
            if not polled:
                return
            records += len(polled)
            for record in polled:
                value = record.value or b""
                try:
                    request = BlockRequest.model_validate_json(value)
                except ValidationError as error:
                    key = f"{self._partition.topic}:{record.partition}:{record.offset}"
                    reason = f"{error.error_count()} errors: {error.errors()[0]['msg']}"
                    bad.append(BadItem(key, "bad-request", reason, value))
                    continue
                if self._is_current(request):
                    self._waiting[request.hash] = request

    def _is_current(self, request: BlockRequest) -> bool:
        if request.chain != self._settings.ingest.chain:
            return False
        return self._clock.now() - request.requested_at_ms / 1000 <= MAX_AGE_SECONDS

    def _is_due(self, request: BlockRequest) -> bool:
        if not self._is_current(request):
            return False
        now = self._clock.monotonic()
        self._answered = {key: one for key, one in self._answered.items() if now < 2 * one.again_at - one.at}
        key = (request.hash, request.from_height, request.to_height)
        last = self._answered.get(key)
        if last is not None and now < last.again_at:
            return False
        is_long = request.to_height - request.from_height > _WALK_BLOCKS
        waits = last.waits if last is not None and is_long else Backoff(_REPEAT)
        self._answered[key] = _Answered(now, now + waits.next_seconds(), waits)
        return True


def last_height(request: BlockRequest) -> int:
    """The height up to which one answer goes. What lies above is for the next request, which begins higher."""
    return min(request.to_height, request.from_height + MAX_WALK_BLOCKS)


def answer(source: BlockSource, request: BlockRequest) -> Iterator[BlockBatch]:
    """The blocks that a request is about, lowest first, in batches, as far as the source has them. Raises StaleSourceError.

    A short range is walked back from the hash, whatever branch it is on; a long one is fetched by height and then the hash, if that
    was not among them. Of a range beyond `last_height` only the lower part is given: these blocks connect to the tip, and others
    would have to wait for them.
    """
    from_height, to_height = request.from_height, last_height(request)
    have: set[str] = set()
    if not isinstance(source, LiveSource) or to_height - from_height > _WALK_BLOCKS:
        for batch in source.blocks(from_height, to_height):
            have.update(event.hash for event in batch.events)
            yield batch
    if isinstance(source, LiveSource) and request.hash not in have and to_height == request.to_height:
        yield _walked_back(source, request.hash, from_height, have)


def _walked_back(source: LiveSource, block_hash: str, from_height: int, have: Collection[str]) -> BlockBatch:
    walked: list[BlockEvent] = []
    while block_hash not in have and len(walked) <= _WALK_BLOCKS:
        batch = source.block(block_hash)
        if not batch.events:
            return BlockBatch(tuple(reversed(walked)), batch.bad)
        walked.append(batch.events[0])
        if batch.events[0].height <= from_height:
            break
        block_hash = batch.events[0].prev_hash
    return BlockBatch(tuple(reversed(walked)))
