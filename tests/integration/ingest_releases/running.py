"""The market service in a thread, what arrives on its topic, and a stand-in for the streams that store it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from kafka import TopicPartition

from counterpoise.clickhouse.client import ClickHouse
from counterpoise.contracts.envelope import decode
from counterpoise.contracts.releases import RELEASE_KIND, ReleaseEvent
from counterpoise.contracts.topics import EDGE_AI
from counterpoise.kafka.clients import make_consumer
from counterpoise.runtime.clock import SystemClock
from counterpoise.runtime.service_status import ServiceStatus
from counterpoise.settings.endpoints import KafkaTarget
from counterpoise.settings.model import Settings
from counterpoise.settings.sections.engine_sections import KafkaSettings
from ingest.releases.journal.entry import ReadStored
from ingest.releases.service import run_market
from tests.waiting import PATIENCE_SECONDS, wait_for


def eventually(what: Callable[[], Any]) -> Any:
    """What it gives as soon as that is true."""
    found: list[Any] = []

    def there() -> bool:
        found[:] = [what()]
        return bool(found[0])

    wait_for(there, "what comes eventually", lambda: found)
    return found[0]


class Service:
    """A service in a thread; `failure` is what ended it."""

    def __init__(self, settings: Settings, stored: ReadStored | None) -> None:
        self.settings = settings
        self.stop = threading.Event()
        self.status = ServiceStatus("market", settings.run_dir, SystemClock())
        self.failure: BaseException | None = None
        self._stored = stored
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            run_market(self.settings, stop=self.stop, status=self.status, stored=self._stored)
        except BaseException as error:
            self.failure = error

    @property
    def info(self) -> dict[str, Any]:
        found: dict[str, Any] = self.status.snapshot()["info"]
        return found

    def counted(self, name: str) -> int:
        return int(self.status.snapshot()["counters"].get(name, 0))

    def end(self) -> None:
        self.stop.set()
        self._thread.join(PATIENCE_SECONDS)
        assert not self._thread.is_alive()
        self.status.close()


@contextmanager
def running(settings: Settings, stored: ReadStored | None = None) -> Iterator[Service]:
    service = Service(settings, stored)
    try:
        yield service
    finally:
        service.end()
    if service.failure is not None:
        raise service.failure


def arrived(bootstrap: str, dataset: str) -> list[ReleaseEvent]:
    """Every release event that is on the topic now."""
    topic = EDGE_AI.full_name(dataset)
    consumer = make_consumer(KafkaTarget(bootstrap), (), client_id="test", group_id=None, kafka=KafkaSettings())
    try:
        partitions = [TopicPartition(topic, number) for number in range(EDGE_AI.partitions)]
        consumer.assign(partitions)
        consumer.seek_to_beginning()
        ends = consumer.end_offsets(partitions)
        events: list[ReleaseEvent] = []
        deadline = time.monotonic() + PATIENCE_SECONDS
        while any(consumer.position(at) < ends[at] for at in partitions):
            assert time.monotonic() < deadline
            for records in consumer.poll(timeout_ms=200).values():
                for record in records:
                    found = decode(record.value, ReleaseEvent, kind=RELEASE_KIND, dataset=dataset)
                    assert not found.bad, found.bad
                    assert {event.series for event in found.events} == {record.key.decode()}
                    events.extend(found.events)
        return events
    finally:
        consumer.close()


class Holding:
    """What ClickHouse would say: the keys that a test put in. Calls are counted."""

    def __init__(self) -> None:
        self.keys: set[str] = set()
        self.asked = 0
        self.everything = False

    def __call__(self, keys: Collection[str]) -> set[str]:
        self.asked += 1
        return set(keys) if self.everything else self.keys & set(keys)


def store(clickhouse: ClickHouse, events: Iterable[ReleaseEvent]) -> None:
    """Note what is complete as the streams do; only the columns that end an entry's stay in the journal."""
    here: dict[tuple[str, str], set[int]] = {}
    chunks: dict[tuple[str, str], int] = {}
    for event in events:
        if event.withdrawn:
            clickhouse.insert(
                "release_chunks_log",
                {
                    "series": [event.series],
                    "release_id": [event.release_id],
                    "withdrawn": [True],
                    "chunks": [event.chunks],
                    "content_id": ["w"],
                },
            )
            continue
        name = (event.series, event.release_id)
        here.setdefault(name, set()).add(event.chunk)
        chunks[name] = event.chunks
    whole = [name for name, found in here.items() if len(found) == chunks[name]]
    clickhouse.insert("releases_log", {"series": [one[0] for one in whole], "release_id": [one[1] for one in whole]})


def journal_files(settings: Settings) -> list[str]:
    return sorted(path.name for path in (settings.run_dir / "market" / "journal").glob("*.journal"))
