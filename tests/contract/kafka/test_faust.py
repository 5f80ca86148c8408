"""Faust on the broker: join, consume, commit, share, survive a kill. Why Apache Kafka's newest version can be the one we pin."""

import os
import secrets
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from kafka.admin import NewTopic

from counterpoise.kafka.clients import admin_client, make_producer
from tests.engines import RunningKafka
from tests.waiting import PATIENCE_SECONDS, wait_for

pytestmark = pytest.mark.kafka

PARTITIONS = 4
WORKER = Path(__file__).with_name("faust_worker.py")


class Workers:
    """Two workers of one group, and what each has acknowledged."""

    def __init__(self, directory: Path, bootstrap: str, group: str, topic: str) -> None:
        self._directory, self._arguments = directory, (bootstrap, group, topic, str(PARTITIONS))
        self._processes: dict[int, subprocess.Popen[bytes]] = {}

    def start(self, number: int) -> None:
        with (self._directory / f"worker{number}.log").open("ab") as log:
            self._processes[number] = subprocess.Popen(
                [sys.executable, str(WORKER), *self._arguments, str(self._output(number))],
                cwd=self._directory,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=os.environ | {"PYTHONWARNINGS": "ignore"},
            )

    def end(self, number: int, sign: signal.Signals) -> int:
        process = self._processes.pop(number)
        process.send_signal(sign)
        return process.wait(PATIENCE_SECONDS)

    def end_all(self) -> None:
        for number in list(self._processes):
            self.end(number, signal.SIGKILL)

    def done(self, *numbers: int) -> set[str]:
        files = [self._output(number) for number in numbers]
        return {line.split()[1] for file in files if file.exists() for line in file.read_text().splitlines()}

    def _output(self, number: int) -> Path:
        return self._directory / f"worker{number}.txt"


@pytest.fixture
def topic(kafka: RunningKafka) -> Iterator[str]:
    name = f"faust-{secrets.token_hex(6)}"
    with admin_client(kafka.target) as admin:
        admin.create_topics([NewTopic(name, num_partitions=PARTITIONS, replication_factor=1)])
    yield name
    with admin_client(kafka.target) as admin:
        admin.delete_topics([name])


def test_two_workers_share_one_is_killed_and_nothing_is_lost(kafka: RunningKafka, topic: str, tmp_path: Path) -> None:
    group = f"{topic}-group"
    workers = Workers(tmp_path, kafka.bootstrap, group, topic)
    producer = make_producer(kafka.target, "test")
    sent = 0

    def send(count: int) -> None:
        nonlocal sent
        for _ in range(count):
            producer.send(topic, str(sent).encode(), partition=sent % PARTITIONS)
            sent += 1
        producer.flush()

    try:
        send(200)
        workers.start(0)
        wait_for(lambda: len(workers.done(0)) == 200, "the first worker consumes what was there")
        workers.start(1)

        def second_has_work() -> bool:
            send(PARTITIONS)
            return bool(workers.done(1))

        wait_for(second_has_work, "the second worker gets a share")
        workers.end(0, signal.SIGKILL)
        send(200)
        wait_for(lambda: len(workers.done(0, 1)) == sent, "the survivor takes over all partitions")
        assert workers.end(1, signal.SIGTERM) == 0
        with admin_client(kafka.target) as admin:
            committed = sum(mark.offset for mark in admin.list_group_offsets([group])[group].values())
        assert committed == sent, "an orderly stop commits everything"
    finally:
        producer.close()
        workers.end_all()
