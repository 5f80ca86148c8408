"""mempool.space, or a mempool instance of your own: REST for every fact, its WebSocket to hear sooner."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import structlog

from counterpoise.contracts.blocks import BlockEvent
from counterpoise.errors import DeadLetterError, StaleSourceError
from counterpoise.runtime.clock import Clock
from counterpoise.runtime.probe import Probe
from counterpoise.settings.model import Settings
from counterpoise.settings.sections.ingest_sections import MempoolSettings
from ingest.bad_item import BadItem
from ingest.blocks.sources.block_source import LIVE, BlockBatch, News, Tip
from ingest.blocks.sources.mempool_socket import MempoolSocket
from ingest.blocks.sources.parse.mempool import from_mempool
from ingest.http import BoundedHttp, BusyError, NotThereError

BLOCKS_PER_REQUEST = 15
"""What /api/v1/blocks gives."""

MAX_ANSWER_BYTES = 8 * 1024 * 1024
_KEPT_EVENTS = 256
_LONGEST_SLEEP_SECONDS = 2.0
_HASH = re.compile(r"[0-9a-f]{64}")

log = structlog.get_logger("ingest")


class MempoolSource:
    """See the module. At most `max_requests_per_second` requests; a Retry-After is obeyed before the next."""

    name = "mempool"
    capabilities = LIVE

    def __init__(self, settings: MempoolSettings, chain: str, clock: Clock) -> None:
        self.poll_seconds = settings.poll_seconds
        self._chain = chain
        self._clock = clock
        self._http = BoundedHttp.of(
            settings, clock=clock, max_bytes=MAX_ANSWER_BYTES, setting="COUNTERPOISE_INGEST__MEMPOOL__URL"
        )
        self._spacing_seconds = 1.0 / settings.max_requests_per_second
        self._next_request_at = clock.monotonic()
        self._kept: dict[str, BlockBatch] = {}
        self._socket = MempoolSocket(settings.url, settings.timeout_seconds) if settings.websocket else None

    @classmethod
    def from_settings(cls, settings: Settings, clock: Clock) -> MempoolSource:
        """The instance that the settings name."""
        return cls(settings.ingest.mempool, settings.ingest.chain, clock)

    def probe(self) -> Probe:
        """Whether the instance says how high its tip is."""
        return self._http.probe(self.name, "api/blocks/tip/height")

    def tip(self) -> Tip:
        """The highest of the newest blocks, usable or not; the usable ones are kept for `block`."""
        batch = self._page("api/v1/blocks")
        if not batch.events:
            raise StaleSourceError(self._no_blocks(batch))
        best = max(batch.events, key=lambda event: event.height)
        top = Tip(best.height, best.hash)
        for item in batch.bad:
            if item.height is not None and top.height < item.height <= best.height + BLOCKS_PER_REQUEST:
                top = Tip(item.height, item.key)
        return top

    def blocks(self, from_height: int, to_height: int) -> Iterator[BlockBatch]:
        """Fifteen blocks a request, lowest first."""
        start = from_height
        while start <= to_height:
            top = min(start + BLOCKS_PER_REQUEST - 1, to_height)
            batch = self._page(f"api/v1/blocks/{top}")
            events = tuple(sorted((e for e in batch.events if start <= e.height <= top), key=lambda e: e.height))
            if not events and not batch.bad:
                raise StaleSourceError(self._no_blocks(batch))
            yield BlockBatch(events, batch.bad)
            start = top + 1

    def block(self, block_hash: str) -> BlockBatch:
        """A block of any branch that the instance remembers."""
        kept = self._kept.get(block_hash)
        if kept is not None:
            return kept
        try:
            return self._normalise([self._get(f"api/v1/block/{block_hash}")])
        except NotThereError:
            return BlockBatch()

    def wait(self, seconds: float) -> News:
        """Until the WebSocket brings a block, or the time is over."""
        if self._socket is None:
            self._clock.sleep(seconds)
            return News()
        payloads = self._socket.wait(seconds)
        batch = self._normalise(payloads)
        return News(bool(payloads), tuple(event.hash for event in batch.events))

    def close(self) -> None:
        """Close connections."""
        self._http.close()
        if self._socket is not None:
            self._socket.close()

    def _page(self, path: str) -> BlockBatch:
        answer = self._get(path)
        if not isinstance(answer, list) or len(answer) > 1_000:
            raise StaleSourceError(f"{self._http.shown}/{path} gave no list of blocks: is it a mempool instance?")
        return self._normalise(answer)

    def _normalise(self, payloads: list[Any]) -> BlockBatch:
        events: list[BlockEvent] = []
        bad: list[BadItem] = []
        seen_at_ms = int(self._clock.now() * 1000)
        for payload in payloads:
            try:
                event = from_mempool(payload, chain=self._chain, seen_at_ms=seen_at_ms)
            except DeadLetterError as error:
                bad.append(_bad_item(payload, error))
                continue
            events.append(event)
            self._keep(event)
        return BlockBatch(tuple(events), tuple(bad))

    def _keep(self, event: BlockEvent) -> None:
        self._kept[event.hash] = BlockBatch((event,))
        while len(self._kept) > _KEPT_EVENTS:
            del self._kept[next(iter(self._kept))]

    def _get(self, path: str) -> Any:
        now = self._clock.monotonic()
        pause = self._next_request_at - now
        if pause > _LONGEST_SLEEP_SECONDS:  # the caller waits, and can be stopped meanwhile
            raise BusyError(f"{self._http.shown} asked for a pause: {pause:.0f} s of it are left", pause)
        if pause > 0:
            self._clock.sleep(pause)
            now = self._clock.monotonic()
        self._next_request_at = now + self._spacing_seconds
        try:
            return self._http.get(path)
        except BusyError as error:
            if error.retry_after_seconds is not None:
                answered_at = self._clock.monotonic()
                self._next_request_at = answered_at + max(error.retry_after_seconds, self._spacing_seconds)
            raise

    def _no_blocks(self, batch: BlockBatch) -> str:
        if batch.bad:
            return f"{self._http.shown} gives no usable block ({batch.bad[0].reason}: {batch.bad[0].detail})"
        return f"{self._http.shown} gives no blocks: does the instance index them?"


def _bad_item(payload: Any, error: DeadLetterError) -> BadItem:
    claimed = payload if isinstance(payload, dict) else {}
    block_hash, height = claimed.get("id"), claimed.get("height")
    is_height = (
        isinstance(height, int) and not isinstance(height, bool) and _HASH.fullmatch(str(block_hash)) is not None
    )
    return BadItem(
        str(height if block_hash is None else block_hash)[:64] if claimed else "",
        error.reason,
        str(error),
        json.dumps(payload, default=str).encode(),
        height if is_height else None,
    )
