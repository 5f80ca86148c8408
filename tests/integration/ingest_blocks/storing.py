"""Stores blocks from Kafka as streams does, and no more: enough for ingest to see its blocks arrive."""

from __future__ import annotations

import threading
import time
from typing import Any

from kafka import TopicPartition

from counterpoise.chain.tree import BlockTree, Link, Seen
from counterpoise.chain.work import work_from_bits
from counterpoise.clickhouse.client import connect
from counterpoise.clickhouse.rows.block_rows import BlockStatus, block_columns
from counterpoise.contracts.blocks import BlockEvent, BlockRequest
from counterpoise.contracts.envelope import decode
from counterpoise.contracts.topics import BLOCK_REQUESTS, BLOCKS
from counterpoise.errors import RetryableError
from counterpoise.kafka.clients import make_consumer, make_producer
from counterpoise.settings.endpoints import clickhouse_target, kafka_target
from counterpoise.settings.model import Settings
from tests.waiting import PATIENCE_SECONDS


class Storing:
    """A thread that folds blocks.v1 into a BlockTree and writes blocks_log; use with `with`.

    The first events with hashes in `lose` are dropped.
    """

    def __init__(self, settings: Settings, tree: BlockTree | None = None) -> None:
        self._settings = settings
        self.tree = tree or BlockTree()
        self.lose: set[str] = set()
        self.received: list[BlockEvent] = []
        self._events: dict[Link, BlockEvent] = {}
        self._version = time.time_ns() // 1_000
        self._stop = threading.Event()
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Storing:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        if self._error is not None:
            raise self._error

    def _run(self) -> None:
        try:
            self._consume()
        except Exception as error:  # shown by the test's thread
            self._error = error

    def _consume(self) -> None:
        settings = self._settings
        bootstrap = kafka_target(settings)
        topic = BLOCKS.full_name(settings.dataset)
        consumer = make_consumer(bootstrap, (), client_id="storing", group_id=None, kafka=settings.kafka)
        producer = make_producer(bootstrap, "storing")
        partitions = [TopicPartition(topic, number) for number in range(BLOCKS.partitions)]
        consumer.assign(partitions)
        consumer.seek_to_beginning(*partitions)
        with connect(clickhouse_target(settings), settings.dataset) as clickhouse:
            while not self._stop.is_set():
                for records in consumer.poll(timeout_ms=50).values():
                    for record in records:
                        self._apply(clickhouse, record.value)
                for child in self.tree.missing_parents().values():
                    self._ask(producer, child)
        producer.close(timeout=2)
        consumer.close(autocommit=False)

    def _apply(self, clickhouse: Any, value: bytes) -> None:
        decoded = decode(value, BlockEvent, kind="block", dataset=self._settings.dataset)
        assert not decoded.bad
        changed: dict[Link, BlockEvent] = {}
        for event in decoded.events:
            if event.hash in self.lose:
                self.lose.remove(event.hash)
                continue
            self.received.append(event)
            link = Link(
                bytes.fromhex(event.hash), bytes.fromhex(event.prev_hash), event.height, work_from_bits(event.bits)
            )
            added = self.tree.add(link)
            if added.seen in (Seen.NEW, Seen.PARKED):
                self._events[link] = changed[link] = event
            if added.switch is not None:
                for moved in (*added.switch.undone, *added.switch.connected):
                    changed[moved] = self._events[moved]
        if not changed:
            return
        parked = set(self.tree.parked)
        statuses: list[BlockStatus] = [
            "canonical" if self.tree.is_canonical(link) else "parked" if link in parked else "stale" for link in changed
        ]
        self._version += 1
        columns = block_columns(list(changed.values()), statuses, self._version)
        while not self._stop.is_set():
            try:
                clickhouse.insert("blocks_log", columns)
                return
            except RetryableError:
                time.sleep(0.1)

    def _ask(self, producer: Any, child: Link) -> None:
        request = BlockRequest(
            chain="bitcoin",
            hash=child.prev_hash.hex(),
            from_height=child.height - 1,
            to_height=child.height - 1,
            requested_at_ms=int(time.time() * 1000),
        )
        name = BLOCK_REQUESTS.full_name(self._settings.dataset)
        producer.send(name, key=b"bitcoin", value=request.model_dump_json().encode()).get(PATIENCE_SECONDS)
