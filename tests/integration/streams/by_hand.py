"""The three workers in one thread, on a real ClickHouse and without a broker: what one sends to the other is carried over by hand."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from counterpoise.clickhouse.client import ClickHouse, connect
from counterpoise.contracts.base import Contract
from counterpoise.contracts.blocks import BLOCK_KIND, BlockEvent
from counterpoise.contracts.datasets import Dataset
from counterpoise.contracts.envelope import encode
from counterpoise.contracts.pairs import PAIR_KIND
from counterpoise.contracts.releases import RELEASE_KIND, ReleaseEvent
from counterpoise.contracts.topics import BLOCKS, EDGE_AI, PAIRS, Topic
from counterpoise.kafka.partition import partition_of
from counterpoise.runtime.clock import SystemClock
from counterpoise.runtime.dead_letter_limit import DeadLetterLimit
from counterpoise.runtime.retry import Waiter
from counterpoise.runtime.service_status import ServiceStatus
from counterpoise.series.load import load_catalogue
from streams.asymmetry.pair_events import with_pair_events
from streams.asymmetry.worker import AsymmetryWorker
from streams.blocks.worker import BlockWorker
from streams.intake.dead_letter import RawMessage
from streams.releases.worker import ReleaseWorker
from streams.worker import Output
from streams.worker_store import WorkerStore
from tests.engines import ClickHouseServer
from tests.template import make_database


@dataclass
class Workers:
    """One of each, and what they would have sent."""

    ch: ClickHouse
    blocks: BlockWorker
    market: ReleaseWorker
    pairs: AsymmetryWorker
    status: ServiceStatus
    market_store: WorkerStore
    dataset: str
    _offsets: Iterator[int] = field(default_factory=itertools.count)

    def take_over(self) -> None:
        """Every partition of every topic."""
        self.pairs.assign(frozenset(range(PAIRS.partitions)))
        self._send(self.market.assign(frozenset(range(EDGE_AI.partitions))))
        self.blocks.assign(frozenset(range(BLOCKS.partitions)))

    def send_blocks(self, events: Sequence[BlockEvent]) -> None:
        self._send(self.blocks.handle([self.message(BLOCKS, events[0].chain, events, BLOCK_KIND)]))

    def send_chunks(self, events: Sequence[ReleaseEvent]) -> None:
        self._send(self.market.handle([self.message(EDGE_AI, events[0].series, events, RELEASE_KIND)]))

    def message(self, topic: Topic, key: str, events: Sequence[Contract], kind: str) -> RawMessage:
        value = encode(events, kind=kind, dataset=self.dataset, producer="test", sent_at_ms=1)
        partition = partition_of(key.encode(), topic.partitions)
        return RawMessage(topic.full_name(self.dataset), partition, next(self._offsets), key.encode(), value)

    def _send(self, outputs: Sequence[Output]) -> None:
        sent = with_pair_events(outputs, load_catalogue(), self.market_store)
        pairs = [self.message(PAIRS, one.key, [one.event], PAIR_KIND) for one in sent if one.topic is PAIRS]
        if pairs:
            self.pairs.handle(pairs)


@contextmanager
def workers_of(
    server: ClickHouseServer, dataset: str, folder: Path, *, month_ends_only: bool = True
) -> Iterator[Workers]:
    """The workers of a new dataset, which own all partitions; the dataset is dropped at the end."""
    make_database(server.target, Dataset(dataset, "historical"))
    clients = [connect(server.target, dataset) for _ in range(4)]
    with ServiceStatus("streams", folder, SystemClock()) as status:
        waiter = Waiter(SystemClock(), status, lambda: False)
        stores = [WorkerStore(client, waiter) for client in clients]
        limit = DeadLetterLimit(0, 0.5)
        catalogue = load_catalogue()
        made = Workers(
            clients[3],
            BlockWorker(stores[0], dataset=dataset, limit=limit),
            ReleaseWorker(stores[1], dataset=dataset, catalogue=catalogue, limit=limit),
            AsymmetryWorker(stores[2], dataset=dataset, catalogue=catalogue, month_ends_only=month_ends_only),
            status,
            stores[1],
            dataset,
        )
        made.take_over()
        yield made
        for worker in (made.blocks, made.market, made.pairs):
            worker.close()
    clients[3].execute(f"DROP DATABASE {dataset} SYNC")
    clients[3].close()
