"""Every worker stands in the registry once, keeps the protocol, and reads a topic of its own."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr

import streams
from counterpoise.clickhouse.client import connect
from counterpoise.contracts.topics import TOPICS
from counterpoise.runtime.retry import Waiter
from counterpoise.runtime.service_status import ServiceStatus
from counterpoise.series.load import load_catalogue
from counterpoise.settings.endpoints import ClickHouseTarget
from counterpoise.settings.model import Settings
from streams.worker import Worker
from streams.worker_registry import WORKERS, WorkerContext, WorkerEntry
from streams.worker_store import WorkerStore
from testkit.manual_clock import ManualClock

ROOM = Path(next(iter(streams.__path__)))


@pytest.fixture
def context(tmp_path: Path) -> Iterator[WorkerContext]:
    """Nothing answers at the address; nothing is asked either."""
    clock = ManualClock(now=0.0)
    with ServiceStatus("streams", tmp_path, clock) as status:
        client = connect(ClickHouseTarget("127.0.0.1", 1, "default", SecretStr("")), "nowhere")
        yield WorkerContext(
            Settings.load(dataset="nowhere", state_dir=tmp_path),
            WorkerStore(client, Waiter(clock, status, lambda: False)),
            load_catalogue(),
        )


def worker_classes() -> set[type]:
    """The public class of every module named worker in a folder of streams."""
    found = set()
    for path in sorted(ROOM.glob("*/worker.py")):
        module = importlib.import_module(f"streams.{path.parent.name}.worker")
        found |= {
            member
            for name, member in inspect.getmembers(module, inspect.isclass)
            if member.__module__ == module.__name__ and not name.startswith("_")
        }
    return found


def test_every_worker_of_a_folder_is_registered_once(context: WorkerContext) -> None:
    made = [entry.create(context) for entry in WORKERS]
    try:
        assert {type(worker) for worker in made} == worker_classes()
        assert len(made) == len(worker_classes())
        assert len(worker_classes()) == len(list(ROOM.glob("*/worker.py"))) >= 4
    finally:
        for worker in made:
            worker.close()


@pytest.mark.parametrize("entry", WORKERS, ids=lambda entry: entry.name)
def test_a_worker_keeps_the_protocol(entry: WorkerEntry, context: WorkerContext) -> None:
    worker = entry.create(context)
    try:
        assert isinstance(worker, Worker)
        for name, declared in inspect.getmembers(Worker, inspect.isfunction):
            if not name.startswith("_"):
                own = inspect.signature(getattr(type(worker), name))
                assert list(own.parameters) == list(inspect.signature(declared).parameters), name
        batching = entry.batching(context.settings)
        assert batching.messages >= 1
        assert batching.within_seconds > 0
    finally:
        worker.close()


def test_names_and_topics_are_used_once() -> None:
    """Two agents on one topic would share its messages between them."""
    assert len({entry.name for entry in WORKERS}) == len(WORKERS)
    topics = [entry.topic for entry in WORKERS]
    assert len(set(topics)) == len(topics)
    assert set(topics) <= set(TOPICS)
