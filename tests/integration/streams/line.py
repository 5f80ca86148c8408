"""The stream service as it really runs, for tests: a process of its own between a real broker and a real ClickHouse.

A `Line` is one dataset: its topics, its database, its workers. Many lines share a pair of engines.
"""

from __future__ import annotations

import json
import os
import random
import signal
import string
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kafka.errors import CoordinatorNotAvailableError, KafkaError

from counterpoise.clickhouse.client import ClickHouse, connect
from counterpoise.contracts.blocks import BLOCK_KIND, BlockEvent
from counterpoise.contracts.datasets import Dataset
from counterpoise.contracts.envelope import encode
from counterpoise.contracts.topics import BLOCKS, Topic
from counterpoise.errors import CounterpoiseError, RetryableError
from counterpoise.kafka.clients import make_admin, make_producer
from counterpoise.kafka.lag import group_id
from counterpoise.kafka.topic_setup import ensure_topics
from counterpoise.settings.endpoints import ClickHouseTarget
from tests.engines import ClickHouseServer, RunningKafka, kafka_engine
from tests.forked import ForkedProcess, start_forked
from tests.template import make_database
from tests.waiting import PATIENCE_SECONDS, wait_for

ROOT = Path(__file__).resolve().parents[3]
KILLED = -signal.SIGKILL

SESSION_SECONDS = 6.0 if kafka_engine() == "apache" else 2.0
"""A broker forgets a killed worker after this long, and only then a test goes on. Apache Kafka takes no shorter session."""

QUICK_GROUP = {
    "COUNTERPOISE_KAFKA__SESSION_TIMEOUT_SECONDS": str(SESSION_SECONDS),
    "COUNTERPOISE_KAFKA__HEARTBEAT_INTERVAL_SECONDS": "0.5",
    "COUNTERPOISE_KAFKA__REBALANCE_TIMEOUT_SECONDS": "6",
}

LONG_SESSION = {"COUNTERPOISE_KAFKA__SESSION_TIMEOUT_SECONDS": "60"}
"""For a test that kills nobody: a busy machine must not make the broker miss a worker, because then messages come again."""

SHARED = "shared"
"""Name of the state directory of replicas."""

SMALL_BATCHES = {"COUNTERPOISE_STREAMS__TAKE_MESSAGES": "1"}
"""One message a batch: as many places to die as there are messages."""


@dataclass(frozen=True)
class Engines:
    """Where a broker and a ClickHouse are, and a directory for what tests leave."""

    kafka: RunningKafka
    clickhouse: ClickHouseServer
    directory: Path

    @property
    def bootstrap(self) -> str:
        return self.kafka.bootstrap

    @property
    def target(self) -> ClickHouseTarget:
        """For a client of our own."""
        return self.clickhouse.target

    @property
    def environment(self) -> dict[str, str]:
        """What a process needs to find them."""
        return {
            "COUNTERPOISE_KAFKA__BOOTSTRAP_SERVERS": self.bootstrap,
            "COUNTERPOISE_CLICKHOUSE__HOST": "127.0.0.1",
            "COUNTERPOISE_CLICKHOUSE__PORT": str(self.clickhouse.port),
            "COUNTERPOISE_CLICKHOUSE__PASSWORD_FILE": str(self.clickhouse.password_file),
        }


@dataclass
class Worker:
    """A running `counterpoise run streams`, unsupervised, and what it says."""

    process: subprocess.Popen[bytes] | ForkedProcess
    log_file: Path
    status_file: Path
    supervised: bool = False

    @property
    def pid(self) -> int:
        return self.process.pid

    def is_alive(self) -> bool:
        return self.process.poll() is None

    def wait(self) -> int:
        """The exit code, once it has ended; the log where it does not end."""
        try:
            return self.process.wait(PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"the worker did not end in {PATIENCE_SECONDS} s:\n{self.tail()}") from None

    def kill(self) -> None:
        """SIGKILL; returns when it is gone."""
        if self.is_alive():
            self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        """SIGTERM; the exit code."""
        if self.is_alive():
            self.process.terminate()
        try:
            return self.process.wait(PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"the worker did not stop on SIGTERM:\n{self.tail()}") from None

    def status(self) -> dict[str, Any]:
        """What it last wrote of itself."""
        try:
            found = json.loads(self.status_file.read_text())
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) and (self.supervised or found.get("pid") == self.pid) else {}

    def log(self) -> str:
        return self.log_file.read_text(encoding="utf-8", errors="replace")

    def tail(self, lines: int = 40) -> str:
        return "\n".join(self.log().splitlines()[-lines:])


@dataclass
class Line:
    """One dataset. Close it (or use `line_on`): that ends its workers and drops its database."""

    engines: Engines
    dataset: str
    workers: list[Worker] = field(default_factory=list)
    _producer: Any = None
    _unconfirmed: list[Any] = field(default_factory=list)
    _ends: dict[tuple[str, int], int] = field(default_factory=dict)
    _client: ClickHouse | None = None
    _admin: Any = None

    @property
    def ch(self) -> ClickHouse:
        """A client of the dataset's database."""
        if self._client is None:
            self._client = connect(self.engines.target, self.dataset)
        return self._client

    def state_dir(self, name: str) -> Path:
        """Of one worker."""
        path = self.engines.directory / self.dataset / name
        path.mkdir(parents=True, exist_ok=True)
        return path

    def environment(self, name: str) -> dict[str, str]:
        """For a process of this dataset."""
        return {
            **{key: value for key, value in os.environ.items() if not key.startswith("COUNTERPOISE_")},
            **self.engines.environment,
            **QUICK_GROUP,
            "COUNTERPOISE_STATE_DIR": str(self.state_dir(name)),
            "COUNTERPOISE_DATASET": self.dataset,
            "COUNTERPOISE_DATASET_KIND": "historical",
            "COUNTERPOISE_STREAMS__DEAD_LETTER_LIMIT_WINDOW": "0",
            "COUNTERPOISE_HEALTH__STREAMS_PORT": "0",
        }

    def start(
        self,
        *,
        name: str = "w0",
        crash: str | None = None,
        settings: Mapping[str, str] | None = None,
        supervised: bool = False,
        replica: bool = False,
    ) -> Worker:
        """Start a worker; workers of one line need different names. `crash` is a crash point with its count.

        With `supervised` the supervisor is started, and its child's pid stands in the status. Each `replica` has the same state
        directory, as the containers of a scaled service have.
        """
        state_dir = self.state_dir(SHARED if replica else name)
        log_file = state_dir / f"{len(self.workers)}.log"
        environment = self.environment(state_dir.name) | dict(settings or {})
        run_dir = state_dir / "run" / self.dataset
        if replica:
            environment["COUNTERPOISE_INSTANCE"] = name
            run_dir = run_dir / "instances" / name
        if crash is not None:
            environment["COUNTERPOISE_CRASH_POINT"] = crash
        with log_file.open("wb") as log:
            process: subprocess.Popen[bytes] | ForkedProcess
            if supervised:
                process = subprocess.Popen(
                    [sys.executable, "-m", "counterpoise", "run", "streams"],
                    stdin=subprocess.PIPE,  # a service ends with the process that holds its standard input
                    stdout=log,
                    stderr=log,
                    cwd=ROOT,
                    env=environment,
                )
            else:
                process = start_forked(["run", "streams", "--child"], environment, ROOT, log)
        worker = Worker(process, log_file, run_dir / "streams.json", supervised)
        self.workers.append(worker)
        return worker

    def send_raw(
        self, values: Iterable[bytes | None], *, topic: Topic = BLOCKS, key: bytes = b"bitcoin", flush: bool = True
    ) -> None:
        """Messages as they are, in order; without `flush` they may still be on their way."""
        if self._producer is None:
            self._producer = make_producer(self.engines.kafka.target, "test")
        for value in values:
            self._unconfirmed.append(self._producer.send(topic.full_name(self.dataset), key=key, value=value))
        if flush:
            self.flush()

    def flush(self) -> None:
        """Wait until the broker has everything, and note how far each partition goes."""
        if self._producer is not None:
            self._producer.flush(PATIENCE_SECONDS)
        for future in self._unconfirmed:
            sent = future.get(PATIENCE_SECONDS)
            at = (sent.topic, sent.partition)
            self._ends[at] = max(self._ends.get(at, 0), sent.offset + 1)
        self._unconfirmed.clear()

    def send(self, events: Sequence[BlockEvent], *, events_per_message: int = 50) -> None:
        """Blocks of one chain, in order, in envelopes."""
        self.send_raw(
            (self.envelope(events[at : at + events_per_message]) for at in range(0, len(events), events_per_message)),
            key=events[0].chain.encode(),
        )

    def envelope(self, events: Sequence[BlockEvent]) -> bytes:
        """One message."""
        return encode(events, kind=BLOCK_KIND, dataset=self.dataset, producer="test", sent_at_ms=1_700_000_000_000)

    def lag(self) -> int:
        """Messages that we sent and the workers have not acknowledged.

        From what the broker told the producer: the embedded broker gives the last batch's first offset as a partition's end.
        """
        self.flush()
        committed = self._committed()
        return sum(max(0, end - committed.get(at, 0)) for at, end in self._ends.items())

    def _committed(self) -> dict[tuple[str, int], int]:
        """The offset up to which the workers acknowledged each partition. It is asked often, so the connection stays open."""
        try:
            if self._admin is None:
                self._admin = make_admin(self.engines.kafka.target, "test")
            marks = self._admin.list_group_offsets([self.group()]).get(self.group(), {})
        except CoordinatorNotAvailableError:  # a new cluster, before its first group
            return {}
        except KafkaError as error:
            self._close_admin()
            raise RetryableError(f"the broker does not answer: {error}") from error
        return {(at.topic, at.partition): mark.offset for at, mark in marks.items()}

    def _close_admin(self) -> None:
        if self._admin is not None:
            self._admin.close()
            self._admin = None

    def drain(self) -> None:
        """Wait until everything that was sent is acknowledged."""
        wait_for(lambda: self.lag() == 0, f"{self.dataset} to be drained", self._explain)

    def wait_for(self, sql: str, expected: Any) -> None:
        """Wait until a query of one value answers `expected`."""
        found: list[Any] = []

        def ask() -> bool:
            rows = self.ch.query(sql)
            found[:] = [rows[0][0] if rows else None]
            return bool(found[0] == expected)

        wait_for(ask, f"{sql!r} to be {expected!r}", lambda: f"it is {found}\n{self._explain()}")

    def group(self) -> str:
        return group_id(self.dataset, "streams")

    def forget_producer(self) -> None:
        """Leave a producer whose broker is gone, and what it sent."""
        self._unconfirmed.clear()
        self._ends.clear()
        self._close_admin()
        if self._producer is not None:
            self._producer.close(timeout=0)
            self._producer = None

    def close(self) -> None:
        for worker in self.workers:
            worker.kill()
            if worker.process.stdin is not None:
                worker.process.stdin.close()
        self.forget_producer()
        if self._client is not None:
            with suppress(CounterpoiseError):  # its server may be gone already
                self._client.execute(f"DROP DATABASE IF EXISTS {self.dataset} SYNC")
            self._client.close()

    def _explain(self) -> str:
        return "\n".join(f"--- worker {w.pid} (exit {w.process.poll()})\n{w.tail()}" for w in self.workers[-2:])


@contextmanager
def line_on(engines: Engines, prefix: str = "t") -> Iterator[Line]:
    """A dataset of its own on these engines."""
    name = f"{prefix}_{''.join(random.choices(string.ascii_lowercase, k=8))}"
    make_database(engines.target, Dataset(name, "historical"))
    ensure_topics(engines.kafka.target, name)
    line = Line(engines, name)
    try:
        yield line
    finally:
        line.close()
